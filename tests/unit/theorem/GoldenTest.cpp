// Outside truth for the evaluator, the importer and the masks: logits that Hugging Face's
// transformers computed in float32 for tiny random models, dense and masked by hooks.
#include "tests/support/GoldenFile.h"
#include "tests/support/TinyModels.h"
#include "tests/unit/theorem/Theorem.h"
#include "llvm/Support/MemoryBuffer.h"
#include <gtest/gtest.h>

using namespace coppice;
using namespace coppice::test;

namespace {

struct Golden {
  std::vector<int32_t> tokens;
  Matrix logits;
};

Golden goldenOf(const TinyModel &model, const std::string &run) {
  GoldenLogits read = llvm::cantFail(readGolden(model.golden(run + ".safetensors")));
  Golden golden{read.tokens, Matrix(read.tokens.size(), read.vocab)};
  for (size_t i = 0; i < read.logits.size(); ++i)
    golden.logits.data()[i] = read.logits[i];
  return golden;
}

class Goldens : public ::testing::TestWithParam<TinyModel> {};

// The float64 evaluator agrees with float32 logits from elsewhere to float32's accuracy, dense and
// under three plans, masked and shrunk.
TEST_P(Goldens, AgreeWithTransformers) {
  auto model = Model::open(GetParam().folder());
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  for (std::string run : {"dense", "plan-a", "plan-b", "plan-c"}) {
    Golden golden = goldenOf(GetParam(), run);
    std::optional<std::string> plan;
    if (run != "dense") {
      auto text = llvm::MemoryBuffer::getFile(GetParam().golden(run + ".json"));
      ASSERT_TRUE(bool(text)) << run;
      plan = (*text)->getBuffer().str();
    }
    auto masked = model.get()->mask(plan);
    ASSERT_TRUE(bool(masked)) << llvm::toString(masked.takeError());
    auto shrunk = model.get()->shrink(**masked);
    ASSERT_TRUE(bool(shrunk)) << llvm::toString(shrunk.takeError());
    for (mlir::ModuleOp module : {**masked, **shrunk}) {
      auto got = model.get()->logits(module, golden.tokens);
      ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
      EXPECT_EQ(compare(*got, golden.logits, 1e-4), "") << GetParam().name << ", " << run;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Theorem, Goldens, ::testing::ValuesIn(tinyModels()),
                         [](const ::testing::TestParamInfo<TinyModel> &info) {
                           return asTestName(info.param.name);
                         });

class NearTies : public ::testing::TestWithParam<const char *> {};

/// The scores of each layer's router, a row per token.
std::map<std::string, Matrix> scoresOf(mlir::ModuleOp module, const TensorReader &reader,
                                       llvm::ArrayRef<int32_t> tokens, int64_t &picks,
                                       Matrix &logits) {
  int layers = 0;
  module->walk([&](lm::MoeOp moe) {
    mlir::OpBuilder builder(moe);
    picks = moe.getTopK();
    moe.getScoresMutable().assign(builder.create<lm::ObserveOp>(
        moe.getLoc(), moe.getScores().getType(), moe.getScores(), std::to_string(layers++)));
  });
  std::vector<int32_t> positions(tokens.size());
  for (size_t t = 0; t < tokens.size(); ++t)
    positions[t] = int32_t(t);
  Evaluator evaluator(reader);
  auto function = *module.getOps<mlir::func::FuncOp>().begin();
  logits = llvm::cantFail(evaluator.run(function, tokens, positions));
  return evaluator.observed();
}

// Routers of these models score experts 1 and 3 nearly alike, so that which of them a token gets
// often hangs on the third digit; the golden logits know which one transformers took.
TEST_P(NearTies, AreDecidedAsTransformersDecides) {
  const TinyModel &tiny =
      *llvm::find_if(tinyModels(), [](const TinyModel &one) { return one.name == GetParam(); });
  auto checkpoint = llvm::cantFail(Checkpoint::open(tiny.folder()));
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  ImportedModel graph = llvm::cantFail(importModel(tiny.folder(), checkpoint.get(), context));
  Golden golden = goldenOf(tiny, "dense");
  int64_t picks = 0;
  Matrix logits;
  TensorReader reader = readerOf(*checkpoint);
  int near = 0;
  for (auto &[layer, scores] : scoresOf(*graph.module, reader, golden.tokens, picks, logits))
    for (Eigen::Index t = 0; t < scores.rows(); ++t) {
      std::vector<double> row(scores.row(t).begin(), scores.row(t).end());
      std::sort(row.begin(), row.end(), std::greater<>());
      // The last that is picked, and the first that is not.
      near += row[picks - 1] - row[picks] < 0.02;
    }
  EXPECT_GE(near, 10);
  EXPECT_EQ(compare(logits, golden.logits, 1e-4), "");

  // The other way they would show: with rows 1 and 3 alike the lower number wins each of them.
  TensorReader alike = [&](llvm::StringRef name) {
    llvm::Expected<Tensor> tensor = reader(name);
    if (tensor && name.ends_with("gate.weight")) {
      int64_t columns = tensor->shape[1];
      std::copy_n(tensor->values.begin() + columns, columns, tensor->values.begin() + 3 * columns);
    }
    return tensor;
  };
  ImportedModel again = llvm::cantFail(importModel(tiny.folder(), checkpoint.get(), context));
  scoresOf(*again.module, alike, golden.tokens, picks, logits);
  EXPECT_GT((logits - golden.logits).cwiseAbs().maxCoeff(), 0.1);
}

INSTANTIATE_TEST_SUITE_P(Theorem, NearTies, ::testing::Values("mixtral-ties", "qwen3-moe-renorm"),
                         [](const ::testing::TestParamInfo<const char *> &info) {
                           return asTestName(info.param);
                         });

} // namespace
