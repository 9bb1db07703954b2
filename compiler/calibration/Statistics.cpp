// See Statistics.h.
#include "compiler/calibration/Statistics.h"
#include "compiler/artifact/WeightView.h"
#include "compiler/import/Files.h"
#include "compiler/import/Json.h"
#include "compiler/import/Safetensors.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/Format.h"
#include <cmath>

namespace coppice {

constexpr llvm::StringLiteral kKind = "coppice calibration 1";

static llvm::Error fail(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

static std::string hex(const Digest &digest) {
  return llvm::toHex(llvm::ArrayRef(digest), /*LowerCase=*/true);
}

static std::optional<Digest> digestOf(llvm::StringRef text) {
  std::string bytes;
  Digest digest;
  if (text.size() != 2 * digest.size() || !llvm::tryGetFromHex(text, bytes))
    return std::nullopt;
  llvm::copy(bytes, digest.begin());
  return digest;
}

/// What stands in the header beside the tensors. `file` is one that readSafetensors took.
static llvm::Error readMetadata(llvm::ArrayRef<uint8_t> file, Statistics &result) {
  uint64_t length = llvm::support::endian::read64le(file.data());
  auto header =
      parseJson({reinterpret_cast<const char *>(file.data()) + 8, size_t(length)}, result.path);
  if (!header)
    return header.takeError();
  const llvm::json::Object *object = header->getAsObject();
  const llvm::json::Object *metadata = object ? object->getObject("__metadata__") : nullptr;
  auto field = [&](llvm::StringRef name) -> llvm::StringRef {
    return metadata ? metadata->getString(name).value_or("") : "";
  };
  if (field("format") != kKind)
    return fail(result.path + ": not a file of coppice calibrate: its metadata says format '" +
                field("format") + "', not '" + kKind + "'; make one with coppice calibrate");
  auto checkpoint = digestOf(field("checkpoint"));
  auto plan = digestOf(field("plan"));
  if (!checkpoint || (!field("plan").empty() && !plan) ||
      field("tokens").getAsInteger(10, result.tokens))
    return fail(result.path + ": its metadata is damaged: checkpoint and plan are hashes of 64 hex "
                              "digits and tokens is a number; calibrate again");
  result.checkpoint = *checkpoint;
  result.plan = plan;
  return llvm::Error::success();
}

llvm::Expected<Statistics> readStatistics(llvm::StringRef path) {
  auto file = MappedFile::open(path);
  if (!file)
    return file.takeError();
  auto entries = readSafetensors(file->bytes(), path);
  if (!entries)
    return entries.takeError();
  Statistics result;
  result.path = path.str();
  if (llvm::Error error = readMetadata(file->bytes(), result))
    return std::move(error);
  for (const SafetensorsEntry &entry : *entries) {
    if (entry.dtype != "F32" || entry.shape.size() != 1)
      return fail(path + ": tensor '" + entry.name + "' is " + entry.dtype + " of " +
                  llvm::Twine(entry.shape.size()) +
                  " dimensions; mean squares are F32 of 1: calibrate again");
    std::vector<float> &values = result.meanSquares[entry.name];
    values.resize(entry.data.size() / sizeof(float));
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = llvm::bit_cast<float>(
          llvm::support::endian::read32le(entry.data.data() + i * sizeof(float)));
      if (!(values[i] >= 0) || std::isinf(values[i])) {
        std::string text;
        llvm::raw_string_ostream(text) << llvm::format("%g", values[i]);
        return fail(path + ": tensor '" + entry.name + "': column " + llvm::Twine(i) + " is " +
                    text + "; a mean square is a finite number from 0 on: calibrate again");
      }
    }
  }
  return result;
}

std::string statisticsFile(const Statistics &statistics) {
  std::string header;
  llvm::raw_string_ostream stream(header);
  llvm::json::OStream json(stream);
  uint64_t end = 0;
  json.object([&] {
    json.attributeObject("__metadata__", [&] {
      json.attribute("checkpoint", hex(statistics.checkpoint));
      json.attribute("format", kKind);
      if (statistics.plan)
        json.attribute("plan", hex(*statistics.plan));
      json.attribute("tokens", std::to_string(statistics.tokens));
    });
    for (const auto &tensor : statistics.meanSquares)
      json.attributeObject(tensor.first, [&] {
        uint64_t begin = end;
        end += tensor.second.size() * sizeof(float);
        json.attribute("dtype", "F32");
        json.attribute("shape", llvm::json::Array{int64_t(tensor.second.size())});
        json.attribute("data_offsets", llvm::json::Array{int64_t(begin), int64_t(end)});
      });
  });
  stream.flush();
  header.append((8 - header.size() % 8) % 8, ' ');
  std::string file(8, '\0');
  llvm::support::endian::write64le(file.data(), header.size());
  file += header;
  for (const auto &[name, values] : statistics.meanSquares)
    for (float value : values) {
      char bytes[sizeof(float)];
      llvm::support::endian::write32le(bytes, llvm::bit_cast<uint32_t>(value));
      file.append(bytes, sizeof bytes);
    }
  return file;
}

/// The importance of the columns that `weight` keeps of a matrix.
static llvm::Error apply(const Statistics &statistics, lm::WeightOp source,
                         const Checkpoint &checkpoint, PackedWeight &weight) {
  auto view = viewWeight(source, checkpoint);
  if (!view)
    return view.takeError();
  const std::string name = source.getTensor().str();
  auto found = statistics.meanSquares.find(name);
  if (found == statistics.meanSquares.end())
    return fail(statistics.path + ": has no tensor '" + name + "', which is quantized here: " +
                (statistics.plan ? "it was taken with a plan that cuts it; calibrate again, with "
                                   "the plan of this compilation or without one"
                                 : "it was taken without a plan, so it is damaged; calibrate "
                                   "again"));
  int64_t columns = view->tensor->shape[view->transposed ? 0 : 1];
  if (int64_t(found->second.size()) != columns)
    return fail(statistics.path + ": tensor '" + name + "' has " +
                llvm::Twine(found->second.size()) + " columns, the checkpoint's has " +
                llvm::Twine(columns) + ": calibrate again");
  for (int64_t i = 0; i < weight.cols; ++i)
    weight.importance.push_back(found->second[view->sourceCol(i)]);
  return llvm::Error::success();
}

llvm::Error applyStatistics(const Statistics &statistics, const Digest &checkpointHash,
                            const std::optional<Digest> &plan, const Checkpoint &checkpoint,
                            llvm::MutableArrayRef<PackedWeight> weights) {
  if (statistics.checkpoint != checkpointHash)
    return fail(statistics.path + ": was measured on another checkpoint, of hash " +
                hex(statistics.checkpoint) + "; this one's is " + hex(checkpointHash) +
                ": calibrate with this one");
  if (statistics.plan && statistics.plan != plan)
    return fail(statistics.path + ": was measured with the plan of hash " + hex(*statistics.plan) +
                ", and this compilation has " +
                (plan ? "another, of hash " + hex(*plan) : std::string("none")) +
                ": calibrate with the same plan or without one");
  bool any = false, tables = false;
  for (PackedWeight &weight : weights) {
    if (!isQuantized(weight.format))
      continue;
    // Tables that are only looked up are multiplied with nothing.
    if (weight.layout != WeightLayout::Panels || !weight.source) {
      tables = true;
      continue;
    }
    any = true;
    std::vector<mlir::Value> sources = weight.others;
    sources.insert(sources.begin(), weight.source);
    weight.importance.clear();
    for (mlir::Value source : sources)
      if (llvm::Error error =
              apply(statistics, source.getDefiningOp<lm::WeightOp>(), checkpoint, weight))
        return error;
  }
  if (!any && tables)
    return fail(statistics.path + ": a calibration concerns the matrices that linears read, and "
                                  "none of them is quantized here, only a table that is looked "
                                  "up; choose i4 or i8 for them too, or leave --calibration out");
  if (!any)
    return fail(statistics.path + ": nothing here is quantized, so a calibration has no use; "
                                  "choose --weights i4 or i8, or leave --calibration out");
  return llvm::Error::success();
}

} // namespace coppice
