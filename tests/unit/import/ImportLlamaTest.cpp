// Importing Llama: a tiny folder against lm written by hand, its variants, and every error about
// its tensors and ratios.
#include "ImportFixture.h"

using namespace coppice;
using namespace coppice::test;

SafetensorsWriter coppice::test::llamaWeights(llvm::StringRef prefix, bool biases) {
  SafetensorsWriter weights;
  std::string layer = (prefix + "layers.0.").str();
  weights.add((prefix + "embed_tokens.weight").str(), {11, 8}, "F16", 2)
      .add(layer + "input_layernorm.weight", {8})
      .add(layer + "self_attn.q_proj.weight", {8, 8})
      .add(layer + "self_attn.k_proj.weight", {4, 8})
      .add(layer + "self_attn.v_proj.weight", {4, 8}, "BF16", 2)
      .add(layer + "self_attn.o_proj.weight", {8, 8})
      .add(layer + "post_attention_layernorm.weight", {8})
      .add(layer + "mlp.gate_proj.weight", {6, 8})
      .add(layer + "mlp.up_proj.weight", {6, 8})
      .add(layer + "mlp.down_proj.weight", {8, 6})
      .add((prefix + "norm.weight").str(), {8});
  if (biases)
    weights.add(layer + "self_attn.q_proj.bias", {8})
        .add(layer + "self_attn.k_proj.bias", {4})
        .add(layer + "self_attn.v_proj.bias", {4})
        .add(layer + "self_attn.o_proj.bias", {8})
        .add(layer + "mlp.gate_proj.bias", {6})
        .add(layer + "mlp.up_proj.bias", {6})
        .add(layer + "mlp.down_proj.bias", {8});
  return weights;
}

namespace {

// The whole graph of a Llama with grouped queries and an untied head: order, weights, mixed dtypes,
// the map from head to KV head, the scale, the frequencies, the module's facts.
TEST_F(Import, LlamaGraph) {
  folder.write("config.json", std::string(llamaConfig) + ", \"eos_token_id\": [2, 7]}");
  writeWeights(llamaWeights().add("lm_head.weight", {11, 8}));
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  EXPECT_EQ(print(*model->module), normalise(R"mlir(
module attributes {lm.bos = 1 : i32, lm.context = 32 : i32, lm.model_type = "llama",
                   lm.stop_tokens = array<i32: 2, 7>, lm.vocab = 11 : i32} {
  lm.tensor private @"model.embed_tokens.weight" : tensor<11x8xf16>
  lm.tensor private @"model.layers.0.input_layernorm.weight" : tensor<8xf32>
  lm.tensor private @"model.layers.0.self_attn.q_proj.weight" : tensor<8x8xf32>
  lm.tensor private @"model.layers.0.self_attn.k_proj.weight" : tensor<4x8xf32>
  lm.tensor private @"model.layers.0.self_attn.v_proj.weight" : tensor<4x8xbf16>
  lm.tensor private @"model.layers.0.self_attn.o_proj.weight" : tensor<8x8xf32>
  lm.tensor private @"model.layers.0.post_attention_layernorm.weight" : tensor<8xf32>
  lm.tensor private @"model.layers.0.mlp.gate_proj.weight" : tensor<6x8xf32>
  lm.tensor private @"model.layers.0.mlp.up_proj.weight" : tensor<6x8xf32>
  lm.tensor private @"model.layers.0.mlp.down_proj.weight" : tensor<8x6xf32>
  lm.tensor private @"model.norm.weight" : tensor<8xf32>
  lm.tensor private @"lm_head.weight" : tensor<11x8xf32>
  func.func @model(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x11xf32> {
    %table = lm.weight @"model.embed_tokens.weight" : tensor<11x8xf16>
    %h0 = lm.embed %tokens, %table : tensor<?xi32>, tensor<11x8xf16> -> tensor<?x8xf32>
    %h1 = lm.block attention layer 0 (%x = %h0) : tensor<?x8xf32> {
      %g = lm.weight @"model.layers.0.input_layernorm.weight" : tensor<8xf32>
      %n = lm.rms_norm %x scale %g eps 0.5 : tensor<?x8xf32>, tensor<8xf32> -> tensor<?x8xf32>
      %wq = lm.weight @"model.layers.0.self_attn.q_proj.weight" : tensor<8x8xf32>
      %q0 = lm.linear %n, %wq : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
      %wk = lm.weight @"model.layers.0.self_attn.k_proj.weight" : tensor<4x8xf32>
      %k0 = lm.linear %n, %wk : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32>
      %wv = lm.weight @"model.layers.0.self_attn.v_proj.weight" : tensor<4x8xbf16>
      %v = lm.linear %n, %wv : tensor<?x8xf32>, tensor<4x8xbf16> -> tensor<?x4xf32>
      %q = lm.rope %q0 at %positions head_dim 2 inv_freq [1.0] : tensor<?x8xf32>, tensor<?xi32> -> tensor<?x8xf32>
      %k = lm.rope %k0 at %positions head_dim 2 inv_freq [1.0] : tensor<?x4xf32>, tensor<?xi32> -> tensor<?x4xf32>
      %a = lm.attention %q, %k, %v head_dim 2 kv_map [0, 0, 1, 1] scale 0.70710678118654746 : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x8xf32>
      %wo = lm.weight @"model.layers.0.self_attn.o_proj.weight" : tensor<8x8xf32>
      %o = lm.linear %a, %wo : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
      %y = lm.add %x, %o : tensor<?x8xf32>, tensor<?x8xf32> -> tensor<?x8xf32>
      lm.yield %y : tensor<?x8xf32>
    }
    %h2 = lm.block ffn layer 0 (%x = %h1) : tensor<?x8xf32> {
      %g = lm.weight @"model.layers.0.post_attention_layernorm.weight" : tensor<8xf32>
      %n = lm.rms_norm %x scale %g eps 0.5 : tensor<?x8xf32>, tensor<8xf32> -> tensor<?x8xf32>
      %wg = lm.weight @"model.layers.0.mlp.gate_proj.weight" : tensor<6x8xf32>
      %gate = lm.linear %n, %wg : tensor<?x8xf32>, tensor<6x8xf32> -> tensor<?x6xf32>
      %wu = lm.weight @"model.layers.0.mlp.up_proj.weight" : tensor<6x8xf32>
      %up = lm.linear %n, %wu : tensor<?x8xf32>, tensor<6x8xf32> -> tensor<?x6xf32>
      %act = lm.activation silu %gate : tensor<?x6xf32> -> tensor<?x6xf32>
      %m = lm.mul %act, %up : tensor<?x6xf32>, tensor<?x6xf32> -> tensor<?x6xf32>
      %wd = lm.weight @"model.layers.0.mlp.down_proj.weight" : tensor<8x6xf32>
      %d = lm.linear %m, %wd : tensor<?x6xf32>, tensor<8x6xf32> -> tensor<?x8xf32>
      %y = lm.add %x, %d : tensor<?x8xf32>, tensor<?x8xf32> -> tensor<?x8xf32>
      lm.yield %y : tensor<?x8xf32>
    }
    %g = lm.weight @"model.norm.weight" : tensor<8xf32>
    %n = lm.rms_norm %h2 scale %g eps 0.5 : tensor<?x8xf32>, tensor<8xf32> -> tensor<?x8xf32>
    %head = lm.weight @"lm_head.weight" : tensor<11x8xf32>
    %logits = lm.linear %n, %head : tensor<?x8xf32>, tensor<11x8xf32> -> tensor<?x11xf32>
    return %logits : tensor<?x11xf32>
  }
})mlir"));
  EXPECT_EQ(model->context, 32);
  EXPECT_EQ(model->vocab, 11);
  EXPECT_EQ(model->positionLimit, std::nullopt);
  EXPECT_EQ(model->stopTokens, (std::vector<int32_t>{2, 7}));
}

// A tied head reads the embedding again, and a head that is stored all the same is left alone.
TEST_F(Import, LlamaTiedHead) {
  folder.write("config.json", std::string(llamaConfig) + ", \"tie_word_embeddings\": true}");
  writeWeights(llamaWeights().add("lm_head.weight", {11, 8}));
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  std::string text = print(*model->module);
  EXPECT_FALSE(holds(text, "lm_head.weight"));
  EXPECT_HOLDS(text, "tensor<?x8xf32>, tensor<11x8xf16> -> tensor<?x11xf32>");
}

// Biases of attention and FFN enter their linears; biases that the config denies are refused.
TEST_F(Import, LlamaBiases) {
  folder.write("config.json", std::string(llamaConfig) +
                                  ", \"tie_word_embeddings\": true, "
                                  "\"attention_bias\": true, \"mlp_bias\": true}");
  writeWeights(llamaWeights("model.", true));
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  int biases = 0;
  model->module->walk([&](lm::LinearOp op) { biases += op.getBias() != nullptr; });
  EXPECT_EQ(biases, 7);

  folder.write("config.json", std::string(llamaConfig) + ", \"tie_word_embeddings\": true, "
                                                         "\"attention_bias\": true}");
  EXPECT_HOLDS(errorOf(),
               "tensor \"model.layers.0.mlp.down_proj.bias\" has no place in the llama model");
}

// Checkpoints saved without the outer class have no "model." in front.
TEST_F(Import, LlamaWithoutPrefix) {
  folder.write("config.json", std::string(llamaConfig) + ", \"tie_word_embeddings\": true}");
  writeWeights(llamaWeights(""));
  EXPECT_EQ(errorOf(), "");
}

// Frequencies that old libraries saved are not weights; anything else under the prefix is refused.
TEST_F(Import, RefusesTensorsWithoutAPlace) {
  folder.write("config.json", std::string(llamaConfig) + ", \"tie_word_embeddings\": true}");
  writeWeights(llamaWeights().add("model.layers.0.self_attn.rotary_emb.inv_freq", {1}));
  EXPECT_EQ(errorOf(), "");
  writeWeights(llamaWeights().add("model.layers.1.mlp.up_proj.weight", {6, 8}));
  EXPECT_HOLDS(errorOf(), "tensor \"model.layers.1.mlp.up_proj.weight\" has no place");
  writeWeights(llamaWeights().add("lm_head.bias", {11}));
  EXPECT_HOLDS(errorOf(), "tensor \"lm_head.bias\" has no place");
  writeWeights(llamaWeights().add("model.layers.0.q.weight_scale", {1}, "U8", 1));
  EXPECT_HOLDS(errorOf(), "tensor \"model.layers.0.q.weight_scale\" has no place");
}

// What is not used and would change the model is refused wherever it stands: an adapter's tensors,
// and a second copy under another prefix. What belongs to another part is passed over.
TEST_F(Import, RefusesAdaptersAndSecondCopies) {
  folder.write("config.json", std::string(llamaConfig) + ", \"tie_word_embeddings\": true}");
  for (const char *name :
       {"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight",
        "layers.0.self_attn.q_proj.lora_B.default.weight",
        "model.layers.0.mlp.up_proj.lora_magnitude_vector", "extra.adapters.task.down.weight"}) {
    writeWeights(llamaWeights().add(name, {2, 8}));
    EXPECT_HOLDS(errorOf(), "tensor \"" + std::string(name) + "\" belongs to an adapter");
  }
  for (const char *before : {"", "module.", "a.b."}) {
    std::string name =
        before + std::string(*before ? "model." : "") + "layers.0.mlp.up_proj.weight";
    writeWeights(llamaWeights().add(name, {6, 8}));
    EXPECT_HOLDS(errorOf(),
                 "tensor \"" + name + "\" stands beside \"model.layers.0.mlp.up_proj.weight\"");
  }
  for (const char *name : {"score.weight", "v_head.summary.weight", "norm_stats", "model",
                           "vision.layers.0.mlp.up_proj.weight", "explora_x"}) {
    writeWeights(llamaWeights().add(name, {2, 8}));
    EXPECT_EQ(errorOf(), "") << name;
  }
}

// A tied head may be stored beside the embedding; of another shape it is another model's.
TEST_F(Import, ChecksAStoredTiedHead) {
  folder.write("config.json", std::string(llamaConfig) + ", \"tie_word_embeddings\": true}");
  writeWeights(llamaWeights().add("lm_head.weight", {11, 8}));
  EXPECT_EQ(errorOf(), "");
  writeWeights(llamaWeights().add("lm_head.weight", {11, 7}));
  EXPECT_HOLDS(errorOf(), "tensor \"lm_head.weight\" has shape [11, 7], and ");
}

// A tensor that is missing, has another shape or a dtype that is not read.
TEST_F(Import, RefusesTensorsThatDisagree) {
  folder.write("config.json", std::string(llamaConfig) + "}");
  writeWeights(llamaWeights());
  EXPECT_HOLDS(errorOf(), "tensor \"lm_head.weight\" is missing; the llama model that ");
  EXPECT_HOLDS(errorOf(), "has it, with shape [11, 8] (vocab_size, hidden_size)");
  writeWeights(llamaWeights().add("lm_head.weight", {12, 8}));
  EXPECT_HOLDS(errorOf(), "tensor \"lm_head.weight\" has shape [12, 8], and ");
  writeWeights(llamaWeights().add("lm_head.weight", {88}));
  EXPECT_HOLDS(errorOf(), "tensor \"lm_head.weight\" has shape [88], and ");
  writeWeights(llamaWeights().add("lm_head.weight", {11, 8}, "I8", 1));
  EXPECT_HOLDS(errorOf(), "tensor \"lm_head.weight\" has dtype I8; only F32, F16 and BF16");
}

// Ratios that no model can have, found before any weight is looked at.
TEST_F(Import, RefusesRatiosThatDoNotFit) {
  writeWeights(llamaWeights());
  const std::pair<const char *, const char *> cases[] = {
      {R"("num_attention_heads": 3, "num_key_value_heads": 1)", "does not divide hidden_size"},
      {R"("num_attention_heads": 8, "num_key_value_heads": 2)", "needs an even number"},
      {R"("num_attention_heads": 4, "num_key_value_heads": 3)",
       "does not divide num_attention_heads"},
      {R"("num_attention_heads": 4, "head_dim": 3)", "\"head_dim\" is 3, which makes heads 3 wide"},
      {R"("num_attention_heads": 0)", "is not an integer from 1"},
      {R"("num_attention_heads": 4, "hidden_act": "tanh")", "\"hidden_act\" is \"tanh\""},
      {R"("num_attention_heads": 4, "max_position_embeddings": 3000000000)", "is not an integer"}};
  for (auto [fields, message] : cases) {
    folder.write("config.json",
                 std::string(R"({"model_type": "llama", "vocab_size": 11, "hidden_size": 8,
                   "intermediate_size": 6, "num_hidden_layers": 1, )") +
                     fields + "}");
    EXPECT_HOLDS(errorOf(), message);
  }
}

} // namespace
