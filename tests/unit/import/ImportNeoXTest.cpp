// Importing GPT-NeoX: the blocks of a layer side by side and one after the other, the interleaving
// of its fused linear, both names of its rotary fields, and its errors.
#include "ImportFixture.h"

using namespace coppice;
using namespace coppice::test;

namespace {

std::string neoxConfig(const char *fields) {
  return R"({"model_type": "gpt_neox", "vocab_size": 5, "hidden_size": 8, "intermediate_size": 3,
             "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 16,
             "bos_token_id": 0, "eos_token_id": 0)" +
         std::string(fields) + "}";
}

// The function of a parallel layer: the ffn block adds to the attention block's result what it
// computes from that block's input. Each head's query, key and value lie together.
TEST_F(Import, NeoXParallelGraph) {
  writeModel(neoxConfig(R"(, "rotary_pct": 0.5, "rotary_emb_base": 100)"));
  std::string text = function();
  std::string expected = normalise(R"mlir(
module {
  lm.tensor private @gpt_neox.embed_in.weight : tensor<5x8xf32>
  lm.tensor private @gpt_neox.layers.0.input_layernorm.weight : tensor<8xf32>
  lm.tensor private @gpt_neox.layers.0.input_layernorm.bias : tensor<8xf32>
  lm.tensor private @gpt_neox.layers.0.attention.query_key_value.weight : tensor<24x8xf32>
  lm.tensor private @gpt_neox.layers.0.attention.query_key_value.bias : tensor<24xf32>
  lm.tensor private @gpt_neox.layers.0.attention.dense.weight : tensor<8x8xf32>
  lm.tensor private @gpt_neox.layers.0.attention.dense.bias : tensor<8xf32>
  lm.tensor private @gpt_neox.layers.0.post_attention_layernorm.weight : tensor<8xf32>
  lm.tensor private @gpt_neox.layers.0.post_attention_layernorm.bias : tensor<8xf32>
  lm.tensor private @gpt_neox.layers.0.mlp.dense_h_to_4h.weight : tensor<3x8xf32>
  lm.tensor private @gpt_neox.layers.0.mlp.dense_h_to_4h.bias : tensor<3xf32>
  lm.tensor private @gpt_neox.layers.0.mlp.dense_4h_to_h.weight : tensor<8x3xf32>
  lm.tensor private @gpt_neox.layers.0.mlp.dense_4h_to_h.bias : tensor<8xf32>
  lm.tensor private @gpt_neox.final_layer_norm.weight : tensor<8xf32>
  lm.tensor private @gpt_neox.final_layer_norm.bias : tensor<8xf32>
  lm.tensor private @embed_out.weight : tensor<5x8xf32>
  func.func @model(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x5xf32> {
    %table = lm.weight @gpt_neox.embed_in.weight : tensor<5x8xf32>
    %h0 = lm.embed %tokens, %table : tensor<?xi32>, tensor<5x8xf32> -> tensor<?x8xf32>
    %h1 = lm.block attention layer 0 (%x = %h0) : tensor<?x8xf32> {
      %s = lm.weight @gpt_neox.layers.0.input_layernorm.weight : tensor<8xf32>
      %b = lm.weight @gpt_neox.layers.0.input_layernorm.bias : tensor<8xf32>
      %n = lm.layer_norm %x scale %s : tensor<8xf32> bias %b : tensor<8xf32> eps 1.0e-05 : tensor<?x8xf32> -> tensor<?x8xf32>
      %wq = lm.weight @gpt_neox.layers.0.attention.query_key_value.weight rows <0 to 3, 12 to 15> : tensor<8x8xf32>
      %bq = lm.weight @gpt_neox.layers.0.attention.query_key_value.bias rows <0 to 3, 12 to 15> : tensor<8xf32>
      %q0 = lm.linear %n, %wq bias %bq : tensor<?x8xf32>, tensor<8x8xf32>, tensor<8xf32> -> tensor<?x8xf32>
      %q = lm.rope %q0 at %positions head_dim 4 inv_freq [1.0] : tensor<?x8xf32>, tensor<?xi32> -> tensor<?x8xf32>
      %wk = lm.weight @gpt_neox.layers.0.attention.query_key_value.weight rows <4 to 7, 16 to 19> : tensor<8x8xf32>
      %bk = lm.weight @gpt_neox.layers.0.attention.query_key_value.bias rows <4 to 7, 16 to 19> : tensor<8xf32>
      %k0 = lm.linear %n, %wk bias %bk : tensor<?x8xf32>, tensor<8x8xf32>, tensor<8xf32> -> tensor<?x8xf32>
      %k = lm.rope %k0 at %positions head_dim 4 inv_freq [1.0] : tensor<?x8xf32>, tensor<?xi32> -> tensor<?x8xf32>
      %wv = lm.weight @gpt_neox.layers.0.attention.query_key_value.weight rows <8 to 11, 20 to 23> : tensor<8x8xf32>
      %bv = lm.weight @gpt_neox.layers.0.attention.query_key_value.bias rows <8 to 11, 20 to 23> : tensor<8xf32>
      %v = lm.linear %n, %wv bias %bv : tensor<?x8xf32>, tensor<8x8xf32>, tensor<8xf32> -> tensor<?x8xf32>
      %a = lm.attention %q, %k, %v head_dim 4 kv_map [0, 1] scale 0.5 : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32> -> tensor<?x8xf32>
      %wo = lm.weight @gpt_neox.layers.0.attention.dense.weight : tensor<8x8xf32>
      %bo = lm.weight @gpt_neox.layers.0.attention.dense.bias : tensor<8xf32>
      %o = lm.linear %a, %wo bias %bo : tensor<?x8xf32>, tensor<8x8xf32>, tensor<8xf32> -> tensor<?x8xf32>
      %y = lm.add %x, %o : tensor<?x8xf32>, tensor<?x8xf32> -> tensor<?x8xf32>
      lm.yield %y : tensor<?x8xf32>
    }
    %h2 = lm.block ffn layer 0 (%x = %h1) : tensor<?x8xf32> {
      %s = lm.weight @gpt_neox.layers.0.post_attention_layernorm.weight : tensor<8xf32>
      %b = lm.weight @gpt_neox.layers.0.post_attention_layernorm.bias : tensor<8xf32>
      %n = lm.layer_norm %h0 scale %s : tensor<8xf32> bias %b : tensor<8xf32> eps 1.0e-05 : tensor<?x8xf32> -> tensor<?x8xf32>
      %wu = lm.weight @gpt_neox.layers.0.mlp.dense_h_to_4h.weight : tensor<3x8xf32>
      %bu = lm.weight @gpt_neox.layers.0.mlp.dense_h_to_4h.bias : tensor<3xf32>
      %up = lm.linear %n, %wu bias %bu : tensor<?x8xf32>, tensor<3x8xf32>, tensor<3xf32> -> tensor<?x3xf32>
      %act = lm.activation gelu %up : tensor<?x3xf32> -> tensor<?x3xf32>
      %wd = lm.weight @gpt_neox.layers.0.mlp.dense_4h_to_h.weight : tensor<8x3xf32>
      %bd = lm.weight @gpt_neox.layers.0.mlp.dense_4h_to_h.bias : tensor<8xf32>
      %d = lm.linear %act, %wd bias %bd : tensor<?x3xf32>, tensor<8x3xf32>, tensor<8xf32> -> tensor<?x8xf32>
      %y = lm.add %x, %d : tensor<?x8xf32>, tensor<?x8xf32> -> tensor<?x8xf32>
      lm.yield %y : tensor<?x8xf32>
    }
    %s = lm.weight @gpt_neox.final_layer_norm.weight : tensor<8xf32>
    %b = lm.weight @gpt_neox.final_layer_norm.bias : tensor<8xf32>
    %n = lm.layer_norm %h2 scale %s : tensor<8xf32> bias %b : tensor<8xf32> eps 1.0e-05 : tensor<?x8xf32> -> tensor<?x8xf32>
    %head = lm.weight @embed_out.weight : tensor<5x8xf32>
    %logits = lm.linear %n, %head : tensor<?x8xf32>, tensor<5x8xf32> -> tensor<?x5xf32>
    return %logits : tensor<?x5xf32>
  }
})mlir");
  EXPECT_EQ(text, expected.substr(std::min(expected.find("func.func"), expected.size())));
}

// One after the other: the ffn block reads what it adds to. Without biases, of a whole rotation,
// with a head of its own name beside a buffer of old files.
TEST_F(Import, NeoXSequential) {
  writeModel(neoxConfig(R"(, "use_parallel_residual": false, "attention_bias": false,
                          "rotary_pct": 1.0, "hidden_act": "gelu_fast")"),
             {{"gpt_neox.layers.0.attention.masked_bias", {1}},
              {"gpt_neox.layers.0.attention.rotary_emb.inv_freq", {2}}});
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  (*model->module)->walk([&](lm::LayerNormOp norm) {
    if (auto block = norm->getParentOfType<lm::BlockOp>())
      EXPECT_EQ(norm.getInput(), block.getBody().getArgument(0));
  });
  (*model->module)->walk([&](lm::RopeOp rope) {
    EXPECT_EQ(rope.getInvFreq(), (llvm::ArrayRef<float>{1.0f, 0.01f}));
  });
  (*model->module)->walk([&](lm::ActivationOp op) {
    EXPECT_EQ(op.getKind(), lm::ActivationKind::GeluTanh);
  });
  EXPECT_FALSE(holds(print(*model->module), "query_key_value.bias"));
  writeModel(neoxConfig(R"(, "rotary_pct": 0.5, "tie_word_embeddings": true)"),
             {{"embed_out.weight", {5, 7}}});
  EXPECT_HOLDS(errorOf(), "tensor \"embed_out.weight\" has shape [5, 7], and ");
}

// Files of newer libraries say both names of a field; they must agree.
TEST_F(Import, NeoXRotaryNames) {
  auto frequencies = [&](const char *fields) {
    writeModel(neoxConfig(fields));
    auto model = import();
    std::vector<float> found;
    if (model)
      (*model->module)->walk([&](lm::RopeOp op) { found = op.getInvFreq().vec(); });
    else
      ADD_FAILURE() << llvm::toString(model.takeError());
    return found;
  };
  std::vector<float> expected = {1.0f, 0.1f};
  EXPECT_EQ(frequencies(R"(, "rotary_pct": 1, "rotary_emb_base": 100)"), expected);
  EXPECT_EQ(frequencies(R"(, "partial_rotary_factor": 1, "rope_theta": 100)"), expected);
  EXPECT_EQ(frequencies(R"(, "rotary_pct": 1.0, "rotary_emb_base": 100,
                           "partial_rotary_factor": 1, "rope_theta": 100.0)"),
            expected);
  EXPECT_EQ(frequencies(R"(, "rope_parameters": {"rope_theta": 100, "rope_type": "default",
                           "partial_rotary_factor": 1.0})"),
            expected);
  folder.write("config.json", neoxConfig(R"(, "rotary_emb_base": 100, "rope_theta": 10000)"));
  EXPECT_HOLDS(errorOf(), "\"rope_theta\" is 10000, which disagrees with rotary_emb_base");
  folder.write("config.json", neoxConfig(R"(, "rotary_pct": 0.5, "partial_rotary_factor": 1)"));
  EXPECT_HOLDS(errorOf(), "\"partial_rotary_factor\" is 1, which disagrees with rotary_pct");
  folder.write("config.json", neoxConfig(R"(, "rotary_pct": 0.25)"));
  EXPECT_HOLDS(errorOf(),
               "\"rotary_pct\" is 0.25, which turns 1 of the 4 columns of a head, and rotary "
               "embedding needs an even");
}

// Heads of a fused linear that another tool has cut, and one that is no whole number of heads.
TEST_F(Import, NeoXShrunkByOthers) {
  std::string base = "gpt_neox.layers.0.", config = neoxConfig(", \"rotary_pct\": 0.5");
  Changes changes = {{base + "attention.query_key_value.weight", {12, 8}},
                     {base + "attention.query_key_value.bias", {12}},
                     {base + "attention.dense.weight", {8, 4}}};
  writeModel(config, changes);
  EXPECT_HOLDS(function(), "query_key_value.weight rows <8 to 11> : tensor<4x8xf32>");
  changes[base + "attention.dense.weight"] = {8, 8};
  writeModel(config, changes);
  EXPECT_HOLDS(errorOf(), "attention.dense.weight\" has shape [8, 8], and ");
  EXPECT_HOLDS(errorOf(),
               "config.json with the other tensors makes it [8, 4] (hidden_size, queries "
               "in the rows of \"" +
                   base +
                   "attention.query_key_value.weight\" of shape "
                   "[12, 8])");
  changes[base + "attention.query_key_value.weight"] = {16, 8};
  writeModel(config, changes);
  EXPECT_HOLDS(errorOf(), "16 (rows of \"" + base +
                              "attention.query_key_value.weight\" of shape "
                              "[16, 8]) is no whole number of query, key and value heads of 4");
}

} // namespace
