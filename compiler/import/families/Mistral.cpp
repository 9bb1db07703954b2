// Mistral (Jiang et al., arXiv 2310.06825): Llama's graph, grouped queries by default, and in the
// first version a sliding window in every layer. As Hugging Face's MistralForCausalLM computes it.
#include "compiler/import/LlamaLike.h"

namespace coppice {
namespace {

llvm::Error buildMistral(ConfigReader &config, GraphBuilder &graph, ImportedModel &model) {
  LlamaDefaults defaults;
  defaults.context = 4096 * 32;
  defaults.kvHeads = 8;
  LlamaLike form = readLlamaLike(config, defaults);
  form.windows = readWindows(config, form.layers, /*fallback=*/4096);
  if (llvm::Error error = config.finish())
    return error;
  return buildLlamaLike(form, graph, model);
}

constexpr Relative relatives[] = {
    {"mistral3", "is of text and pictures; a Mistral of text alone is \"mistral\""}};

} // namespace

constexpr Family families::Mistral = {"mistral", /*defaultBos=*/1, /*defaultEos=*/2, buildMistral,
                                      relatives};

} // namespace coppice
