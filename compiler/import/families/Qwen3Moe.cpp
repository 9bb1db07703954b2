// Qwen 3 with experts (Qwen Team, arXiv 2505.09388): Qwen 3's graph, some or all of its layers with
// experts for an FFN. As Hugging Face's Qwen3MoeForCausalLM computes it.
#include "compiler/import/LlamaLike.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>

namespace coppice {
namespace {

llvm::Error buildQwen3Moe(ConfigReader &config, GraphBuilder &graph, ImportedModel &model) {
  LlamaDefaults defaults;
  defaults.context = 32768;
  defaults.kvHeads = 4;
  LlamaLike form = readLlamaLike(config, defaults);
  form.qkvBias = form.outputBias = config.flag("attention_bias", false);
  form.headNorms = true;
  ExpertsForm experts;
  experts.experts = {config.integer("num_experts", 1, mostExperts, 128), "num_experts"};
  experts.picks = config.size("num_experts_per_tok", Dim{8, "num_experts_per_tok"});
  experts.width = config.size("moe_intermediate_size", Dim{768, "moe_intermediate_size"});
  experts.normalize = config.flag("norm_topk_prob", false);
  experts.activation = form.activation;
  experts.gate = "gate_proj";
  experts.up = "up_proj";
  experts.down = "down_proj";
  int64_t step = config.integer("decoder_sparse_step", 1, INT32_MAX, 1);
  std::vector<double> dense; // numbers of layers; those of none mean nothing
  if (config.has("mlp_only_layers"))
    dense = config.numbers("mlp_only_layers", INT32_MIN, INT32_MAX);
  for (double layer : dense)
    if (layer != std::floor(layer))
      config.fail("mlp_only_layers", "is not a list of layers");
  // Other than in the dense models, a window that is used holds for every layer.
  if (config.flag("use_sliding_window", false) && !config.isNull("sliding_window"))
    form.windows = readWindows(config, form.layers, /*fallback=*/4096);
  // The window where it is not used, what training adds to the loss, and the norms of heads, which
  // are always there.
  config.ignore({"router_aux_loss_coef", "output_router_logits", "sliding_window",
                 "max_window_layers", "use_qk_norm"});
  if (llvm::Error error = config.finish())
    return error;

  std::vector<std::string> withExperts; // names of layers
  for (int64_t layer = 0; layer < form.layers; ++layer)
    if ((layer + 1) % step == 0 && !llvm::is_contained(dense, double(layer)))
      withExperts.push_back("layers." + std::to_string(layer) + ".");
  using Ffn = std::optional<mlir::Value>;
  return buildLlamaLike(form, graph, model, [&](mlir::Value in, const std::string &layer) -> Ffn {
    if (!llvm::is_contained(withExperts, layer))
      return std::nullopt;
    return graph.experts(in, layer + "mlp", form.hidden, experts);
  });
}

constexpr Relative relatives[] = {
    {"qwen2_moe", "has shared experts; experts are read of \"mixtral\" and \"qwen3_moe\""},
    {"qwen3_next", "mixes in linear attention; Qwen 3 is \"qwen3\" or \"qwen3_moe\""}};

} // namespace

constexpr Family families::Qwen3Moe = {"qwen3_moe", /*defaultBos=*/std::nullopt,
                                       /*defaultEos=*/std::nullopt, buildQwen3Moe, relatives};

} // namespace coppice
