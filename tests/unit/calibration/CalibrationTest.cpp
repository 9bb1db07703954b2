// Calibration of a trained model against the evaluator of lm in float64, which sees the same marks,
// and what the quantizer makes of it.
#include "compiler/artifact/WeightView.h"
#include "compiler/calibration/Calibrate.h"
#include "compiler/calibration/Statistics.h"
#include "compiler/import/Import.h"
#include "compiler/passes/Passes.h"
#include "compiler/pipeline/PassList.h"
#include "mlir/Pass/PassManager.h"
#include "tests/support/evaluator/Evaluator.h"
#include "tests/unit/artifact/Decode.h"
#include "tests/unit/pipeline/Running.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"

using namespace coppice;
using namespace coppice::test;

namespace {

constexpr const char *kModel = COPPICE_TESTS "/models/opt-icl";
constexpr uint64_t kTokens = 300;

/// A text of the tree that does not change.
std::string textFile() { return std::string(kModel) + "/tasks/lookup.jsonl"; }

Statistics calibrated(const std::string &output, const std::string &plan, unsigned threads,
                      const std::string &target = "native") {
  CalibrateOptions options;
  options.modelDir = kModel;
  options.text = textFile();
  options.output = output;
  options.plan = plan;
  options.tokens = kTokens;
  options.threads = threads;
  options.target = target;
  auto result = calibrate(options);
  EXPECT_TRUE(bool(result)) << llvm::toString(result.takeError());
  auto statistics = readStatistics(output);
  EXPECT_TRUE(bool(statistics)) << llvm::toString(statistics.takeError());
  return std::move(*statistics);
}

/// What the graph's linears read, by float64, for the tokens that calibration takes.
class Truth {
public:
  explicit Truth(const std::string &plan) {
    checkpoint = llvm::cantFail(Checkpoint::open(kModel));
    auto model = llvm::cantFail(importModel(kModel, checkpoint.get(), context));
    mlir::PassManager pm(&context);
    std::optional<Plan> parsed;
    if (!plan.empty())
      parsed = llvm::cantFail(parsePlan(readAll(plan), plan));
    addMaskPasses(pm, parsed ? &*parsed : nullptr, nullptr);
    pm.addPass(createObserveInputs());
    EXPECT_TRUE(mlir::succeeded(pm.run(*model.module)));
    module = std::move(model.module);
    std::vector<int32_t> tokens = encode(), positions;
    for (size_t i = 0; i < tokens.size(); ++i)
      positions.push_back(int32_t(i));
    Evaluator evaluator(readerOf(*checkpoint));
    auto function = *module->getOps<mlir::func::FuncOp>().begin();
    EXPECT_TRUE(bool(evaluator.run(function, tokens, positions)));
    seen = evaluator.observed();
  }

  mlir::MLIRContext context;
  std::unique_ptr<Checkpoint> checkpoint;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::map<std::string, Matrix> seen;

private:
  /// `</s>`, then the text: one window, as the context holds 512.
  static std::vector<int32_t> encode() {
    Scratch scratch;
    EXPECT_EQ(compileError(optionsFor("opt-icl", "", scratch.file("a"))), "");
    Model model(scratch.file("a"));
    std::string text = readAll(textFile());
    std::vector<int32_t> tokens(text.size() + 1);
    size_t count = 0;
    EXPECT_EQ(coppice_encode(model.model, text.data(), text.size(), 0, tokens.data(), tokens.size(),
                             &count),
              COPPICE_OK);
    EXPECT_EQ(tokens[0], 2);
    tokens.resize(kTokens + 1);
    return tokens;
  }
};

void holds(const Statistics &statistics, const Truth &truth) {
  ASSERT_EQ(statistics.meanSquares.size(), truth.seen.size());
  for (const auto &[name, rows] : truth.seen) {
    auto found = statistics.meanSquares.find(name);
    ASSERT_NE(found, statistics.meanSquares.end()) << name;
    ASSERT_EQ(int64_t(found->second.size()), rows.cols()) << name;
    double most = 0;
    for (int64_t c = 0; c < rows.cols(); ++c)
      most = std::max(most, rows.col(c).squaredNorm() / double(rows.rows()));
    for (int64_t c = 0; c < rows.cols(); ++c) {
      double mean = rows.col(c).squaredNorm() / double(rows.rows());
      EXPECT_NEAR(found->second[size_t(c)], mean, 1e-4 * mean + 1e-6 * most) << name << " " << c;
    }
  }
}

// Mean squares are those of the graph's meaning, for every tensor and column.
TEST(Calibration, MeasuresWhatTheGraphMeans) {
  Scratch scratch;
  holds(calibrated(scratch.file("s"), "", 2), Truth(""));
}

// With a plan they are those of the masked graph: skipped blocks have none, cut columns are zero.
TEST(Calibration, MeasuresTheMaskedGraph) {
  Scratch scratch;
  std::string plan = COPPICE_TESTS "/golden/models/opt-icl/mixed.json";
  Statistics statistics = calibrated(scratch.file("s"), plan, 1);
  EXPECT_TRUE(statistics.plan);
  holds(statistics, Truth(plan));
  size_t zeros = 0;
  for (const auto &[name, values] : statistics.meanSquares)
    zeros += size_t(llvm::count(values, 0.0f));
  EXPECT_GT(zeros, 0u);
}

// Neither the number of threads nor the machine's level shows in the file, and nothing else is left
// in the folder.
TEST(Calibration, SameBytesOnAnyMachine) {
  Scratch scratch;
  calibrated(scratch.file("1"), "", 1);
  calibrated(scratch.file("3"), "", 3);
  calibrated(scratch.file("low"), "", 2, "x86-64-v3"); // what every machine that runs tests has
  EXPECT_EQ(readAll(scratch.file("1")), readAll(scratch.file("low")));
  EXPECT_EQ(readAll(scratch.file("1")), readAll(scratch.file("3")));
  size_t files = 0;
  std::error_code code;
  for (llvm::sys::fs::directory_iterator at(scratch.file(""), code), end; at != end && !code;
       at.increment(code))
    ++files;
  EXPECT_EQ(files, 3u);
}

/// W's rounding errors, as a matrix.
Matrix errors(const Checkpoint &checkpoint, const TensorInfo &tensor, mlir::Value source,
              WeightFormat format, llvm::ArrayRef<float> importance) {
  int64_t rows = tensor.shape[0], cols = tensor.shape[1];
  PackedWeight weight = packed(source, rows, cols, format);
  weight.importance.assign(importance.begin(), importance.end());
  Streamed got = stream(weight, checkpoint, 1);
  EXPECT_EQ(got.error, "");
  Matrix off(rows, cols);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c) {
      Decoded back = decode(got.bytes, format, WeightLayout::Panels, rows, cols, r, c);
      off(r, c) = loadElement(tensor, r * cols + c) - back.code * back.scale;
    }
  return off;
}

// Weighing lowers the weighted error of every matrix, and the error of what the linears answer on
// the calibration text: of nearly all, and of all together.
TEST(Calibration, LowersTheErrorOfAnswers) {
  Scratch scratch;
  Statistics statistics = calibrated(scratch.file("s"), "", 2);
  Truth truth("");
  for (WeightFormat format : {WeightFormat::I4, WeightFormat::I8}) {
    size_t lower = 0;
    double logs = 0, answers = 0;
    for (const auto &[name, values] : statistics.meanSquares) {
      const TensorInfo &tensor = *truth.checkpoint->find(name);
      std::string type =
          std::to_string(tensor.shape[0]) + "x" + std::to_string(tensor.shape[1]) + "xf16";
      Graph graph(*truth.checkpoint, "%w = lm.weight @\"" + name + "\" : tensor<" + type + ">");
      Matrix plain = errors(*truth.checkpoint, tensor, graph.last(), format, {});
      Matrix weighed = errors(*truth.checkpoint, tensor, graph.last(), format, values);
      Eigen::VectorXd squares(Eigen::Index(values.size()));
      for (size_t c = 0; c < values.size(); ++c)
        squares[Eigen::Index(c)] = values[c];
      double before = plain.colwise().squaredNorm().dot(squares),
             after = weighed.colwise().squaredNorm().dot(squares);
      EXPECT_LT(after, before) << name;
      const Matrix &inputs = truth.seen.at(name);
      double answer =
          (inputs * weighed.transpose()).squaredNorm() / (inputs * plain.transpose()).squaredNorm();
      logs += std::log(after / before);
      answers += std::log(answer);
      lower += answer < 1;
    }
    double count = double(statistics.meanSquares.size());
    std::printf("%s: weighted squared error %.3f of the plain scale's, that of answers %.3f, lower "
                "for %zu of %.0f matrices\n",
                formatName(format).data(), std::exp(logs / count), std::exp(answers / count), lower,
                count);
    EXPECT_LT(std::exp(answers / count), format == WeightFormat::I4 ? 0.95 : 1.0);
    EXPECT_GT(double(lower), 0.8 * count);
  }
}

} // namespace
