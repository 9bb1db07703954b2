// Importing Falcon: how each of its builds lays out the fused linear, which norms its blocks read,
// and what is refused.
#include "ImportFixture.h"

using namespace coppice;
using namespace coppice::test;

namespace {

std::string falconConfig(const char *fields) {
  return R"({"model_type": "falcon", "vocab_size": 5, "hidden_size": 8, "ffn_hidden_size": 3,
             "num_hidden_layers": 1, "num_attention_heads": 4, "max_position_embeddings": 16)" +
         std::string(fields) + "}";
}

/// What a layer's blocks look like, in one line each.
struct Layer {
  std::vector<std::string> fused; // rows of the fused linear's parts, in the order of use
  std::vector<int32_t> kvMap;
  std::string attentionNorm, ffnNorm; // the tensor that scales it, and what the norm reads
};

Layer describe(mlir::ModuleOp module) {
  Layer layer;
  module.walk([&](lm::WeightOp weight) {
    if (weight.getTensor() != "transformer.h.0.self_attention.query_key_value.weight")
      return;
    std::string text;
    llvm::raw_string_ostream stream(text);
    llvm::interleave(weight.getRows()->getIndices(), stream, " ");
    layer.fused.push_back(text);
  });
  module.walk([&](lm::AttentionOp op) { layer.kvMap = op.getKvMap().vec(); });
  module.walk([&](lm::LayerNormOp norm) {
    auto block = norm->getParentOfType<lm::BlockOp>();
    if (!block)
      return;
    bool own = norm.getInput() == block.getBody().getArgument(0);
    auto attention = norm.getInput().getDefiningOp<lm::BlockOp>();
    std::string text =
        norm.getScale().getDefiningOp<lm::WeightOp>().getTensor().split("h.0.").second.str() +
        (own         ? " of the residual"
         : attention ? " of a block"
                     : " of the layer's input");
    (block.getKind() == lm::BlockKind::Attention ? layer.attentionNorm : layer.ffnNorm) = text;
  });
  return layer;
}

// 7B: all queries, then the one key and the one value; both blocks read one norm, which stands in
// each.
TEST_F(Import, FalconMultiQuery) {
  writeModel(falconConfig(""));
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  Layer layer = describe(*model->module);
  EXPECT_EQ(layer.fused, (std::vector<std::string>{"0 1 2 3 4 5 6 7", "8 9", "10 11"}));
  EXPECT_EQ(layer.kvMap, (std::vector<int32_t>{0, 0, 0, 0}));
  EXPECT_EQ(layer.attentionNorm, "input_layernorm.weight of the residual");
  EXPECT_EQ(layer.ffnNorm, "input_layernorm.weight of the layer's input");
  EXPECT_FALSE(holds(print(*model->module), "query_key_value.bias"));
}

// Where all heads share the one KV head, how many the config says there are means nothing, as in
// the library.
TEST_F(Import, FalconMultiQueryIgnoresKvHeads) {
  writeModel(falconConfig(R"(, "num_kv_heads": 3)"));
  EXPECT_HOLDS(function(), "kv_map [0, 0, 0, 0]");
}

// 40B: group by group two queries, a key and a value; a norm for each block.
TEST_F(Import, FalconGrouped) {
  writeModel(
      falconConfig(R"(, "new_decoder_architecture": true, "num_kv_heads": 2, "bias": true)"));
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  Layer layer = describe(*model->module);
  EXPECT_EQ(layer.fused, (std::vector<std::string>{"0 1 2 3 8 9 10 11", "4 5 12 13", "6 7 14 15"}));
  EXPECT_EQ(layer.kvMap, (std::vector<int32_t>{0, 0, 1, 1}));
  EXPECT_EQ(layer.attentionNorm, "ln_attn.weight of the residual");
  EXPECT_EQ(layer.ffnNorm, "ln_mlp.weight of the layer's input");
  EXPECT_HOLDS(print(*model->module), "query_key_value.bias rows <0 to 3, 8 to 11>");
}

// 11B: the 40B's layout with one norm, and a head of its own.
TEST_F(Import, FalconGroupedOneNorm) {
  writeModel(falconConfig(R"(, "new_decoder_architecture": true, "num_kv_heads": 2,
                            "num_ln_in_parallel_attn": 1, "tie_word_embeddings": false,
                            "ff_factor": 4)"));
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  Layer layer = describe(*model->module);
  EXPECT_EQ(layer.attentionNorm, "input_layernorm.weight of the residual");
  EXPECT_EQ(layer.ffnNorm, "input_layernorm.weight of the layer's input");
  EXPECT_HOLDS(print(*model->module), "lm.weight @lm_head.weight : tensor<5x8xf32>");
}

// One after the other: head by head a query, a key and a value; the ffn block reads the attention
// block's result.
TEST_F(Import, FalconSequential) {
  writeModel(falconConfig(R"(, "multi_query": false, "parallel_attn": false, "alibi": false)"));
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  Layer layer = describe(*model->module);
  EXPECT_EQ(layer.fused, (std::vector<std::string>{"0 1 6 7 12 13 18 19", "2 3 8 9 14 15 20 21",
                                                   "4 5 10 11 16 17 22 23"}));
  EXPECT_EQ(layer.attentionNorm, "input_layernorm.weight of the residual");
  EXPECT_EQ(layer.ffnNorm, "post_attention_layernorm.weight of the residual");
}

// Heads that another tool has cut: each layout's own arithmetic says how many are left.
TEST_F(Import, FalconShrunkByOthers) {
  std::string base = "transformer.h.0.self_attention.";
  writeModel(falconConfig(""),
             {{base + "query_key_value.weight", {8, 8}}, {base + "dense.weight", {8, 4}}});
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  EXPECT_EQ(describe(*model->module).fused, (std::vector<std::string>{"0 1 2 3", "4 5", "6 7"}));
  writeModel(falconConfig(""), {{base + "query_key_value.weight", {5, 8}}});
  EXPECT_HOLDS(errorOf(), "5 (rows of \"" + base +
                              "query_key_value.weight\" of shape [5, 8]) is no "
                              "whole number of query, key and value heads of 2");
  // No query heads, with the one KV head and without it.
  for (int64_t rows : {4, 0}) {
    writeModel(falconConfig(""),
               {{base + "query_key_value.weight", {rows, 8}}, {base + "dense.weight", {8, 0}}});
    EXPECT_EQ(function().find("lm.attention"), std::string::npos) << function();
    EXPECT_HOLDS(function(), "lm.activation");
  }
  writeModel(falconConfig(R"(, "new_decoder_architecture": true, "num_kv_heads": 2)"),
             {{base + "query_key_value.weight", {12, 8}}});
  EXPECT_HOLDS(errorOf(), "heads of 2 in groups of 2, 1 and 1");
}

// Kinds of Falcon that are not supported, and contradictions, by field.
TEST_F(Import, FalconRefusals) {
  writeWeights(SafetensorsWriter());
  const std::pair<const char *, const char *> cases[] = {
      {R"(, "alibi": true)", "\"alibi\" is true, which is not supported: attention with linear"},
      {R"(, "new_decoder_architecture": true, "parallel_attn": false)",
       "\"parallel_attn\" is false, which is not supported beside new_decoder_architecture"},
      {R"(, "num_ln_in_parallel_attn": 2)", "needs new_decoder_architecture"},
      {R"(, "num_ln_in_parallel_attn": 3)", "is not an integer from 1 to 2"},
      {R"(, "new_decoder_architecture": true, "num_kv_heads": 3)",
       "\"num_kv_heads\" is 3, which does not divide num_attention_heads"},
      {R"(, "multi_query": false, "num_kv_heads": 2)",
       "\"num_kv_heads\" is 2, which disagrees with num_attention_heads, 4: without multi_query"},
      {R"(, "activation": "tanh")", "\"activation\" is \"tanh\""}};
  for (auto [fields, message] : cases) {
    folder.write("config.json", falconConfig(fields));
    EXPECT_HOLDS(errorOf(), message);
  }
}

} // namespace
