// What coppice_model_open refuses: damage anywhere in the file, and well-formed lies in it.
#include "ToyArtifact.h"
#include "coppice/coppice.h"
#include "runtime/host/Model.h"
#include <functional>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

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

// A pipe without a writer is refused, and does not keep its reader waiting: after ten seconds the
// alarm ends this program.
TEST(Artifact, RefusesPipes) {
  std::string path = toy::File({}).path(); // gone by now
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  alarm(10);
  coppice_model *model = nullptr;
  EXPECT_EQ(coppice_model_open(path.c_str(), nullptr, &model, &message), COPPICE_FILE_ERROR);
  alarm(0);
  EXPECT_NE(std::string(message.message).find("not a regular file"), std::string::npos)
      << message.message;
  unlink(path.c_str());
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
  EXPECT_NE(std::string(message.message)
                .find("ABI version " + std::to_string(COPPICE_KERNEL_ABI_VERSION + 1)),
            std::string::npos);
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

// Matrices of several experts lie each at a multiple of 64: two of 36 bytes are the toy's 100. What
// is too many, too few or unknown is refused, whatever it multiplies to.
TEST(Artifact, RefusesExpertsThatDoNotFit) {
  using Bytes = std::vector<uint8_t>;
  auto weights = [](Bytes records) {
    return verifyToy([&](toy::Artifact &a) {
      a.changeRecords = [=](Bytes &, Bytes &weights) { weights = records; };
    });
  };
  EXPECT_EQ(weights({0, 1, 0x20, 3, 3, 2}), COPPICE_OK);
  EXPECT_NE(weights({0, 1, 0x20, 3, 3, 3}), COPPICE_OK);
  EXPECT_NE(weights({0, 1, 0x20, 3, 3, 1}), COPPICE_OK);
  EXPECT_NE(weights({0, 1, 0x20, 3, 3, 0}), COPPICE_OK);
  EXPECT_NE(weights({0, 1, 0x20, 3, 3}), COPPICE_OK);
  EXPECT_NE(weights({0, 1, 0x60, 3, 3, 2}), COPPICE_OK);
  EXPECT_NE(weights({0, 1, 0x20, 3, 3, 0xff, 0xff, 0xff, 0xff, 0x0f}), COPPICE_OK);
  EXPECT_NE(weights({0, 1, 0x20, 0, 3, 0xff, 0xff, 0xff, 0xff, 0x0f}), COPPICE_OK);
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
  EXPECT_NE(verifyToy([](toy::Artifact &a) { a.kvBytes = UINT64_MAX; }), COPPICE_OK);
  auto ring = [](uint64_t bytes, uint32_t positions, uint32_t step) {
    return verifyToy([&](toy::Artifact &a) {
      a.ringBytes = bytes;
      a.ringPositions = positions;
      a.largestStep = step;
      a.firstKernel = "kv_write_ring_f32";
    });
  };
  EXPECT_EQ(ring(4, 128, 64), COPPICE_OK); // a right one
  EXPECT_EQ(ring(4, 128, 128), COPPICE_OK);
  EXPECT_NE(ring(UINT64_MAX, 128, 64), COPPICE_OK);
  EXPECT_NE(ring(4, 0, 0), COPPICE_OK);
  EXPECT_NE(ring(4, 80, 64), COPPICE_OK); // no whole groups
  EXPECT_NE(ring(4, 0xffffffc0u, 64), COPPICE_OK);
  EXPECT_NE(ring(4, 128, 0), COPPICE_OK);
  EXPECT_NE(ring(4, 128, 129), COPPICE_OK);
  EXPECT_NE(ring(0, 128, 64), COPPICE_OK); // a kernel that keeps a ring, and no ring
  auto stage = [](toy::Stage changed) {
    return verifyToy([&](toy::Artifact &a) { a.stages[0] = changed; });
  };
  EXPECT_EQ(stage({0, 1, {0, 0}, 0, 0, 1}), COPPICE_OK); // the right one
  EXPECT_NE(stage({3, 1, {0, 0}, 0, 0, 1}), COPPICE_OK); // kernel
  EXPECT_EQ(stage({0, 0x80000000u, {0, 0}, 0, 0, 1}), COPPICE_OK);
  EXPECT_NE(stage({0, 0x80000001u, {0, 0}, 0, 0, 1}), COPPICE_OK); // items
  EXPECT_EQ(stage({0, 1, std::vector<uint32_t>(16), 0, 0, 1}), COPPICE_OK);
  EXPECT_NE(stage({0, 1, std::vector<uint32_t>(17), 0, 0, 1}), COPPICE_OK); // words
  EXPECT_EQ(stage({0, 1, {0, 0}, 4095, 0, 1}), COPPICE_OK);
  EXPECT_NE(stage({0, 1, {0, 0}, 4096, 0, 1}), COPPICE_OK); // layer
  EXPECT_NE(stage({0, 1, {0, 0}, -2, 0, 1}), COPPICE_OK);
  EXPECT_NE(stage({0, 1, {0, 0}, INT32_MIN, 0, 1}), COPPICE_OK);
  auto weight = [](toy::Weight changed) {
    return verifyToy([&](toy::Artifact &a) { a.weights[1] = changed; });
  };
  EXPECT_EQ(weight({3, 3, 0, 0, 0, 0}), COPPICE_OK); // 36 bytes to the end of the segment
  EXPECT_EQ(weight({6, 3, 0, 0, 1, 1}), COPPICE_OK); // as float16 in panels
  EXPECT_NE(weight({2, 5, 0, 0, 0, 0}), COPPICE_OK); // one element too many
  EXPECT_NE(weight({2, 4, 0, 0, 0, 0}), COPPICE_OK); // one too few
  EXPECT_NE(weight({0, 0, 0, 0, 0, 0}), COPPICE_OK);
  EXPECT_NE(weight({3, 3, 1, 0, 0, 0}), COPPICE_OK); // role
  EXPECT_NE(weight({3, 3, 0, 0, 6, 0}), COPPICE_OK); // format
  EXPECT_NE(weight({3, 3, 0, 0, 15, 0}), COPPICE_OK);
  EXPECT_NE(weight({3, 3, 0, 0, 0, 2}), COPPICE_OK); // layout
  EXPECT_NE(weight({3, 3, 0, 4096, 0, 0}), COPPICE_OK);
  EXPECT_NE(weight({3, 3, 0, -2, 0, 0}), COPPICE_OK);
  EXPECT_NE(weight({0xffffffffu, 0xffffffffu, 0, 0, 0, 0}), COPPICE_OK);
  EXPECT_NE(weight({0x80000000u, 0x80000000u, 0, 0, 0, 0}), COPPICE_OK); // 2^64 bytes are not 0
  // i8 and i4 (4 and 5): 34 and 18 bytes for 32 columns, of those left over 4 for each 4 or 8,
  // and 2.
  for (uint32_t layout : {0u, 1u}) {
    EXPECT_EQ(weight({2, 32, 0, 0, 5, layout}), COPPICE_OK);
    EXPECT_EQ(weight({1, 64, 0, 0, 5, layout}), COPPICE_OK);
    EXPECT_EQ(weight({2, 16, 0, 0, 4, layout}), COPPICE_OK);
    EXPECT_EQ(weight({2, 13, 0, 0, 4, layout}), COPPICE_OK);
    EXPECT_EQ(weight({6, 8, 0, 0, 5, layout}), COPPICE_OK);
    EXPECT_EQ(weight({6, 1, 0, 0, 4, layout}), COPPICE_OK);
    EXPECT_NE(weight({2, 33, 0, 0, 5, layout}), COPPICE_OK);
    EXPECT_NE(weight({2, 24, 0, 0, 5, layout}), COPPICE_OK);
    EXPECT_NE(weight({2, 17, 0, 0, 4, layout}), COPPICE_OK);
    EXPECT_NE(weight({2, 12, 0, 0, 4, layout}), COPPICE_OK);
    for (uint32_t format : {4u, 5u})
      for (uint32_t extent : {0xffffffffu, 0x80000000u, 0xf0f0f0f0u}) {
        EXPECT_NE(weight({extent, extent, 0, 0, format, layout}), COPPICE_OK);
        EXPECT_NE(weight({1, extent, 0, 0, format, layout}), COPPICE_OK);
        EXPECT_NE(weight({extent, 1, 0, 0, format, layout}), COPPICE_OK);
      }
  }
  EXPECT_NE(verifyToy([](toy::Artifact &a) { a.weights.push_back(a.weights[0]); }), COPPICE_OK);
  EXPECT_NE(verifyToy([](toy::Artifact &a) { a.weights.clear(); }), COPPICE_OK);
  // Which heads are kept is always said, and once; of neurons it may be left out.
  EXPECT_NE(verifyToy([](toy::Artifact &a) { a.heads.clear(); }), COPPICE_OK);
  EXPECT_EQ(verifyToy([](toy::Artifact &a) { a.neuronsAreHeads = true; }), COPPICE_OK);
  EXPECT_NE(verifyToy([](toy::Artifact &a) { a.neuronsAreHeads = true, a.heads.clear(); }),
            COPPICE_OK);
  EXPECT_NE(verifyToy([](toy::Artifact &a) { a.headsKept = 2; }), COPPICE_OK);
  EXPECT_EQ(verifyToy([](toy::Artifact &a) { a.neuronsKept = 2; }), COPPICE_OK);
  EXPECT_NE(verifyToy([](toy::Artifact &a) { a.neuronsKept = 4; }), COPPICE_OK);
}

// Streams of records that end early, go on, or say a number in a second way are refused: cut at
// every length, with each number padded by a zero group, with a number beyond 32 bits, without end.
TEST(Artifact, RefusesMalformedRecords) {
  using Bytes = std::vector<uint8_t>;
  Bytes stages, weights;
  EXPECT_EQ(verifyToy([&](toy::Artifact &a) {
              a.changeRecords = [&](Bytes &s, Bytes &w) { stages = s, weights = w; };
            }),
            COPPICE_OK);
  EXPECT_EQ(stages, (Bytes{0, 36, 0, 1, 0, 0, 1, 36, 0, 1, 0, 0, 2, 53, 1, 1, 2, 0, 10}));
  EXPECT_EQ(weights, (Bytes{0, 1, 0, 1, 1, 0, 2, 0, 3, 3}));
  // The only stages that may be missing are the last ones, whole: the format does not count them.
  for (bool ofStages : {true, false}) {
    const Bytes &whole = ofStages ? stages : weights;
    auto with = [&](const Bytes &records) {
      return verifyToy([&](toy::Artifact &a) {
        a.changeRecords = [&](Bytes &s, Bytes &w) { (ofStages ? s : w) = records; };
      });
    };
    for (size_t length = 0; length < whole.size(); ++length) {
      bool complete = ofStages && (length == 0 || length == 6 || length == 12);
      EXPECT_EQ(with(Bytes(whole.begin(), whole.begin() + long(length))) == COPPICE_OK, complete)
          << length;
    }
    for (size_t i = 0; i < whole.size(); ++i) {
      Bytes padded = whole;
      padded[i] |= 0x80;
      padded.insert(padded.begin() + long(i) + 1, 0);
      EXPECT_NE(with(padded), COPPICE_OK) << i;
    }
    for (Bytes tail : {Bytes{0}, Bytes{0x80}, Bytes(9, 0xff)}) {
      Bytes longer = whole;
      longer.insert(longer.end(), tail.begin(), tail.end());
      EXPECT_NE(with(longer), COPPICE_OK);
    }
  }
  // 2^32 - 1 is the largest number there is; one bit more is refused, not dropped.
  auto lastWord = [&](const Bytes &bytes) {
    Bytes changed(stages.begin(), stages.end() - 1);
    changed.insert(changed.end(), bytes.begin(), bytes.end());
    return verifyToy(
        [&](toy::Artifact &a) { a.changeRecords = [&](Bytes &s, Bytes &) { s = changed; }; });
  };
  EXPECT_EQ(lastWord({0xff, 0xff, 0xff, 0xff, 0x0f}), COPPICE_OK);
  EXPECT_NE(lastWord({0xff, 0xff, 0xff, 0xff, 0x1f}), COPPICE_OK);
  EXPECT_NE(lastWord({0xff, 0xff, 0xff, 0xff, 0x8f, 0x00}), COPPICE_OK);
}

// What the core gets is what the records say: words as steps from the kernel's last stage that had
// them, up, down, and around 2^32.
TEST(Artifact, DecodesStages) {
  toy::Artifact artifact;
  artifact.stages = {{0, 7, {5, 0xffffffffu}, -1, 0, 0},
                     {1, 1, {9}, 0, 1, 1},
                     {0, 300, {0x80000005u, 3, 8}, 1, 0, 1},
                     {0, 0, {4}, 2, 0, 0},
                     {0, 2, {4, 0xfffffffeu, 7}, 0, 0, 0, 1}};
  toy::File file(artifact.build());
  coppice_model *model = nullptr;
  ASSERT_EQ(coppice_model_open(file.path(), nullptr, &model, &message), COPPICE_OK)
      << message.message;
  ASSERT_EQ(model->program.stage_count, artifact.stages.size());
  for (size_t i = 0; i < artifact.stages.size(); ++i) {
    const coppice_stage &got = model->program.stages[i];
    const toy::Stage &wanted = artifact.stages[i];
    EXPECT_EQ(reinterpret_cast<const uint8_t *>(got.kernel),
              model->code + artifact.kernels[wanted.kernel]);
    EXPECT_EQ(got.count, wanted.count);
    EXPECT_EQ(got.set, wanted.set);
    EXPECT_EQ(got.per_row, wanted.perRow);
    EXPECT_EQ(got.joined, wanted.joined);
    EXPECT_EQ(std::vector<uint32_t>(got.args, got.args + wanted.args.size()), wanted.args) << i;
  }
  coppice_model_close(model);
}

// Code for another machine is refused before any of it could run, with the feature's name.
TEST(Artifact, RefusesOtherMachines) {
  toy::Artifact artifact;
  artifact.features = {"sse2", "avx4096"};
  EXPECT_EQ(open(artifact.build()), COPPICE_OTHER_MACHINE);
  EXPECT_NE(std::string(message.message).find("avx4096"), std::string::npos) << message.message;
}

/// The target that a machine with SSE2 and without others of these runs.
static std::string chosen(const toy::Artifact &artifact, const char *target = nullptr) {
  toy::File file(artifact.build());
  coppice_open_options options = {};
  options.target = target;
  coppice_model *model = nullptr;
  coppice_status status = coppice_model_open(file.path(), &options, &model, &message);
  if (status != COPPICE_OK)
    return status == COPPICE_OTHER_MACHINE ? message.message : "another status";
  coppice_info info;
  EXPECT_EQ(coppice_model_info(model, &info), COPPICE_OK);
  std::string name = info.target;
  coppice_model_close(model);
  return name;
}

// The highest rank that runs is taken, wherever in the file it stands; of equal ones the first.
TEST(Artifact, TakesTheBestEntryPointThatRuns) {
  toy::Artifact artifact;
  artifact.target = "middle";
  artifact.rank = 5;
  artifact.others = {{"best", {"sse2", "avx4096"}, 9}, {"low", {}, 1}};
  EXPECT_EQ(chosen(artifact), "middle");
  artifact.others.push_back({"high", {"sse2"}, 6});
  EXPECT_EQ(chosen(artifact), "high");
  artifact.others.push_back({"as high", {"sse2"}, 6});
  EXPECT_EQ(chosen(artifact), "high");
  artifact.rank = 7;
  EXPECT_EQ(chosen(artifact), "middle");
}

// One can be asked for by name; what is not there or does not run here is refused, not replaced.
TEST(Artifact, RunsTheEntryPointThatIsAskedFor) {
  toy::Artifact artifact;
  artifact.others = {{"low", {}, 0}, {"best", {"avx4096"}, 9}};
  artifact.rank = 3;
  EXPECT_EQ(chosen(artifact, "low"), "low");
  EXPECT_NE(chosen(artifact, "best").find("compiled for best, and this machine lacks avx4096;"),
            std::string::npos);
  EXPECT_NE(chosen(artifact, "lo").find("no code for lo; it has code for toy-target, low, best"),
            std::string::npos);
}

// Where none runs, the message says for each what is missing, and all of that.
TEST(Artifact, SaysWhatEachEntryPointLacks) {
  toy::Artifact artifact;
  artifact.features = {"avx4096", "sse2", "amx9000"};
  EXPECT_NE(chosen(artifact).find("compiled for toy-target, and this machine lacks avx4096, "
                                  "amx9000;"),
            std::string::npos);
  artifact.others = {{"better", {"sse2", "avx8192"}, 1}};
  EXPECT_NE(chosen(artifact).find("for toy-target this machine lacks avx4096, amx9000; for better "
                                  "this machine lacks avx8192;"),
            std::string::npos)
      << chosen(artifact);
  // However many there are, the message ends within its buffer.
  for (int i = 0; i < 60; ++i)
    artifact.others.push_back({std::string(60, 'x'), {std::string(60, 'y')}, 1});
  EXPECT_LT(chosen(artifact).size(), sizeof message.message);
}

// Asking the processor takes a while, so a list that would ask without end is refused.
TEST(Artifact, RefusesEndlessFeatures) {
  toy::Artifact artifact;
  artifact.features.assign(256, "sse2");
  EXPECT_EQ(open(artifact.build()), COPPICE_OK);
  artifact.features.push_back("sse2");
  EXPECT_EQ(open(artifact.build()), COPPICE_BAD_ARTIFACT);
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
