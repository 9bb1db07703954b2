// Llama (Touvron et al., arXiv 2302.13971) and what shares its code: Llama 2 and 3, TinyLlama,
// SmolLM. As Hugging Face's LlamaForCausalLM computes it.
#include "compiler/import/LlamaLike.h"

namespace coppice {
namespace {

llvm::Error buildLlama(ConfigReader &config, GraphBuilder &graph, ImportedModel &model) {
  LlamaLike form = readLlamaLike(config, {/*context=*/2048});
  form.qkvBias = form.outputBias = config.flag("attention_bias", false);
  form.ffnBias = config.flag("mlp_bias", false);
  // Falcon 3's files have it beside hidden_act, which decides.
  config.choice<bool>("activation", "swiglu", {{"swiglu", true}});
  if (llvm::Error error = config.finish())
    return error;
  return buildLlamaLike(form, graph, model);
}

constexpr Relative relatives[] = {
    {"llama4", "is of text and pictures, and of experts; Llama 1 to 3 are \"llama\""},
    {"llama4_text", "mixes layers without rotary embedding; Llama 1 to 3 are \"llama\""},
    {"mllama", "is of text and pictures; a Llama of text alone is \"llama\""}};

} // namespace

constexpr Family families::Llama = {"llama", /*defaultBos=*/1, /*defaultEos=*/2, buildLlama,
                                    relatives};

} // namespace coppice
