// Files of statistics that do not fit what they are used for are refused, by name and number.
#include "compiler/calibration/Statistics.h"
#include "compiler/calibration/Calibrate.h"
#include "tests/unit/pipeline/Running.h"
#include "llvm/Support/raw_ostream.h"
#include <gtest/gtest.h>
#include <limits>

using namespace coppice;
using namespace coppice::test;

namespace {

constexpr const char *kFc1 = "model.decoder.layers.0.fc1.weight";

void write(const std::string &path, const std::string &bytes) {
  std::error_code code;
  llvm::raw_fd_ostream out(path, code);
  ASSERT_FALSE(code);
  out << bytes;
}

class StatisticsFiles : public ::testing::Test {
protected:
  void SetUp() override {
    CalibrateOptions options;
    options.modelDir = COPPICE_TESTS "/models/opt-icl";
    options.text = options.modelDir + "/tasks/lookup.jsonl";
    options.output = path;
    options.tokens = kLeastCalibrationTokens;
    auto result = calibrate(options);
    ASSERT_TRUE(bool(result)) << llvm::toString(result.takeError());
    auto read = readStatistics(path);
    ASSERT_TRUE(bool(read)) << llvm::toString(read.takeError());
    statistics = std::move(*read);
  }

  /// Of compiling with the statistics as they now are; "" if that goes well.
  std::string error(const std::string &weights = "i4", const std::string &model = "opt-icl",
                    const std::string &plan = "") {
    write(path, statisticsFile(statistics));
    CompileOptions options = optionsFor(model, plan, scratch.file("out"));
    options.weights = weights;
    options.calibration = path;
    return compileError(options);
  }
  void expect(const std::string &said, const std::string &part) {
    EXPECT_NE(said.find(part), std::string::npos) << said;
    EXPECT_NE(said.find(path), std::string::npos) << said;
  }

  Scratch scratch;
  std::string path = scratch.file("stats.safetensors");
  Statistics statistics;
};

// What is written is read back, the same bytes again; it fits its checkpoint with or without a
// plan, and changes the artifact.
TEST_F(StatisticsFiles, Fit) {
  std::string before = readAll(path);
  EXPECT_EQ(statisticsFile(statistics), before);
  EXPECT_EQ(statistics.tokens, kLeastCalibrationTokens);
  EXPECT_EQ(error("i4", "opt-icl", "mixed"), "");
  EXPECT_EQ(error(), "");
  std::string weighed = readAll(scratch.file("out"));
  CompileOptions options = optionsFor("opt-icl", "", scratch.file("plain"));
  options.weights = "i4";
  EXPECT_EQ(compileError(options), "");
  std::string plain = readAll(scratch.file("plain"));
  EXPECT_EQ(plain.size(), weighed.size());
  EXPECT_NE(plain, weighed);
}

TEST_F(StatisticsFiles, OfAnotherCheckpoint) {
  expect(error("i4", "opt-pre"), "was measured on another checkpoint, of hash ");
}

// A plan's zeros say nothing of a model that is not cut by it.
TEST_F(StatisticsFiles, OfAnotherPlan) {
  statistics.plan = Digest{};
  expect(error(), "was measured with the plan of hash 0000");
  expect(error("i4", "opt-icl", "mixed"), "has another, of hash ");
}

TEST_F(StatisticsFiles, WithoutATensor) {
  statistics.meanSquares.erase(kFc1);
  expect(error(), std::string("has no tensor '") + kFc1 +
                      "', which is quantized here: it was taken without a plan, so it is damaged");
  EXPECT_EQ(error(std::string("i4,") + kFc1 + "=f16"), "");
}

TEST_F(StatisticsFiles, OfAnotherWidth) {
  statistics.meanSquares[kFc1].pop_back();
  expect(error(), std::string("tensor '") + kFc1 + "' has 127 columns, the checkpoint's has 128");
}

TEST_F(StatisticsFiles, OfValuesThatAreNoMeanSquares) {
  float &value = statistics.meanSquares[kFc1][5];
  value = std::numeric_limits<float>::quiet_NaN();
  expect(error(), "column 5 is nan; a mean square is a finite number from 0 on");
  value = std::numeric_limits<float>::infinity();
  expect(error(), "column 5 is inf; a mean square is a finite number from 0 on");
  value = -1;
  expect(error(), "column 5 is -1");
}

TEST_F(StatisticsFiles, WithNothingQuantized) {
  expect(error("f16"), "nothing here is quantized, so a calibration has no use");
  // A table is read a row at a time: what it is multiplied with has no columns to weigh.
  auto other = Checkpoint::open(COPPICE_TESTS "/models/llama-gqa");
  ASSERT_TRUE(bool(other)) << llvm::toString(other.takeError());
  llvm::copy((*other)->hash(), statistics.checkpoint.begin());
  expect(error("f32,embed=i8", "llama-gqa"),
         "a calibration concerns the matrices that linears read, and none of them is quantized");
}

// Files that another program made, or that are none.
TEST_F(StatisticsFiles, OfAnotherKind) {
  CompileOptions options = optionsFor("opt-icl", "", scratch.file("out"));
  options.weights = "i4";
  options.calibration = options.modelDir + "/model.safetensors";
  EXPECT_NE(compileError(options).find("not a file of coppice calibrate"), std::string::npos);
  options.calibration = scratch.file("none");
  EXPECT_NE(compileError(options).find(options.calibration), std::string::npos);
  std::string bytes = readAll(path);
  size_t at = bytes.find("\"tokens\":\"256\"");
  ASSERT_NE(at, std::string::npos);
  write(path, bytes.replace(at, 14, "\"tokens\":\"25x\""));
  options.calibration = path;
  EXPECT_NE(compileError(options).find("its metadata is damaged"), std::string::npos);
}

} // namespace
