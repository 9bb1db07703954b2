// Importing OPT: a tiny post-norm folder against lm written by hand, and its variants.
#include "ImportFixture.h"

using namespace coppice;
using namespace coppice::test;

namespace {

const char *const optConfig = R"({"model_type": "opt", "vocab_size": 11, "hidden_size": 8,
  "ffn_dim": 6, "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 5,
  "bos_token_id": 2, "eos_token_id": 2)";

SafetensorsWriter optWeights(llvm::StringRef prefix, int64_t embedding, bool finalNorm) {
  SafetensorsWriter weights;
  std::string layer = (prefix + "layers.0.").str();
  auto pair = [&](const std::string &name, llvm::ArrayRef<int64_t> shape) {
    weights.add(name + ".weight", shape).add(name + ".bias", {shape.front()});
  };
  weights.add((prefix + "embed_tokens.weight").str(), {11, embedding});
  weights.add((prefix + "embed_positions.weight").str(), {7, 8});
  if (embedding != 8)
    weights.add((prefix + "project_in.weight").str(), {8, embedding})
        .add((prefix + "project_out.weight").str(), {embedding, 8});
  for (const char *name :
       {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"})
    pair(layer + name, {8, 8});
  pair(layer + "self_attn_layer_norm", {8});
  pair(layer + "fc1", {6, 8});
  pair(layer + "fc2", {8, 6});
  pair(layer + "final_layer_norm", {8});
  if (finalNorm)
    pair((prefix + "final_layer_norm").str(), {8});
  return weights;
}

// The whole graph of a post-norm OPT with projections, as opt-350m has them: norms after the sums
// and inside the blocks, no final norm, positions from row 2 on, the head tied to the embedding.
TEST_F(Import, OptPostNormGraph) {
  folder.write("config.json",
               std::string(optConfig) +
                   ", \"do_layer_norm_before\": false, \"_remove_final_layer_norm\": false, "
                   "\"word_embed_proj_dim\": 4}");
  writeWeights(optWeights("model.decoder.", 4, false));
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  std::string text = print(*model->module);
  size_t function = text.find("func.func");
  std::string expected = normalise(R"mlir(
module {
  lm.tensor private @"model.decoder.embed_tokens.weight" : tensor<11x4xf32>
  lm.tensor private @"model.decoder.project_in.weight" : tensor<8x4xf32>
  lm.tensor private @"model.decoder.embed_positions.weight" : tensor<7x8xf32>
  lm.tensor private @"model.decoder.layers.0.self_attn.q_proj.weight" : tensor<8x8xf32>
  lm.tensor private @"model.decoder.layers.0.self_attn.q_proj.bias" : tensor<8xf32>
  lm.tensor private @"model.decoder.layers.0.self_attn.k_proj.weight" : tensor<8x8xf32>
  lm.tensor private @"model.decoder.layers.0.self_attn.k_proj.bias" : tensor<8xf32>
  lm.tensor private @"model.decoder.layers.0.self_attn.v_proj.weight" : tensor<8x8xf32>
  lm.tensor private @"model.decoder.layers.0.self_attn.v_proj.bias" : tensor<8xf32>
  lm.tensor private @"model.decoder.layers.0.self_attn.out_proj.weight" : tensor<8x8xf32>
  lm.tensor private @"model.decoder.layers.0.self_attn.out_proj.bias" : tensor<8xf32>
  lm.tensor private @"model.decoder.layers.0.self_attn_layer_norm.weight" : tensor<8xf32>
  lm.tensor private @"model.decoder.layers.0.self_attn_layer_norm.bias" : tensor<8xf32>
  lm.tensor private @"model.decoder.layers.0.fc1.weight" : tensor<6x8xf32>
  lm.tensor private @"model.decoder.layers.0.fc1.bias" : tensor<6xf32>
  lm.tensor private @"model.decoder.layers.0.fc2.weight" : tensor<8x6xf32>
  lm.tensor private @"model.decoder.layers.0.fc2.bias" : tensor<8xf32>
  lm.tensor private @"model.decoder.layers.0.final_layer_norm.weight" : tensor<8xf32>
  lm.tensor private @"model.decoder.layers.0.final_layer_norm.bias" : tensor<8xf32>
  lm.tensor private @"model.decoder.project_out.weight" : tensor<4x8xf32>
  func.func @model(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x11xf32> {
    %table = lm.weight @"model.decoder.embed_tokens.weight" : tensor<11x4xf32>
    %e = lm.embed %tokens, %table : tensor<?xi32>, tensor<11x4xf32> -> tensor<?x4xf32>
    %wi = lm.weight @"model.decoder.project_in.weight" : tensor<8x4xf32>
    %i = lm.linear %e, %wi : tensor<?x4xf32>, tensor<8x4xf32> -> tensor<?x8xf32>
    %wp = lm.weight @"model.decoder.embed_positions.weight" : tensor<7x8xf32>
    %p = lm.embed %positions, %wp offset 2 : tensor<?xi32>, tensor<7x8xf32> -> tensor<?x8xf32>
    %h0 = lm.add %i, %p : tensor<?x8xf32>, tensor<?x8xf32> -> tensor<?x8xf32>
    %h1 = lm.block attention layer 0 (%x = %h0) : tensor<?x8xf32> {
      %wq = lm.weight @"model.decoder.layers.0.self_attn.q_proj.weight" : tensor<8x8xf32>
      %bq = lm.weight @"model.decoder.layers.0.self_attn.q_proj.bias" : tensor<8xf32>
      %q = lm.linear %x, %wq bias %bq : tensor<?x8xf32>, tensor<8x8xf32>, tensor<8xf32> -> tensor<?x8xf32>
      %wk = lm.weight @"model.decoder.layers.0.self_attn.k_proj.weight" : tensor<8x8xf32>
      %bk = lm.weight @"model.decoder.layers.0.self_attn.k_proj.bias" : tensor<8xf32>
      %k = lm.linear %x, %wk bias %bk : tensor<?x8xf32>, tensor<8x8xf32>, tensor<8xf32> -> tensor<?x8xf32>
      %wv = lm.weight @"model.decoder.layers.0.self_attn.v_proj.weight" : tensor<8x8xf32>
      %bv = lm.weight @"model.decoder.layers.0.self_attn.v_proj.bias" : tensor<8xf32>
      %v = lm.linear %x, %wv bias %bv : tensor<?x8xf32>, tensor<8x8xf32>, tensor<8xf32> -> tensor<?x8xf32>
      %a = lm.attention %q, %k, %v head_dim 4 kv_map [0, 1] scale 0.5 : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32> -> tensor<?x8xf32>
      %wo = lm.weight @"model.decoder.layers.0.self_attn.out_proj.weight" : tensor<8x8xf32>
      %bo = lm.weight @"model.decoder.layers.0.self_attn.out_proj.bias" : tensor<8xf32>
      %o = lm.linear %a, %wo bias %bo : tensor<?x8xf32>, tensor<8x8xf32>, tensor<8xf32> -> tensor<?x8xf32>
      %s = lm.add %x, %o : tensor<?x8xf32>, tensor<?x8xf32> -> tensor<?x8xf32>
      %g = lm.weight @"model.decoder.layers.0.self_attn_layer_norm.weight" : tensor<8xf32>
      %b = lm.weight @"model.decoder.layers.0.self_attn_layer_norm.bias" : tensor<8xf32>
      %y = lm.layer_norm %s scale %g : tensor<8xf32> bias %b : tensor<8xf32> eps 1.0e-05 : tensor<?x8xf32> -> tensor<?x8xf32>
      lm.yield %y : tensor<?x8xf32>
    }
    %h2 = lm.block ffn layer 0 (%x = %h1) : tensor<?x8xf32> {
      %w1 = lm.weight @"model.decoder.layers.0.fc1.weight" : tensor<6x8xf32>
      %b1 = lm.weight @"model.decoder.layers.0.fc1.bias" : tensor<6xf32>
      %u = lm.linear %x, %w1 bias %b1 : tensor<?x8xf32>, tensor<6x8xf32>, tensor<6xf32> -> tensor<?x6xf32>
      %act = lm.activation relu %u : tensor<?x6xf32> -> tensor<?x6xf32>
      %w2 = lm.weight @"model.decoder.layers.0.fc2.weight" : tensor<8x6xf32>
      %b2 = lm.weight @"model.decoder.layers.0.fc2.bias" : tensor<8xf32>
      %d = lm.linear %act, %w2 bias %b2 : tensor<?x6xf32>, tensor<8x6xf32>, tensor<8xf32> -> tensor<?x8xf32>
      %s = lm.add %x, %d : tensor<?x8xf32>, tensor<?x8xf32> -> tensor<?x8xf32>
      %g = lm.weight @"model.decoder.layers.0.final_layer_norm.weight" : tensor<8xf32>
      %b = lm.weight @"model.decoder.layers.0.final_layer_norm.bias" : tensor<8xf32>
      %y = lm.layer_norm %s scale %g : tensor<8xf32> bias %b : tensor<8xf32> eps 1.0e-05 : tensor<?x8xf32> -> tensor<?x8xf32>
      lm.yield %y : tensor<?x8xf32>
    }
    %wx = lm.weight @"model.decoder.project_out.weight" : tensor<4x8xf32>
    %z = lm.linear %h2, %wx : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32>
    %head = lm.weight @"model.decoder.embed_tokens.weight" : tensor<11x4xf32>
    %logits = lm.linear %z, %head : tensor<?x4xf32>, tensor<11x4xf32> -> tensor<?x11xf32>
    return %logits : tensor<?x11xf32>
  }
})mlir");
  size_t expectedFunction = expected.find("func.func");
  ASSERT_NE(expectedFunction, std::string::npos) << expected;
  EXPECT_EQ(text.substr(function), expected.substr(expectedFunction));
  EXPECT_HOLDS(text, "lm.position_limit = 5 : i32");
  EXPECT_EQ(model->positionLimit, 5);
}

// Pre-norm: the norm is the first op of each block, and one more stands before the head.
TEST_F(Import, OptPreNorm) {
  folder.write("config.json", std::string(optConfig) + "}");
  writeWeights(optWeights("model.decoder.", 8, true));
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  int blocks = 0, norms = 0;
  model->module->walk([&](lm::BlockOp block) {
    ++blocks;
    auto norm = *block.getBody().getOps<lm::LayerNormOp>().begin();
    EXPECT_EQ(norm.getInput(), block.getBody().getArgument(0));
  });
  model->module->walk([&](lm::LayerNormOp) { ++norms; });
  EXPECT_EQ(blocks, 2);
  EXPECT_EQ(norms, 3);
}

// _remove_final_layer_norm takes the last norm away; its tensors have no place then.
TEST_F(Import, OptWithoutFinalNorm) {
  folder.write("config.json", std::string(optConfig) + ", \"_remove_final_layer_norm\": true}");
  writeWeights(optWeights("model.decoder.", 8, false));
  EXPECT_EQ(errorOf(), "");
  writeWeights(optWeights("model.decoder.", 8, true));
  EXPECT_HOLDS(errorOf(), "tensor \"model.decoder.final_layer_norm.bias\" has no place");
}

// The other prefix seen in the wild, and the version buffer that comes with it.
TEST_F(Import, OptOtherPrefix) {
  folder.write("config.json", std::string(optConfig) + "}");
  writeWeights(optWeights("decoder.", 8, true).add("decoder.version", {1}));
  EXPECT_EQ(errorOf(), "");
}

// Galactica is an OPT whose files say that positions are learned, as they always are.
TEST_F(Import, OptOfGalactica) {
  writeWeights(optWeights("decoder.", 8, true));
  folder.write("config.json", std::string(optConfig) +
                                  R"(, "learned_embeddings": true, "scale_embeddings": false})");
  EXPECT_EQ(errorOf(), "");
  folder.write("config.json", std::string(optConfig) + R"(, "learned_embeddings": false})");
  EXPECT_HOLDS(errorOf(), "\"learned_embeddings\" is false, which is not supported; only true is");
}

// Without biases, without the norms' weights, with another activation, with a head of its own.
TEST_F(Import, OptVariants) {
  folder.write("config.json",
               std::string(optConfig) + R"(, "enable_bias": false, "activation_function": "gelu",
                 "layer_norm_elementwise_affine": false, "tie_word_embeddings": false})");
  SafetensorsWriter weights;
  weights.add("decoder.embed_tokens.weight", {11, 8}).add("decoder.embed_positions.weight", {7, 8});
  for (const char *name :
       {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"})
    weights.add("decoder.layers.0." + std::string(name) + ".weight", {8, 8});
  weights.add("decoder.layers.0.fc1.weight", {6, 8}).add("decoder.layers.0.fc2.weight", {8, 6});
  writeWeights(weights.add("lm_head.weight", {11, 8}));
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  std::string text = print(*model->module);
  model->module->walk(
      [](lm::ActivationOp op) { EXPECT_EQ(op.getKind(), lm::ActivationKind::Gelu); });
  EXPECT_HOLDS(text, "lm.weight @lm_head.weight");
  EXPECT_FALSE(holds(text, "bias"));
}

// The table of positions has two rows more than the config's positions.
TEST_F(Import, OptRefusesAShortTable) {
  folder.write("config.json", std::string(optConfig) + "}");
  SafetensorsWriter weights;
  writeWeights(weights.add("model.decoder.embed_tokens.weight", {11, 8})
                   .add("model.decoder.embed_positions.weight", {5, 8}));
  EXPECT_HOLDS(errorOf(), "\"model.decoder.embed_positions.weight\" has shape [5, 8], and ");
  EXPECT_HOLDS(errorOf(), "makes it [7, 8] (max_position_embeddings + 2, hidden_size)");
}

} // namespace
