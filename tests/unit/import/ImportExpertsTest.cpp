// Importing layers of experts: Mixtral and Qwen3-MoE, and checkpoints whose layers keep different
// experts.
#include "ImportFixture.h"

using namespace coppice;
using namespace coppice::test;

namespace {

std::string mixtralConfig(const char *fields = "") {
  return R"({"model_type": "mixtral", "vocab_size": 5, "hidden_size": 16, "intermediate_size": 6,
             "num_hidden_layers": 2, "num_attention_heads": 8, "num_local_experts": 4,
             "sliding_window": 7, "max_position_embeddings": 32, "router_jitter_noise": 0.1)" +
         std::string(fields) + "}";
}

std::string qwenConfig(const char *fields = "") {
  return R"({"model_type": "qwen3_moe", "vocab_size": 5, "hidden_size": 16, "intermediate_size": 9,
             "moe_intermediate_size": 6, "num_hidden_layers": 4, "num_attention_heads": 4,
             "num_experts": 5, "num_experts_per_tok": 3, "max_position_embeddings": 32)" +
         std::string(fields) + "}";
}

/// The experts of each layer, 0 for a layer with an FFN.
std::vector<int64_t> expertsOf(mlir::ModuleOp module) {
  std::vector<int64_t> counts;
  module.walk([&](lm::BlockOp block) {
    if (block.getKind() != lm::BlockKind::Ffn)
      return;
    auto moe = block.getBody().front().getOps<lm::MoeOp>();
    counts.push_back(moe.empty() ? 0 : int64_t((*moe.begin()).getExperts().size()));
  });
  return counts;
}

} // namespace

// Every layer has a router of as many rows as experts; two are picked unless the config says
// otherwise, their weights sum to one, and gate, up and down are w1, w3 and w2.
TEST_F(Import, MixtralExperts) {
  writeModel(mixtralConfig());
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  EXPECT_EQ(expertsOf(*model->module), (std::vector<int64_t>{4, 4}));
  (*model->module)->walk([&](lm::MoeOp moe) {
    EXPECT_EQ(moe.getTopK(), 2u);
    EXPECT_TRUE(moe.getNormalize());
    auto router = moe.getScores().getDefiningOp<lm::LinearOp>();
    EXPECT_EQ(router.getInput(), moe.getInput());
    for (auto [e, expert] : llvm::enumerate(moe.getExperts())) {
      std::vector<std::string> tensors;
      expert.walk([&](lm::LinearOp linear) {
        tensors.push_back(linear.getWeight().getDefiningOp<lm::WeightOp>().getTensor().str());
      });
      ASSERT_EQ(tensors.size(), 3u);
      for (int i = 0; i < 3; ++i)
        EXPECT_TRUE(llvm::StringRef(tensors[i])
                        .ends_with("block_sparse_moe.experts." + std::to_string(e) +
                                   (i == 0   ? ".w1.weight"
                                    : i == 1 ? ".w3.weight"
                                             : ".w2.weight")))
            << tensors[i];
    }
  });
  (*model->module)->walk([&](lm::AttentionOp op) {
    EXPECT_EQ(op.getWindow(), 7u);
    EXPECT_EQ(op.getNumKvHeads(), 8);
  });
}

// Other tools may have cut experts and their neurons, layer by layer: the tensors say how many
// there are and how wide.
TEST_F(Import, MixtralOfDifferentLayers) {
  std::string layer = "model.layers.1.block_sparse_moe.";
  Changes changes = {{layer + "gate.weight", {3, 16}}};
  for (std::string e : {"0", "1", "2", "3"}) {
    bool there = e != "3";
    using Shape = std::vector<int64_t>;
    changes[layer + "experts." + e + ".w1.weight"] = there ? Shape{5, 16} : Shape{};
    changes[layer + "experts." + e + ".w3.weight"] = there ? Shape{5, 16} : Shape{};
    changes[layer + "experts." + e + ".w2.weight"] = there ? Shape{16, 5} : Shape{};
  }
  writeModel(mixtralConfig(), changes);
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  EXPECT_EQ(expertsOf(*model->module), (std::vector<int64_t>{4, 3}));
}

// What does not fit together is named: fewer experts than are picked, experts of different widths,
// a missing one, and one too many.
TEST_F(Import, ExpertsThatDoNotFit) {
  std::string layer = "model.layers.1.block_sparse_moe.";
  writeModel(mixtralConfig(), {{layer + "gate.weight", {1, 16}}});
  EXPECT_HOLDS(errorOf(), "num_experts_per_tok is 2, and \"model.layers.1.block_sparse_moe\" has 1 "
                          "experts");
  writeModel(mixtralConfig());
  folder.write("config.json", mixtralConfig(R"(, "num_experts_per_tok": 5)"));
  EXPECT_HOLDS(errorOf(), "num_experts_per_tok is 5, and \"model.layers.0.block_sparse_moe\" has 4 "
                          "experts");
  writeModel(mixtralConfig(), {{layer + "gate.weight", {4097, 16}}});
  EXPECT_HOLDS(errorOf(), "has 4097 experts");
  writeModel(mixtralConfig(), {{layer + "experts.2.w3.weight", {5, 16}}});
  EXPECT_HOLDS(errorOf(), "\"" + layer + "experts.2.w3.weight\" has shape [5, 16]");
  EXPECT_HOLDS(errorOf(), "rows of \"" + layer + "experts.0.w1.weight\"");
  writeModel(mixtralConfig(), {{layer + "experts.2.w2.weight", {}}});
  EXPECT_HOLDS(errorOf(), "\"" + layer + "experts.2.w2.weight\" is missing");
  writeModel(mixtralConfig(), {{layer + "gate.weight", {3, 16}}});
  EXPECT_HOLDS(errorOf(), "\"" + layer + "experts.3.w1.weight\" has no place");
}

// Layers have experts where decoder_sparse_step says and mlp_only_layers does not forbid; weights
// are renormalised only where the config says so; query and key have norms over each head.
TEST_F(Import, Qwen3MoeLayers) {
  for (auto [fields, counts] :
       {std::pair<const char *, std::vector<int64_t>>{"", {5, 5, 5, 5}},
        {R"(, "mlp_only_layers": null)", {5, 5, 5, 5}},
        {R"(, "decoder_sparse_step": 2)", {0, 5, 0, 5}},
        {R"(, "decoder_sparse_step": 2, "mlp_only_layers": [1, 2])", {0, 0, 0, 5}}}) {
    writeModel(qwenConfig(fields));
    auto model = import();
    ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
    EXPECT_EQ(expertsOf(*model->module), counts) << fields;
  }
  for (bool normalize : {false, true}) {
    writeModel(qwenConfig(normalize ? R"(, "norm_topk_prob": true)" : ""));
    auto model = import();
    ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
    int norms = 0;
    (*model->module)->walk([&](lm::RmsNormOp norm) { norms += norm.getGroup() == 4u; });
    EXPECT_EQ(norms, 8);
    (*model->module)->walk([&](lm::MoeOp moe) {
      EXPECT_EQ(moe.getTopK(), 3u);
      EXPECT_EQ(moe.getNormalize(), normalize);
    });
  }
}

// A window that is used holds for every layer, whatever max_window_layers says; one that is not
// used, or null, for none.
TEST_F(Import, Qwen3MoeWindows) {
  for (auto [fields, windows] :
       {std::pair{R"(, "use_sliding_window": true, "sliding_window": 7, "max_window_layers": 2)",
                  4},
        {R"(, "use_sliding_window": true, "sliding_window": null)", 0},
        {R"(, "use_sliding_window": false, "sliding_window": 7)", 0}}) {
    writeModel(qwenConfig(fields));
    auto model = import();
    ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
    int found = 0;
    (*model->module)->walk([&](lm::AttentionOp op) { found += op.getWindow() == 7u; });
    EXPECT_EQ(found, windows) << fields;
  }
}

// Numbers of layers that are none mean nothing, as in the library; what is no number of a layer at
// all is refused.
TEST_F(Import, Qwen3MoeRefuses) {
  writeModel(qwenConfig());
  folder.write("config.json", qwenConfig(R"(, "mlp_only_layers": [1.5])"));
  EXPECT_HOLDS(errorOf(), "\"mlp_only_layers\" is [1.5], which is not a list of layers");
  folder.write("config.json", qwenConfig(R"(, "mlp_only_layers": [4, -1], "use_qk_norm": true)"));
  EXPECT_EQ(errorOf(), "");
}
