// Compiled artifacts with every single bit flipped, cut at every length, and lying under checksums
// that were made right again: one of a plain model, and one of experts whose caches are rings.
#include "compiler/artifact/Inspect.h"
#include "compiler/pipeline/Compile.h"
#include "coppice/artifact_prefix.h"
#include "coppice/coppice.h"
#include "runtime/core/checksum.h"
#include "runtime/host/Verify.h"
#include "runtime/schema/artifact_generated.h"
#include "tests/unit/hostile/Support.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cstring>
#include <fcntl.h>
#include <map>
#include <unistd.h>

using namespace coppice;
using namespace coppice::hostile;

namespace {
/// A small model and how it is compiled.
struct Subject {
  const char *name, *model, *plan;
  const char *weights = "stored";
  std::optional<int64_t> context = std::nullopt;
};
void PrintTo(const Subject &subject, std::ostream *out) { *out << subject.name; }

class HostileArtifact : public testing::TestWithParam<Subject> {
protected:
  /// The subject's artifact, compiled once.
  static const Bytes &good();
};

const Bytes &HostileArtifact::good() {
  static std::map<std::string, Bytes> compiled;
  const Subject &subject = GetParam();
  Bytes &bytes = compiled[subject.name];
  if (!bytes.empty())
    return bytes;
  Folder folder;
  CompileOptions options;
  options.modelDir = std::string(COPPICE_TESTS "/models/") + subject.model;
  options.plan =
      std::string(COPPICE_TESTS "/golden/models/") + subject.model + "/" + subject.plan + ".json";
  options.output = folder.path("model.coppice");
  options.weights = subject.weights;
  options.context = subject.context;
  options.target = "x86-64-v3";
  llvm::cantFail(compile(options).takeError());
  auto buffer = llvm::cantFail(
      llvm::errorOrToExpected(llvm::MemoryBuffer::getFile(options.output, false, false)));
  bytes.assign(buffer->getBuffer().bytes_begin(), buffer->getBuffer().bytes_end());
  return bytes;
}

/// "" or why the runtime refuses these bytes.
std::string refusal(llvm::ArrayRef<uint8_t> file) {
  runtime::VerifiedArtifact verified;
  coppice_error error = {};
  if (runtime::verifyArtifact(file.data(), file.size(), false, verified, &error) == COPPICE_OK)
    return "";
  EXPECT_NE(error.message[0], 0);
  return error.message;
}

/// Verification wants 64-byte alignment; the bytes end at a fence where their number allows it.
struct Aligned {
  explicit Aligned(llvm::ArrayRef<uint8_t> bytes)
      : padding((64 - bytes.size() % 64) % 64), fenced(padded(bytes)) {}
  Bytes padded(llvm::ArrayRef<uint8_t> bytes) const {
    Bytes result(bytes.begin(), bytes.end());
    result.resize(bytes.size() + padding, 0xff);
    return result;
  }
  llvm::ArrayRef<uint8_t> bytes() const { return fenced.bytes().drop_back(padding); }
  uint8_t *data() { return fenced.data(); }
  size_t padding;
  Fenced fenced;
};

coppice_prefix prefixOf(llvm::ArrayRef<uint8_t> file) {
  coppice_prefix prefix;
  memcpy(&prefix, file.data(), sizeof prefix);
  return prefix;
}

/// Makes the head's checksum right, if the prefix's areas lie in the file.
void seal(uint8_t *file, size_t bytes) {
  coppice_prefix prefix = prefixOf({file, bytes});
  if (prefix.weights.offset > bytes || prefix.weights.offset < sizeof prefix)
    return;
  prefix.head_checksum = 0;
  coppice_checksum sum;
  coppice_checksum_init(&sum);
  coppice_checksum_update(&sum, &prefix, sizeof prefix);
  coppice_checksum_update(&sum, file + sizeof prefix, prefix.weights.offset - sizeof prefix);
  prefix.head_checksum = coppice_checksum_final(&sum);
  memcpy(file, &prefix, sizeof prefix);
}
} // namespace

// Every bit of the file flipped, one at a time: all refused.
TEST_P(HostileArtifact, EveryBit) {
  Tally tally("bit flips");
  Aligned file(good());
  ASSERT_EQ(refusal(file.bytes()), "");
  for (size_t bit = 0; bit < file.bytes().size() * 8; bit += strideOr(5)) {
    file.data()[bit / 8] ^= uint8_t(1 << bit % 8);
    std::string message = refusal(file.bytes());
    ASSERT_NE(message, "") << "bit " << bit;
    tally.refused(message);
    file.data()[bit / 8] ^= uint8_t(1 << bit % 8);
  }
  ASSERT_EQ(refusal(file.bytes()), "");
}

// Cut at every length, and longer by up to 8,192 bytes.
TEST_P(HostileArtifact, EveryLength) {
  Tally tally("lengths");
  Bytes longer = good();
  longer.resize(longer.size() + 8192);
  Aligned file(longer);
  for (size_t length = 0; length < longer.size(); ++length) {
    if (length == good().size())
      continue;
    std::string message = refusal(file.bytes().take_front(length));
    ASSERT_NE(message, "") << "length " << length;
    tally.refused(message);
  }
}

// Every offset and length of the prefix off by one, by an alignment, beyond the file, and near the
// largest number, the checksum being right: refused. Metadata and code may only end elsewhere
// among the zeros after their last byte, which changes nothing.
TEST_P(HostileArtifact, EveryNumberOfThePrefix) {
  Tally tally("numbers");
  size_t size = good().size();
  const size_t fields[] = {
      offsetof(coppice_prefix, file_bytes),       offsetof(coppice_prefix, metadata.offset),
      offsetof(coppice_prefix, metadata.bytes),   offsetof(coppice_prefix, code.offset),
      offsetof(coppice_prefix, code.bytes),       offsetof(coppice_prefix, weights.offset),
      offsetof(coppice_prefix, weights.bytes),    offsetof(coppice_prefix, head_checksum),
      offsetof(coppice_prefix, weights_checksum),
  };
  for (size_t field : fields) {
    uint64_t right;
    memcpy(&right, good().data() + field, sizeof right);
    std::vector<uint64_t> lies = {
        0,        UINT64_MAX, UINT64_MAX - 63, uint64_t(1) << 63, uint64_t(10) << 30, size,
        size - 1, size + 1,   ~right};
    for (uint64_t step : {1, 8, 16, 64, 128, 4096, 1 << 20})
      for (uint64_t lie : {right + step, right - step})
        lies.push_back(lie);
    for (uint64_t lie : lies) {
      if (lie == right)
        continue;
      Aligned file(good());
      memcpy(file.data() + field, &lie, sizeof lie);
      if (field != offsetof(coppice_prefix, head_checksum))
        seal(file.data(), size);
      std::string message = refusal(file.bytes());
      coppice_prefix was = prefixOf(good());
      // An area may end anywhere among the zeros that follow its last byte.
      auto ends = [&](size_t number, const coppice_range &area, const coppice_range &next) {
        uint64_t least = area.bytes;
        while (least > 0 && good()[area.offset + least - 1] == 0)
          --least;
        return field == number && lie >= least && lie <= next.offset - area.offset;
      };
      bool padding = ends(offsetof(coppice_prefix, metadata.bytes), was.metadata, was.code) ||
                     ends(offsetof(coppice_prefix, code.bytes), was.code, was.weights);
      if (padding && message.empty()) {
        tally.taken();
        continue;
      }
      ASSERT_NE(message, "") << "field at " << field << " is " << lie;
      tally.refused(message);
    }
  }
}

// Every bit of the metadata flipped under a right checksum: refused, or an artifact whose numbers
// inspect can print and a model can be opened with; never a read outside, a hang or much memory.
TEST_P(HostileArtifact, EveryBitOfSealedMetadata) {
  Tally tally("bit flips");
  Folder folder;
  Bytes bytes = good();
  coppice_prefix prefix = prefixOf(bytes);
  folder.write("model", bytes);
  std::string path = folder.path("model");
  int file = open(path.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(file, 0);
  for (size_t bit = 0; bit < prefix.metadata.bytes * 8; bit += strideOr(11)) {
    size_t at = prefix.metadata.offset + bit / 8;
    bytes[at] ^= uint8_t(1 << bit % 8);
    seal(bytes.data(), bytes.size());
    ASSERT_EQ(pwrite(file, bytes.data(), prefix.weights.offset, 0), ssize_t(prefix.weights.offset));
    std::string text;
    llvm::raw_string_ostream out(text);
    llvm::Error inspected = inspectArtifact(path, bit % 2, out);
    bool unsound = bool(inspected);
    if (unsound)
      EXPECT_EQ(text, "");
    tally.either(std::move(inspected), path);
    coppice_model *model = nullptr;
    coppice_error error = {};
    coppice_status status = coppice_model_open(path.c_str(), nullptr, &model, &error);
    if (status != COPPICE_OK) {
      EXPECT_NE(error.message[0], 0);
      EXPECT_EQ(model, nullptr);
    }
    coppice_model_close(model);
    bytes[at] ^= uint8_t(1 << bit % 8);
  }
  close(file);
}

// What a subject must have in it to be worth its time: rings, and experts.
TEST_P(HostileArtifact, HasWhatItIsNamedFor) {
  Aligned file(good());
  runtime::VerifiedArtifact verified;
  coppice_error error = {};
  ASSERT_EQ(runtime::verifyArtifact(file.data(), good().size(), false, verified, &error),
            COPPICE_OK);
  const artifact::EntryPoint &entry = *verified.metadata->entry_points()->Get(0);
  bool special = GetParam().name == std::string("ring_and_experts");
  EXPECT_EQ(entry.ring() != nullptr, special);
  EXPECT_EQ(entry.picks() != 0, special);
}

// A context that is longer than window and largest step makes the caches rings.
INSTANTIATE_TEST_SUITE_P(, HostileArtifact,
                         testing::Values(Subject{"plain", "llama-gqa", "plan-a"},
                                         Subject{"ring_and_experts", "mixtral-window", "plan-a",
                                                 "i8", 2048}),
                         [](const auto &info) { return std::string(info.param.name); });
