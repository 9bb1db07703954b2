// The theorem over thousands of random plans on tiny random models of every family. COPPICE_SEED
// chooses other models and plans; a plan that fails is shrunk and printed.
#include "compiler/passes/Summary.h"
#include "tests/unit/theorem/Theorem.h"
#include <gtest/gtest.h>

using namespace coppice;
using namespace coppice::test;

namespace {

constexpr int modelsPerFamily = 30, plansPerModel = 40; // 1200 plans a family
constexpr int tokenCount = 5;

std::string describe(const ModelShape &shape) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::json::Value(configOf(shape));
  return text;
}

/// Empty if `summary` counts what `plan` leaves, and nothing else.
std::string compareSummary(const ModelSummary &summary, const ModelShape &shape,
                           const RandomPlan &plan) {
  auto rest = [](int64_t count, const std::set<int32_t> &cut) {
    std::vector<int32_t> kept;
    for (int64_t i = 0; i < count; ++i)
      if (!cut.count(i))
        kept.push_back(i);
    return kept;
  };
  if (int64_t(summary.layers.size()) != shape.layers)
    return "the summary has another number of layers; ";
  std::string text;
  llvm::raw_string_ostream os(text);
  for (const LayerSummary &layer : summary.layers) {
    auto found = plan.layers.find(layer.layer);
    RandomPlan::Layer cut = found == plan.layers.end() ? RandomPlan::Layer() : found->second;
    std::vector<int32_t> heads, neurons, experts;
    if (!cut.attention)
      heads = rest(shape.heads, cut.heads);
    if (!cut.ffn && shape.expertsIn(layer.layer))
      experts = rest(shape.expertsIn(layer.layer), cut.experts);
    else if (!cut.ffn)
      neurons = rest(shape.ffn, cut.neurons);
    std::set<int32_t> kvHeads;
    for (int32_t head : heads)
      kvHeads.insert(head / (shape.heads / shape.kvHeads));
    if (layer.heads != heads)
      os << "layer " << layer.layer << " keeps other heads than the plan says; ";
    if (layer.kvHeads != std::vector<int32_t>(kvHeads.begin(), kvHeads.end()))
      os << "layer " << layer.layer << " keeps other KV heads than its heads read; ";
    if (layer.neurons != neurons)
      os << "layer " << layer.layer << " keeps other neurons than the plan says; ";
    if (layer.experts != experts)
      os << "layer " << layer.layer << " keeps other experts than the plan says; ";
  }
  return text;
}

/// Empty if masked and shrunk graph agree under `plan` and the shrunk one has lost all it should.
std::string check(Model &model, const ModelShape &shape, const RandomPlan &plan,
                  llvm::ArrayRef<int32_t> tokens) {
  auto masked = model.mask(plan.json());
  if (!masked)
    return llvm::toString(masked.takeError());
  auto shrunk = model.shrink(**masked);
  if (!shrunk)
    return llvm::toString(shrunk.takeError());
  auto wanted = model.logits(**masked, tokens);
  if (!wanted)
    return llvm::toString(wanted.takeError());
  auto got = model.logits(**shrunk, tokens);
  if (!got)
    return llvm::toString(got.takeError());
  std::string apart = compare(*got, *wanted);
  return apart + (apart.empty() ? "" : "; ") + findLeftovers(**shrunk) +
         compareSummary(summarize(model.imported(), **shrunk), shape, plan) +
         compareSummary(summarize(model.imported(), **masked), shape, plan);
}

class Plans : public ::testing::TestWithParam<Family> {};

// Masked and shrunk agree at 1e-10; nothing masked, no dead KV head and no unread tensor is left;
// and heads, KV heads, neurons and experts are those that the plan leaves.
TEST_P(Plans, MaskedAndShrunkAgree) {
  uint64_t seed = testSeed(20240817);
  std::printf("COPPICE_SEED=%llu\n", (unsigned long long)seed);
  Random random(seed + uint64_t(GetParam()) * 1000003);
  for (int m = 0; m < modelsPerFamily; ++m) {
    ModelShape shape = randomShape(GetParam(), random);
    auto stored = Stored(random.between(0, 2));
    auto model = Model::make(randomCheckpoint(shape, random), stored);
    ASSERT_TRUE(bool(model)) << describe(shape) << ": " << llvm::toString(model.takeError());
    std::vector<int32_t> tokens = randomTokens(tokenCount, shape.vocab, random);
    for (int p = 0; p < plansPerModel; ++p) {
      RandomPlan plan = randomPlan(shape, random);
      if (check(**model, shape, plan, tokens).empty())
        continue;
      RandomPlan smallest = shrinkPlan(plan, [&](const RandomPlan &candidate) {
        return !check(**model, shape, candidate, tokens).empty();
      });
      FAIL() << "seed " << seed << ", model " << m << ": " << describe(shape) << "\nthe plan "
             << smallest.json() << "\n(shrunk from " << plan.json()
             << ")\nfails: " << check(**model, shape, smallest, tokens);
    }
  }
}

// The masks are not idle: nearly every plan changes the logits of the model it cuts.
TEST_P(Plans, MasksChangeTheAnswer) {
  Random random(testSeed(7) + uint64_t(GetParam()) * 1000003);
  int changed = 0, cutting = 0;
  for (int m = 0; m < 5; ++m) {
    ModelShape shape = randomShape(GetParam(), random);
    auto model = Model::make(randomCheckpoint(shape, random));
    ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
    std::vector<int32_t> tokens = randomTokens(tokenCount, shape.vocab, random);
    auto dense = model.get()->logits(model.get()->imported(), tokens);
    ASSERT_TRUE(bool(dense)) << llvm::toString(dense.takeError());
    for (int p = 0; p < 10; ++p) {
      RandomPlan plan = randomPlan(shape, random);
      auto masked = model.get()->mask(plan.json());
      ASSERT_TRUE(bool(masked)) << llvm::toString(masked.takeError());
      auto got = model.get()->logits(**masked, tokens);
      ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
      cutting += plan.size() > 0;
      changed += !compare(*got, *dense, 1e-6).empty();
      if (plan.size() == 0)
        EXPECT_EQ(compare(*got, *dense, 0), "") << "an empty plan changed the answer";
    }
  }
  // A neuron that a ReLU never lets through may go unnoticed.
  EXPECT_GE(changed, cutting * 8 / 10);
}

/// A model of which plans can cut two neurons (or experts) of layer 0 and a head of layer 1.
ModelShape largerShape(Family family, Random &random) {
  for (;;) {
    ModelShape shape = randomShape(family, random);
    // A ReLU may let a neuron die by itself.
    bool large = shape.layers > 1 && shape.heads > 2 && shape.activation != "relu";
    if (large && (shape.experts.empty() || shape.experts[0] - shape.chosen >= 2))
      return shape;
  }
}

/// `plan` and one thing more: a head of layer 1, or an expert or neuron of layer 0.
std::vector<RandomPlan> oneCutMore(const RandomPlan &plan, const ModelShape &shape, bool head) {
  int64_t experts = shape.expertsIn(0);
  int64_t count = head ? shape.heads : experts ? experts : shape.ffn;
  std::vector<RandomPlan> result;
  for (int64_t i = 0; i < count; ++i) {
    RandomPlan more = plan;
    RandomPlan::Layer &layer = more.layers[head];
    if ((head ? layer.heads : experts ? layer.experts : layer.neurons).insert(int32_t(i)).second)
      result.push_back(more);
  }
  return result;
}

// The check itself notices one neuron, expert or head too many: shrunk under a plan that cuts one
// thing more, the graph differs from the masked one. Not every cut shows: no token may pick an
// expert. Which do, the masked graphs say; of nearly every model each kind must have one.
TEST_P(Plans, OneCutTooManyIsNoticed) {
  constexpr int models = 4;
  uint64_t seed = testSeed(11);
  Random random(seed + uint64_t(GetParam()) * 1000003);
  int noticed = 0;
  for (int m = 0; m < models; ++m) {
    ModelShape shape = largerShape(GetParam(), random);
    SCOPED_TRACE("seed " + std::to_string(seed) + ", model " + std::to_string(m) + ": " +
                 describe(shape));
    auto model = Model::make(randomCheckpoint(shape, random));
    ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
    std::vector<int32_t> tokens = randomTokens(20, shape.vocab, random);
    RandomPlan plan;
    plan.modelType = shape.modelType();
    (shape.expertsIn(0) ? plan.layers[0].experts : plan.layers[0].neurons) = {1};
    auto masked = model.get()->mask(plan.json());
    ASSERT_TRUE(bool(masked)) << llvm::toString(masked.takeError());
    auto wanted = model.get()->logits(**masked, tokens);
    ASSERT_TRUE(bool(wanted)) << llvm::toString(wanted.takeError());
    EXPECT_NE(findLeftovers(**masked), "");
    for (bool head : {false, true})
      for (const RandomPlan &more : oneCutMore(plan, shape, head)) {
        auto other = model.get()->mask(more.json());
        ASSERT_TRUE(bool(other)) << llvm::toString(other.takeError());
        auto meant = model.get()->logits(**other, tokens);
        ASSERT_TRUE(bool(meant)) << llvm::toString(meant.takeError());
        // Well beyond the limit of the check, so that the shrunk graph's rounding has no say.
        if (compare(*meant, *wanted, 1e-6).empty())
          continue;
        auto shrunk = model.get()->shrink(**other);
        ASSERT_TRUE(bool(shrunk)) << llvm::toString(shrunk.takeError());
        auto got = model.get()->logits(**shrunk, tokens);
        ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
        EXPECT_NE(compare(*got, *wanted), "") << more.json();
        EXPECT_NE(compareSummary(summarize(model.get()->imported(), **shrunk), shape, plan), "")
            << more.json();
        ++noticed;
        break;
      }
  }
  EXPECT_GE(noticed, 2 * models - 1);
}

INSTANTIATE_TEST_SUITE_P(Theorem, Plans, ::testing::ValuesIn(allFamilies()),
                         [](const ::testing::TestParamInfo<Family> &info) {
                           return nameOf(info.param);
                         });

} // namespace
