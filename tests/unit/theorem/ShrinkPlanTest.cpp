// The search for a small failing plan, with faults planted on purpose; and the plans' text.
#include "compiler/plan/Plan.h"
#include "tests/support/RandomPlan.h"
#include <gtest/gtest.h>

using namespace coppice::test;

namespace {

RandomPlan largePlan() {
  RandomPlan plan;
  plan.modelType = "opt";
  for (int32_t i = 0; i < 20; ++i)
    plan.layers[0].neurons.insert(i);
  plan.layers[0].attention = true;
  plan.layers[1].heads = {0, 1, 2, 3, 4, 5};
  plan.layers[1].ffn = true;
  plan.layers[2].attention = plan.layers[2].ffn = true;
  return plan;
}

// A fault that wants two things far apart: both stay, nothing else does.
TEST(ShrinkPlan, KeepsTheTwoThingsThatAFaultNeeds) {
  int calls = 0;
  RandomPlan plan = shrinkPlan(largePlan(), [&](const RandomPlan &candidate) {
    ++calls;
    auto zero = candidate.layers.find(0), one = candidate.layers.find(1);
    return zero != candidate.layers.end() && one != candidate.layers.end() &&
           zero->second.neurons.count(13) && one->second.heads.count(4);
  });
  EXPECT_EQ(plan.json(), R"({"version": 1, "model_type": "opt", "remove": [)"
                         R"({"layer": 0, "neurons": [13]}, {"layer": 1, "heads": [4]}]})");
  EXPECT_LT(calls, 200);
}

// A fault of blocks: one of two skipped blocks is enough.
TEST(ShrinkPlan, LeavesOneBlock) {
  RandomPlan plan = shrinkPlan(largePlan(), [](const RandomPlan &candidate) {
    auto two = candidate.layers.find(2);
    return two != candidate.layers.end() && two->second.ffn;
  });
  EXPECT_EQ(plan.json(), R"({"version": 1, "model_type": "opt", "remove": [)"
                         R"({"layer": 2, "ffn": true}]})");
}

// A fault of numbers, not of names: any five neurons; the result is minimal, not just smaller.
TEST(ShrinkPlan, StopsWhereNothingCanBeLeftOut) {
  RandomPlan plan = shrinkPlan(largePlan(), [](const RandomPlan &candidate) {
    auto zero = candidate.layers.find(0);
    return zero != candidate.layers.end() && zero->second.neurons.size() >= 5;
  });
  EXPECT_EQ(plan.size(), 5u);
  EXPECT_EQ(plan.layers.size(), 1u);
}

// A fault without a cause shrinks to the empty plan.
TEST(ShrinkPlan, ShrinksToNothingWhereAnythingFails) {
  EXPECT_EQ(shrinkPlan(largePlan(), [](const RandomPlan &) { return true; }).size(), 0u);
}

// Text: runs as ranges, both blocks as whole.
TEST(RandomPlans, PrintRunsAsRanges) {
  RandomPlan plan;
  plan.modelType = "llama";
  plan.layers[0].neurons = {0, 3, 4, 5, 9};
  plan.layers[0].attention = true;
  plan.layers[4].attention = plan.layers[4].ffn = true;
  EXPECT_EQ(plan.json(), R"({"version": 1, "model_type": "llama", "remove": [)"
                         R"({"layer": 0, "attention": true, "neurons": [0, "3-5", 9]}, )"
                         R"({"layer": 4, "whole": true}]})");
}

// The generator reaches what the theorem promises to cover: everything of a kind, blocks, and GQA
// groups cut unevenly. Every plan is one that the parser takes.
TEST(RandomPlans, CoverWhatPlansCanSay) {
  Random random(5);
  ModelShape shape;
  shape.layers = 3, shape.heads = 6, shape.kvHeads = 3, shape.ffn = 17;
  int allHeads = 0, allNeurons = 0, attention = 0, ffn = 0, whole = 0, deadGroup = 0, uneven = 0;
  for (int i = 0; i < 200; ++i) {
    RandomPlan plan = randomPlan(shape, random);
    auto parsed = coppice::parsePlan(plan.json(), "plan.json");
    ASSERT_TRUE(bool(parsed)) << plan.json() << ": " << llvm::toString(parsed.takeError());
    for (const auto &[number, layer] : plan.layers) {
      allHeads += layer.heads.size() == 6;
      allNeurons += layer.neurons.size() == 17;
      whole += layer.attention && layer.ffn;
      attention += layer.attention && !layer.ffn;
      ffn += layer.ffn && !layer.attention;
      int gone = 0, halved = 0;
      for (int32_t group = 0; group < 3; ++group) {
        int cut = layer.heads.count(2 * group) + layer.heads.count(2 * group + 1);
        gone += cut == 2;
        halved += cut == 1;
      }
      deadGroup += gone > 0 && gone < 3;
      uneven += gone > 0 && halved > 0;
    }
  }
  for (int count : {allHeads, allNeurons, attention, ffn, whole, deadGroup, uneven})
    EXPECT_GE(count, 5);
}

} // namespace
