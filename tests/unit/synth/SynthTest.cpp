// What a shape's checkpoint holds: counts known from the models' papers, kinds of numbers by use,
// and the errors of configs. Whole folders are tested in tests/e2e/synth.test.
#include "compiler/synth/Synth.h"
#include "compiler/synth/Shapes.h"
#include <gtest/gtest.h>

using namespace coppice;

namespace {

std::vector<SynthTensor> described(llvm::StringRef config) {
  auto tensors = describeShape("config", config);
  if (!tensors) {
    ADD_FAILURE() << llvm::toString(tensors.takeError());
    return {};
  }
  return *tensors;
}

uint64_t parameters(const std::vector<SynthTensor> &tensors) {
  uint64_t sum = 0;
  for (const SynthTensor &tensor : tensors) {
    uint64_t product = 1;
    for (int64_t extent : tensor.shape)
      product *= uint64_t(extent);
    sum += product;
  }
  return sum;
}

const SynthTensor &named(const std::vector<SynthTensor> &tensors, llvm::StringRef name) {
  for (const SynthTensor &tensor : tensors)
    if (tensor.name == name)
      return tensor;
  ADD_FAILURE() << name.str();
  return tensors.front();
}

} // namespace

// TinyLlama's published 1,100,048,384 parameters: 2 * 32000 * 2048 for the embedding and the head,
// and 22 layers of 2 * 2048^2 + 2 * 256 * 2048 + 3 * 5632 * 2048 + 2 * 2048, and the last norm.
TEST(Synth, LlamaHasItsParameters) {
  auto tensors = described(*namedShape("llama-1.1b"));
  EXPECT_EQ(tensors.size(), 2u + 22 * 9 + 1);
  EXPECT_EQ(parameters(tensors), 1100048384u);
  EXPECT_EQ(named(tensors, "model.layers.21.self_attn.k_proj.weight").shape,
            (llvm::SmallVector<int64_t, 2>{256, 2048}));
}

// OPT-1.3B's published 1,315,758,080 parameters, the tied head counted once.
TEST(Synth, OptHasItsParameters) {
  auto tensors = described(*namedShape("opt-1.3b"));
  EXPECT_EQ(parameters(tensors), 1315758080u);
  EXPECT_EQ(named(tensors, "model.decoder.embed_positions.weight").shape,
            (llvm::SmallVector<int64_t, 2>{2050, 2048}));
}

// Matrices keep the size of what they multiply, norms are about one, and neither a bias nor a norm
// is a constant that could be folded away.
TEST(Synth, NumbersFollowFromTheUse) {
  auto tensors = described(*namedShape("opt-1.3b"));
  Normal up = named(tensors, "model.decoder.layers.0.fc2.weight").normal;
  EXPECT_EQ(up.mean, 0);
  EXPECT_FLOAT_EQ(up.deviation, 1 / 90.509668f); // the root of 8192
  Normal tied = named(tensors, "model.decoder.embed_tokens.weight").normal;
  EXPECT_FLOAT_EQ(tied.deviation, 1 / 45.254834f); // the root of 2048
  Normal norm = named(tensors, "model.decoder.layers.0.final_layer_norm.weight").normal;
  EXPECT_EQ(norm.mean, 1);
  EXPECT_GT(norm.deviation, 0);
  Normal bias = named(tensors, "model.decoder.layers.0.final_layer_norm.bias").normal;
  EXPECT_EQ(bias.mean, 0);
  EXPECT_GT(bias.deviation, 0);
  Normal positions = named(tensors, "model.decoder.embed_positions.weight").normal;
  EXPECT_FLOAT_EQ(positions.deviation, 0.02f);
}

// Errors name the text and the field; a field that is not understood is refused as it is by
// compile.
TEST(Synth, RefusesBadConfigs) {
  auto message = [](llvm::StringRef config) {
    auto tensors = describeShape("c.json", config);
    return tensors ? std::string() : llvm::toString(tensors.takeError());
  };
  EXPECT_EQ(message("[]"), "c.json: an object is wanted, and this is []");
  EXPECT_NE(message(R"({"model_type": "lama"})").find("did you mean \"llama\"?"),
            std::string::npos);
  EXPECT_NE(message(R"({"model_type": "llama", "vocab_size": 5.5})")
                .find("c.json: field \"vocab_size\" is 5.5"),
            std::string::npos);
  EXPECT_NE(message("{").find("c.json:1:"), std::string::npos);
  EXPECT_FALSE(namedShape("llama-1b"));
}
