// Importing Gemma 2 and 3: which layers see a window, what caps and turns them, and what is
// refused.
#include "ImportFixture.h"

using namespace coppice;
using namespace coppice::test;

namespace {

std::string gemmaConfig(const char *type, int layers, const char *fields) {
  return std::string(R"({"model_type": ")") + type + R"(", "num_hidden_layers": )" +
         std::to_string(layers) +
         R"(, "vocab_size": 5, "hidden_size": 8, "intermediate_size": 3, "num_attention_heads": 2,
             "num_key_value_heads": 1, "head_dim": 4, "max_position_embeddings": 16,
             "query_pre_attn_scalar": 16, "sliding_window": 6, "eos_token_id": 0, "pad_token_id": 0)" +
         fields + "}";
}

/// (window, soft cap, second frequency) of each layer's attention; 0 for what it has not.
std::vector<std::array<double, 3>> attentions(mlir::ModuleOp module) {
  std::vector<std::array<double, 3>> found;
  module.walk([&](lm::AttentionOp op) {
    auto rope = op.getQuery().getDefiningOp<lm::RopeOp>();
    found.push_back({double(op.getWindow().value_or(0)),
                     op.getSoftcap() ? op.getSoftcap()->convertToDouble() : 0,
                     rope.getInvFreq()[1]});
    EXPECT_EQ(op.getScale().convertToDouble(), 0.25);
  });
  return found;
}

// Gemma 1 was trained with the tanh form: "gelu" in the older field means it, in the newer one it
// means what it says.
TEST_F(Import, GemmaActivations) {
  auto with = [&](const char *fields) {
    writeModel(R"({"model_type": "gemma", "num_hidden_layers": 1, "vocab_size": 5, "hidden_size": 8,
        "intermediate_size": 3, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4,
        "eos_token_id": 0, "pad_token_id": 0)" +
               std::string(fields) + "}");
    return function();
  };
  EXPECT_HOLDS(with(""), "lm.activation  gelu_tanh %");
  EXPECT_HOLDS(with(R"(, "hidden_act": "gelu")"), "lm.activation  gelu_tanh %");
  EXPECT_HOLDS(with(R"(, "hidden_act": "gelu", "hidden_activation": "gelu_pytorch_tanh")"),
               "lm.activation  gelu_tanh %");
  EXPECT_HOLDS(with(R"(, "hidden_activation": "gelu")"), "lm.activation  gelu %");
}

// Every second layer of Gemma 2 is global, the first local; both caps are on unless they are null.
TEST_F(Import, Gemma2LayersAndCaps) {
  writeModel(gemmaConfig("gemma2", 3, ""));
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  std::vector<std::array<double, 3>> wanted = {{6, 50, 0.01f}, {0, 50, 0.01f}, {6, 50, 0.01f}};
  EXPECT_EQ(attentions(*model->module), wanted);
  EXPECT_HOLDS(function(), "lm.softcap");
  writeModel(gemmaConfig("gemma2", 1,
                         R"(, "attn_logit_softcapping": null, "final_logit_softcapping": null)"));
  EXPECT_EQ(function().find("softcap"), std::string::npos);
}

// Gemma 3 turns local layers by another base; the older field says every which layer is global.
TEST_F(Import, Gemma3LocalLayersTurnOtherwise) {
  writeModel(gemmaConfig("gemma3_text", 2, R"(, "sliding_window_pattern": 2, "rope_theta": 10000,
                         "rope_local_base_freq": 100)"));
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  std::vector<std::array<double, 3>> wanted = {{6, 0, 0.1f}, {0, 0, 0.01f}};
  EXPECT_EQ(attentions(*model->module), wanted);
}

// transformers 5 writes an object of rotary parameters for each type of layers: the same graph as
// of the older fields. Each must be there, and nothing beside them.
TEST_F(Import, Gemma3NestedRopeParameters) {
  writeModel(gemmaConfig("gemma3_text", 2, R"(, "sliding_window_pattern": 2, "rope_theta": 5000,
      "rope_scaling": {"rope_type": "linear", "factor": 8.0}, "rope_local_base_freq": 100)"));
  std::string older = function();
  auto newer = [&](const char *parameters) {
    folder.write("config.json",
                 gemmaConfig("gemma3_text", 2,
                             (R"(, "layer_types": ["sliding_attention", "full_attention"],
                                  "dtype": "float32", "use_bidirectional_attention": false,
                                  "rope_parameters": )" +
                              std::string(parameters))
                                 .c_str()));
    return function();
  };
  EXPECT_EQ(newer(R"({"full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 5000},
                      "sliding_attention": {"rope_type": "default", "rope_theta": 100}})"),
            older);
  EXPECT_HOLDS(newer(R"({"full_attention": {"rope_type": "default"}})"),
               "field \"rope_parameters.sliding_attention\" is missing");
  EXPECT_HOLDS(newer(R"({"full_attention": {}, "sliding_attention": {}, "rope_theta": 1e6})"),
               "field \"rope_parameters.rope_theta\" is 1000000");
}

// A local layer without a window is no model of transformers.
TEST_F(Import, GemmaWantsAWindow) {
  writeModel(gemmaConfig("gemma2", 1, ""));
  EXPECT_HOLDS(function(), "window 6");
  for (const char *type : {"gemma2", "gemma3_text"}) {
    std::string text = gemmaConfig(type, 1, "");
    text.replace(text.find("\"sliding_window\": 6"), 19, "\"sliding_window\": null");
    folder.write("config.json", text);
    EXPECT_HOLDS(errorOf(),
                 "field \"sliding_window\" is null, which is no value, and one is needed");
  }
}

// Applying a cap that transformers does not apply would answer otherwise than it does.
TEST_F(Import, Gemma3RefusesACapOfScores) {
  writeModel(gemmaConfig("gemma3_text", 1, R"(, "attn_logit_softcapping": null)"));
  EXPECT_NE(function().find("lm.attention"), std::string::npos);
  folder.write("config.json", gemmaConfig("gemma3_text", 1, R"(, "attn_logit_softcapping": 2)"));
  EXPECT_HOLDS(errorOf(), "field \"attn_logit_softcapping\" is 2, which transformers reads in this "
                          "family and does not apply; only null is supported");
}

} // namespace
