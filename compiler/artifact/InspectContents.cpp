// See InspectContents.h. The file is verified by the runtime's own checks first.
#include "compiler/artifact/InspectContents.h"
#include "compiler/artifact/IndexSets.h"
#include "compiler/artifact/WeightStream.h"
#include "runtime/host/Records.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/MathExtras.h"
#include <map>

using namespace coppice;
using namespace coppice::inspect;

std::vector<std::pair<uint32_t, uint32_t>> KeptSet::ranges() const {
  std::vector<std::pair<uint32_t, uint32_t>> result;
  for (uint32_t number : kept) {
    if (!result.empty() && result.back().second + 1 == number)
      result.back().second = number;
    else
      result.push_back({number, number});
  }
  return result;
}

std::vector<uint8_t> KeptSet::shares(uint32_t cells, uint8_t levels) const {
  assert(cells <= before && "a cell for less than one number");
  auto shade = [&](uint64_t part, uint64_t whole) {
    if (part == 0 || part == whole)
      return uint8_t(part ? levels : 0);
    return uint8_t(std::clamp<uint64_t>(part * levels / whole, 1, std::max(levels - 1, 1)));
  };
  if (!recorded)
    return std::vector<uint8_t>(cells, shade(count, before));
  std::vector<uint32_t> counts(cells);
  // Cell c holds the numbers n with n * cells / before = c.
  for (uint32_t number : kept)
    ++counts[uint64_t(number) * cells / before];
  std::vector<uint8_t> result;
  for (uint64_t cell = 0; cell < cells; ++cell) {
    uint64_t first = llvm::divideCeil(cell * before, cells);
    uint64_t width = llvm::divideCeil((cell + 1) * before, cells) - first;
    result.push_back(shade(counts[cell], width));
  }
  return result;
}

uint32_t LayerShape::headsPerKvHead() const {
  if (!kvHeads.before || heads.before % kvHeads.before)
    return 0;
  return heads.before / kvHeads.before;
}

/// Its name goes on with the format.
constexpr llvm::StringLiteral kRingKernel = "kv_write_ring_";

llvm::StringRef Contents::kvFormat() const {
  for (const artifact::Kernel *kernel : *metadata->entry_points()->Get(0)->kernels())
    for (llvm::StringRef format : {"f32", "bf16", "i8"}) {
      llvm::StringRef name = kernel->name()->c_str();
      if (name == ("kv_write_" + format).str() || name == (kRingKernel + format).str())
        return format;
    }
  return "";
}

CacheBytes Contents::cacheBytesBefore() const {
  llvm::StringRef format = kvFormat();
  uint64_t element = format == "i8" ? 1 : format == "bf16" ? 2 : 4;
  uint64_t scale = format == "i8" ? 4 : 0; // of each key and of each value
  bool allRings = llvm::any_of(layers, [](const LayerShape &layer) { return layer.ring; }) &&
                  llvm::all_of(layers, [](const LayerShape &layer) {
                    return layer.ring || !layer.attention || !layer.kvHeads.count;
                  });
  CacheBytes bytes;
  for (const LayerShape &layer : layers) {
    uint64_t &part = layer.ring || allRings ? bytes.ring : bytes.plain;
    part = llvm::SaturatingMultiplyAdd(uint64_t(layer.kvHeads.before) * 2,
                                       layer.headDim * element + scale, part);
  }
  return bytes;
}

/// Heads and neurons of all layers at most, kept or not: sets that keep all take no bytes of the
/// file, and any number of layers may share one set; neither must ask for memory or time without
/// bound. Ten times those of the largest models.
constexpr uint64_t kMaxNumbers = uint64_t(1) << 26;

std::string Contents::bitsPerWeight() const {
  std::string text;
  if (weightElements)
    llvm::raw_string_ostream(text)
        << llvm::format("%.2f", 8.0 * double(weightBytes) / double(weightElements));
  return text;
}

static llvm::Expected<KeptSet> keptSet(const artifact::IndexSet &set) {
  auto kept = readIndexSet(set);
  if (!kept)
    return kept.takeError();
  bool recorded = kept->has_value();
  return KeptSet{set.before(), set.kept(), std::move(*kept).value_or(std::vector<uint32_t>()),
                 recorded};
}

static llvm::Error gather(Contents &contents) {
  uint64_t numbers = 0;
  for (const artifact::Layer *layer : *contents.metadata->model()->layers()) {
    for (const artifact::IndexSet *set :
         {layer->heads(), layer->kv_heads(), layer->neurons(), layer->experts()})
      numbers += set ? set->before() : 0;
    if (numbers > kMaxNumbers)
      return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                     "the artifact's layers have more than " +
                                         llvm::Twine(kMaxNumbers) +
                                         " heads, neurons and experts; compile it again");
    auto heads = keptSet(*layer->heads());
    if (!heads)
      return heads.takeError();
    auto kvHeads = keptSet(*layer->kv_heads());
    if (!kvHeads)
      return kvHeads.takeError();
    auto neurons = keptSet(*layer->neurons());
    if (!neurons)
      return neurons.takeError();
    auto experts = layer->experts() ? keptSet(*layer->experts()) : KeptSet();
    if (!experts)
      return experts.takeError();
    contents.layers.push_back({layer->attention(), layer->ffn(), layer->head_dim(),
                               std::move(*heads), std::move(*kvHeads), std::move(*neurons),
                               std::move(*experts)});
  }
  const artifact::EntryPoint &entry = *contents.metadata->entry_points()->Get(0);
  runtime::StageReader stages(entry);
  for (runtime::StageRecord stage; stages.next(stage);)
    if (stage.layer >= 0 && size_t(stage.layer) < contents.layers.size() &&
        llvm::StringRef(entry.kernels()->Get(stage.kernel)->name()->c_str())
            .starts_with(kRingKernel))
      contents.layers[stage.layer].ring = true;

  std::map<uint32_t, size_t> places;
  runtime::WeightReader reader(*contents.metadata, contents.prefix.weights.bytes);
  for (runtime::WeightRecord weight; reader.next(weight);) {
    auto [place, isNew] = places.try_emplace(weight.role, contents.roles.size());
    if (isNew)
      contents.roles.push_back({contents.metadata->roles()->Get(weight.role)->str(), "", 0, 0});
    RoleBytes &role = contents.roles[place->second];
    llvm::StringRef name = formatName(WeightFormat(weight.format));
    if (!llvm::is_contained(llvm::split(role.formats, ", "), name))
      role.formats += (role.formats.empty() ? "" : ", ") + name.str();
    ++role.count;
    role.bytes += weight.bytes;
    if (weight.format != artifact::WeightFormat::U32)
      // At most two a byte of the file.
      role.elements += uint64_t(weight.rows) * weight.cols * weight.experts;
    contents.weightBytes += weight.bytes;
  }
  for (const RoleBytes &role : contents.roles)
    contents.weightElements += role.elements;
  if (const auto *tokenizer = contents.metadata->tokenizer())
    contents.tokenizerBytes = tokenizer->size();
  contents.paddingBytes = contents.prefix.file_bytes - sizeof(coppice_prefix) -
                          contents.prefix.metadata.bytes - contents.prefix.code.bytes -
                          contents.weightBytes;
  return llvm::Error::success();
}

llvm::Expected<Contents> coppice::inspect::readContents(llvm::StringRef path) {
  auto refuse = [&](const llvm::Twine &why) {
    return llvm::createStringError(llvm::inconvertibleErrorCode(), "'" + path + "': " + why);
  };
  // A device may have no end.
  llvm::sys::fs::file_status status;
  if (!llvm::sys::fs::status(path, status) && !llvm::sys::fs::is_regular_file(status))
    return refuse("cannot be read: it is not a regular file");
  auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false,
                                          /*IsVolatile=*/false, llvm::Align(64));
  if (!file)
    return refuse("cannot be read: " + file.getError().message() +
                  (file.getError() == std::errc::no_such_file_or_directory
                       ? "; check its name and the folder that it is in"
                       : ""));
  coppice_error error;
  runtime::VerifiedArtifact verified;
  if (runtime::verifyArtifact(reinterpret_cast<const uint8_t *>((*file)->getBufferStart()),
                              (*file)->getBufferSize(), /*skipWeights=*/false, verified, &error))
    return refuse(error.message);
  Contents contents{std::move(*file), verified.prefix, verified.metadata, {}, {}};
  if (llvm::Error damaged = gather(contents))
    return refuse(llvm::toString(std::move(damaged)));
  return std::move(contents);
}

CacheBytes coppice::inspect::cacheBytes(const artifact::EntryPoint &entry) {
  return {entry.memory()->kv_bytes_per_position(),
          entry.ring() ? entry.ring()->bytes_per_position() : 0};
}

uint64_t coppice::inspect::kvBytesAtContext(CacheBytes bytes, const artifact::EntryPoint &entry,
                                            uint32_t context) {
  uint64_t positions = llvm::alignTo(uint64_t(context), COPPICE_KV_BLOCK);
  uint64_t ring = entry.ring() ? std::min<uint64_t>(entry.ring()->positions(), positions) : 0;
  return llvm::SaturatingMultiplyAdd(bytes.plain, positions,
                                     llvm::SaturatingMultiply(bytes.ring, ring));
}

std::optional<std::string> coppice::inspect::hashText(const artifact::Hash *hash) {
  if (!hash)
    return std::nullopt;
  return llvm::toHex(llvm::ArrayRef(hash->bytes()->data(), 32), /*LowerCase=*/true);
}

std::string coppice::inspect::grouped(uint64_t number) {
  std::string digits = std::to_string(number);
  for (int64_t at = int64_t(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(size_t(at), ",");
  return digits;
}
