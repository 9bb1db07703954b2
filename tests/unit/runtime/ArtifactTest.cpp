// What coppice_model_open refuses: damage anywhere in the file, and well-formed lies in it.
#include "ToyArtifact.h"
#include "coppice/coppice.h"
#include "runtime/host/Verify.h"
#include <functional>
#include <gtest/gtest.h>

namespace fb = coppice::artifact;

namespace {
coppice_error message;

coppice_status verify(const std::vector<uint8_t> &file, bool skipWeights = false) {
  coppice::runtime::VerifiedArtifact verified;
  message = {};
  return coppice::runtime::verifyArtifact(file.data(), file.size(), skipWeights, verified,
                                          &message);
}

coppice_status open(const std::vector<uint8_t> &bytes) {
  toy::File file(bytes);
  coppice_model *model = nullptr;
  message = {};
  coppice_status status = coppice_model_open(file.path(), nullptr, &model, &message);
  coppice_model_close(model);
  return status;
}

/// The toy artifact with one thing changed before it is built, whole and sealed.
coppice_status verifyToy(const std::function<void(toy::Artifact &)> &change) {
  toy::Artifact artifact;
  change(artifact);
  return verify(artifact.build());
}

/// With the prefix changed and the checksums made right again.
coppice_status verifyPrefix(const std::function<void(coppice_prefix &)> &change) {
  std::vector<uint8_t> file = toy::Artifact().build();
  coppice_prefix prefix = toy::prefixOf(file);
  change(prefix);
  toy::setPrefix(file, prefix);
  toy::seal(file);
  return verify(file);
}
} // namespace

// The toy itself is right: what follows fails for its own reason.
TEST(Artifact, ToyIsAccepted) {
  EXPECT_EQ(verify(toy::Artifact().build()), COPPICE_OK) << message.message;
  EXPECT_EQ(open(toy::Artifact().build()), COPPICE_OK) << message.message;
}

// A flipped bit in any byte of the file, prefix and paddings included, is noticed.
TEST(Artifact, EveryByteIsCovered) {
  std::vector<uint8_t> file = toy::Artifact().build();
  for (size_t i = 0; i < file.size(); ++i) {
    file[i] ^= uint8_t(1 << i % 8);
    ASSERT_NE(verify(file), COPPICE_OK) << "byte " << i;
    ASSERT_NE(message.message[0], 0);
    file[i] ^= uint8_t(1 << i % 8);
  }
}

// Files cut short or made longer are noticed at every length.
TEST(Artifact, EveryLengthIsChecked) {
  std::vector<uint8_t> file = toy::Artifact().build();
  for (size_t length = 0; length < file.size(); length += length < 300 ? 1 : 97)
    ASSERT_NE(verify(std::vector<uint8_t>(file.begin(), file.begin() + long(length))), COPPICE_OK)
        << length;
  file.push_back(0);
  EXPECT_EQ(verify(file), COPPICE_BAD_ARTIFACT);
}

// Skipping the weights' checksum skips that and nothing else.
TEST(Artifact, SkipsOnlyTheWeightsChecksum) {
  std::vector<uint8_t> file = toy::Artifact().build();
  file.back() ^= 1;
  EXPECT_EQ(verify(file, false), COPPICE_BAD_ARTIFACT);
  EXPECT_EQ(verify(file, true), COPPICE_OK);
  file[200] ^= 1;
  EXPECT_EQ(verify(file, true), COPPICE_BAD_ARTIFACT);
}

// Other formats and other versions are told apart from damage.
TEST(Artifact, NamesOtherVersions) {
  EXPECT_EQ(verify(std::vector<uint8_t>(5000, 'x')), COPPICE_BAD_ARTIFACT);
  EXPECT_NE(std::string(message.message).find("not an artifact"), std::string::npos);
  EXPECT_EQ(verifyPrefix([](coppice_prefix &p) { p.version = 2; }), COPPICE_OTHER_VERSION);
  EXPECT_EQ(verifyPrefix([](coppice_prefix &p) { p.kernel_abi += 1; }), COPPICE_OTHER_VERSION);
  EXPECT_NE(std::string(message.message).find("ABI version 2"), std::string::npos);
}

// Ranges that overlap, overflow, leave gaps or reach outside are refused, checksums right or not.
TEST(Artifact, RefusesWrongRanges) {
  const uint64_t huge[] = {UINT64_MAX, UINT64_MAX - 4095, uint64_t(1) << 63, uint64_t(1) << 31};
  for (uint64_t value : huge) {
    EXPECT_NE(verifyPrefix([&](coppice_prefix &p) { p.metadata.offset = value; }), COPPICE_OK);
    EXPECT_NE(verifyPrefix([&](coppice_prefix &p) { p.metadata.bytes = value; }), COPPICE_OK);
    EXPECT_NE(verifyPrefix([&](coppice_prefix &p) { p.code.offset = value; }), COPPICE_OK);
    EXPECT_NE(verifyPrefix([&](coppice_prefix &p) { p.code.bytes = value; }), COPPICE_OK);
    EXPECT_NE(verifyPrefix([&](coppice_prefix &p) { p.weights.offset = value; }), COPPICE_OK);
    EXPECT_NE(verifyPrefix([&](coppice_prefix &p) { p.weights.bytes = value; }), COPPICE_OK);
    EXPECT_NE(verifyPrefix([&](coppice_prefix &p) { p.file_bytes = value; }), COPPICE_OK);
  }
  EXPECT_NE(verifyPrefix([](coppice_prefix &p) { p.metadata.offset += 64; }), COPPICE_OK);
  EXPECT_NE(verifyPrefix([](coppice_prefix &p) { p.code.offset += 4096; }), COPPICE_OK);
  EXPECT_NE(verifyPrefix([](coppice_prefix &p) { p.weights.bytes -= 1; }), COPPICE_OK);
  EXPECT_NE(verifyPrefix([](coppice_prefix &p) { p.weights.offset -= 4096; }), COPPICE_OK);
}

// Paddings and reserved bytes must be zero even where the checksum agrees with them.
TEST(Artifact, RefusesFilledPaddings) {
  EXPECT_EQ(verifyPrefix([](coppice_prefix &p) { p.reserved[39] = 1; }), COPPICE_BAD_ARTIFACT);
  std::vector<uint8_t> file = toy::Artifact().build();
  coppice_prefix prefix = toy::prefixOf(file);
  for (uint64_t at : {prefix.code.offset - 1, prefix.metadata.offset + prefix.metadata.bytes,
                      prefix.weights.offset - 1, prefix.code.offset + prefix.code.bytes}) {
    std::vector<uint8_t> changed = file;
    changed[at] = 1;
    toy::seal(changed);
    EXPECT_EQ(verify(changed), COPPICE_BAD_ARTIFACT) << at;
    EXPECT_NE(std::string(message.message).find("not zero"), std::string::npos);
  }
}

// Any byte of the metadata may be anything, with the checksum right: accepted or refused, and never
// a read outside (run under AddressSanitizer to see that).
TEST(Artifact, SurvivesAnyMetadata) {
  std::vector<uint8_t> file = toy::Artifact().build();
  coppice_prefix prefix = toy::prefixOf(file);
  for (uint64_t i = 0; i < prefix.metadata.bytes; ++i)
    for (uint8_t value : {0, 1, 0x7f, 0x80, 0xff}) {
      std::vector<uint8_t> changed = file;
      changed[prefix.metadata.offset + i] = value;
      toy::seal(changed);
      coppice_status status = open(changed);
      if (status != COPPICE_OK)
        EXPECT_NE(message.message[0], 0);
    }
}

// Well-formed metadata with numbers that point outside, each refused by its own check.
TEST(Artifact, RefusesNumbersThatPointOutside) {
  EXPECT_NE(verifyToy([](toy::Artifact &a) { a.vocabulary = 0; }), COPPICE_OK);
  EXPECT_NE(verifyToy([](toy::Artifact &a) { a.tokenLimit = 0x80000000u; }), COPPICE_OK);
  EXPECT_NE(verifyToy([](toy::Artifact &a) { a.context = 0x7fffffffu; }), COPPICE_OK);
  EXPECT_NE(verifyToy([](toy::Artifact &a) { a.entryPoint = false; }), COPPICE_OK);
  EXPECT_NE(verifyToy([](toy::Artifact &a) { a.codeOffset = 4096; }), COPPICE_OK);
  EXPECT_NE(verifyToy([](toy::Artifact &a) { a.codeOffset = 1; }), COPPICE_OK);
  EXPECT_NE(verifyToy([](toy::Artifact &a) { a.codeBytes = uint64_t(1) << 40; }), COPPICE_OK);
  EXPECT_NE(verifyToy([](toy::Artifact &a) { a.kernels[1] = 100000; }), COPPICE_OK);
  EXPECT_NE(verifyToy([](toy::Artifact &a) { a.headsKept = 3; }), COPPICE_OK);
  EXPECT_NE(verifyToy([](toy::Artifact &a) { a.arenaBytesPerRow = 65; }), COPPICE_OK);
  EXPECT_NE(verifyToy([](toy::Artifact &a) { a.arenaBytesPerRow = uint64_t(1) << 60; }),
            COPPICE_OK);
  EXPECT_NE(verifyToy([](toy::Artifact &a) { a.kvFloats = UINT64_MAX; }), COPPICE_OK);
  auto stage = [](auto... fields) {
    return verifyToy([&](toy::Artifact &a) { a.stages[0] = fb::Stage(fields...); });
  };
  EXPECT_EQ(stage(0, 1, 0, 2, 0, 0, 1), COPPICE_OK); // the right one
  EXPECT_NE(stage(0, 1, 3, 2, 0, 0, 1), COPPICE_OK); // kernel
  EXPECT_NE(stage(0, 1, 0, 2, 0, 2, 1), COPPICE_OK); // set
  EXPECT_NE(stage(0, 1, 0, 2, 0, 0, 2), COPPICE_OK); // per_row
  EXPECT_NE(stage(4, 1, 0, 2, 0, 0, 1), COPPICE_OK); // arguments past the end
  EXPECT_NE(stage(0xffffffffu, 1, 0, 2, 0, 0, 1), COPPICE_OK);
  EXPECT_NE(stage(0, 0x80000001u, 0, 2, 0, 0, 1), COPPICE_OK); // items
  auto weight = [](auto... fields) {
    return verifyToy([&](toy::Artifact &a) { a.weights.emplace_back(fields...); });
  };
  const auto f32 = fb::WeightFormat::F32;
  const auto rows = fb::WeightLayout::Rows;
  EXPECT_EQ(weight(64, 3, 3, 0, 0, f32, rows), COPPICE_OK);  // 36 bytes to the end
  EXPECT_NE(weight(64, 2, 5, 0, 0, f32, rows), COPPICE_OK);  // one too many
  EXPECT_NE(weight(65, 1, 1, 0, 0, f32, rows), COPPICE_OK);  // alignment
  EXPECT_NE(weight(0, 1, 1, 0, 0, f32, rows), COPPICE_OK);   // overlaps the first
  EXPECT_NE(weight(128, 0, 1, 0, 0, f32, rows), COPPICE_OK); // past the end
  EXPECT_NE(weight(64, 1, 1, 1, 0, f32, rows), COPPICE_OK);  // role
  EXPECT_NE(weight(64, 1, 1, 0, 0, fb::WeightFormat(9), rows), COPPICE_OK);
  EXPECT_NE(weight(64, 0xffffffffu, 0xffffffffu, 0, 0, f32, rows), COPPICE_OK);
}

// Code for another machine is refused before any of it could run, with the feature's name.
TEST(Artifact, RefusesOtherMachines) {
  toy::Artifact artifact;
  artifact.features = {"sse2", "avx4096"};
  EXPECT_EQ(open(artifact.build()), COPPICE_OTHER_MACHINE);
  EXPECT_NE(std::string(message.message).find("avx4096"), std::string::npos) << message.message;
}

// A tokenizer that is no tokenizer is refused when the model is opened, not when text comes.
TEST(Artifact, RefusesAMalformedTokenizer) {
  toy::Artifact artifact;
  artifact.tokenizer = std::vector<uint8_t>(64, 0xff);
  EXPECT_EQ(open(artifact.build()), COPPICE_BAD_ARTIFACT);
  EXPECT_NE(std::string(message.message).find("tokenizer"), std::string::npos) << message.message;
}

// Files that are missing, empty or no files give a sentence with their name.
TEST(Artifact, NamesUnreadableFiles) {
  coppice_model *model = nullptr;
  for (const char *path : {"/nonexistent/file", "/tmp", "/dev/null", ""}) {
    message = {};
    EXPECT_EQ(coppice_model_open(path, nullptr, &model, &message), COPPICE_FILE_ERROR) << path;
    EXPECT_NE(std::string(message.message).find(path), std::string::npos);
  }
  toy::File empty({});
  EXPECT_EQ(coppice_model_open(empty.path(), nullptr, &model, &message), COPPICE_FILE_ERROR);
  EXPECT_EQ(coppice_model_open(nullptr, nullptr, &model, nullptr), COPPICE_BAD_ARGUMENT);
  EXPECT_EQ(model, nullptr);
}
