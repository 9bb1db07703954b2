// Importing Phi 1 to 2: one norm in both blocks of a layer, biases down to the head, part of each
// head turned, and what is refused.
#include "ImportFixture.h"

using namespace coppice;
using namespace coppice::test;

namespace {

std::string phiConfig(const char *fields) {
  return R"({"model_type": "phi", "vocab_size": 5, "hidden_size": 16, "intermediate_size": 3,
             "num_hidden_layers": 1, "num_attention_heads": 2)" +
         std::string(fields) + "}";
}

// Both blocks norm the layer's input with the same weights; half of each head turns; every linear
// has a bias, the head too.
TEST_F(Import, PhiGraph) {
  writeModel(phiConfig(""));
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  std::vector<lm::LayerNormOp> norms;
  (*model->module)->walk([&](lm::LayerNormOp op) { norms.push_back(op); });
  ASSERT_EQ(norms.size(), 3u);
  auto attention = norms[0]->getParentOfType<lm::BlockOp>();
  auto ffn = norms[1]->getParentOfType<lm::BlockOp>();
  ASSERT_TRUE(attention && ffn);
  EXPECT_EQ(norms[0].getInput(), attention.getBody().getArgument(0));
  EXPECT_EQ(norms[1].getInput(), attention.getInput());
  EXPECT_EQ(ffn.getInput(), attention.getResult());
  for (int i : {0, 1})
    EXPECT_EQ(norms[i].getScale().getDefiningOp<lm::WeightOp>().getTensor(),
              "model.layers.0.input_layernorm.weight");
  (*model->module)->walk([&](lm::RopeOp rope) {
    EXPECT_EQ(rope.getHeadDim(), 8u);
    EXPECT_EQ(rope.getInvFreq(), (llvm::ArrayRef<float>{1.0f, 0.01f}));
  });
  int linears = 0;
  (*model->module)->walk([&](lm::LinearOp linear) {
    ++linears;
    EXPECT_TRUE(linear.getBias());
  });
  EXPECT_EQ(linears, 7);
  EXPECT_HOLDS(function(), "@lm_head.bias : tensor<5xf32>");
}

// Four tenths of a head of 80, as Phi-2 has it: 32 columns turn.
TEST_F(Import, PhiTurnsAPart) {
  writeModel(R"({"model_type": "phi", "vocab_size": 5, "hidden_size": 160,
                 "intermediate_size": 3, "num_hidden_layers": 1, "num_attention_heads": 2,
                 "partial_rotary_factor": 0.4})");
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  (*model->module)->walk([&](lm::RopeOp rope) { EXPECT_EQ(rope.getInvFreq().size(), 16u); });
}

// The same said twice, as in some converted files, must be the same.
TEST_F(Import, PhiRotaryDim) {
  writeModel(phiConfig(", \"rotary_dim\": 4"));
  EXPECT_EQ(errorOf(), "");
  folder.write("config.json", phiConfig(", \"rotary_dim\": 2"));
  EXPECT_HOLDS(errorOf(), "\"rotary_dim\" is 2, which disagrees with partial_rotary_factor, which "
                          "turns 4 columns of a head");
}

// A part that is odd, none at all, or norms of heads.
TEST_F(Import, PhiRefusals) {
  writeWeights(SafetensorsWriter());
  folder.write("config.json", phiConfig(", \"partial_rotary_factor\": 0.4"));
  EXPECT_HOLDS(errorOf(),
               "which turns 3 of the 8 columns of a head, and rotary embedding needs an even");
  EXPECT_HOLDS(errorOf(), "field \"partial_rotary_factor\" is 0.4");
  folder.write("config.json", phiConfig(", \"partial_rotary_factor\": 0"));
  EXPECT_HOLDS(errorOf(), "\"partial_rotary_factor\" is 0, which turns 0 of the 8 columns");
  folder.write("config.json", phiConfig(R"(, "rope_parameters": {"partial_rotary_factor": 0.2})"));
  EXPECT_HOLDS(errorOf(), "field \"rope_parameters.partial_rotary_factor\" is 0.2");
  EXPECT_HOLDS(errorOf(), "which turns 1 of the 8 columns");
  folder.write("config.json", phiConfig(", \"qk_layernorm\": true"));
  EXPECT_HOLDS(errorOf(), "\"qk_layernorm\" is true, which is not supported; only false is");
}

} // namespace
