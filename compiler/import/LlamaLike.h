// What the families around Llama share: a norm before attention and before the FFN, grouped
// queries, rotary embedding, a gated FFN.
#pragma once
#include "compiler/import/FamilyParts.h"
#include <functional>

namespace coppice {

/// What Hugging Face assumes where config.json does not say it, and where the field has a name of
/// its own.
struct LlamaDefaults {
  int64_t context = 2048;
  std::optional<int64_t> kvHeads = std::nullopt; // else as many as heads
  std::optional<int64_t> headDim = std::nullopt; // else hidden_size / heads
  llvm::StringRef epsField = "rms_norm_eps", activationField = "hidden_act";
  double eps = 1e-6;
  llvm::StringRef activation = "silu";
  double theta = 10000;
  bool tied = false;
  // As RopeDefaults has them.
  RopeDefaults::Layers ropeLayers = RopeDefaults::Layers::All;
  std::optional<double> partialRotary = std::nullopt;
  std::optional<int64_t> originalContext = std::nullopt;
};

enum class NormKind { Rms, RmsOnePlus, Layer }; // RmsOnePlus: its scale is 1 + its weight

struct LlamaLike : Sizes {
  HeadWidths heads;
  double eps;
  bool tied;
  lm::ActivationKind activation;
  RopeParameters rope;
  // What some families have, and read themselves.
  bool qkvBias = false, outputBias = false, ffnBias = false;
  NormKind norm = NormKind::Rms;
  bool normsAfter = false;      // of what each branch adds, too
  bool headNorms = false;       // q_norm and k_norm over each head, before rope
  std::vector<int64_t> windows; // per layer, 0 for none; empty: no layer has one
  std::optional<RopeParameters> localRope = std::nullopt; // of layers with a window; else as all
  std::optional<double> embeddingScale = std::nullopt, scoreScale = std::nullopt;
  double scoreCap = 0, logitCap = 0; // 0: none
  /// Instead of three linears: from the norm's result and the layer's name ("layers.3.").
  std::function<QueryKeyValue(mlir::Value in, const std::string &layer)> qkv;
};

/// Reads the fields that all these families have. Errors are left in `config`.
LlamaLike readLlamaLike(ConfigReader &config, const LlamaDefaults &defaults);

/// From embedding to logits, once config.finish() has found no error. `ffn` computes what the FFN
/// block adds to the residual, from its norm's result and the layer's name ("layers.3."); without
/// it, and for layers that it leaves, that is Llama's.
using FfnBody = std::function<std::optional<mlir::Value>(mlir::Value in, const std::string &layer)>;
llvm::Error buildLlamaLike(const LlamaLike &form, GraphBuilder &graph, ImportedModel &model,
                           const FfnBody &ffn = {});

} // namespace coppice
