// What the Gemmas share: Llama's graph with scaled embeddings, norms by 1 + weight and a gated FFN
// of gelu. From the second generation on norms stand after each branch too, scores have a scale of
// their own, and local layers see a window.
#pragma once
#include "compiler/import/LlamaLike.h"

namespace coppice {

/// Reads the fields of every generation. `defaults` say what differs.
LlamaLike readGemmaLike(ConfigReader &config, LlamaDefaults defaults);

/// What came with the second generation: all layers but each `period`th are local.
void readLocalLayers(ConfigReader &config, LlamaLike &form, int64_t period);

/// A cap that null, or nothing where the library has no default (0), turns off.
double readCap(ConfigReader &config, llvm::StringRef name, double fallback);

} // namespace coppice
