// Importing what is common to all families: end tokens, config.json itself; and real models where
// they are at hand.
#include "ImportFixture.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <cstdlib>

using namespace coppice;
using namespace coppice::test;

namespace {

// End tokens: config's and generation_config's together, the family's default where neither says.
TEST_F(Import, EndTokens) {
  writeWeights(llamaWeights());
  using Ids = std::vector<int32_t>;
  const std::tuple<const char *, const char *, Ids> cases[] = {
      {"", "", {2}},
      {R"(, "eos_token_id": 3)", "", {3}},
      {R"(, "eos_token_id": null)", "", {}},
      {R"(, "eos_token_id": 3)", R"({"eos_token_id": [3, 5], "temperature": 0.6})", {3, 5}},
      {"", R"({"eos_token_id": 5})", {5}},
      {"", R"({"temperature": 0.6})", {2}}};
  for (const auto &[config, generation, expected] : cases) {
    folder.write("config.json",
                 std::string(llamaConfig) + ", \"tie_word_embeddings\": true" + config + "}");
    (void)llvm::sys::fs::remove(folder.path("generation_config.json"));
    if (*generation)
      folder.write("generation_config.json", generation);
    auto model = import();
    ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
    EXPECT_EQ(model->stopTokens, expected) << config << generation;
  }
  folder.write("generation_config.json", R"({"eos_token_id": 11})");
  EXPECT_HOLDS(errorOf(), "generation_config.json: field \"eos_token_id\" is 11");
  folder.write("generation_config.json", "[]");
  EXPECT_HOLDS(errorOf(), "generation_config.json: an object is wanted");
}

// A model_type that is not known, or none, names those that are.
TEST_F(Import, RefusesOtherModelTypes) {
  writeWeights(llamaWeights());
  folder.write("config.json", R"({"model_type": "mamba"})");
  EXPECT_HOLDS(errorOf(),
               "\"model_type\" is \"mamba\", which is not supported; supported are: llama, opt");
  folder.write("config.json", "{}");
  EXPECT_HOLDS(errorOf(), "\"model_type\" is missing; supported are: llama, opt");
}

// config.json itself: missing, no object, broken, with a field that changes the model.
TEST_F(Import, RefusesBrokenConfigs) {
  writeWeights(llamaWeights());
  EXPECT_HOLDS(errorOf(), "config.json: cannot read it");
  folder.write("config.json", "");
  EXPECT_HOLDS(errorOf(), "config.json: the file is empty");
  folder.write("config.json", "3");
  EXPECT_HOLDS(errorOf(), "config.json: an object is wanted, and this is 3");
  folder.write("config.json", std::string(200000, '['));
  EXPECT_HOLDS(errorOf(), "nested deeper");
  folder.write("config.json", std::string(llamaConfig) + ", \"sliding_window\": 512}");
  EXPECT_HOLDS(errorOf(), "field \"sliding_window\" is 512");
  folder.write("config.json", std::string(llamaConfig) + ", \"new_trick\": true}");
  EXPECT_HOLDS(errorOf(), "field \"new_trick\" is true, which is not known");
}

//===----------------------------------------------------------------------===//
// Real models, which are not part of the repository
//===----------------------------------------------------------------------===//

std::string realModel(llvm::StringRef name) {
  const char *root = std::getenv("COPPICE_MODELS");
  llvm::SmallString<256> path(root ? root : COPPICE_SOURCE_DIR "/../shared/models");
  llvm::sys::path::append(path, name);
  return llvm::sys::fs::exists(path + "/config.json") ? std::string(path) : "";
}

// A real Llama: five layers, and the facts of its README.
TEST_F(Import, RealLlama) {
  std::string path = realModel("stories260k");
  if (path.empty())
    GTEST_SKIP() << "stories260k is neither in $COPPICE_MODELS nor in ../shared/models";
  auto model = importFrom(path);
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  EXPECT_EQ(model->modelType, "llama");
  EXPECT_EQ(model->context, 512);
  EXPECT_EQ(model->vocab, 512);
  EXPECT_EQ(model->stopTokens, std::vector<int32_t>{2});
  int blocks = 0;
  model->module->walk([&](lm::BlockOp) { ++blocks; });
  EXPECT_EQ(blocks, 10);
  model->module->walk([&](lm::AttentionOp op) {
    EXPECT_EQ(op.getKvMap(), (llvm::ArrayRef<int32_t>{0, 0, 1, 1, 2, 2, 3, 3}));
  });
}

// A real OPT: every tensor of its checkpoint has a place, 1,386,752 parameters in all.
TEST_F(Import, RealOpt) {
  std::string path = realModel("opt-icl");
  if (path.empty())
    GTEST_SKIP() << "opt-icl is neither in $COPPICE_MODELS nor in ../shared/models";
  auto model = importFrom(path);
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  EXPECT_EQ(model->positionLimit, 512);
  EXPECT_EQ(model->bos, 2);
  int64_t parameters = 0;
  for (lm::TensorOp tensor : model->module->getOps<lm::TensorOp>())
    parameters += mlir::cast<mlir::RankedTensorType>(tensor.getType()).getNumElements();
  EXPECT_EQ(parameters, 1386752);
}

} // namespace
