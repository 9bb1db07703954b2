// StarCoder2 (Lozhkov et al., arXiv 2402.19173): Llama's graph with layer norms, biases, an FFN
// without a gate and a sliding window. As Hugging Face's Starcoder2ForCausalLM computes it.
#include "compiler/import/LlamaLike.h"

namespace coppice {
namespace {

llvm::Error buildStarCoder2(ConfigReader &config, GraphBuilder &graph, ImportedModel &model) {
  LlamaDefaults defaults;
  defaults.context = 4096;
  defaults.kvHeads = 2;
  defaults.epsField = "norm_epsilon";
  defaults.eps = 1e-5;
  defaults.activation = "gelu_pytorch_tanh";
  defaults.tied = true;
  LlamaLike form = readLlamaLike(config, defaults);
  form.norm = NormKind::Layer;
  form.qkvBias = form.outputBias = form.ffnBias = config.flag("use_bias", true);
  form.windows = readWindows(config, form.layers, /*fallback=*/std::nullopt);
  // The published files carry fields of the code that trained them.
  config.ignore({"activation_function", "attention_softmax_in_fp32", "layer_norm_epsilon",
                 "mlp_type", "norm_type", "scale_attention_softmax_in_fp32", "scale_attn_weights"});
  if (llvm::Error error = config.finish())
    return error;
  return buildLlamaLike(form, graph, model, [&](mlir::Value in, const std::string &layer) {
    return plainFfn(graph, in, layer + "mlp.c_fc", layer + "mlp.c_proj", form.hidden, form.ffn,
                    form.activation, {form.ffnBias});
  });
}

constexpr Relative relatives[] = {{"gpt_bigcode", "is StarCoder 1; StarCoder 2 is \"starcoder2\""}};

} // namespace

constexpr Family families::StarCoder2 = {"starcoder2", /*defaultBos=*/50256, /*defaultEos=*/50256,
                                         buildStarCoder2, relatives};

} // namespace coppice
