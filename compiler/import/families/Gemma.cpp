// Gemma 1, text (Gemma Team, arXiv 2403.08295): Llama's graph with scaled embeddings and norms by
// 1 + weight. As Hugging Face's GemmaForCausalLM computes it.
#include "compiler/import/GemmaLike.h"

namespace coppice {
namespace {

llvm::Error buildGemma(ConfigReader &config, GraphBuilder &graph, ImportedModel &model) {
  LlamaDefaults defaults;
  defaults.context = 8192;
  defaults.kvHeads = 16;
  LlamaLike form = readGemmaLike(config, defaults);
  // It was trained with the tanh form, and its first configs say "gelu" in the older field.
  auto older = readActivation(config, "hidden_act", "gelu_pytorch_tanh");
  bool meansTanh = older == lm::ActivationKind::Gelu;
  if (!config.has("hidden_activation"))
    form.activation = meansTanh ? lm::ActivationKind::GeluTanh : older;
  else if (config.has("hidden_act") && older != form.activation && !meansTanh)
    config.fail("hidden_activation", "disagrees with hidden_act, and versions of transformers "
                                     "differ in which of the two they take; make them agree");
  if (llvm::Error error = config.finish())
    return error;
  return buildLlamaLike(form, graph, model);
}

} // namespace

constexpr Family families::Gemma = {"gemma", /*defaultBos=*/2, /*defaultEos=*/1, buildGemma};

} // namespace coppice
