// Widths that the tensors say and config.json does not: checkpoints that other tools have shrunk,
// each layer otherwise, and tensors that do not fit together.
#include "ImportFixture.h"

using namespace coppice;
using namespace coppice::test;

namespace {

const std::string twoLayers = R"({"model_type": "llama", "vocab_size": 11, "hidden_size": 8,
  "intermediate_size": 6, "num_hidden_layers": 2, "num_attention_heads": 4,
  "num_key_value_heads": 2, "max_position_embeddings": 32, "tie_word_embeddings": true})";

std::string self(int layer, const char *name) {
  return "model.layers." + std::to_string(layer) + ".self_attn." + name + ".weight";
}
std::string mlp(int layer, const char *name) {
  return "model.layers." + std::to_string(layer) + ".mlp." + name + ".weight";
}

// Layer 0 keeps its widths, layer 1 one head on one KV head and five neurons.
TEST_F(Import, LayersOfOtherWidths) {
  writeModel(twoLayers, {{self(1, "q_proj"), {2, 8}},
                         {self(1, "k_proj"), {2, 8}},
                         {self(1, "v_proj"), {2, 8}},
                         {self(1, "o_proj"), {8, 2}},
                         {mlp(1, "gate_proj"), {5, 8}},
                         {mlp(1, "up_proj"), {5, 8}},
                         {mlp(1, "down_proj"), {8, 5}}});
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  std::vector<std::vector<int32_t>> maps;
  std::vector<int64_t> neurons;
  (*model->module)->walk([&](lm::AttentionOp op) { maps.push_back(op.getKvMap().vec()); });
  (*model->module)->walk([&](lm::ActivationOp op) {
    neurons.push_back(lm::rowWidth(op.getType()));
  });
  EXPECT_EQ(maps, (std::vector<std::vector<int32_t>>{{0, 0, 1, 1}, {0}}));
  EXPECT_EQ(neurons, (std::vector<int64_t>{6, 5}));
}

// More heads than the config says are as well the tensors' business; a head_dim of its own says how
// wide they are.
TEST_F(Import, HeadDimDecides) {
  writeModel(R"({"model_type": "llama", "vocab_size": 11, "hidden_size": 8, "head_dim": 4,
                 "intermediate_size": 6, "num_hidden_layers": 1, "num_attention_heads": 2,
                 "num_key_value_heads": 1})",
             {{self(0, "q_proj"), {24, 8}}, {self(0, "o_proj"), {8, 24}}});
  EXPECT_HOLDS(function(), "head_dim 4 kv_map [0, 0, 0, 0, 0, 0]");
}

// The same for OPT, biases included.
TEST_F(Import, OptShrunkByOthers) {
  std::string layer = "model.decoder.layers.0.";
  Changes changes = {{layer + "self_attn.out_proj.weight", {8, 4}},
                     {layer + "fc1.weight", {3, 8}},
                     {layer + "fc1.bias", {3}},
                     {layer + "fc2.weight", {8, 3}}};
  for (std::string name : {"q", "k", "v"}) {
    changes[layer + "self_attn." + name + "_proj.weight"] = {4, 8};
    changes[layer + "self_attn." + name + "_proj.bias"] = {4};
  }
  std::string config = R"({"model_type": "opt", "vocab_size": 11, "hidden_size": 8, "ffn_dim": 6,
    "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 5})";
  writeModel(config, changes);
  std::string text = function();
  EXPECT_HOLDS(text, "head_dim 4 kv_map [0] scale");
  EXPECT_HOLDS(text, "tensor<?x3xf32>");
  changes[layer + "fc1.bias"] = {6};
  writeModel(config, changes);
  EXPECT_HOLDS(errorOf(), "\"model.decoder.layers.0.fc1.bias\" has shape [6], and ");
  EXPECT_HOLDS(errorOf(), "config.json with the other tensors makes it [3] (rows of "
                          "\"model.decoder.layers.0.fc1.weight\" of shape [3, 8])");
}

// Tensors that do not fit together: the error names both, with both shapes.
TEST_F(Import, WidthsThatDoNotFit) {
  struct {
    Changes changes;
    std::string message;
  } cases[] = {
      {{{self(0, "v_proj"), {2, 8}}},
       "v_proj.weight\" has shape [2, 8], and " + folder.path("config.json") +
           " with the other tensors makes it [4, 8] (rows of \"" + self(0, "k_proj") +
           "\" of shape [4, 8], hidden_size)"},
      {{{self(0, "q_proj"), {4, 8}}},
       "o_proj.weight\" has shape [8, 8], and " + folder.path("config.json") +
           " with the other tensors makes it [8, 4] (hidden_size, rows of \"" + self(0, "q_proj") +
           "\" of shape [4, 8])"},
      {{{mlp(1, "gate_proj"), {7, 8}}},
       "gate_proj.weight\" has shape [7, 8], and " + folder.path("config.json") +
           " with the other tensors makes it [6, 8] (rows of \"" + mlp(1, "up_proj") +
           "\" of shape [6, 8], hidden_size)"},
      {{{mlp(1, "down_proj"), {8, 7}}}, "down_proj.weight\" has shape [8, 7], and "},
      {{{self(0, "q_proj"), {5, 8}}},
       "5 (rows of \"" + self(0, "q_proj") +
           "\" of shape [5, 8]) is no whole number of heads of 2"},
      {{{self(0, "q_proj"), {6, 8}}},
       "3 query heads (rows of \"" + self(0, "q_proj") +
           "\" of shape [6, 8]) do not share 2 KV heads (rows of \"" + self(0, "k_proj") +
           "\" of shape [4, 8]) evenly, at heads of 2"},
      // hidden_size, vocab_size and the number of layers stay the config's.
      {{{self(0, "q_proj"), {8, 9}}},
       "q_proj.weight\" has shape [8, 9], and " + folder.path("config.json") +
           " makes it [8, 8] (num_attention_heads * head_dim, hidden_size)"},
      {{{self(0, "q_proj"), {0, 8}}}, "q_proj.weight\" has shape [0, 8], and "},
      {{{mlp(0, "up_proj"), {48}}}, "up_proj.weight\" has shape [48], and "},
      {{{"model.embed_tokens.weight", {12, 8}}}, "makes it [11, 8] (vocab_size, hidden_size)"},
      {{{mlp(2, "up_proj"), {6, 8}}}, "model.layers.2.mlp.up_proj.weight\" has no place"}};
  for (auto &[changes, message] : cases) {
    writeModel(twoLayers, changes);
    EXPECT_HOLDS(errorOf(), message);
  }
}

// A tensor of more rows than any number of heads can be is measured against the file, not believed:
// nothing as long as it claims is ever made.
TEST_F(Import, HostileWidths) {
  writeModel(twoLayers, {{self(0, "q_proj"), {int64_t(1) << 40, 0}}});
  EXPECT_HOLDS(errorOf(), "q_proj.weight\" has shape [1099511627776, 0], and ");
  auto shape = [&](const char *fields) {
    std::string config = R"({"model_type": "phi3", "vocab_size": 11, "hidden_size": 8,
                             "num_hidden_layers": 1, )" +
                         std::string(fields) + "}";
    return messageOf(importShape("config.json", config, context));
  };
  EXPECT_HOLDS(shape(R"("intermediate_size": 2147483647, "num_attention_heads": 1)"),
               "\"intermediate_size\" is 2147483647, which is not an integer from 1 to 4194304");
  EXPECT_HOLDS(shape(R"("intermediate_size": 8, "num_attention_heads": 65536, "head_dim": 65536)"),
               "makes 4294967296 columns of heads 65536 wide, and at most 4194304 are read");
  // The widest that is read fits the lists that cut fused tensors.
  EXPECT_EQ(shape(R"("intermediate_size": 4194304, "num_attention_heads": 64, "head_dim": 65536)"),
            "");
}

} // namespace
