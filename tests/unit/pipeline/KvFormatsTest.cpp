// Caches of bf16 and i8 lose what rounding of keys and values loses, and nothing else: a model's
// logits are those of the float64 evaluator whose keys and values are rounded so, for every family.
#include "compiler/import/Import.h"
#include "tests/support/TinyModels.h"
#include "tests/support/evaluator/Evaluator.h"
#include "tests/unit/pipeline/Running.h"
#include "llvm/ADT/APFloat.h"
#include "gtest/gtest.h"
#include <cmath>
#include <map>

using namespace coppice;
using namespace coppice::test;

namespace {

/// To nearest even.
double toBfloat(double value) {
  llvm::APFloat number(value);
  bool inexact;
  number.convert(llvm::APFloat::BFloat(), llvm::APFloat::rmNearestTiesToEven, &inexact);
  number.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &inexact);
  return number.convertToDouble();
}

/// As compiler/codegen/KernelArgs.h says of kv_write: i8 has a scale for each position and head.
void roundAs(const std::string &format, Matrix &rows, int64_t headDim) {
  for (Eigen::Index t = 0; t < rows.rows(); ++t)
    for (Eigen::Index head = 0; head < rows.cols(); head += headDim) {
      auto values = rows.row(t).segment(head, headDim);
      double scale = values.cwiseAbs().maxCoeff() / 127;
      for (double &value : values)
        value = format == "bf16" ? toBfloat(value)
                : scale > 0      ? scale * std::nearbyint(value / scale)
                                 : 0;
    }
}

struct Case {
  TinyModel model;
  std::string kv;
};

class KvFormats : public testing::TestWithParam<Case> {};

TEST_P(KvFormats, EqualTheEvaluatorThatRounds) {
  const TinyModel &tiny = GetParam().model;
  Scratch scratch;
  CompileOptions options = optionsFor(tiny.name, "", scratch.file("model"));
  options.weights = "f32";
  options.kv = GetParam().kv;
  options.context = 40;
  ASSERT_EQ(compileError(options), "");
  Model model(options.output);
  std::vector<int32_t> tokens = someTokens(model, 37, 23), positions(tokens.size());
  for (size_t i = 0; i < positions.size(); ++i)
    positions[i] = int32_t(i);
  Engine engine(model, 1, 40);
  Session session(model, 40);
  std::vector<float> got = engine.feed(model, session, tokens, 9);

  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  auto checkpoint = llvm::cantFail(Checkpoint::open(tiny.folder()));
  auto graph = llvm::cantFail(importModel(tiny.folder(), checkpoint.get(), context, 40));
  auto function = *graph.module->getOps<mlir::func::FuncOp>().begin();
  // The largest difference from the evaluator, as a share of its largest logit.
  auto apart = [&](Evaluator::Rounding rounding) {
    Evaluator evaluator(readerOf(*checkpoint));
    evaluator.roundCaches(std::move(rounding));
    Matrix wanted = llvm::cantFail(evaluator.run(function, tokens, positions));
    double most = 0;
    for (Eigen::Index p = 0; p < wanted.rows(); ++p)
      for (Eigen::Index v = 0; v < wanted.cols(); ++v)
        most = std::max(most, std::abs(got[size_t(p * wanted.cols() + v)] - wanted(p, v)));
    return most / wanted.cwiseAbs().maxCoeff();
  };
  auto round = [&](Matrix &rows, int64_t headDim) { roundAs(options.kv, rows, headDim); };
  // A value at a tie may fall the other way in float32, which moves the logits by up to 1e-4.
  EXPECT_LE(apart(round), 3e-4);
  EXPECT_GT(apart(nullptr), 6e-4);
}

/// The last model of each family.
std::vector<Case> allCases() {
  std::map<std::string, TinyModel> last;
  for (const TinyModel &model : tinyModels())
    last[model.modelType] = model;
  std::vector<Case> all;
  for (auto &[type, model] : last)
    for (const char *kv : {"bf16", "i8"})
      all.push_back({model, kv});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Models, KvFormats, testing::ValuesIn(allCases()),
                         [](const testing::TestParamInfo<Case> &info) {
                           return asTestName(info.param.model.name + "_" + info.param.kv);
                         });

} // namespace
