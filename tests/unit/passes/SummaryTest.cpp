// What a summary says, against numbers counted by hand. The model is that of tests/lit/plan: layer
// 0 with heads 0, 1 on KV head 0 and head 2 on KV head 1, and 4 neurons; layer 1 the same heads,
// and experts. Its tensors: e 5x4, q 6x4, k 4x4 (values too), o 4x6, u 4x4 (all of the FFN), r 3x4.
#include "compiler/passes/Summary.h"
#include "compiler/passes/Passes.h"
#include "compiler/plan/ApplyPlan.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include <gtest/gtest.h>

using namespace coppice;
using List = std::vector<int32_t>;

namespace {

class Summary : public ::testing::Test {
protected:
  void SetUp() override {
    context.loadDialect<lm::LMDialect, mlir::func::FuncDialect>();
    imported = mlir::parseSourceFile<mlir::ModuleOp>(PASSES_TEST_MODEL, &context);
    ASSERT_TRUE(imported);
    module = imported->clone();
  }

  void mask(const std::string &entries) {
    llvm::Expected<Plan> plan = parsePlan(
        R"({"version": 1, "model_type": "llama", "remove": [)" + entries + "]}", "p.json");
    ASSERT_TRUE(bool(plan)) << llvm::toString(plan.takeError());
    llvm::Error error = applyPlan(*module, *plan);
    ASSERT_FALSE(bool(error)) << llvm::toString(std::move(error));
  }

  void shrink() {
    mlir::PassManager passes(&context);
    passes.addPass(createRemoveSkippedBlocks());
    passes.addPass(createMasksToSelections());
    passes.addPass(createRemoveDeadExperts());
    passes.addPass(createPropagateSelections());
    passes.addPass(createRemoveDeadKvHeads());
    passes.addPass(createPropagateSelections());
    passes.addPass(createFoldConstants());
    passes.addPass(mlir::createSymbolDCEPass());
    passes.addPass(createVerifyUnmasked());
    ASSERT_TRUE(mlir::succeeded(passes.run(*module)));
  }

  ModelSummary summary() { return summarize(*imported, *module); }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> imported, module;
};

void expectSame(const LayerSummary &a, const LayerSummary &b) {
  EXPECT_EQ(a.layer, b.layer);
  EXPECT_EQ(a.attention, b.attention);
  EXPECT_EQ(a.ffn, b.ffn);
  EXPECT_EQ(a.headDim, b.headDim);
  EXPECT_EQ(a.headsBefore, b.headsBefore);
  EXPECT_EQ(a.kvHeadsBefore, b.kvHeadsBefore);
  EXPECT_EQ(a.neuronsBefore, b.neuronsBefore);
  EXPECT_EQ(a.expertsBefore, b.expertsBefore);
  EXPECT_EQ(a.experts, b.experts);
  EXPECT_EQ(a.heads, b.heads);
  EXPECT_EQ(a.kvHeads, b.kvHeads);
  EXPECT_EQ(a.neurons, b.neurons);
}

// Everything is there; a tensor that several linears read counts once.
TEST_F(Summary, CountsTheWhole) {
  ModelSummary whole = summary();
  ASSERT_EQ(whole.layers.size(), 2u);
  const LayerSummary &layer = whole.layers[0];
  EXPECT_TRUE(layer.attention && layer.ffn);
  EXPECT_EQ(layer.headDim, 2);
  EXPECT_EQ(layer.headsBefore, 3);
  EXPECT_EQ(layer.kvHeadsBefore, 2);
  EXPECT_EQ(layer.neuronsBefore, 4);
  EXPECT_EQ(layer.heads, (List{0, 1, 2}));
  EXPECT_EQ(layer.kvHeads, (List{0, 1}));
  EXPECT_EQ(layer.neurons, (List{0, 1, 2, 3}));
  EXPECT_TRUE(whole.layers[1].ffn);
  EXPECT_EQ(whole.parameters, 20u + 24 + 16 + 24 + 16 + 12);
}

// Masked or shrunk, the same heads and neurons are left, in the original's numbers; head 2 takes
// its KV head along. Shrunk, the tensors are smaller: q 4x4, k 2x4, o 4x4; u is read in
// two rows, and in two columns of the other two, 12 in all; r is gone with its block, masked too.
TEST_F(Summary, IsTheSameMaskedAndShrunk) {
  mask(R"({"layer": 0, "heads": [2], "neurons": [1, 3]}, {"layer": 1, "whole": true})");
  ModelSummary masked = summary();
  shrink();
  ModelSummary shrunk = summary();
  EXPECT_EQ(shrunk.layers[0].heads, (List{0, 1}));
  EXPECT_EQ(shrunk.layers[0].kvHeads, (List{0}));
  EXPECT_EQ(shrunk.layers[0].neurons, (List{0, 2}));
  EXPECT_FALSE(shrunk.layers[1].attention || shrunk.layers[1].ffn);
  EXPECT_EQ(shrunk.layers[1].headsBefore, 3);
  ASSERT_EQ(masked.layers.size(), shrunk.layers.size());
  for (size_t i = 0; i < masked.layers.size(); ++i)
    expectSame(masked.layers[i], shrunk.layers[i]);
  EXPECT_EQ(masked.parameters, 20u + 24 + 16 + 24 + 16);
  EXPECT_EQ(shrunk.parameters, 20u + 16 + 8 + 16 + 12);
}

// Experts by the original's numbers, masked or shrunk; shrunk, the router has a row less: r 2x4.
// The experts read one tensor, so that a token that is sent to two of them needs all there are.
TEST_F(Summary, SaysWhichExpertsAreLeft) {
  EXPECT_EQ(summary().layers[0].expertsBefore, 0);
  EXPECT_EQ(summary().layers[1].expertsBefore, 3);
  EXPECT_EQ(summary().layers[1].experts, (List{0, 1, 2}));
  mask(R"({"layer": 1, "experts": [1]})");
  EXPECT_EQ(summary().layers[1].experts, (List{0, 2}));
  shrink();
  ModelSummary shrunk = summary();
  EXPECT_EQ(shrunk.layers[1].experts, (List{0, 2}));
  EXPECT_EQ(shrunk.parameters, 20u + 24 + 16 + 24 + 16 + 8);
  EXPECT_EQ(shrunk.activeParameters, shrunk.parameters);
}

// Of experts with tensors of their own a token needs as many as it is sent to: 2 of 3, each 4.
TEST_F(Summary, CountsWhatOneTokenNeeds) {
  std::string regions, tensors;
  for (char name : {'a', 'b', 'c'}) {
    std::string w(1, name);
    tensors += "lm.tensor private @" + w + " : tensor<2x2xf32>\n";
    regions += std::string(regions.empty() ? "" : ", ") +
               "{ ^bb0(%r: tensor<?x2xf32>): %w = lm.weight @" + w +
               " : tensor<2x2xf32> %z = lm.linear %r, %w : tensor<?x2xf32>, tensor<2x2xf32> -> "
               "tensor<?x2xf32> lm.yield %z : tensor<?x2xf32> }";
  }
  auto experts = mlir::parseSourceString<mlir::ModuleOp>(
      tensors + "lm.tensor private @g : tensor<3x2xf32>\n" + R"(
    func.func @f(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
      %0 = lm.block ffn layer 0 (%a = %x) : tensor<?x2xf32> {
        %g = lm.weight @g : tensor<3x2xf32>
        %s = lm.linear %a, %g : tensor<?x2xf32>, tensor<3x2xf32> -> tensor<?x3xf32>
        %y = lm.moe %a scores %s top_k 2 : tensor<?x2xf32>, tensor<?x3xf32> -> tensor<?x2xf32> )" +
          regions + R"(
        lm.yield %y : tensor<?x2xf32>
      }
      return %0 : tensor<?x2xf32>
    })",
      &context);
  ASSERT_TRUE(experts);
  EXPECT_EQ(summarize(*experts, *experts).parameters, 6u + 3 * 4);
  EXPECT_EQ(summarize(*experts, *experts).activeParameters, 6u + 2 * 4);
}

// Rows that one op reads in part and another lists whole count as the wider reads them; that a
// tensor has two thousand million rows takes no memory.
TEST_F(Summary, CountsRowsThatAreReadTwiceOnce) {
  auto twice = mlir::parseSourceString<mlir::ModuleOp>(R"(
    lm.tensor private @t : tensor<2000000000x4xf32>
    func.func @f(%x: tensor<?x4xf32>, %y: tensor<?x1xf32>) -> tensor<?x2xf32> {
      %w = lm.weight @t cols <0> : tensor<2000000000x1xf32>
      %a = lm.linear %y, %w : tensor<?x1xf32>, tensor<2000000000x1xf32> -> tensor<?x2000000000xf32>
      %v = lm.weight @t rows <0, 5> : tensor<2x4xf32>
      %b = lm.linear %x, %v : tensor<?x4xf32>, tensor<2x4xf32> -> tensor<?x2xf32>
      return %b : tensor<?x2xf32>
    })",
                                                       &context);
  ASSERT_TRUE(twice);
  EXPECT_EQ(countParameters(*twice), 2000000000u + 2 * 3);
}

// All heads and all neurons: nothing is left of either block, and both summaries say so.
TEST_F(Summary, SaysWhenNothingIsLeft) {
  mask(R"({"layer": 0, "heads": ["0-2"], "neurons": ["0-3"]})");
  ModelSummary masked = summary();
  shrink();
  ModelSummary shrunk = summary();
  EXPECT_FALSE(shrunk.layers[0].attention || shrunk.layers[0].ffn);
  EXPECT_TRUE(shrunk.layers[0].heads.empty() && shrunk.layers[0].kvHeads.empty() &&
              shrunk.layers[0].neurons.empty());
  EXPECT_TRUE(shrunk.layers[1].attention && shrunk.layers[1].ffn);
  for (size_t i = 0; i < 2; ++i)
    expectSame(masked.layers[i], shrunk.layers[i]);
}

} // namespace
