// What the families around Llama share: a norm before attention and before the FFN, grouped
// queries, rotary embedding, a gated FFN.
#pragma once
#include "compiler/import/Family.h"
#include "compiler/import/Rope.h"
#include <functional>

namespace coppice {

/// What Hugging Face assumes where config.json does not say it.
struct LlamaDefaults {
  int64_t context = 2048;
  std::optional<int64_t> kvHeads = std::nullopt; // else as many as heads
  std::optional<int64_t> headDim = std::nullopt; // else hidden_size / heads
  double eps = 1e-6;
  double theta = 10000;
  bool tied = false;
  // As RopeDefaults has them.
  std::optional<double> partialRotary = std::nullopt;
  std::optional<int64_t> originalContext = std::nullopt;
};

/// What attention reads, before head norms and rope.
struct QueryKeyValue {
  mlir::Value query, key, value;
  Dim width; // of the queries
};

struct LlamaLike {
  Dim vocab, hidden, ffn;
  int64_t layers, context;
  HeadWidths heads;
  double eps;
  bool tied;
  lm::ActivationKind activation;
  RopeParameters rope;
  // What config.json may say in some families, which read it themselves.
  bool qkvBias = false, outputBias = false, ffnBias = false;
  bool headNorms = false;       // q_norm and k_norm over each head, before rope
  std::vector<int64_t> windows; // per layer, 0 for none; empty: no layer has one
  /// Instead of three linears: from the norm's result and the layer's name ("layers.3.").
  std::function<QueryKeyValue(mlir::Value in, const std::string &layer)> qkv;
};

/// Reads the fields that all these families have. Errors are left in `config`.
LlamaLike readLlamaLike(ConfigReader &config, const LlamaDefaults &defaults);

/// Reads num_attention_heads, num_key_value_heads and head_dim. A default stands for a field that
/// is absent; null, and no default, mean as many KV heads as heads, and hidden_size / heads.
HeadWidths readHeads(ConfigReader &config, const Dim &hidden,
                     std::optional<int64_t> defaultKvHeads = std::nullopt,
                     std::optional<int64_t> defaultHeadDim = std::nullopt);

/// sliding_window, which holds for every layer: as LlamaLike has it. `fallback` is the library's
/// where the field is absent; null says that there is none.
std::vector<int64_t> readWindows(ConfigReader &config, int64_t layers,
                                 std::optional<int64_t> fallback);

/// `window` for the layers that layer_types calls "sliding_attention" and, where config.json has
/// no such field, those that `slides` says; 0 for the others.
std::vector<int64_t> readLayerTypes(ConfigReader &config, int64_t layers, int64_t window,
                                    llvm::function_ref<bool(int64_t)> slides);

/// As Qwen's configs have it: with use_sliding_window, the layers from max_window_layers on have
/// sliding_window.
std::vector<int64_t> readUpperWindows(ConfigReader &config, int64_t layers);

/// hidden_act, or whichever field says it, in the spellings of Hugging Face.
lm::ActivationKind readActivation(ConfigReader &config, llvm::StringRef field,
                                  llvm::StringRef fallback);

/// From embedding to logits, once config.finish() has found no error. `ffn` computes what the FFN
/// block adds to the residual, from its norm's result and the layer's name ("layers.3."); without
/// it, and where it gives none, that is Llama's.
using FfnBody = std::function<mlir::Value(mlir::Value in, const std::string &layer)>;
llvm::Error buildLlamaLike(const LlamaLike &form, GraphBuilder &graph, ImportedModel &model,
                           const FfnBody &ffn = {});

} // namespace coppice
