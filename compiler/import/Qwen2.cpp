// Qwen 2 and 2.5 (Yang et al., arXiv 2407.10671, 2412.15115): Llama's graph with biases on query,
// key and value, and in some configs a sliding window in the upper layers. As Hugging Face's
// Qwen2ForCausalLM computes it.
#include "compiler/import/LlamaLike.h"

namespace coppice {

std::vector<int64_t> readUpperWindows(ConfigReader &config, int64_t layers) {
  bool used = config.flag("use_sliding_window", false) && !config.isNull("sliding_window");
  int64_t window = config.integer("sliding_window", 1, INT32_MAX, 4096);
  int64_t first = config.integer("max_window_layers", 0, INT32_MAX, 28);
  return readLayerTypes(config, layers, used ? window : 0,
                        [&](int64_t layer) { return layer >= first; });
}

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

} // namespace

const Family qwen2Family = {"qwen2", /*defaultBos=*/std::nullopt, /*defaultEos=*/std::nullopt,
                            buildQwen2};

} // namespace coppice
