// Importing GPT-2: a tiny folder against lm written by hand, its variants, and its errors.
#include "ImportFixture.h"

using namespace coppice;
using namespace coppice::test;

namespace {

const char *const gpt2Config = R"({"model_type": "gpt2", "vocab_size": 5, "n_embd": 4, "n_head": 2,
  "n_inner": 3, "n_layer": 1, "n_positions": 7)";

// The whole graph: learned positions from row 0 on, linears stored [in, out], thirds of one for
// query, key and value, tanh GELU, the head tied to the embedding, no "transformer." in front.
TEST_F(Import, Gpt2Graph) {
  folder.write("config.json", std::string(gpt2Config) + "}");
  SafetensorsWriter weights;
  auto pair = [&](const std::string &name, llvm::ArrayRef<int64_t> shape, int64_t bias) {
    weights.add(name + ".weight", shape).add(name + ".bias", {bias});
  };
  weights.add("wte.weight", {5, 4}).add("wpe.weight", {7, 4});
  pair("h.0.ln_1", {4}, 4);
  pair("h.0.attn.c_attn", {4, 12}, 12);
  pair("h.0.attn.c_proj", {4, 4}, 4);
  pair("h.0.ln_2", {4}, 4);
  pair("h.0.mlp.c_fc", {4, 3}, 3);
  pair("h.0.mlp.c_proj", {3, 4}, 4);
  pair("ln_f", {4}, 4);
  writeWeights(weights.add("h.0.attn.bias", {1, 1, 7, 7}, "U8", 1)); // the causal mask
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  EXPECT_EQ(print(*model->module), normalise(R"mlir(
module attributes {lm.context = 7 : i32, lm.model_type = "gpt2", lm.position_limit = 7 : i32,
                   lm.stop_tokens = array<i32>, lm.vocab = 5 : i32} {
  lm.tensor private @wte.weight : tensor<5x4xf32>
  lm.tensor private @wpe.weight : tensor<7x4xf32>
  lm.tensor private @h.0.ln_1.weight : tensor<4xf32>
  lm.tensor private @h.0.ln_1.bias : tensor<4xf32>
  lm.tensor private @h.0.attn.c_attn.weight : tensor<4x12xf32>
  lm.tensor private @h.0.attn.c_attn.bias : tensor<12xf32>
  lm.tensor private @h.0.attn.c_proj.weight : tensor<4x4xf32>
  lm.tensor private @h.0.attn.c_proj.bias : tensor<4xf32>
  lm.tensor private @h.0.ln_2.weight : tensor<4xf32>
  lm.tensor private @h.0.ln_2.bias : tensor<4xf32>
  lm.tensor private @h.0.mlp.c_fc.weight : tensor<4x3xf32>
  lm.tensor private @h.0.mlp.c_fc.bias : tensor<3xf32>
  lm.tensor private @h.0.mlp.c_proj.weight : tensor<3x4xf32>
  lm.tensor private @h.0.mlp.c_proj.bias : tensor<4xf32>
  lm.tensor private @ln_f.weight : tensor<4xf32>
  lm.tensor private @ln_f.bias : tensor<4xf32>
  func.func @model(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x5xf32> {
    %wte = lm.weight @wte.weight : tensor<5x4xf32>
    %word = lm.embed %tokens, %wte : tensor<?xi32>, tensor<5x4xf32> -> tensor<?x4xf32>
    %wpe = lm.weight @wpe.weight : tensor<7x4xf32>
    %place = lm.embed %positions, %wpe : tensor<?xi32>, tensor<7x4xf32> -> tensor<?x4xf32>
    %h0 = lm.add %word, %place : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
    %h1 = lm.block attention layer 0 (%x = %h0) : tensor<?x4xf32> {
      %s = lm.weight @h.0.ln_1.weight : tensor<4xf32>
      %b = lm.weight @h.0.ln_1.bias : tensor<4xf32>
      %n = lm.layer_norm %x scale %s : tensor<4xf32> bias %b : tensor<4xf32> eps 1.0e-05 : tensor<?x4xf32> -> tensor<?x4xf32>
      %wq = lm.weight @h.0.attn.c_attn.weight rows <0 to 3> transposed : tensor<4x4xf32>
      %bq = lm.weight @h.0.attn.c_attn.bias rows <0 to 3> : tensor<4xf32>
      %q = lm.linear %n, %wq bias %bq : tensor<?x4xf32>, tensor<4x4xf32>, tensor<4xf32> -> tensor<?x4xf32>
      %wk = lm.weight @h.0.attn.c_attn.weight rows <4 to 7> transposed : tensor<4x4xf32>
      %bk = lm.weight @h.0.attn.c_attn.bias rows <4 to 7> : tensor<4xf32>
      %k = lm.linear %n, %wk bias %bk : tensor<?x4xf32>, tensor<4x4xf32>, tensor<4xf32> -> tensor<?x4xf32>
      %wv = lm.weight @h.0.attn.c_attn.weight rows <8 to 11> transposed : tensor<4x4xf32>
      %bv = lm.weight @h.0.attn.c_attn.bias rows <8 to 11> : tensor<4xf32>
      %v = lm.linear %n, %wv bias %bv : tensor<?x4xf32>, tensor<4x4xf32>, tensor<4xf32> -> tensor<?x4xf32>
      %a = lm.attention %q, %k, %v head_dim 2 kv_map [0, 1] scale 0.70710678118654746 : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
      %wo = lm.weight @h.0.attn.c_proj.weight transposed : tensor<4x4xf32>
      %bo = lm.weight @h.0.attn.c_proj.bias : tensor<4xf32>
      %o = lm.linear %a, %wo bias %bo : tensor<?x4xf32>, tensor<4x4xf32>, tensor<4xf32> -> tensor<?x4xf32>
      %y = lm.add %x, %o : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
      lm.yield %y : tensor<?x4xf32>
    }
    %h2 = lm.block ffn layer 0 (%x = %h1) : tensor<?x4xf32> {
      %s = lm.weight @h.0.ln_2.weight : tensor<4xf32>
      %b = lm.weight @h.0.ln_2.bias : tensor<4xf32>
      %n = lm.layer_norm %x scale %s : tensor<4xf32> bias %b : tensor<4xf32> eps 1.0e-05 : tensor<?x4xf32> -> tensor<?x4xf32>
      %wu = lm.weight @h.0.mlp.c_fc.weight transposed : tensor<3x4xf32>
      %bu = lm.weight @h.0.mlp.c_fc.bias : tensor<3xf32>
      %up = lm.linear %n, %wu bias %bu : tensor<?x4xf32>, tensor<3x4xf32>, tensor<3xf32> -> tensor<?x3xf32>
      %act = lm.activation gelu_tanh %up : tensor<?x3xf32> -> tensor<?x3xf32>
      %wd = lm.weight @h.0.mlp.c_proj.weight transposed : tensor<4x3xf32>
      %bd = lm.weight @h.0.mlp.c_proj.bias : tensor<4xf32>
      %d = lm.linear %act, %wd bias %bd : tensor<?x3xf32>, tensor<4x3xf32>, tensor<4xf32> -> tensor<?x4xf32>
      %y = lm.add %x, %d : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
      lm.yield %y : tensor<?x4xf32>
    }
    %s = lm.weight @ln_f.weight : tensor<4xf32>
    %b = lm.weight @ln_f.bias : tensor<4xf32>
    %n = lm.layer_norm %h2 scale %s : tensor<4xf32> bias %b : tensor<4xf32> eps 1.0e-05 : tensor<?x4xf32> -> tensor<?x4xf32>
    %head = lm.weight @wte.weight : tensor<5x4xf32>
    %logits = lm.linear %n, %head : tensor<?x4xf32>, tensor<5x4xf32> -> tensor<?x5xf32>
    return %logits : tensor<?x5xf32>
  }
})mlir"));
}

// Scores are divided by the layer's number, and not by the root of the width, where the config
// says so; without n_inner the FFN is four times as wide.
TEST_F(Import, Gpt2Scales) {
  auto scales = [&](const char *fields) {
    writeModel(R"({"model_type": "gpt2", "vocab_size": 5, "n_embd": 8, "n_head": 2,
                   "n_layer": 3, "n_positions": 7)" +
               std::string(fields) + "}");
    auto model = import();
    std::vector<double> found;
    if (!model)
      ADD_FAILURE() << llvm::toString(model.takeError());
    else
      (*model->module)->walk([&](lm::AttentionOp op) {
        found.push_back(op.getScale().convertToDouble());
      });
    return found;
  };
  EXPECT_EQ(scales(""), (std::vector<double>{0.5, 0.5, 0.5}));
  EXPECT_EQ(scales(R"(, "scale_attn_by_inverse_layer_idx": true)"),
            (std::vector<double>{0.5, 0.25, 0.5 / 3}));
  EXPECT_EQ(scales(R"(, "scale_attn_weights": false)"), (std::vector<double>{1, 1, 1}));
  EXPECT_HOLDS(function(), "@transformer.h.0.mlp.c_fc.weight transposed : tensor<32x8xf32>");
}

// A checkpoint whose heads and neurons another tool has cut, each layer alone, stored transposed:
// the widths are the tensors'.
TEST_F(Import, Gpt2ShrunkByOthers) {
  writeModel(std::string(gpt2Config) + "}", {{"transformer.h.0.attn.c_attn.weight", {4, 6}},
                                             {"transformer.h.0.attn.c_attn.bias", {6}},
                                             {"transformer.h.0.attn.c_proj.weight", {2, 4}},
                                             {"transformer.h.0.mlp.c_fc.weight", {4, 2}},
                                             {"transformer.h.0.mlp.c_fc.bias", {2}},
                                             {"transformer.h.0.mlp.c_proj.weight", {2, 4}}});
  std::string text = function();
  EXPECT_HOLDS(text,
               "@transformer.h.0.attn.c_attn.weight rows <4, 5> transposed : tensor<2x4xf32>");
  EXPECT_HOLDS(text, "kv_map [0] scale");
  EXPECT_HOLDS(text, "@transformer.h.0.mlp.c_proj.weight transposed : tensor<4x2xf32>");
}

// Heads that transformers' own prune_heads has cut: pruned_heads and the tensors must agree.
TEST_F(Import, Gpt2PrunedHeads) {
  Changes cut = {{"transformer.h.0.attn.c_attn.weight", {4, 6}},
                 {"transformer.h.0.attn.c_attn.bias", {6}},
                 {"transformer.h.0.attn.c_proj.weight", {2, 4}}};
  writeModel(std::string(gpt2Config) + "}", cut);
  folder.write("config.json", std::string(gpt2Config) + R"(, "pruned_heads": {"0": [1]}})");
  EXPECT_HOLDS(function(), "kv_map [0] scale");
  writeModel(std::string(gpt2Config) + "}");
  folder.write("config.json", std::string(gpt2Config) + R"(, "pruned_heads": {"0": [1]}})");
  EXPECT_HOLDS(errorOf(), "c_attn.weight\" has shape [4, 12], and ");
  EXPECT_HOLDS(errorOf(), "makes it [4, 6] (n_embd, 3 * n_embd without pruned_heads)");
  folder.write("config.json", std::string(gpt2Config) + R"(, "pruned_heads": {"0": [2]}})");
  EXPECT_HOLDS(errorOf(), "\"pruned_heads.0\" is [2], which holds 2, and each must be a number");
  folder.write("config.json", std::string(gpt2Config) + R"(, "pruned_heads": {"0": [0, 0, 1]}})");
  EXPECT_HOLDS(errorOf(), "leaves none of 2 heads");
  folder.write("config.json", std::string(gpt2Config) + R"(, "pruned_heads": {"1": [0]}})");
  EXPECT_HOLDS(errorOf(), "\"pruned_heads.1\" is [0], which is not known");
}

// Tensors that contradict each other, or whole heads.
TEST_F(Import, Gpt2Errors) {
  std::string config = std::string(gpt2Config) + "}";
  writeModel(config, {{"transformer.h.0.attn.c_attn.weight", {4, 6}}});
  EXPECT_HOLDS(errorOf(), "\"transformer.h.0.attn.c_attn.bias\" has shape [12], and ");
  EXPECT_HOLDS(errorOf(), "makes it [6] (columns of \"transformer.h.0.attn.c_attn.weight\" of "
                          "shape [4, 6])");
  writeModel(config, {{"transformer.h.0.attn.c_attn.weight", {4, 9}}});
  EXPECT_HOLDS(errorOf(), "9 (columns of \"transformer.h.0.attn.c_attn.weight\" of shape [4, 9]) "
                          "is no whole number of query, key and value heads of 2");
  writeModel(config, {{"transformer.h.0.attn.c_attn.weight", {12, 4}}});
  EXPECT_HOLDS(errorOf(), "has shape [12, 4], and ");
  EXPECT_HOLDS(errorOf(), "makes it [4, 12] (n_embd, 3 * n_embd)");
  folder.write("config.json", R"({"model_type": "gpt2", "vocab_size": 5, "n_embd": 4, "n_head": 3,
                                  "n_layer": 1})");
  EXPECT_HOLDS(errorOf(), "\"n_head\" is 3, which does not divide n_embd");
}

} // namespace
