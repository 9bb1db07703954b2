// Zeros that other tools left: removing what lm-find-dead finds changes no answer, and what is dead
// is really gone. Each case plants zeros into a random checkpoint and compares with it as it was
// imported.
#include "compiler/passes/Summary.h"
#include "tests/unit/theorem/Theorem.h"
#include <gtest/gtest.h>

using namespace coppice;
using namespace coppice::test;

namespace {

class FindDead : public ::testing::Test {
protected:
  /// Two layers, 4 heads of 4 over 2 KV heads in Llama, 7 neurons.
  static ModelShape shape(Family family, bool bias) {
    ModelShape shape;
    shape.family = family;
    shape.layers = 2, shape.heads = 4, shape.headDim = 4, shape.ffn = 7, shape.vocab = 13;
    shape.kvHeads = shape.isOpt() ? 4 : 2;
    shape.hidden = shape.embedding = 16;
    shape.attentionBias = shape.ffnBias = bias;
    // ReLU would let neurons die by themselves.
    shape.activation = shape.isOpt() ? "gelu" : "silu";
    return shape;
  }

  void make(Family family, bool bias) { planted = randomCheckpoint(shape(family, bias), random); }
  std::string weight(Part part) { return partName(planted.shape, 1, part) + ".weight"; }
  std::string bias(Part part) { return partName(planted.shape, 1, part) + ".bias"; }
  void zeroHeadRows(Part part, int64_t head) {
    planted.zeroRows(weight(part), 4 * head, 4 * head + 4);
  }

  /// Removes what is dead and compares. Layer 0 has no zeros and must stay whole.
  void remove(std::optional<std::string> plan = std::nullopt) {
    shrunk = nullptr; // lies in the context of the model before
    auto made = Model::make(planted);
    ASSERT_TRUE(bool(made)) << llvm::toString(made.takeError());
    model = std::move(*made);
    std::vector<int32_t> tokens = randomTokens(6, planted.shape.vocab, random);
    auto wanted = model->mask(plan);
    ASSERT_TRUE(bool(wanted)) << llvm::toString(wanted.takeError());
    auto masked = model->mask(plan, /*findDead=*/true);
    ASSERT_TRUE(bool(masked)) << llvm::toString(masked.takeError());
    auto result = model->shrink(**masked);
    ASSERT_TRUE(bool(result)) << llvm::toString(result.takeError());
    shrunk = std::move(*result);
    auto before = model->logits(**wanted, tokens);
    ASSERT_TRUE(bool(before)) << llvm::toString(before.takeError());
    for (mlir::ModuleOp module : {**masked, *shrunk}) {
      auto after = model->logits(module, tokens);
      ASSERT_TRUE(bool(after)) << llvm::toString(after.takeError());
      EXPECT_EQ(compare(*after, *before), "");
    }
    EXPECT_EQ(findLeftovers(*shrunk), "");
    ASSERT_TRUE(attentionOf(*shrunk, 0));
    EXPECT_EQ(attentionOf(*shrunk, 0).getNumHeads(), 4);
    EXPECT_EQ(neuronsOf(*shrunk, 0), 7);
  }
  int64_t heads() { return attentionOf(*shrunk, 1) ? attentionOf(*shrunk, 1).getNumHeads() : 0; }
  int64_t kvHeads() {
    return attentionOf(*shrunk, 1) ? attentionOf(*shrunk, 1).getNumKvHeads() : 0;
  }
  int64_t neurons() { return neuronsOf(*shrunk, 1).value_or(0); }

  Random random{testSeed(31)};
  RandomCheckpoint planted;
  std::unique_ptr<Model> model;
  Model::Module shrunk;
};

// Nothing is found where nothing is zero.
TEST_F(FindDead, LeavesALivingModelAlone) {
  for (Family family : {Family::OptPreNorm, Family::OptPostNorm, Family::Llama}) {
    make(family, true);
    remove();
    EXPECT_EQ(heads(), 4);
    EXPECT_EQ(neurons(), 7);
  }
}

// A head whose columns of the output projection are zero is dead, in every family.
TEST_F(FindDead, HeadThatTheOutputProjectionDoesNotRead) {
  for (Family family : {Family::OptPreNorm, Family::OptPostNorm, Family::Llama}) {
    make(family, true);
    planted.zeroColumns(weight(Part::Output), 4, 8);
    remove();
    EXPECT_EQ(heads(), 3);
    EXPECT_EQ(neurons(), 7);
  }
}

// Three of four columns are not enough.
TEST_F(FindDead, HeadThatIsReadByOneColumnIsAlive) {
  make(Family::Llama, true);
  planted.zeroColumns(weight(Part::Output), 4, 7);
  remove();
  EXPECT_EQ(heads(), 4);
}

// Both heads of a group dead: their KV head goes too.
TEST_F(FindDead, GroupOfDeadHeadsTakesItsKvHead) {
  make(Family::Llama, false);
  planted.zeroColumns(weight(Part::Output), 0, 8);
  remove();
  EXPECT_EQ(heads(), 2);
  EXPECT_EQ(kvHeads(), 1);
}

// Zero value rows without a bias: the KV head's query heads are all dead.
TEST_F(FindDead, ZeroValueRowsWithoutBias) {
  make(Family::Llama, false);
  zeroHeadRows(Part::Value, 1);
  remove();
  EXPECT_EQ(heads(), 2);
  EXPECT_EQ(kvHeads(), 1);
}

// With a bias they are the constant W_o b_v, which goes into a bias; heads of one group share it.
TEST_F(FindDead, ZeroValueRowsWithBiasAreConstants) {
  make(Family::Llama, true);
  zeroHeadRows(Part::Value, 1);
  remove();
  EXPECT_EQ(heads(), 2);
  EXPECT_EQ(kvHeads(), 1);
  for (Family family : {Family::OptPreNorm, Family::OptPostNorm}) {
    make(family, true);
    zeroHeadRows(Part::Value, 2);
    remove();
    EXPECT_EQ(heads(), 3);
  }
}

// All value rows zero: the attention is one constant row, and no attention is left.
TEST_F(FindDead, AllValuesConstantLeavesNoAttention) {
  for (Family family : {Family::OptPreNorm, Family::OptPostNorm, Family::Llama}) {
    make(family, true);
    planted.zeroRows(weight(Part::Value), 0, 4 * planted.shape.kvHeads);
    remove();
    EXPECT_EQ(heads(), 0);
    EXPECT_FALSE(attentionOf(*shrunk, 1));
  }
}

// Zero query or key rows mean uniform attention: alive.
TEST_F(FindDead, ZeroQueriesAndKeysAreAlive) {
  make(Family::OptPreNorm, false);
  zeroHeadRows(Part::Query, 1);
  zeroHeadRows(Part::Key, 2);
  remove();
  EXPECT_EQ(heads(), 4);
}

// Neurons that the down projection does not read, in every family.
TEST_F(FindDead, NeuronThatTheDownProjectionDoesNotRead) {
  for (Family family : {Family::OptPreNorm, Family::OptPostNorm, Family::Llama}) {
    make(family, true);
    planted.zeroColumns(weight(Part::Down), 0, 1);
    planted.zeroColumns(weight(Part::Down), 5, 7);
    remove();
    EXPECT_EQ(neurons(), 4);
    EXPECT_EQ(heads(), 4);
  }
}

// Gated, without biases: either row zero makes the product zero (silu(0) is 0).
TEST_F(FindDead, ZeroGateOrUpRowWithoutBias) {
  make(Family::Llama, false);
  planted.zeroRows(weight(Part::Gate), 1, 2);
  planted.zeroRows(weight(Part::Up), 3, 4);
  remove();
  EXPECT_EQ(neurons(), 5);
}

// Gated, with biases: one zero row leaves a product that varies; both make a constant.
TEST_F(FindDead, ZeroGateAndUpRowsWithBias) {
  make(Family::Llama, true);
  planted.zeroRows(weight(Part::Gate), 1, 3);
  planted.zeroRows(weight(Part::Up), 2, 4);
  remove();
  EXPECT_EQ(neurons(), 6);
}

// A bias of zero, plus or minus, is none.
TEST_F(FindDead, ZeroBiasCountsAsNone) {
  make(Family::Llama, true);
  planted.zeroRows(weight(Part::Gate), 1, 2);
  planted.zeroRows(bias(Part::Gate), 1, 2);
  zeroHeadRows(Part::Value, 0);
  planted.zeroRows(bias(Part::Value), 0, 4);
  remove();
  EXPECT_EQ(neurons(), 6);
  EXPECT_EQ(heads(), 2);
}

// Zero input rows are the constant act(b); without a bias they are dead.
TEST_F(FindDead, ZeroInputRowsOfNeurons) {
  for (bool bias : {false, true})
    for (Family family : {Family::OptPreNorm, Family::OptPostNorm}) {
      make(family, bias);
      planted.zeroRows(weight(Part::Up), 2, 5);
      remove();
      EXPECT_EQ(neurons(), 4);
    }
}

// All neurons constant: the FFN is one constant row.
TEST_F(FindDead, AllNeuronsConstantLeaveNoFfn) {
  for (Family family : {Family::OptPreNorm, Family::OptPostNorm}) {
    make(family, true);
    planted.zeroRows(weight(Part::Up), 0, 7);
    remove();
    EXPECT_EQ(neuronsOf(*shrunk, 1), std::nullopt);
  }
}

// A plan and zeros together: the plan's masks decide where both name something.
TEST_F(FindDead, TogetherWithAPlan) {
  make(Family::OptPreNorm, true);
  planted.zeroRows(weight(Part::Up), 2, 4);
  zeroHeadRows(Part::Value, 1);
  remove(R"({"version": 1, "model_type": "opt", "remove": [
             {"layer": 1, "heads": [0, 1], "neurons": [3, 6]}]})");
  EXPECT_EQ(heads(), 2);
  EXPECT_EQ(neurons(), 4);
}

// Zeros anywhere, and any plan: the answers stay.
TEST(FindDeadAnywhere, RandomZerosChangeNothing) {
  uint64_t seed = testSeed(99);
  std::printf("COPPICE_SEED=%llu\n", (unsigned long long)seed);
  Random random(seed);
  llvm::ArrayRef<Family> families = allFamilies();
  for (int i = 0; i < 255; ++i) {
    ModelShape shape = randomShape(families[i % families.size()], random);
    RandomCheckpoint planted = randomCheckpoint(shape, random);
    for (auto &[name, tensor] : planted.tensors) {
      bool inLayer =
          name.find(".layers.") != std::string::npos || name.find(".h.") != std::string::npos;
      if (!inLayer || !random.chance(0.4))
        continue;
      bool attention =
          name.find("attn.") != std::string::npos || name.find("attention.") != std::string::npos;
      int64_t unit = attention ? shape.headDim : 1;
      bool columns = tensor.shape.size() == 2 && random.chance(0.5);
      int64_t extent = tensor.shape[columns ? 1 : 0];
      unit = extent % unit ? 1 : unit;
      int64_t begin = random.between(0, extent / unit - 1) * unit;
      if (columns)
        planted.zeroColumns(name, begin, begin + unit);
      else
        planted.zeroRows(name, begin, begin + unit);
    }
    auto model = Model::make(planted);
    ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
    std::vector<int32_t> tokens = randomTokens(5, shape.vocab, random);
    for (int p = 0; p < 3; ++p) {
      RandomPlan plan = randomPlan(shape, random);
      auto check = [&](const RandomPlan &plan) -> std::string {
        auto wanted = model.get()->mask(plan.json());
        auto masked = model.get()->mask(plan.json(), /*findDead=*/true);
        if (!wanted || !masked)
          return llvm::toString(llvm::joinErrors(wanted.takeError(), masked.takeError()));
        auto shrunk = model.get()->shrink(**masked);
        if (!shrunk)
          return llvm::toString(shrunk.takeError());
        auto before = model.get()->logits(**wanted, tokens);
        auto after = model.get()->logits(**shrunk, tokens);
        if (!before || !after)
          return llvm::toString(llvm::joinErrors(before.takeError(), after.takeError()));
        return compare(*after, *before) + findLeftovers(**shrunk);
      };
      if (check(plan).empty())
        continue;
      RandomPlan smallest =
          shrinkPlan(plan, [&](const RandomPlan &candidate) { return !check(candidate).empty(); });
      FAIL() << "seed " << seed << ", model " << i << ": " << check(smallest) << "\nplan "
             << smallest.json();
    }
  }
}

// Why experts are not looked for: one that holds nothing but zeros is left in, with the answers
// that the model had; taken out by a plan it is another model, for it is picked in the place of
// others.
TEST(FindDeadAnywhere, AnExpertOfZerosIsPickedAllTheSame) {
  Random random(testSeed(17));
  int others = 0;
  for (Family family : {Family::Mixtral, Family::Qwen3Moe}) {
    ModelShape shape;
    do
      shape = randomShape(family, random);
    while (shape.expertsIn(0) <= shape.chosen);
    RandomCheckpoint whole = randomCheckpoint(shape, random);
    std::vector<int32_t> tokens = randomTokens(20, shape.vocab, random);
    for (int64_t e = 0; e < shape.expertsIn(0); ++e) {
      RandomCheckpoint planted = whole;
      for (auto &[name, tensor] : planted.tensors)
        if (name.find(".layers.0.") != std::string::npos &&
            name.find(".experts." + std::to_string(e) + ".") != std::string::npos)
          planted.zeroRows(name, 0, tensor.shape[0]);
      auto model = Model::make(planted);
      ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
      auto wanted = model.get()->logits(model.get()->imported(), tokens);
      ASSERT_TRUE(bool(wanted)) << llvm::toString(wanted.takeError());
      auto shrunkBy = [&](std::optional<std::string> plan) {
        auto masked = model.get()->mask(plan, /*findDead=*/true);
        return masked ? model.get()->shrink(**masked) : std::move(masked);
      };
      auto found = shrunkBy(std::nullopt);
      ASSERT_TRUE(bool(found)) << llvm::toString(found.takeError());
      EXPECT_EQ(int64_t(summarize(model.get()->imported(), **found).layers[0].experts.size()),
                shape.expertsIn(0));
      auto kept = model.get()->logits(**found, tokens);
      ASSERT_TRUE(bool(kept)) << llvm::toString(kept.takeError());
      EXPECT_EQ(compare(*kept, *wanted), "");
      RandomPlan plan;
      plan.modelType = shape.modelType();
      plan.layers[0].experts = {int32_t(e)};
      auto cut = shrunkBy(plan.json());
      ASSERT_TRUE(bool(cut)) << llvm::toString(cut.takeError());
      auto without = model.get()->logits(**cut, tokens);
      ASSERT_TRUE(bool(without)) << llvm::toString(without.takeError());
      others += !compare(*without, *wanted, 1e-6).empty();
    }
  }
  // Whether a token picks an expert is chance; that none picks any is not.
  EXPECT_GE(others, 2);
}

} // namespace
