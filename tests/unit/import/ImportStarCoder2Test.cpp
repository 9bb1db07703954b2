// Importing StarCoder2: its names, biases and norms, and fields that its files carry for others.
#include "ImportFixture.h"

using namespace coppice;
using namespace coppice::test;

namespace {

std::string starCoder2Config(const char *fields) {
  return R"({"model_type": "starcoder2", "vocab_size": 5, "hidden_size": 16,
             "intermediate_size": 3, "num_hidden_layers": 1, "num_attention_heads": 4,
             "max_position_embeddings": 64, "sliding_window": 9)" +
         std::string(fields) + "}";
}

// Layer norms, an FFN without a gate, two KV heads by default, a window, a tied head.
TEST_F(Import, StarCoder2Graph) {
  writeModel(starCoder2Config(""));
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  std::string text = print(*model->module);
  int norms = 0, biases = 0;
  (*model->module)->walk([&](lm::LayerNormOp) { ++norms; });
  (*model->module)->walk([&](lm::LinearOp op) { biases += op.getBias() != nullptr; });
  EXPECT_EQ(norms, 3);
  EXPECT_EQ(biases, 6);
  EXPECT_HOLDS(text, "kv_map [0, 0, 1, 1] scale 5.000000e-01 window 9 :");
  EXPECT_HOLDS(text, "gelu_tanh");
  EXPECT_HOLDS(text, "lm.weight @model.layers.0.mlp.c_fc.weight : tensor<3x16xf32>");
  EXPECT_FALSE(holds(text, "lm_head"));
}

// Without biases; the fields of the code that trained the published models say nothing.
TEST_F(Import, StarCoder2Variants) {
  writeModel(starCoder2Config(R"(, "use_bias": false, "activation_function": "gelu",
    "attention_softmax_in_fp32": true, "layer_norm_epsilon": 1e-3, "mlp_type": "default",
    "norm_epsilon": 0.25, "norm_type": "layer_norm", "scale_attention_softmax_in_fp32": true,
    "scale_attn_weights": true, "residual_dropout": 0.1, "embedding_dropout": 0.1,
    "tie_word_embeddings": false)"));
  std::string text = function();
  EXPECT_FALSE(holds(text, "proj.bias"));
  EXPECT_HOLDS(text, "eps 2.500000e-01");
  EXPECT_HOLDS(text, "gelu_tanh");
  EXPECT_HOLDS(text, "lm.weight @lm_head.weight");
}

} // namespace
