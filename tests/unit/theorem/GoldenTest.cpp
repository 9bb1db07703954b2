// Outside truth for the evaluator, the importer and the masks: logits that Hugging Face's
// transformers computed in float32 for tiny random models, dense and masked by hooks.
#include "tests/support/GoldenFile.h"
#include "tests/unit/theorem/Theorem.h"
#include "llvm/Support/MemoryBuffer.h"
#include <gtest/gtest.h>

using namespace coppice::test;

namespace {

class Golden : public ::testing::TestWithParam<const char *> {};

// The float64 evaluator agrees with float32 logits from elsewhere to float32's accuracy, dense and
// under three plans, masked and shrunk.
TEST_P(Golden, AgreesWithTransformers) {
  std::string name = GetParam();
  auto model = Model::open(std::string(COPPICE_TESTS) + "/models/" + name);
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  for (std::string run : {"dense", "plan-a", "plan-b", "plan-c"}) {
    std::string base = std::string(COPPICE_TESTS) + "/golden/models/" + name + "/" + run;
    auto golden = readGolden(base + ".safetensors");
    ASSERT_TRUE(bool(golden)) << llvm::toString(golden.takeError());
    Matrix wanted(golden->tokens.size(), golden->vocab);
    for (size_t i = 0; i < golden->logits.size(); ++i)
      wanted.data()[i] = golden->logits[i];
    std::optional<std::string> plan;
    if (run != "dense") {
      auto text = llvm::MemoryBuffer::getFile(base + ".json");
      ASSERT_TRUE(bool(text)) << base;
      plan = (*text)->getBuffer().str();
    }
    auto masked = model.get()->mask(plan);
    ASSERT_TRUE(bool(masked)) << llvm::toString(masked.takeError());
    auto shrunk = model.get()->shrink(**masked);
    ASSERT_TRUE(bool(shrunk)) << llvm::toString(shrunk.takeError());
    for (mlir::ModuleOp module : {**masked, **shrunk}) {
      auto got = model.get()->logits(module, golden->tokens);
      ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
      EXPECT_EQ(compare(*got, wanted, 1e-4), "") << name << ", " << run;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Theorem, Golden,
    ::testing::Values("opt-pre", "opt-post", "llama-gqa", "llama-rope3", "llama-linear",
                      "llama-uneven", "gpt2", "gpt2-published", "neox-parallel",
                      "neox-parallel-full", "neox-sequential", "falcon-multi-query",
                      "falcon-grouped", "falcon-grouped-one-norm", "falcon-sequential", "phi-1",
                      "phi-2", "phi3-window", "phi3-longrope", "mistral-window", "mistral-full",
                      "qwen2-bias", "qwen2-window", "qwen3-norms", "starcoder2-window",
                      "gemma-one-kv", "gemma2-caps", "gemma3-local", "gemma3-pattern",
                      "mixtral-ties", "mixtral-window", "qwen3-moe-renorm", "qwen3-moe-mixed"),
    [](const ::testing::TestParamInfo<const char *> &info) {
      std::string name = info.param;
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

} // namespace
