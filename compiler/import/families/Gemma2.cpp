// Gemma 2, text (Gemma Team, arXiv 2408.00118): Gemma's graph with norms after each branch too,
// caps on scores and logits, and a window in every second layer. As Hugging Face's
// Gemma2ForCausalLM computes it.
#include "compiler/import/GemmaLike.h"

namespace coppice {
namespace {

llvm::Error buildGemma2(ConfigReader &config, GraphBuilder &graph, ImportedModel &model) {
  LlamaDefaults defaults;
  defaults.context = 8192;
  defaults.kvHeads = 4;
  LlamaLike form = readGemmaLike(config, defaults);
  readLocalLayers(config, form, /*period=*/2);
  form.scoreCap = readCap(config, "attn_logit_softcapping", 50);
  form.logitCap = readCap(config, "final_logit_softcapping", 30);
  if (llvm::Error error = config.finish())
    return error;
  return buildLlamaLike(form, graph, model);
}

} // namespace

constexpr Family families::Gemma2 = {"gemma2", /*defaultBos=*/2, /*defaultEos=*/1, buildGemma2};

} // namespace coppice
