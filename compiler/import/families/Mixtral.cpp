// Mixtral (Jiang et al., arXiv 2401.04088): Mistral's graph with experts in every layer, of which a
// router picks two. As Hugging Face's MixtralForCausalLM computes it.
#include "compiler/import/LlamaLike.h"

namespace coppice {
namespace {

llvm::Error buildMixtral(ConfigReader &config, GraphBuilder &graph, ImportedModel &model) {
  LlamaDefaults defaults;
  defaults.context = 4096 * 32;
  defaults.kvHeads = 8;
  defaults.eps = 1e-5;
  defaults.theta = 1e6;
  LlamaLike form = readLlamaLike(config, defaults);
  form.windows = readWindows(config, form.layers, /*fallback=*/std::nullopt);
  ExpertsForm experts;
  experts.experts = {config.integer("num_local_experts", 1, mostExperts, 8), "num_local_experts"};
  experts.picks = config.size("num_experts_per_tok", Dim{2, "num_experts_per_tok"});
  experts.width = form.ffn;
  experts.normalize = true;
  experts.activation = form.activation;
  experts.gate = "w1";
  experts.up = "w3";
  experts.down = "w2";
  // What training adds to the loss, and to the router's input.
  config.ignore({"router_aux_loss_coef", "output_router_logits", "router_jitter_noise"});
  if (llvm::Error error = config.finish())
    return error;
  return buildLlamaLike(form, graph, model, [&](mlir::Value in, const std::string &layer) {
    return graph.experts(in, layer + "block_sparse_moe", form.hidden, experts);
  });
}

} // namespace

constexpr Family families::Mixtral = {"mixtral", /*defaultBos=*/1, /*defaultEos=*/2, buildMixtral};

} // namespace coppice
