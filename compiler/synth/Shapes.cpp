// See Shapes.h. Only fields that say the shape: what else stands in the published files says
// nothing about the function computed.
#include "compiler/synth/Shapes.h"

namespace coppice {
namespace {

struct Shape {
  llvm::StringLiteral name, config;
};

constexpr Shape kShapes[] = {
    // TinyLlama (Zhang et al., arXiv 2401.02385).
    {"llama-1.1b", R"({
  "model_type": "llama",
  "vocab_size": 32000,
  "hidden_size": 2048,
  "intermediate_size": 5632,
  "num_hidden_layers": 22,
  "num_attention_heads": 32,
  "num_key_value_heads": 4,
  "max_position_embeddings": 2048,
  "hidden_act": "silu",
  "rms_norm_eps": 1e-05,
  "rope_theta": 10000.0,
  "rope_scaling": null,
  "attention_bias": false,
  "tie_word_embeddings": false,
  "bos_token_id": 1,
  "eos_token_id": 2
}
)"},
    // OPT-1.3B (Zhang et al., arXiv 2205.01068).
    {"opt-1.3b", R"({
  "model_type": "opt",
  "vocab_size": 50272,
  "hidden_size": 2048,
  "word_embed_proj_dim": 2048,
  "ffn_dim": 8192,
  "num_hidden_layers": 24,
  "num_attention_heads": 32,
  "max_position_embeddings": 2048,
  "activation_function": "relu",
  "do_layer_norm_before": true,
  "bos_token_id": 2,
  "eos_token_id": 2
}
)"}};

} // namespace

std::optional<llvm::StringRef> namedShape(llvm::StringRef name) {
  for (const Shape &shape : kShapes)
    if (shape.name == name)
      return shape.config;
  return std::nullopt;
}

std::string namedShapes() {
  std::string names;
  for (const Shape &shape : kShapes)
    names += (names.empty() ? "" : ", ") + shape.name.str();
  return names;
}

} // namespace coppice
