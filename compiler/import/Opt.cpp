// OPT (Zhang et al., arXiv 2205.01068), as Hugging Face's OPTForCausalLM computes it.
#include "compiler/import/Family.h"
#include "coppice/limits.h"

using mlir::Value;

namespace coppice {
namespace {

// The learned table starts with two rows that no position uses.
constexpr int64_t positionOffset = 2;
constexpr double layerNormEps = 1e-5;

llvm::Error buildOpt(ConfigReader &config, GraphBuilder &graph, ImportedModel &model) {
  Dim vocab = config.size("vocab_size");
  Dim hidden = config.size("hidden_size");
  Dim embedding = config.size("word_embed_proj_dim", hidden);
  Dim ffn = config.size("ffn_dim");
  int64_t layers = config.integer("num_hidden_layers", 1, COPPICE_MAX_LAYERS);
  int64_t heads = config.integer("num_attention_heads", 1, 65536);
  int64_t context = config.integer("max_position_embeddings", 1, INT32_MAX - 2, 2048);
  bool normBefore = config.flag("do_layer_norm_before", true);
  bool removeFinalNorm = config.flag("_remove_final_layer_norm", false);
  bool finalNorm = normBefore && !removeFinalNorm;
  bool biases = config.flag("enable_bias", true);
  bool affine = config.flag("layer_norm_elementwise_affine", true);
  bool tied = config.flag("tie_word_embeddings", true);
  auto act = config.choice<lm::ActivationKind>("activation_function", "relu",
                                               {{"relu", lm::ActivationKind::Relu},
                                                {"gelu", lm::ActivationKind::Gelu},
                                                {"gelu_python", lm::ActivationKind::Gelu},
                                                {"gelu_new", lm::ActivationKind::GeluTanh},
                                                {"gelu_fast", lm::ActivationKind::GeluTanh},
                                                {"gelu_pytorch_tanh", lm::ActivationKind::GeluTanh},
                                                {"silu", lm::ActivationKind::Silu},
                                                {"swish", lm::ActivationKind::Silu}});
  if (hidden.size % heads != 0)
    config.fail("num_attention_heads", "does not divide hidden_size");
  if (llvm::Error error = config.finish())
    return error;

  model.vocab = vocab.size;
  model.context = context;
  model.positionLimit = context;
  int64_t headDim = hidden.size / heads;
  Dim positionRows{context + positionOffset, "max_position_embeddings + 2"};

  graph.choosePrefix({"model.decoder.", "decoder."}, "embed_tokens.weight");
  Value x = graph.embed(graph.tokens(), graph.weight("embed_tokens.weight", {vocab, embedding}));
  if (embedding.size != hidden.size)
    x = graph.linear(x, "project_in", hidden, embedding, /*bias=*/false);
  Value table = graph.weight("embed_positions.weight", {positionRows, hidden});
  x = graph.add(x, graph.embed(graph.positions(), table, positionOffset));

  for (int64_t layer = 0; layer < layers && graph.ok(); ++layer) {
    std::string name = "layers." + std::to_string(layer) + ".";
    // One norm a block: before its linears, or after the sum.
    auto normAt = [&](bool here, Value value, const char *which) {
      return here ? graph.layerNorm(value, name + which, hidden, affine, layerNormEps) : value;
    };
    x = graph.block(lm::BlockKind::Attention, layer, x, [&](Value residual) {
      Value in = normAt(normBefore, residual, "self_attn_layer_norm");
      Value q = graph.linear(in, name + "self_attn.q_proj", hidden, hidden, biases);
      Value k = graph.linear(in, name + "self_attn.k_proj", hidden, hidden, biases);
      Value v = graph.linear(in, name + "self_attn.v_proj", hidden, hidden, biases);
      Value heads = graph.attention(q, k, v, headDim);
      Value out = graph.linear(heads, name + "self_attn.out_proj", hidden, hidden, biases);
      return normAt(!normBefore, graph.add(residual, out), "self_attn_layer_norm");
    });
    x = graph.block(lm::BlockKind::Ffn, layer, x, [&](Value residual) {
      Value in = normAt(normBefore, residual, "final_layer_norm");
      Value up = graph.linear(in, name + "fc1", ffn, hidden, biases);
      Value out = graph.linear(graph.activation(act, up), name + "fc2", hidden, ffn, biases);
      return normAt(!normBefore, graph.add(residual, out), "final_layer_norm");
    });
  }

  if (finalNorm)
    x = graph.layerNorm(x, "final_layer_norm", hidden, affine, layerNormEps);
  if (embedding.size != hidden.size)
    x = graph.linear(x, "project_out", embedding, hidden, /*bias=*/false);
  Value head = graph.head(tied, "embed_tokens", {vocab, embedding});
  return graph.finish(graph.linear(x, head)).moveInto(model.module);
}

} // namespace

const Family optFamily = {"opt", /*defaultBos=*/2, /*defaultEos=*/2, buildOpt};

} // namespace coppice
