// Importing Phi-3: its two fused linears, how the split follows from the tensors, windows, and
// LongRoPE by the context that is asked for.
#include "ImportFixture.h"

using namespace coppice;
using namespace coppice::test;

namespace {

std::string phi3Config(const char *fields) {
  return R"({"model_type": "phi3", "vocab_size": 5, "hidden_size": 16, "intermediate_size": 3,
             "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2,
             "eos_token_id": 0, "pad_token_id": 0)" +
         std::string(fields) + "}";
}

const char *const longrope = R"(, "max_position_embeddings": 64,
  "original_max_position_embeddings": 16, "rope_theta": 100,
  "rope_scaling": {"type": "longrope", "short_factor": [1.0, 2.0], "long_factor": [4.0, 8.0]})";

// Queries, keys and values one after the other in one linear; gate and up in another.
TEST_F(Import, Phi3FusedLinears) {
  writeModel(phi3Config(""));
  std::string text = function();
  const std::string qkv = "qkv_proj.weight rows ", gate = "gate_up_proj.weight rows ";
  EXPECT_HOLDS(text, qkv + "<0 to 15> : tensor<16x16xf32>");
  EXPECT_HOLDS(text, qkv + "<16 to 23> : tensor<8x16xf32>");
  EXPECT_HOLDS(text, qkv + "<24 to 31> : tensor<8x16xf32>");
  EXPECT_HOLDS(text, gate + "<0 to 2> : tensor<3x16xf32>");
  EXPECT_HOLDS(text, gate + "<3 to 5> : tensor<3x16xf32>");
  EXPECT_HOLDS(text, "kv_map [0, 0, 1, 1] scale 5.000000e-01 :");
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  // The activation is of the first half.
  (*model->module)->walk([&](lm::ActivationOp op) {
    auto weight = op.getInput().getDefiningOp<lm::LinearOp>().getWeight();
    EXPECT_EQ(weight.getDefiningOp<lm::WeightOp>().getRows()->getIndices().front(), 0);
  });
}

// What the output linear reads are the queries; the rest is shared by keys and values.
TEST_F(Import, Phi3ShrunkByOthers) {
  std::string self = "model.layers.0.self_attn.", mlp = "model.layers.0.mlp.";
  writeModel(phi3Config(""), {{self + "qkv_proj.weight", {16, 16}},
                              {self + "o_proj.weight", {16, 8}},
                              {mlp + "gate_up_proj.weight", {4, 16}},
                              {mlp + "down_proj.weight", {16, 2}}});
  std::string text = function();
  EXPECT_HOLDS(text, "rows <8 to 11> : tensor<4x16xf32>");
  EXPECT_HOLDS(text, "kv_map [0, 0] scale");
  EXPECT_HOLDS(text, "rows <2, 3> : tensor<2x16xf32>");
  writeModel(phi3Config(""), {{self + "qkv_proj.weight", {20, 16}}});
  EXPECT_HOLDS(errorOf(), "of 20 (rows of \"" + self +
                              "qkv_proj.weight\" of shape [20, 16]) the 16 "
                              "queries (columns of \"" +
                              self +
                              "o_proj.weight\" of shape [16, 16]) "
                              "leave no whole number of key and value heads of 4");
  writeModel(phi3Config(""), {{self + "qkv_proj.weight", {12, 16}}});
  EXPECT_HOLDS(errorOf(), "leave no whole number");
  writeModel(phi3Config(""), {{self + "qkv_proj.weight", {40, 16}}});
  EXPECT_HOLDS(errorOf(), "4 query heads (columns of \"" + self +
                              "o_proj.weight\" of shape "
                              "[16, 16]) do not share 3 KV heads");
  writeModel(phi3Config(""), {{mlp + "gate_up_proj.weight", {5, 16}}});
  EXPECT_HOLDS(errorOf(), "5 (rows of \"" + mlp +
                              "gate_up_proj.weight\" of shape [5, 16]) are not "
                              "two equal parts");
}

// The library takes the short factors up to the trained length and the long ones beyond; here the
// context that is compiled for decides once. sqrt(1 + ln 4 / ln 16) = sqrt(1.5) scales both.
TEST_F(Import, Phi3LongRope) {
  writeModel(phi3Config(longrope));
  auto opened = Checkpoint::open(folder.path());
  ASSERT_TRUE(bool(opened));
  auto frequencies = [&](std::optional<int64_t> positions, bool warns) {
    auto model = importModel(folder.path(), opened->get(), context, positions);
    std::vector<float> found;
    if (!model) {
      ADD_FAILURE() << llvm::toString(model.takeError());
      return found;
    }
    // Texts of up to 16 tokens turn otherwise in transformers: said once, with the way out.
    EXPECT_EQ(model->warnings.size(), warns ? 1u : 0u);
    if (warns)
      EXPECT_HOLDS(model->warnings.front(), "compile with --context 16");
    (*model->module)->walk([&](lm::RopeOp op) {
      found = op.getInvFreq().vec();
      EXPECT_DOUBLE_EQ(op.getMagnitude()->convertToDouble(), 1.2247448713915889);
    });
    return found;
  };
  const std::vector<float> shorter = {1.0f, 0.05f}, longer = {0.25f, 0.0125f};
  EXPECT_EQ(frequencies(std::nullopt, true), longer);
  EXPECT_EQ(frequencies(17, true), longer);
  EXPECT_EQ(frequencies(16, false), shorter);
}

// A list of another length than the heads', and a window that is as long as the context.
TEST_F(Import, Phi3ChecksFactorsAndWindows) {
  writeWeights(SafetensorsWriter());
  std::string text = phi3Config(longrope);
  folder.write("config.json", text.replace(text.find("[4.0, 8.0]"), 10, "[4.0]"));
  EXPECT_HOLDS(errorOf(),
               "holds 1 factors of longrope in a list, and heads that turn 4 wide need 2");
  text = phi3Config(longrope);
  folder.write("config.json", text.replace(text.find("[4.0, 8.0]"), 10, "[4.0, \"x\"]"));
  EXPECT_HOLDS(errorOf(), "holds \"x\", and each must be a number");
  writeModel(phi3Config(", \"sliding_window\": 7, \"max_position_embeddings\": 8"));
  EXPECT_HOLDS(function(), "window 7");
  writeModel(phi3Config(", \"sliding_window\": 8, \"max_position_embeddings\": 8"));
  EXPECT_FALSE(holds(function(), "window"));
}

} // namespace
