// Artifacts as files: their bytes by arithmetic, the runtime's verification, and that a file is
// whole or not there.
#include "Sample.h"
#include "coppice/artifact_prefix.h"
#include "runtime/host/Records.h"
#include "runtime/host/Verify.h"
#include <csignal>
#include <sys/resource.h>
#include <sys/stat.h>

using namespace coppice;
using namespace coppice::test;

namespace {
std::string write(const Sample &sample, const std::string &path) {
  return llvm::toString(writeArtifact(sample.program, sample.checkpoint, sample.inputs, path));
}

/// The file, aligned as the verifier wants it.
struct Loaded {
  std::unique_ptr<llvm::MemoryBuffer> buffer;
  runtime::VerifiedArtifact verified;
  coppice_error error = {};
  coppice_status status;
  explicit Loaded(const std::string &path) {
    buffer = std::move(*llvm::MemoryBuffer::getFile(path, false, false, false, llvm::Align(64)));
    status = runtime::verifyArtifact(reinterpret_cast<const uint8_t *>(buffer->getBufferStart()),
                                     buffer->getBufferSize(), false, verified, &error);
  }
};

// The file is prefix, metadata, code at a page, weights at a page, no more; the runtime finds
// nothing wrong with it; code and weights are what was given.
TEST(Writer, BytesAreTheArithmetic) {
  Sample sample;
  TempFolder folder;
  std::string path = folder.file("a.coppice");
  ASSERT_EQ(write(sample, path), "");
  EXPECT_EQ(folder.entries(), std::vector<std::string>{"a.coppice"});
  Loaded loaded(path);
  ASSERT_EQ(loaded.status, COPPICE_OK) << loaded.error.message;
  const coppice_prefix &prefix = loaded.verified.prefix;
  EXPECT_LT(prefix.metadata.bytes, 2048u);
  EXPECT_EQ(prefix.code.offset, 4096u);
  EXPECT_EQ(prefix.code.bytes, 100u);
  EXPECT_EQ(prefix.weights.offset, 8192u);
  EXPECT_EQ(prefix.weights.bytes, 256u + 12);
  std::vector<uint8_t> bytes = readFile(path);
  ASSERT_EQ(bytes.size(), 8192u + 268);
  EXPECT_EQ(std::vector<uint8_t>(bytes.begin() + 4096, bytes.begin() + 4196),
            sample.program.code[0].image.bytes);
  Streamed weights = stream(sample.program.weights, sample.checkpoint);
  EXPECT_EQ(std::vector<uint8_t>(bytes.begin() + 8192, bytes.end()), weights.bytes);
}

// Every field of the metadata says what the program says.
TEST(Writer, Metadata) {
  Sample sample;
  sample.inputs.plan.emplace();
  sample.inputs.plan->fill(0x17);
  std::vector<uint8_t> tokenizer = {1, 2, 3, 4, 5};
  sample.inputs.tokenizer = tokenizer;
  TempFolder folder;
  ASSERT_EQ(write(sample, folder.file("a")), "");
  Loaded loaded(folder.file("a"));
  ASSERT_EQ(loaded.status, COPPICE_OK) << loaded.error.message;
  const artifact::Artifact &metadata = *loaded.verified.metadata;

  const artifact::Model &model = *metadata.model();
  EXPECT_EQ(model.family()->str(), "llama");
  EXPECT_EQ(model.vocabulary(), 300u);
  EXPECT_EQ(model.token_limit(), 299u);
  EXPECT_EQ(model.context(), 100u);
  EXPECT_EQ(model.parameters(), 500u);
  EXPECT_EQ(model.parameters_before(), 2000u);
  ASSERT_EQ(model.stop_tokens()->size(), 2u);
  EXPECT_EQ(model.stop_tokens()->Get(1), 7);
  ASSERT_EQ(model.layers()->size(), 2u);
  EXPECT_TRUE(model.layers()->Get(0)->attention());
  EXPECT_FALSE(model.layers()->Get(1)->attention());
  EXPECT_EQ(model.layers()->Get(0)->heads()->kept(), 3u);
  EXPECT_EQ(model.layers()->Get(1)->neurons()->before(), 11u);

  ASSERT_EQ(metadata.roles()->size(), 3u); // shared by weights of the same role
  runtime::WeightReader reader(metadata, loaded.verified.prefix.weights.bytes);
  std::vector<runtime::WeightRecord> weights;
  for (runtime::WeightRecord weight; reader.next(weight);)
    weights.push_back(weight);
  ASSERT_EQ(weights.size(), 4u);
  const runtime::WeightRecord &up = weights[2];
  EXPECT_EQ(metadata.roles()->Get(up.role)->str(), "up_proj");
  EXPECT_EQ(up.offset, 192u);
  EXPECT_EQ(up.bytes, 16u);
  EXPECT_EQ(up.rows, 1u);
  EXPECT_EQ(up.cols, 4u);
  EXPECT_EQ(up.layer, 1);
  EXPECT_EQ(up.format, artifact::WeightFormat::F32);
  EXPECT_EQ(weights[0].format, artifact::WeightFormat::F16);
  EXPECT_EQ(weights[0].layout, artifact::WeightLayout::Panels);
  EXPECT_EQ(weights[1].layer, -1);

  ASSERT_EQ(metadata.entry_points()->size(), 1u);
  const artifact::EntryPoint &entry = *metadata.entry_points()->Get(0);
  EXPECT_EQ(entry.target()->str(), "x86-64-v3");
  EXPECT_EQ(entry.features()->Get(1)->str(), "fma");
  EXPECT_EQ(entry.code_bytes(), 100u);
  EXPECT_EQ(entry.kernels()->Get(1)->name()->str(), "add");
  EXPECT_EQ(entry.kernels()->Get(1)->offset(), 64u);
  EXPECT_EQ(runtime::countStages(entry).stages, 2u);
  EXPECT_EQ(runtime::countStages(entry).words, 5u);
  std::vector<uint32_t> previous(2 * runtime::kMaxArgs);
  runtime::StageReader stages(entry, previous.data());
  runtime::StageRecord linear, sum;
  ASSERT_TRUE(stages.next(linear) && stages.next(sum));
  EXPECT_EQ(linear.count, 3u);
  EXPECT_EQ(linear.layer, 1);
  ASSERT_EQ(linear.words, 3u);
  EXPECT_EQ(linear.args[1], 5u);
  EXPECT_EQ(sum.kernel, 1u);
  EXPECT_EQ(sum.set, 1u);
  EXPECT_EQ(sum.perRow, 1u);
  EXPECT_EQ(linear.joined, 0u);
  EXPECT_EQ(sum.joined, 1u);
  ASSERT_EQ(sum.words, 2u);
  EXPECT_EQ(sum.args[0], 1u);
  EXPECT_EQ(entry.memory()->arena_bytes_per_row(), 128u);
  EXPECT_EQ(entry.memory()->kv_bytes_per_position(), 192u);
  EXPECT_EQ(entry.plan()->bytes()->Get(31), 0x17);
  EXPECT_EQ(metadata.provenance()->source()->bytes()->Get(0), 0xab);
  EXPECT_EQ(metadata.provenance()->compiler()->str().rfind("coppice ", 0), 0u);
  ASSERT_TRUE(metadata.tokenizer());
  EXPECT_EQ(std::vector<uint8_t>(metadata.tokenizer()->begin(), metadata.tokenizer()->end()),
            tokenizer);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(metadata.tokenizer()->data()) % 16, 0u);
}

// Several targets: one entry point each, the better the higher its rank, with its own code at a
// page of its own; the weights are there once, and so are the stages.
TEST(Writer, SeveralTargets) {
  TempFolder folder;
  Sample sample;
  std::string one = folder.file("one"), two = folder.file("two");
  ASSERT_EQ(write(sample, one), "");
  size_t metadataOfOne = llvm::cantFail(buildMetadata(sample.program, sample.inputs)).size();
  TargetCode better = {"x86-64-v4", {"avx2", "avx512f"}, sample.program.code[0].image};
  better.image.bytes.assign(5000, 0xcc);
  better.image.kernels[1].offset = 4096;
  sample.program.code.push_back(better);
  EXPECT_EQ(codePlaces(sample.program), (std::vector<uint64_t>{0, 4096, 9096}));
  ASSERT_EQ(write(sample, two), "");
  // The weights have the same bytes; metadata grows by an entry, not by stages.
  std::vector<uint8_t> first = readFile(one), second = readFile(two);
  size_t weights = segmentBytes(sample.program.weights);
  ASSERT_GT(first.size(), weights);
  EXPECT_TRUE(std::equal(first.end() - long(weights), first.end(), second.end() - long(weights)));
  EXPECT_LE(llvm::cantFail(buildMetadata(sample.program, sample.inputs)).size(),
            metadataOfOne + 300);

  Loaded loaded(two);
  ASSERT_EQ(loaded.status, COPPICE_OK) << loaded.error.message;
  const auto &entries = *loaded.verified.metadata->entry_points();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0]->target()->str(), "x86-64-v3");
  EXPECT_EQ(entries[1]->target()->str(), "x86-64-v4");
  EXPECT_LT(entries[0]->rank(), entries[1]->rank());
  EXPECT_EQ(entries[1]->features()->Get(1)->str(), "avx512f");
  EXPECT_EQ(entries[0]->stages(), entries[1]->stages());
  EXPECT_EQ(entries[1]->code_offset(), 4096u);
  EXPECT_EQ(entries[1]->code_bytes(), 5000u);
  EXPECT_EQ(entries[1]->kernels()->Get(1)->offset(), 4096u);
  const uint8_t *code = second.data() + loaded.verified.prefix.code.offset;
  EXPECT_EQ(loaded.verified.prefix.code.bytes, 9096u);
  EXPECT_EQ(code[99], 0xc3);
  EXPECT_EQ(code[100], 0);
  EXPECT_EQ(code[4096], 0xcc);
  EXPECT_EQ(code[9095], 0xcc);
}

// The same input gives the same bytes: written twice, and on other numbers of threads.
TEST(Writer, Deterministic) {
  TempFolder folder;
  std::vector<uint8_t> first;
  for (unsigned threads : {1u, 1u, 2u, 3u, 0u}) {
    Sample sample;
    sample.inputs.threads = threads;
    ASSERT_EQ(write(sample, folder.file("a")), "");
    std::vector<uint8_t> bytes = readFile(folder.file("a"));
    if (first.empty())
      first = bytes;
    ASSERT_FALSE(bytes.empty());
    EXPECT_TRUE(bytes == first) << threads;
  }
}

// Any byte of the file that changes, padding included, is seen by the runtime's verification.
TEST(Writer, EveryByteIsUnderAChecksum) {
  Sample sample;
  TempFolder folder;
  ASSERT_EQ(write(sample, folder.file("a")), "");
  std::vector<uint8_t> bytes = readFile(folder.file("a"));
  llvm::MutableArrayRef<uint8_t> copy(
      static_cast<uint8_t *>(llvm::allocate_buffer(bytes.size(), 64)), bytes.size());
  llvm::copy(bytes, copy.begin());
  runtime::VerifiedArtifact verified;
  for (size_t i = 0; i < bytes.size(); ++i) {
    copy[i] ^= uint8_t(1u << (i % 8));
    ASSERT_NE(runtime::verifyArtifact(copy.data(), copy.size(), false, verified, nullptr),
              COPPICE_OK)
        << i;
    copy[i] = bytes[i];
  }
  EXPECT_EQ(runtime::verifyArtifact(copy.data(), copy.size(), false, verified, nullptr),
            COPPICE_OK);
  llvm::deallocate_buffer(copy.data(), bytes.size(), 64);
}

// The mode is 0644 less the umask, not the 0600 of temporary files.
TEST(Writer, Mode) {
  Sample sample;
  TempFolder folder;
  mode_t before = umask(027);
  ASSERT_EQ(write(sample, folder.file("a")), "");
  umask(before);
  struct stat status;
  ASSERT_EQ(stat(folder.file("a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

// A weight that cannot be packed, after others were: the error comes out, the file that was there
// stays as it was, and nothing is left beside it.
TEST(Writer, ErrorsLeaveTheOldFile) {
  Sample sample;
  TempFolder folder;
  writeFile(folder.file("a"), {1, 2, 3});
  sample.program.weights.back().words.pop_back();
  EXPECT_NE(write(sample, folder.file("a")).find("weight 'kv_map' of layer 0"), std::string::npos);
  EXPECT_EQ(readFile(folder.file("a")), (std::vector<uint8_t>{1, 2, 3}));
  EXPECT_EQ(folder.entries(), std::vector<std::string>{"a"});
}

// A full disk, by a limit on file size at several points of the file: an error, and no file.
TEST(Writer, FullDisk) {
  TempFolder folder;
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  for (rlim_t limit : {rlim_t(0), rlim_t(100), rlim_t(5000), rlim_t(8192), rlim_t(8400)}) {
    Sample sample;
    rlimit small = {limit, old.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    std::string error = write(sample, folder.file("a"));
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
    EXPECT_NE(error.find("cannot write '" + folder.file("a") + "': writing failed: File too large"),
              std::string::npos)
        << limit << error;
    EXPECT_EQ(folder.entries(), std::vector<std::string>{}) << limit;
  }
  std::signal(SIGXFSZ, SIG_DFL);
}

// Places where no file can be: the message names the path and the reason.
TEST(Writer, ImpossiblePlaces) {
  Sample sample;
  TempFolder folder;
  std::string error = write(sample, folder.file("no/such/a"));
  EXPECT_NE(error.find("cannot write '" + folder.file("no/such/a") + "': no file can be made in '"),
            std::string::npos)
      << error;
  EXPECT_NE(write(sample, folder.file("")).find("it is a folder"), std::string::npos);
  EXPECT_EQ(folder.entries(), std::vector<std::string>{});
  // A pipe of our own: a mistake here must not cost a machine its /dev/null.
  ASSERT_EQ(mkfifo(folder.file("pipe").c_str(), 0600), 0);
  EXPECT_NE(write(sample, folder.file("pipe")).find("it is not a regular file"), std::string::npos);
  EXPECT_EQ(folder.entries(), std::vector<std::string>{"pipe"});
}

// Through a symbolic link the file behind it is replaced, and the link stays.
TEST(Writer, SymbolicLinks) {
  Sample sample;
  TempFolder folder;
  writeFile(folder.file("real"), {1});
  ASSERT_FALSE(llvm::sys::fs::create_link(folder.file("real"), folder.file("link")));
  ASSERT_EQ(write(sample, folder.file("link")), "");
  EXPECT_TRUE(llvm::sys::fs::is_symlink_file(folder.file("link")));
  EXPECT_EQ(readFile(folder.file("real")).size(), 8192u + 268);
}

// Counts beyond the schema's fields are errors, not cut numbers.
TEST(Writer, CountsThatDoNotFit) {
  Sample sample;
  sample.program.weights[0].rows = int64_t(1) << 32;
  TempFolder folder;
  EXPECT_NE(write(sample, folder.file("a")).find("the rows of weight 'up_proj': 4294967296"),
            std::string::npos);
  Sample deep;
  deep.program.stages[0].layer = 40000;
  EXPECT_NE(write(deep, folder.file("a")).find("the number of a stage's layer"), std::string::npos);
  Sample wordy;
  wordy.program.stages[0].args.assign(17, 0);
  EXPECT_NE(write(wordy, folder.file("a")).find("the argument words of a stage: 17, at most 16"),
            std::string::npos);
  Sample apart;
  apart.program.weights.back().offset += 64;
  EXPECT_NE(write(apart, folder.file("a")).find("weight 'kv_map' lies at byte 320"),
            std::string::npos);
}
} // namespace
