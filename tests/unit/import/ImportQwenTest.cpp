// Importing Qwen 2 and 3: which layers have a window, by whichever field says it, and configs that
// contradict themselves.
#include "ImportFixture.h"

using namespace coppice;
using namespace coppice::test;

namespace {

std::string qwenConfig(const char *type, const char *fields) {
  return std::string(R"({"model_type": ")") + type +
         R"(", "vocab_size": 5, "hidden_size": 8, "intermediate_size": 3, "num_hidden_layers": 3,
             "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 32)" +
         fields + "}";
}

std::vector<int64_t> windowsOf(mlir::ModuleOp module) {
  std::vector<int64_t> windows;
  module.walk([&](lm::AttentionOp op) { windows.push_back(op.getWindow().value_or(0)); });
  return windows;
}

// layer_types decides where it stands, as in the library, and max_window_layers where it does not;
// both ask for a window only where one is used.
TEST_F(Import, QwenWindows) {
  using Windows = std::vector<int64_t>;
  const std::pair<const char *, Windows> cases[] = {
      {"", {0, 0, 0}},
      {R"(, "sliding_window": 7, "max_window_layers": 1)", {0, 0, 0}},
      {R"(, "use_sliding_window": true, "sliding_window": 7, "max_window_layers": 1)", {0, 7, 7}},
      {R"(, "use_sliding_window": true, "sliding_window": 7, "max_window_layers": 1,
           "layer_types": ["sliding_attention", "full_attention", "full_attention"])",
       {7, 0, 0}},
      {R"(, "use_sliding_window": false, "sliding_window": 7,
           "layer_types": ["full_attention", "full_attention", "full_attention"])",
       {0, 0, 0}}};
  for (const char *type : {"qwen2", "qwen3"})
    for (const auto &[fields, windows] : cases) {
      writeModel(qwenConfig(type, fields));
      auto model = import();
      ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
      EXPECT_EQ(windowsOf(*model->module), windows) << type << fields;
    }
}

// Layers of sliding attention, and no window that is used: transformers raises an error when such a
// model runs.
TEST_F(Import, QwenRefusesWindowsThatAreNotUsed) {
  writeWeights(SafetensorsWriter());
  for (const char *type : {"qwen2", "qwen3"})
    for (const char *used :
         {R"("use_sliding_window": false, "sliding_window": 7)",
          R"("use_sliding_window": true, "sliding_window": null)", R"("sliding_window": 7)"}) {
      std::string fields = std::string(", ") + used +
                           R"(, "layer_types": ["sliding_attention", "full_attention",
                               "sliding_attention"])";
      folder.write("config.json", qwenConfig(type, fields.c_str()));
      EXPECT_HOLDS(errorOf(), "field \"layer_types\" is [");
      EXPECT_HOLDS(errorOf(), "has layers of sliding_attention, and no window is used: "
                              "use_sliding_window is not true, or sliding_window is null");
    }
}

// Coder's files say that heads are normed, which always is so; 1M's ask for another attention
// beyond a length, which is refused with what can be done.
TEST_F(Import, QwenFieldsOfVariants) {
  writeModel(qwenConfig("qwen3", R"(, "use_qk_norm": true)"));
  EXPECT_HOLDS(function(), "group 128");
  folder.write("config.json",
               qwenConfig("qwen2", R"(, "dual_chunk_attention_config": {"chunk_size": 262144,
                   "local_size": 8192, "original_max_position_embeddings": 262144})"));
  EXPECT_HOLDS(errorOf(), "\"dual_chunk_attention_config\" is {");
  EXPECT_HOLDS(errorOf(), "remove the field, and compile with --context of at most");
}

} // namespace
