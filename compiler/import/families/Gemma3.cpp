// Gemma 3, text (Gemma Team, arXiv 2503.19786): Gemma 2's graph with a norm over each head of query
// and key in place of the caps, and a base of their own for local layers, which are all but every
// sixth. As Hugging Face's Gemma3ForCausalLM computes it.
#include "compiler/import/GemmaLike.h"
#include "coppice/limits.h"

namespace coppice {
namespace {

llvm::Error buildGemma3(ConfigReader &config, GraphBuilder &graph, ImportedModel &model) {
  LlamaDefaults defaults;
  defaults.context = 131072;
  defaults.kvHeads = 4;
  defaults.theta = 1e6;
  defaults.ropeLayers = RopeDefaults::Layers::Full;
  LlamaLike form = readGemmaLike(config, defaults);
  readLocalLayers(config, form,
                  config.integer("sliding_window_pattern", 1, COPPICE_MAX_LAYERS, /*fallback=*/6));
  RopeDefaults local;
  local.headDim = form.heads.headDim;
  local.layers = RopeDefaults::Layers::Sliding;
  form.localRope = readRope(config, form.context, local);
  form.headNorms = true;
  if (readCap(config, "attn_logit_softcapping", 0) != 0)
    config.fail("attn_logit_softcapping",
                "transformers reads in this family and does not apply; only null is supported");
  form.logitCap = readCap(config, "final_logit_softcapping", 0);
  if (llvm::Error error = config.finish())
    return error;
  return buildLlamaLike(form, graph, model);
}

constexpr Relative relatives[] = {
    {"gemma3", "is of text and pictures; its text part alone is read, as a model of its own with "
               "model_type \"gemma3_text\""},
    {"gemma3n", "is another architecture than Gemma 3"}};

} // namespace

constexpr Family families::Gemma3 = {"gemma3_text", /*defaultBos=*/2, /*defaultEos=*/1, buildGemma3,
                                     relatives};

} // namespace coppice
