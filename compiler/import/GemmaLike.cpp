// See GemmaLike.h.
#include "compiler/import/GemmaLike.h"
#include <cmath>

namespace coppice {

LlamaLike readGemmaLike(ConfigReader &config, LlamaDefaults defaults) {
  defaults.headDim = 256;
  defaults.tied = true;
  defaults.activationField = "hidden_activation";
  defaults.activation = "gelu_pytorch_tanh";
  LlamaLike form = readLlamaLike(config, defaults);
  form.qkvBias = form.outputBias = config.flag("attention_bias", false);
  form.norm = NormKind::RmsOnePlus;
  form.embeddingScale = std::sqrt(double(form.hidden.size));
  return form;
}

void readLocalLayers(ConfigReader &config, LlamaLike &form, int64_t period) {
  form.normsAfter = true;
  form.scoreScale = 1 / std::sqrt(config.number("query_pre_attn_scalar", 1e-3, 1e9, 256));
  int64_t window = config.integer("sliding_window", 1, INT32_MAX, 4096);
  if (config.isNull("sliding_window")) // the library's mask of a local layer asks for it
    config.failMissing("sliding_window");
  form.windows = readLayerTypes(config, form.layers, window,
                                [&](int64_t layer) { return (layer + 1) % period != 0; });
  // Some configs name the older field of the activation too, and the library reads the newer.
  readActivation(config, "hidden_act", "gelu_pytorch_tanh");
}

double readCap(ConfigReader &config, llvm::StringRef name, double fallback) {
  return config.isNull(name) || (!config.has(name) && fallback == 0)
             ? 0
             : config.number(name, 1e-3, 1e9, fallback);
}

} // namespace coppice
