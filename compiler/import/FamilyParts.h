// What families share: the fields that many configs have, and the parts that many graphs have.
#pragma once
#include "compiler/import/Family.h"
#include "compiler/import/Rope.h"

namespace coppice {

//===----------------------------------------------------------------------===//
// Fields. Errors are left in `config`.
//===----------------------------------------------------------------------===//

struct Sizes {
  Dim vocab, hidden, ffn;
  int64_t layers, context;
};

/// vocab_size, hidden_size, intermediate_size, num_hidden_layers and max_position_embeddings.
Sizes readSizes(ConfigReader &config, int64_t defaultContext);

/// Reads num_attention_heads, num_key_value_heads and head_dim. A default stands for a field that
/// is absent; null, and no default, mean as many KV heads as heads, and hidden_size / heads.
HeadWidths readHeads(ConfigReader &config, const Dim &hidden,
                     std::optional<int64_t> defaultKvHeads = std::nullopt,
                     std::optional<int64_t> defaultHeadDim = std::nullopt);

/// Heads that are equal parts of `hidden`, each with a key and a value; `field` says how many.
HeadWidths readEqualHeads(ConfigReader &config, const Dim &hidden,
                          llvm::StringRef field = "num_attention_heads");

/// sliding_window, which holds for every layer, as LlamaLike has it. `fallback` is the library's
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

//===----------------------------------------------------------------------===//
// Parts of the graph
//===----------------------------------------------------------------------===//

/// The rotation for the positions that will be compiled for. A warning is left in `model` where
/// transformers turns shorter texts otherwise.
Rotation rotationFor(ImportedModel &model, const RopeParameters &rope, int64_t headDim);

/// The rows of EMBED.weight for the tokens. What else the graph names stands beside it, under the
/// first of `prefixes` that holds it.
mlir::Value embedTokens(GraphBuilder &graph, llvm::ArrayRef<llvm::StringRef> prefixes,
                        const std::string &embed, llvm::ArrayRef<Dim> shape);

/// What attention reads, before head norms and rope.
struct QueryKeyValue {
  mlir::Value query, key, value;
  Dim width; // of the queries
};

/// By the linears q_proj, k_proj and v_proj of the layer's attention `self` ("layers.3.attn.").
QueryKeyValue threeLinears(GraphBuilder &graph, mlir::Value in, const std::string &self,
                           const Dim &hidden, const HeadWidths &config, bool bias);

/// An FFN without a gate, down(activation(up(in))), as wide as its tensors say.
mlir::Value plainFfn(GraphBuilder &graph, mlir::Value in, const std::string &up,
                     const std::string &down, const Dim &hidden, const Dim &ffn,
                     lm::ActivationKind activation, const LinearForm &form);

} // namespace coppice
