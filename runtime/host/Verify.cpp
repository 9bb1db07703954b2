// The order matters: prefix and ranges first, then the checksums, then the FlatBuffers verifier,
// then what the numbers mean. After the checksums damage is excluded, so that a message about a
// number is about a faulty compiler; it must still never be believed.
#include "runtime/host/Verify.h"
#include "coppice/limits.h"
#include "runtime/core/checksum.h"
#include "runtime/host/Records.h"
#include <algorithm>
#include <cstring>

namespace coppice::runtime {
namespace {

// Far above what models need, far below what could hurt.
constexpr uint64_t kMaxMetadata = uint64_t(1) << 30;
constexpr uint64_t kMaxCode = uint64_t(1) << 28;
constexpr uint64_t kMaxBytesEach = uint64_t(1) << 40; // arena per row, KV cache per position
constexpr uint32_t kMaxTables = 1 << 20, kMaxDepth = 16;
constexpr uint32_t kMaxStages = 1 << 20, kMaxEntryPoints = 64;
constexpr uint32_t kMaxPicks = 1 << 16; // experts of a row
constexpr uint32_t kMaxFeatures = 256;  // asking the processor for one takes a while

uint64_t alignUp(uint64_t n, uint64_t alignment) {
  return (n + alignment - 1) / alignment * alignment;
}

bool allZero(const uint8_t *data, uint64_t bytes) {
  return std::all_of(data, data + bytes, [](uint8_t byte) { return byte == 0; });
}

unsigned long long ull(uint64_t n) { return n; }

coppice_status bad(coppice_error *error, const char *what, uint64_t is, uint64_t wanted) {
  return fail(error, COPPICE_BAD_ARTIFACT,
              "the artifact is damaged: %s is %llu, expected %llu; copy or compile it again", what,
              ull(is), ull(wanted));
}

coppice_status bad(coppice_error *error, const char *what) {
  return fail(error, COPPICE_BAD_ARTIFACT, "the artifact is damaged: %s; copy or compile it again",
              what);
}

coppice_status checkRanges(const uint8_t *file, uint64_t bytes, const coppice_prefix &prefix,
                           coppice_error *error) {
  if (std::memcmp(prefix.magic, COPPICE_ARTIFACT_MAGIC, sizeof prefix.magic) != 0)
    return fail(error, COPPICE_BAD_ARTIFACT,
                "not an artifact: it does not begin with \"COPPICE\"; artifacts are made by "
                "`coppice compile`");
  if (prefix.version != COPPICE_ARTIFACT_VERSION)
    return fail(error, COPPICE_OTHER_VERSION,
                "the artifact has format version %u, this runtime reads version %u; compile the "
                "model again",
                prefix.version, COPPICE_ARTIFACT_VERSION);
  if (prefix.kernel_abi != COPPICE_KERNEL_ABI_VERSION)
    return fail(error, COPPICE_OTHER_VERSION,
                "the artifact's kernels have ABI version %u, this runtime calls version %u; "
                "compile the model again",
                prefix.kernel_abi, COPPICE_KERNEL_ABI_VERSION);
  if (prefix.file_bytes != bytes)
    return bad(error, "the file's length", bytes, prefix.file_bytes);
  if (!allZero(prefix.reserved, sizeof prefix.reserved))
    return bad(error, "the prefix's reserved bytes are not zero");

  // Each area begins where the one before it ends, aligned; the checks before each sum keep it
  // from overflowing.
  const coppice_range &metadata = prefix.metadata, &code = prefix.code, &weights = prefix.weights;
  uint64_t at = sizeof(coppice_prefix);
  if (metadata.offset != at)
    return bad(error, "the metadata's offset", metadata.offset, at);
  if (metadata.bytes > std::min(bytes - at, kMaxMetadata))
    return bad(error, "the metadata is longer than the file");
  uint64_t end = at + metadata.bytes;
  at = alignUp(end, COPPICE_AREA_ALIGN);
  if (code.offset != at)
    return bad(error, "the code's offset", code.offset, at);
  if (at > bytes || code.bytes > std::min(bytes - at, kMaxCode))
    return bad(error, "the code is longer than the file");
  if (!allZero(file + end, at - end))
    return bad(error, "the bytes between metadata and code are not zero");
  end = at + code.bytes;
  at = alignUp(end, COPPICE_AREA_ALIGN);
  if (weights.offset != at)
    return bad(error, "the weights' offset", weights.offset, at);
  if (at > bytes || weights.bytes != bytes - at)
    return bad(error, "the weights do not end where the file ends");
  if (!allZero(file + end, at - end))
    return bad(error, "the bytes between code and weights are not zero");
  return COPPICE_OK;
}

coppice_status checkSums(const uint8_t *file, const coppice_prefix &prefix, bool skipWeights,
                         coppice_error *error) {
  coppice_prefix zeroed = prefix;
  zeroed.head_checksum = 0;
  coppice_checksum sum;
  coppice_checksum_init(&sum);
  coppice_checksum_update(&sum, &zeroed, sizeof zeroed);
  coppice_checksum_update(&sum, file + sizeof zeroed, prefix.weights.offset - sizeof zeroed);
  if (coppice_checksum_final(&sum) != prefix.head_checksum)
    return bad(error, "the checksum of its head does not match");
  if (skipWeights)
    return COPPICE_OK;
  coppice_checksum_init(&sum);
  coppice_checksum_update(&sum, file + prefix.weights.offset, prefix.weights.bytes);
  if (coppice_checksum_final(&sum) != prefix.weights_checksum)
    return bad(error, "the checksum of its weights does not match");
  return COPPICE_OK;
}

/// `recorded`: the set must say which numbers it keeps. Tables may be shared: what one is for is
/// known by the field that names it only.
coppice_status checkSet(const artifact::IndexSet &set, bool recorded, coppice_error *error) {
  if (set.kept() > set.before())
    return bad(error, "a layer keeps more than it had", set.kept(), set.before());
  bool some = set.kept() != 0 && set.kept() != set.before();
  if ((set.runs() && set.bitmap()) || (!some && (set.runs() || set.bitmap())))
    return bad(error, "a layer says twice what it keeps");
  if (some && recorded && !set.runs() && !set.bitmap())
    return bad(error, "a layer does not say which heads it keeps");
  return COPPICE_OK;
}

coppice_status checkModel(const artifact::Model &model, coppice_error *error) {
  struct {
    const char *name;
    uint32_t value;
  } const numbers[] = {{"vocabulary", model.vocabulary()},
                       {"token limit", model.token_limit()},
                       {"context", model.context()}};
  for (const auto &number : numbers)
    if (number.value == 0 || number.value > COPPICE_MAX_ID)
      return fail(error, COPPICE_BAD_ARTIFACT, "the artifact's %s is %u, expected 1 to %u",
                  number.name, number.value, COPPICE_MAX_ID);
  if (model.active_parameters() > model.parameters())
    return bad(error, "a token needs more parameters than there are", model.active_parameters(),
               model.parameters());
  for (const artifact::Layer *layer : *model.layers()) {
    coppice_status status = checkSet(*layer->heads(), /*recorded=*/true, error);
    if (status == COPPICE_OK)
      status = checkSet(*layer->kv_heads(), /*recorded=*/true, error);
    if (status == COPPICE_OK)
      status = checkSet(*layer->neurons(), /*recorded=*/false, error);
    if (status == COPPICE_OK && layer->experts())
      status = checkSet(*layer->experts(), /*recorded=*/true, error);
    if (status != COPPICE_OK)
      return status;
  }
  return COPPICE_OK;
}

coppice_status checkWeights(const artifact::Artifact &metadata, uint64_t bytes,
                            coppice_error *error) {
  WeightReader reader(metadata, bytes);
  for (WeightRecord weight; reader.next(weight);)
    continue;
  return reader.problem() ? bad(error, reader.problem()) : COPPICE_OK;
}

/// Entry points may share their lists, and each looks at all of its own: how many there are is
/// limited before even the FlatBuffers verifier runs, or a small file could keep it busy for hours.
bool fewEntryPoints(const uint8_t *blob, uint64_t bytes) {
  using EntryPoints = flatbuffers::Vector<flatbuffers::Offset<artifact::EntryPoint>>;
  constexpr auto field = artifact::Artifact::VT_ENTRY_POINTS;
  flatbuffers::Verifier verifier(blob, bytes, kMaxDepth, kMaxTables);
  size_t root = verifier.VerifyOffset(0);
  const auto *table = reinterpret_cast<const flatbuffers::Table *>(blob + root);
  if (root == 0 || !table->VerifyTableStart(verifier) ||
      !table->VerifyOffsetRequired(verifier, field))
    return false;
  const auto *entryPoints = table->GetPointer<const EntryPoints *>(field);
  return verifier.VerifyVector(entryPoints) && entryPoints->size() <= kMaxEntryPoints;
}

coppice_status checkEntryPoint(const artifact::EntryPoint &entry, uint64_t codeBytes,
                               coppice_error *error) {
  if (entry.code_offset() % COPPICE_AREA_ALIGN || entry.code_offset() > codeBytes ||
      entry.code_bytes() > codeBytes - entry.code_offset())
    return bad(error, "a code segment lies outside the code");
  for (const artifact::Kernel *kernel : *entry.kernels())
    if (kernel->offset() >= entry.code_bytes())
      return bad(error, "a kernel lies outside its code segment");
  if (entry.features() && entry.features()->size() > kMaxFeatures)
    return bad(error, "the number of features of an entry point", entry.features()->size(),
               kMaxFeatures);
  StageReader reader(entry);
  uint32_t stages = 0;
  for (StageRecord stage; reader.next(stage);)
    if (++stages > kMaxStages)
      return bad(error, "the number of stages", stages, kMaxStages);
  if (reader.problem())
    return bad(error, reader.problem());
  const artifact::MemoryPlan &memory = *entry.memory();
  if (memory.arena_bytes_per_row() % 64 || memory.arena_bytes_per_row() > kMaxBytesEach)
    return bad(error, "the arena's size is out of range");
  if (entry.picks() > kMaxPicks)
    return bad(error, "the number of experts that a row is sent to", entry.picks(), kMaxPicks);
  if (memory.kv_bytes_per_position() > kMaxBytesEach)
    return bad(error, "the KV cache's size is out of range");
  for (const artifact::Kernel *kernel : *entry.kernels())
    if (!entry.ring() && std::strncmp(kernel->name()->c_str(), "kv_write_ring_", 14) == 0)
      return bad(error, "its kernels keep rings that have no size");
  if (const artifact::RingPlan *ring = entry.ring()) {
    if (ring->bytes_per_position() == 0 || ring->bytes_per_position() > kMaxBytesEach ||
        ring->positions() == 0 || ring->positions() % COPPICE_KV_RING ||
        ring->positions() > COPPICE_MAX_ID)
      return bad(error, "the size of its rings is out of range");
    if (ring->largest_step() == 0 || ring->largest_step() > ring->positions())
      return bad(error, "the largest step does not fit into its rings");
  }
  return COPPICE_OK;
}

} // namespace

coppice_status verifyArtifact(const uint8_t *file, size_t bytes, bool skipWeights,
                              VerifiedArtifact &out, coppice_error *error) {
  coppice_prefix prefix;
  if (bytes < sizeof prefix)
    return fail(error, COPPICE_BAD_ARTIFACT,
                "not an artifact: it has %zu bytes, the prefix alone has %zu", bytes,
                sizeof prefix);
  std::memcpy(&prefix, file, sizeof prefix);
  if (coppice_status status = checkRanges(file, bytes, prefix, error))
    return status;
  if (coppice_status status = checkSums(file, prefix, skipWeights, error))
    return status;

  const uint8_t *blob = file + prefix.metadata.offset;
  flatbuffers::Verifier verifier(blob, prefix.metadata.bytes, kMaxDepth, kMaxTables);
  if (!fewEntryPoints(blob, prefix.metadata.bytes) || !artifact::VerifyArtifactBuffer(verifier))
    return bad(error, "its metadata is malformed");
  const artifact::Artifact &metadata = *artifact::GetArtifact(blob);
  if (coppice_status status = checkModel(*metadata.model(), error))
    return status;
  if (coppice_status status = checkWeights(metadata, prefix.weights.bytes, error))
    return status;
  if (metadata.entry_points()->size() == 0)
    return bad(error, "it has no entry point");
  for (const artifact::EntryPoint *entry : *metadata.entry_points())
    if (coppice_status status = checkEntryPoint(*entry, prefix.code.bytes, error))
      return status;
  out = {prefix, &metadata};
  return COPPICE_OK;
}

} // namespace coppice::runtime
