// See Writer.h. Where everything lies is known before the first byte: the weights are streamed to
// their place first, then the head, which holds their checksum, is written before them.
#include "compiler/artifact/Writer.h"
#include "compiler/artifact/OutputFile.h"
#include "coppice/artifact_prefix.h"
#include "runtime/core/checksum.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace coppice;

static_assert(llvm::endianness::native == llvm::endianness::little,
              "the prefix is written as it lies in memory");

/// Small weights are gathered, so that each write is worth its call.
constexpr size_t kWriteBytes = 1 << 20;

namespace {
/// The weight area: checksummed and written as it comes.
class WeightArea {
public:
  WeightArea(OutputFile &file, uint64_t start) : file(file), next(start) {
    coppice_checksum_init(&sum);
  }

  llvm::Error add(llvm::ArrayRef<uint8_t> bytes) {
    coppice_checksum_update(&sum, bytes.data(), bytes.size());
    if (pending.size() + bytes.size() < kWriteBytes) {
      pending.insert(pending.end(), bytes.begin(), bytes.end());
      return llvm::Error::success();
    }
    if (llvm::Error error = flush())
      return error;
    return put(bytes);
  }

  llvm::Error flush() {
    llvm::Error error = put(pending);
    pending.clear();
    return error;
  }

  uint64_t checksum() const { return coppice_checksum_final(&sum); }

private:
  llvm::Error put(llvm::ArrayRef<uint8_t> bytes) {
    if (llvm::Error error = file.write(bytes, next))
      return error;
    next += bytes.size();
    return llvm::Error::success();
  }

  OutputFile &file;
  uint64_t next;
  std::vector<uint8_t> pending;
  coppice_checksum sum;
};
} // namespace

namespace {
/// What stands before the weights; the checksums are not yet there.
struct Head {
  coppice_prefix prefix = {};
  std::vector<uint8_t> metadata;
  std::vector<uint64_t> codePlaces;
};
} // namespace

static llvm::Expected<Head> layOut(const Program &program, const ArtifactInputs &inputs) {
  auto metadata = buildMetadata(program, inputs);
  if (!metadata)
    return metadata.takeError();
  Head head;
  head.metadata = std::move(*metadata);
  head.codePlaces = codePlaces(program);
  coppice_prefix &prefix = head.prefix;
  memcpy(prefix.magic, COPPICE_ARTIFACT_MAGIC, sizeof prefix.magic);
  prefix.version = COPPICE_ARTIFACT_VERSION;
  prefix.kernel_abi = COPPICE_KERNEL_ABI_VERSION;
  prefix.metadata = {llvm::alignTo(sizeof prefix, COPPICE_METADATA_ALIGN), head.metadata.size()};
  prefix.code = {llvm::alignTo(prefix.metadata.offset + head.metadata.size(), COPPICE_AREA_ALIGN),
                 head.codePlaces.back()};
  prefix.weights = {llvm::alignTo(prefix.code.offset + prefix.code.bytes, COPPICE_AREA_ALIGN),
                    segmentBytes(program.weights)};
  prefix.file_bytes = prefix.weights.offset + prefix.weights.bytes;
  return head;
}

llvm::Expected<uint64_t> coppice::artifactBytes(const Program &program,
                                                const ArtifactInputs &inputs) {
  llvm::Expected<Head> head = layOut(program, inputs);
  if (!head)
    return head.takeError();
  return head->prefix.file_bytes;
}

llvm::Error coppice::writeArtifact(const Program &program, const Checkpoint &checkpoint,
                                   const ArtifactInputs &inputs, llvm::StringRef path) {
  llvm::Expected<Head> laidOut = layOut(program, inputs);
  if (!laidOut)
    return laidOut.takeError();
  coppice_prefix &prefix = laidOut->prefix;

  auto file = OutputFile::create(path);
  if (!file)
    return file.takeError();
  WeightArea area(**file, prefix.weights.offset);
  auto progress = [&](uint64_t done, uint64_t total) {
    if (inputs.progress)
      inputs.progress(done, total);
  };
  if (llvm::Error error =
          streamWeights(program.weights, checkpoint, inputs.threads, progress,
                        [&](llvm::ArrayRef<uint8_t> bytes) { return area.add(bytes); }))
    return error;
  if (llvm::Error error = area.flush())
    return error;
  prefix.weights_checksum = area.checksum();

  std::vector<uint8_t> head(prefix.weights.offset);
  auto put = [&](uint64_t offset, const void *data, size_t bytes) {
    if (bytes)
      memcpy(head.data() + offset, data, bytes);
  };
  put(prefix.metadata.offset, laidOut->metadata.data(), laidOut->metadata.size());
  for (auto [code, place] : llvm::zip_first(program.code, laidOut->codePlaces))
    put(prefix.code.offset + place, code.image.bytes.data(), code.image.bytes.size());
  put(0, &prefix, sizeof prefix); // its own checksum counts as zero
  coppice_checksum sum;
  coppice_checksum_init(&sum);
  coppice_checksum_update(&sum, head.data(), head.size());
  prefix.head_checksum = coppice_checksum_final(&sum);
  put(0, &prefix, sizeof prefix);
  if (llvm::Error error = (*file)->write(head, 0))
    return error;
  if (llvm::Error error = (*file)->resize(prefix.file_bytes))
    return error;
  if (inputs.beforeCommit)
    if (llvm::Error error = inputs.beforeCommit(prefix.file_bytes))
      return error;
  return (*file)->commit();
}
