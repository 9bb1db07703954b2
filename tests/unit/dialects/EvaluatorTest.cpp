// The evaluator's walk over a graph, against graphs small enough to work out by hand.
#include "tests/support/evaluator/Evaluator.h"
#include "dialects/lm/LM.h"
#include "mlir/Parser/Parser.h"
#include <gtest/gtest.h>

using namespace mlir;
using namespace coppice::test;

namespace {

class EvaluatorWalk : public ::testing::Test {
protected:
  EvaluatorWalk() { context.loadDialect<coppice::lm::LMDialect, func::FuncDialect>(); }

  /// A tensor @w of three rows and two columns, 1 to 6, and vectors @b (100, 200, 300), @c (7, 8).
  static llvm::Expected<Tensor> read(llvm::StringRef name) {
    if (name == "w")
      return Tensor{{3, 2}, {1, 2, 3, 4, 5, 6}};
    if (name == "b")
      return Tensor{{3}, {100, 200, 300}};
    if (name == "c")
      return Tensor{{2}, {7, 8}};
    return llvm::createStringError("no tensor '" + name + "'");
  }

  /// Runs the function `body` for one token row (1, 10).
  llvm::Expected<Matrix> run(std::string body, std::string result, std::string extra = "") {
    std::string text = R"mlir(
      lm.tensor private @w : tensor<3x2xf32>
      lm.tensor private @b : tensor<3xf32>
      lm.tensor private @c : tensor<2xf32>
      lm.tensor private @missing : tensor<2xf32>
      func.func @f(%x: tensor<?x2xf32>) -> )mlir" +
                       result + " {" + body + "}";
    module = parseSourceString<ModuleOp>(text, &context);
    if (!module)
      return llvm::createStringError("the test's text does not parse");
    Matrix x(1, 2);
    x << 1, 10;
    return evaluator.run(*module->getOps<func::FuncOp>().begin(), {x});
  }

  std::string row(llvm::Expected<Matrix> got) {
    if (!got)
      return llvm::toString(got.takeError());
    std::string text;
    llvm::raw_string_ostream os(text);
    for (Eigen::Index i = 0; i < got->size(); ++i)
      os << (i ? " " : "") << got->data()[i];
    return text;
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  Evaluator evaluator{&EvaluatorWalk::read};
};

#define EXPECT_ROW(body, type, wanted) EXPECT_EQ(row(run(body, type)), wanted)

std::string number(std::initializer_list<double> values) {
  std::string text;
  llvm::raw_string_ostream os(text);
  size_t i = 0;
  for (double value : values)
    os << (i++ ? " " : "") << value;
  return text;
}

// 1*1 + 10*2 = 21 and so on, plus the bias.
TEST_F(EvaluatorWalk, LinearWithBias) {
  EXPECT_ROW(R"(
    %w = lm.weight @w : tensor<3x2xf32>
    %b = lm.weight @b : tensor<3xf32>
    %y = lm.linear %x, %w bias %b : tensor<?x2xf32>, tensor<3x2xf32>, tensor<3xf32> -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>)",
             "tensor<?x3xf32>", number({121, 243, 365}));
}

// Rows (2, 0) of @w are (5, 6) and (1, 2); columns (1, 0) swap them: (6, 5) and (2, 1).
TEST_F(EvaluatorWalk, WeightListsKeepTheirOrder) {
  EXPECT_ROW(R"(
    %w = lm.weight @w rows <2, 0> cols <1, 0> : tensor<2x2xf32>
    %b = lm.weight @b rows <1, 0> : tensor<2xf32>
    %y = lm.linear %x, %w bias %b : tensor<?x2xf32>, tensor<2x2xf32>, tensor<2xf32> -> tensor<?x2xf32>
    return %y : tensor<?x2xf32>)",
             "tensor<?x2xf32>", number({256, 112}));
}

// Transposed, @w is ((1, 3, 5), (2, 4, 6)); columns (0, 2) leave ((1, 5), (2, 6)).
TEST_F(EvaluatorWalk, TransposedListsCountInTheResult) {
  EXPECT_ROW(R"(
    %w = lm.weight @w cols <0, 2> transposed : tensor<2x2xf32>
    %y = lm.linear %x, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
    return %y : tensor<?x2xf32>)",
             "tensor<?x2xf32>", number({51, 62}));
}

// A block computes from its argument; one that is skipped gives its input.
TEST_F(EvaluatorWalk, SkippedBlockIsItsInput) {
  std::string text = R"( (%a = %x) : tensor<?x2xf32> {
      %s = lm.add %a, %a : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      lm.yield %s : tensor<?x2xf32>
    }
    return %y : tensor<?x2xf32>)";
  EXPECT_ROW("%y = lm.block ffn layer 0" + text, "tensor<?x2xf32>", number({2, 20}));
  EXPECT_ROW("%y = lm.block ffn layer 0 skip" + text, "tensor<?x2xf32>", number({1, 10}));
}

// Constants: (7, 8) through @w is (23, 53, 83); added to (100, 200, 300), and to the token's row.
TEST_F(EvaluatorWalk, ConstantRowsAreExpressions) {
  EXPECT_ROW(R"(
    %w = lm.weight @w : tensor<3x2xf32>
    %b = lm.weight @b : tensor<3xf32>
    %c = lm.weight @c : tensor<2xf32>
    %d = lm.linear %c, %w bias %b : tensor<2xf32>, tensor<3x2xf32>, tensor<3xf32> -> tensor<3xf32>
    %e = lm.select %d cols <2, 0> : tensor<3xf32> -> tensor<2xf32>
    %y = lm.add %x, %e : tensor<?x2xf32>, tensor<2xf32> -> tensor<?x2xf32>
    return %y : tensor<?x2xf32>)",
             "tensor<?x2xf32>", number({384, 133}));
}

// The fill of a mask is an expression like any other.
TEST_F(EvaluatorWalk, MaskFillsFromAConstant) {
  EXPECT_ROW(R"(
    %c = lm.weight @c rows <1> : tensor<1xf32>
    %y = lm.mask %x dead <0> fill %c : tensor<?x2xf32>, tensor<1xf32>
    return %y : tensor<?x2xf32>)",
             "tensor<?x2xf32>", number({8, 10}));
}

// Scores (1, 10): expert 1 wins, and doubles; with expert 1 dead, expert 0 passes the row on.
TEST_F(EvaluatorWalk, MoeRunsTheExpertItPicks) {
  auto text = [](std::string dead) {
    return "%y = lm.moe %x scores %x top_k 1 normalize" + dead + R"(
        : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32> {
    ^bb0(%a: tensor<?x2xf32>):
      lm.yield %a : tensor<?x2xf32>
    }, {
    ^bb0(%a: tensor<?x2xf32>):
      %s = lm.add %a, %a : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      lm.yield %s : tensor<?x2xf32>
    }
    return %y : tensor<?x2xf32>)";
  };
  EXPECT_ROW(text(""), "tensor<?x2xf32>", number({2, 20}));
  EXPECT_ROW(text(" dead <1>"), "tensor<?x2xf32>", number({1, 10}));
}

// An observed value is passed on, and kept by name.
TEST_F(EvaluatorWalk, ObserveKeepsWhatItSaw) {
  EXPECT_ROW(R"(
    %s = lm.mul %x, %x : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    %y = lm.observe "squares" %s : tensor<?x2xf32>
    return %y : tensor<?x2xf32>)",
             "tensor<?x2xf32>", number({1, 100}));
  ASSERT_EQ(evaluator.observed().count("squares"), 1u);
  EXPECT_EQ(evaluator.observed().at("squares")(0, 1), 100);
}

// Row ids + offset: row 0 + 2 of @w is (5, 6). An id outside the table is an error, not a crash.
TEST_F(EvaluatorWalk, EmbedAddsItsOffset) {
  auto embed = [&](int32_t id) {
    module = parseSourceString<ModuleOp>(R"mlir(
      lm.tensor private @w : tensor<3x2xf32>
      func.func @f(%ids: tensor<?xi32>, %p: tensor<?xi32>) -> tensor<?x2xf32> {
        %w = lm.weight @w : tensor<3x2xf32>
        %y = lm.embed %ids, %w offset 2 : tensor<?xi32>, tensor<3x2xf32> -> tensor<?x2xf32>
        return %y : tensor<?x2xf32>
      })mlir",
                                         &context);
    return row(evaluator.run(*module->getOps<func::FuncOp>().begin(), {id}, {0}));
  };
  EXPECT_EQ(embed(0), number({5, 6}));
  EXPECT_EQ(embed(1), "row 3 of a table of 3 rows");
}

// Errors name what is missing or not known.
TEST_F(EvaluatorWalk, ErrorsNameTheirCause) {
  EXPECT_ROW(R"(
    %c = lm.weight @missing : tensor<2xf32>
    %y = lm.add %x, %c : tensor<?x2xf32>, tensor<2xf32> -> tensor<?x2xf32>
    return %y : tensor<?x2xf32>)",
             "tensor<?x2xf32>", "no tensor 'missing'");
  context.allowUnregisteredDialects();
  EXPECT_ROW(R"(
    %y = "other.op"(%x) : (tensor<?x2xf32>) -> tensor<?x2xf32>
    return %y : tensor<?x2xf32>)",
             "tensor<?x2xf32>", "the evaluator does not know other.op");
}

} // namespace
