// A plan against a model: one case for each error, and the model as it was after it. The model is
// that of tests/lit/plan: layer 0 with 3 heads and 4 neurons, layer 1 with 3 experts of which the
// router picks 2.
#include "compiler/plan/ApplyPlan.h"
#include "dialects/lm/LM.h"
#include "mlir/Parser/Parser.h"
#include <gtest/gtest.h>

using namespace coppice;

namespace {

class ApplyPlan : public ::testing::Test {
protected:
  void SetUp() override {
    context.loadDialect<lm::LMDialect, mlir::func::FuncDialect>();
    module = mlir::parseSourceFile<mlir::ModuleOp>(PLAN_TEST_MODEL, &context);
    ASSERT_TRUE(module);
  }

  std::string text() {
    std::string printed;
    llvm::raw_string_ostream stream(printed);
    module->print(stream);
    return printed;
  }

  /// The error of applying `entries`; the model must be as it was.
  std::string errorOf(const std::string &entries, const std::string &modelType = "llama") {
    llvm::Expected<Plan> plan = parsePlan("{\"version\": 1, \"model_type\": \"" + modelType +
                                              "\", \"remove\": [" + entries + "]}",
                                          "p.json");
    if (!plan)
      return "not parsed: " + llvm::toString(plan.takeError());
    std::string before = text();
    llvm::Error error = applyPlan(*module, *plan);
    if (!error)
      return "no error";
    EXPECT_EQ(text(), before);
    return llvm::toString(std::move(error));
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

TEST_F(ApplyPlan, RefusesOtherModelType) {
  EXPECT_EQ(errorOf("", "opt"), "p.json: model_type: is \"opt\", but the model is \"llama\"; take "
                                "the plan that was made for this model");
  module->getOperation()->removeAttr("lm.model_type");
  EXPECT_EQ(errorOf("", "opt"), "p.json: model_type: is \"opt\", but the model is of no stated "
                                "type; take the plan that was made for this model");
}

TEST_F(ApplyPlan, RefusesLayerOutOfRange) {
  EXPECT_EQ(errorOf(R"({"layer": 2, "whole": true})"),
            "p.json: remove[0].layer: layer 2: is out of range, the model has layers 0 to 1");
}

// Of a range the end counts; the later entry is found although the first is sound, and the sound
// one is not applied.
TEST_F(ApplyPlan, RefusesIndexOutOfRange) {
  EXPECT_EQ(
      errorOf(R"({"layer": 1, "attention": true}, {"layer": 0, "heads": [1, 3]})"),
      "p.json: remove[1].heads[1]: layer 0: head 3 is out of range, the layer has 3 (0 to 2)");
  EXPECT_EQ(
      errorOf(R"({"layer": 0, "heads": [0], "neurons": ["2-4"]})"),
      "p.json: remove[0].neurons[0]: layer 0: neuron 4 is out of range, the layer has 4 (0 to "
      "3)");
  EXPECT_EQ(errorOf(R"({"layer": 0, "neurons": ["0-2147483646"]})"),
            "p.json: remove[0].neurons[0]: layer 0: neuron 2147483646 is out of range, the layer "
            "has 4 (0 to 3)");
  EXPECT_EQ(
      errorOf(R"({"layer": 1, "experts": [3]})"),
      "p.json: remove[0].experts[0]: layer 1: expert 3 is out of range, the layer has 3 (0 to "
      "2)");
}

TEST_F(ApplyPlan, RefusesNeuronsOfExperts) {
  EXPECT_EQ(errorOf(R"({"layer": 1, "neurons": [0]})"),
            "p.json: remove[0].neurons: layer 1: has 3 experts, whose neurons a plan of version 1 "
            "cannot name; list \"experts\"");
}

TEST_F(ApplyPlan, RefusesExpertsWithoutExperts) {
  EXPECT_EQ(errorOf(R"({"layer": 0, "experts": [0]})"),
            "p.json: remove[0].experts: layer 0: has no experts; list \"neurons\", or leave the "
            "key out");
}

TEST_F(ApplyPlan, RefusesFewerExpertsThanPicked) {
  EXPECT_EQ(errorOf(R"({"layer": 1, "experts": ["1-2"]})"),
            "p.json: remove[0].experts: layer 1: leaves 1 of 3 experts, but the router picks 2; "
            "keep at least as many");
}

// A graph that was shrunk already has no block to cut: the plan counts in the original's numbers.
TEST_F(ApplyPlan, RefusesAGraphWithoutTheBlock) {
  module->walk([](lm::BlockOp block) {
    if (block.getLayer() != 0)
      return;
    block.replaceAllUsesWith(block.getInput());
    block.erase();
  });
  EXPECT_EQ(errorOf(R"({"layer": 0, "heads": [0]})"),
            "p.json: remove[0].layer: layer 0: is out of range, the model has layers 1 to 1");
  module->walk([](lm::BlockOp block) {
    if (block.getKind() != lm::BlockKind::Attention)
      return;
    block.replaceAllUsesWith(block.getInput());
    block.erase();
  });
  EXPECT_EQ(errorOf(R"({"layer": 1, "heads": [0]})"),
            "p.json: remove[0].heads: layer 1: has no attention block in the graph; apply plans "
            "before passes");
  EXPECT_EQ(
      errorOf(R"({"layer": 1, "attention": true})"),
      "p.json: remove[0].attention: layer 1: has no attention block in the graph; apply plans "
      "before passes");
}

// A block of another form has no heads to name.
TEST_F(ApplyPlan, RefusesBlocksOfOtherForms) {
  module->walk([](lm::AttentionOp attention) {
    attention.replaceAllUsesWith(attention.getQuery());
    attention.erase();
  });
  EXPECT_EQ(
      errorOf(R"({"layer": 0, "heads": [0]})"),
      "p.json: remove[0].heads: layer 0: the attention block of layer 0 holds 0 lm.attention, "
      "not one");
}

// Every part at once, and nothing refused.
TEST_F(ApplyPlan, TakesEveryPart) {
  EXPECT_EQ(errorOf(R"({"layer": 0, "heads": ["0-2"], "neurons": ["0-3"]},
                       {"layer": 1, "attention": true, "experts": [0]})"),
            "no error");
}

} // namespace
