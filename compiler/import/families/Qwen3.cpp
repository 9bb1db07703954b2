// Qwen 3, dense (Qwen Team, arXiv 2505.09388): Llama's graph with a norm over each head of query
// and key. As Hugging Face's Qwen3ForCausalLM computes it.
#include "compiler/import/LlamaLike.h"

namespace coppice {
namespace {

llvm::Error buildQwen3(ConfigReader &config, GraphBuilder &graph, ImportedModel &model) {
  LlamaDefaults defaults;
  defaults.context = 32768;
  defaults.kvHeads = 32;
  defaults.headDim = 128;
  LlamaLike form = readLlamaLike(config, defaults);
  form.windows = readUpperWindows(config, form.layers);
  form.qkvBias = form.outputBias = config.flag("attention_bias", false);
  form.headNorms = true;
  config.ignore({"use_qk_norm"}); // they are always there
  if (llvm::Error error = config.finish())
    return error;
  return buildLlamaLike(form, graph, model);
}

} // namespace

constexpr Family families::Qwen3 = {"qwen3", /*defaultBos=*/std::nullopt,
                                    /*defaultEos=*/std::nullopt, buildQwen3};

} // namespace coppice
