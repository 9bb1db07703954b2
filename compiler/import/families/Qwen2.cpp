// Qwen 2 and 2.5 (Yang et al., arXiv 2407.10671, 2412.15115): Llama's graph with biases on query,
// key and value, and in some configs a sliding window in the upper layers. As Hugging Face's
// Qwen2ForCausalLM computes it.
#include "compiler/import/LlamaLike.h"

namespace coppice {
namespace {

llvm::Error buildQwen2(ConfigReader &config, GraphBuilder &graph, ImportedModel &model) {
  LlamaDefaults defaults;
  defaults.context = 32768;
  defaults.kvHeads = 32;
  LlamaLike form = readLlamaLike(config, defaults);
  form.windows = readUpperWindows(config, form.layers);
  form.qkvBias = true;
  if (llvm::Error error = config.finish())
    return error;
  return buildLlamaLike(form, graph, model);
}

constexpr Relative relatives[] = {
    {"qwen", "is Qwen 1; Qwen 1.5, 2 and 2.5 are \"qwen2\""},
    {"qwen2_vl", "is of text and pictures; a Qwen of text alone is \"qwen2\""},
    {"qwen2_5_vl", "is of text and pictures; a Qwen of text alone is \"qwen2\""}};

} // namespace

constexpr Family families::Qwen2 = {"qwen2", /*defaultBos=*/std::nullopt,
                                    /*defaultEos=*/std::nullopt, buildQwen2, relatives};

} // namespace coppice
