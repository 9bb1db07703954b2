// Widths that the tensors say and config.json does not: checkpoints that other tools have shrunk,
// each layer otherwise, and tensors that do not fit together.
#include "ImportFixture.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include <set>

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
  // A config of another model looks the same: the first tensor that differs is named.
  EXPECT_EQ(model->warnings, (std::vector<std::string>{
                                 "\"" + self(1, "q_proj") +
                                 "\" has 2 rows, and config.json says 8 (num_attention_heads * "
                                 "head_dim): it is taken as cut by another tool; if it was "
                                 "not, correct config.json"}));
  writeModel(twoLayers);
  auto whole = import();
  ASSERT_TRUE(bool(whole)) << llvm::toString(whole.takeError());
  EXPECT_TRUE(whole->warnings.empty());
}

// More heads than the config says are as well the tensors' business where a head_dim of its own
// says how wide they are. Where it was divided, they could be as many and wider: that is refused.
TEST_F(Import, HeadDimDecides) {
  writeModel(R"({"model_type": "llama", "vocab_size": 11, "hidden_size": 8, "head_dim": 4,
                 "intermediate_size": 6, "num_hidden_layers": 1, "num_attention_heads": 2,
                 "num_key_value_heads": 1})",
             {{self(0, "q_proj"), {24, 8}}, {self(0, "o_proj"), {8, 24}}});
  EXPECT_HOLDS(function(), "head_dim 4 kv_map [0, 0, 0, 0, 0, 0]");
  writeModel(twoLayers, {{self(0, "q_proj"), {16, 8}}, {self(0, "o_proj"), {8, 16}}});
  EXPECT_HOLDS(errorOf(), "config.json: 16 (rows of \"" + self(0, "q_proj") +
                              "\" of shape [16, 8]) is more than 8 (num_attention_heads * "
                              "head_dim), and both more heads and wider ones could be meant");
  writeModel(twoLayers, {{self(1, "k_proj"), {8, 8}}, {self(1, "v_proj"), {8, 8}}});
  EXPECT_HOLDS(errorOf(), "is more than 4 (num_key_value_heads * head_dim)");
  std::string fused = "h.0.attn.c_attn.", gpt2 = R"({"model_type": "gpt2", "vocab_size": 11,
      "n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 16})";
  writeModel(gpt2, {{"transformer." + fused + "weight", {8, 48}},
                    {"transformer." + fused + "bias", {48}},
                    {"transformer.h.0.attn.c_proj.weight", {16, 8}}});
  EXPECT_HOLDS(errorOf(), "is more than 8 (n_embd)");
}

// Other tools leave layers without heads or neurons. Their block adds nothing, or what is left of
// the last linear: its bias. Norms of what is not there are not missed.
TEST_F(Import, LayersWithoutHeadsOrNeurons) {
  Changes none;
  for (const char *name : {"q_proj", "k_proj", "v_proj"})
    none[self(1, name)] = {0, 8};
  none[self(1, "o_proj")] = {8, 0};
  for (const char *name : {"gate_proj", "up_proj"})
    none[mlp(1, name)] = {0, 8};
  none[mlp(1, "down_proj")] = {8, 0};
  writeModel(twoLayers, none);
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  int attentions = 0, empty = 0;
  (*model->module)->walk([&](lm::AttentionOp) { ++attentions; });
  (*model->module)->walk([&](lm::BlockOp block) {
    empty +=
        block.getBody().front().getTerminator()->getOperand(0) == block.getBody().getArgument(0);
  });
  EXPECT_EQ(attentions, 1);
  EXPECT_EQ(empty, 2);

  std::string layer = "model.decoder.layers.0.";
  Changes opt = {{layer + "self_attn.out_proj.weight", {8, 0}},
                 {layer + "fc1.weight", {0, 8}},
                 {layer + "fc1.bias", {0}},
                 {layer + "fc2.weight", {8, 0}}};
  for (std::string name : {"q", "k", "v"}) {
    opt[layer + "self_attn." + name + "_proj.weight"] = {0, 8};
    opt[layer + "self_attn." + name + "_proj.bias"] = {0};
  }
  writeModel(R"({"model_type": "opt", "vocab_size": 11, "hidden_size": 8, "ffn_dim": 6,
    "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 5})",
             opt);
  std::string text = function();
  EXPECT_EQ(text.find("lm.attention"), std::string::npos) << text;
  EXPECT_HOLDS(text, "lm.weight @model.decoder.layers.0.self_attn.out_proj.bias");
  EXPECT_HOLDS(text, "lm.weight @model.decoder.layers.0.fc2.bias");

  // Keys without queries are never asked; queries without keys are nothing that can be computed.
  none[self(1, "k_proj")] = none[self(1, "v_proj")] = {4, 8};
  writeModel(twoLayers, none);
  EXPECT_EQ(errorOf(), "");
  none[self(1, "k_proj")] = none[self(1, "v_proj")] = {0, 8};
  none[self(1, "q_proj")] = {4, 8};
  writeModel(twoLayers, none);
  EXPECT_HOLDS(errorOf(), "2 query heads (rows of \"" + self(1, "q_proj") +
                              "\" of shape [4, 8]) do not share 0 KV heads");
}

// The same where the norm stands after the branch: of a bias it is a constant, of nothing nothing;
// and where query, key and value, gate and up lie in one tensor.
TEST_F(Import, EmptyLayersOfOtherBuilds) {
  std::string layer = "model.layers.0.";
  for (bool bias : {false, true}) {
    Changes none = {
        {layer + "self_attn.q_proj.weight", {0, 8}}, {layer + "self_attn.k_proj.weight", {0, 8}},
        {layer + "self_attn.v_proj.weight", {0, 8}}, {layer + "self_attn.o_proj.weight", {8, 0}},
        {layer + "mlp.gate_proj.weight", {0, 8}},    {layer + "mlp.up_proj.weight", {0, 8}},
        {layer + "mlp.down_proj.weight", {8, 0}}};
    for (std::string name : {"q", "k", "v"})
      if (bias)
        none[layer + "self_attn." + name + "_proj.bias"] = {0};
    writeModel(std::string(R"({"model_type": "gemma3_text", "vocab_size": 5, "hidden_size": 8,
        "intermediate_size": 3, "num_hidden_layers": 1, "num_attention_heads": 2, "head_dim": 4,
        "num_key_value_heads": 1, "max_position_embeddings": 16)") +
                   (bias ? R"(, "attention_bias": true})" : "}"),
               none);
    std::string text = function();
    EXPECT_EQ(text.find("lm.attention"), std::string::npos) << text;
    EXPECT_EQ(text.find("lm.rms_norm") != text.rfind("lm.rms_norm"), true) << text;
    EXPECT_EQ(holds(text, "post_attention_layernorm"), bias) << text;
    EXPECT_FALSE(holds(text, "post_feedforward_layernorm")) << text;
  }
  writeModel(R"({"model_type": "phi3", "vocab_size": 5, "hidden_size": 8, "intermediate_size": 3,
                 "num_hidden_layers": 1, "num_attention_heads": 2})",
             {{layer + "self_attn.qkv_proj.weight", {0, 8}},
              {layer + "self_attn.o_proj.weight", {8, 0}},
              {layer + "mlp.gate_up_proj.weight", {0, 8}},
              {layer + "mlp.down_proj.weight", {8, 0}}});
  EXPECT_EQ(function().find("lm.attention"), std::string::npos) << function();
  // A router has nothing to choose among.
  Changes experts;
  for (std::string e : {"0", "1"}) {
    for (const char *name : {".w1.weight", ".w3.weight"})
      experts[layer + "block_sparse_moe.experts." + e + name] = {0, 8};
    experts[layer + "block_sparse_moe.experts." + e + ".w2.weight"] = {8, 0};
  }
  writeModel(R"({"model_type": "mixtral", "vocab_size": 5, "hidden_size": 8, "num_local_experts": 2,
                 "intermediate_size": 3, "num_hidden_layers": 1, "num_attention_heads": 2,
                 "num_key_value_heads": 2})",
             experts);
  EXPECT_HOLDS(errorOf(), "the experts of \"model.layers.0.block_sparse_moe\" have no neurons");
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
      {{{self(0, "q_proj"), {0, 8}}},
       "o_proj.weight\" has shape [8, 8], and " + folder.path("config.json") +
           " with the other tensors makes it [8, 0]"},
      {{{mlp(0, "up_proj"), {48}}}, "up_proj.weight\" has shape [48], and "},
      {{{"model.embed_tokens.weight", {12, 8}}}, "makes it [11, 8] (vocab_size, hidden_size)"},
      {{{mlp(2, "up_proj"), {6, 8}}}, "model.layers.2.mlp.up_proj.weight\" has no place"}};
  for (auto &[changes, message] : cases) {
    writeModel(twoLayers, changes);
    EXPECT_HOLDS(errorOf(), message);
  }
}

// Every extent of every tensor of every tiny model made zero, one at a time: an import without that
// part or an error, and never a graph of nothing.
TEST_F(Import, NoRowsOrColumnsAnywhere) {
  std::string root = COPPICE_SOURCE_DIR "/tests/models/";
  std::error_code code;
  std::set<std::string> types;
  for (llvm::sys::fs::directory_iterator at(root, code), end; !code && at != end;
       at.increment(code)) {
    auto text = llvm::MemoryBuffer::getFile(at->path() + "/config.json");
    ASSERT_TRUE(bool(text)) << at->path();
    llvm::StringRef config = (*text)->getBuffer();
    auto shape = importShape(at->path(), config, context);
    ASSERT_TRUE(bool(shape)) << llvm::toString(shape.takeError());
    if (!types.insert(shape->modelType).second)
      continue;
    int refused = 0, taken = 0;
    for (lm::TensorOp tensor : shape->module->getOps<lm::TensorOp>()) {
      // One layer stands for all.
      if (tensor.getSymName().contains(".1."))
        continue;
      auto extents = llvm::cast<mlir::RankedTensorType>(tensor.getType()).getShape();
      for (size_t axis = 0; axis < extents.size(); ++axis) {
        std::vector<int64_t> changed(extents.begin(), extents.end());
        changed[axis] = 0;
        writeModel(config, {{tensor.getSymName().str(), changed}});
        (errorOf().empty() ? taken : refused) += 1;
      }
    }
    // One tensor alone never is a whole part.
    EXPECT_EQ(taken, 0) << at->path();
    EXPECT_GT(refused, 10) << at->path();
  }
  ASSERT_FALSE(code);
  EXPECT_EQ(types.size(), supportedModelTypes().size());
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
