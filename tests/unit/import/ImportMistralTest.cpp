// Importing Mistral: Llama's graph, its own defaults, and windows.
#include "ImportFixture.h"

using namespace coppice;
using namespace coppice::test;

namespace {

std::string mistralConfig(const char *fields) {
  return R"({"model_type": "mistral", "vocab_size": 5, "hidden_size": 32, "intermediate_size": 3,
             "num_hidden_layers": 2, "num_attention_heads": 16)" +
         std::string(fields) + "}";
}

// What a config leaves out: eight KV heads and a window of 4096 in every layer; null says heads
// that share nothing, and no window.
TEST_F(Import, MistralDefaults) {
  writeModel(mistralConfig(""));
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  int layers = 0;
  (*model->module)->walk([&](lm::AttentionOp op) {
    ++layers;
    EXPECT_EQ(op.getWindow(), 4096u);
    EXPECT_EQ(op.getNumKvHeads(), 8);
  });
  EXPECT_EQ(layers, 2);
  EXPECT_EQ(model->context, 131072);
  writeModel(mistralConfig(R"(, "num_key_value_heads": null, "sliding_window": null)"));
  model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  (*model->module)->walk([&](lm::AttentionOp op) {
    EXPECT_FALSE(op.getWindow());
    EXPECT_EQ(op.getNumKvHeads(), 16);
  });
}

// A window that reaches as far as the context that is asked for is none.
TEST_F(Import, MistralWindowOfTheContext) {
  writeModel(mistralConfig(R"(, "sliding_window": 12)"));
  auto opened = Checkpoint::open(folder.path());
  ASSERT_TRUE(bool(opened));
  for (auto [positions, slides] : {std::pair<int64_t, bool>{13, true}, {12, false}, {5, false}}) {
    auto model = importModel(folder.path(), opened->get(), context, positions);
    ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
    (*model->module)->walk([slides = slides](lm::AttentionOp op) {
      EXPECT_EQ(op.getWindow().has_value(), slides);
    });
  }
  folder.write("config.json", mistralConfig(R"(, "sliding_window": 0)"));
  EXPECT_HOLDS(errorOf(), "\"sliding_window\" is 0, which is not an integer from 1");
}

} // namespace
