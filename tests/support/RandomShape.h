// Shapes of tiny random models of every family, and the config.json that says them.
#pragma once
#include "tests/support/Random.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/JSON.h"
#include <string>
#include <vector>

namespace coppice::test {

enum class Family {
  OptPreNorm,
  OptPostNorm,
  Llama,
  Gpt2,
  NeoX,
  Falcon,
  Phi,
  Phi3,
  Mistral,
  Qwen2,
  Qwen3,
  StarCoder2,
  Gemma,
  Gemma2,
  Gemma3,
  Mixtral,
  Qwen3Moe,
};
/// Those that random tests go through.
llvm::ArrayRef<Family> allFamilies();
/// As a test's name may be written.
const char *nameOf(Family family);

struct ModelShape {
  Family family = Family::Llama;
  int64_t layers = 1, heads = 1, kvHeads = 1, headDim = 2, ffn = 3, vocab = 11, context = 32;
  int64_t hidden = 2;
  int64_t embedding = 2; // OPT's word_embed_proj_dim; `hidden` elsewhere
  bool tied = true, attentionBias = true, ffnBias = true; // some families have both or none
  std::string activation = "relu", ropeType; // ropeType: "", "linear", "llama3" or "longrope"
  int64_t rotary = 2;                        // columns of a head that turn, where a part may
  bool parallel = false;                     // NeoX and Falcon: both branches read the same
  // Falcon: queries grouped beside their KV head, one norm or two; else one KV head or one a head.
  bool grouped = false, twoNorms = false;
  int64_t window = 0;      // 0: none
  std::vector<bool> local; // the layers that a window holds for, where families mix; else all do
  int64_t expertFfn = 3, chosen = 1;
  bool renormalised = true;
  std::vector<int64_t> experts; // of each layer, 0 in one with a plain FFN; empty without any

  bool isOpt() const { return family == Family::OptPreNorm || family == Family::OptPostNorm; }
  bool isGemma() const {
    return family == Family::Gemma || family == Family::Gemma2 || family == Family::Gemma3;
  }
  int64_t expertsIn(int64_t layer) const { return experts.empty() ? 0 : experts[layer]; }
  const char *modelType() const;
};

/// 1-3 layers, 1-6 heads of 2, 4 or 6 columns (up to 7, odd ones too, where not all of them turn),
/// KV heads that divide them, 3-20 neurons, 11-20 ids, 2-6 experts.
ModelShape randomShape(Family family, Random &random);

llvm::json::Object configOf(const ModelShape &shape);

} // namespace coppice::test
