// OPT (Zhang et al., arXiv 2205.01068), as Hugging Face's OPTForCausalLM computes it.
#include "compiler/import/FamilyParts.h"
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
  HeadWidths heads = readEqualHeads(config, hidden);
  int64_t context = config.integer("max_position_embeddings", 1, INT32_MAX - 2, 2048);
  bool normBefore = config.flag("do_layer_norm_before", true);
  bool removeFinalNorm = config.flag("_remove_final_layer_norm", false);
  bool finalNorm = normBefore && !removeFinalNorm;
  bool biases = config.flag("enable_bias", true);
  bool affine = config.flag("layer_norm_elementwise_affine", true);
  bool tied = config.flag("tie_word_embeddings", true);
  auto act = readActivation(config, "activation_function", "relu");
  // Galactica's files say what holds for all.
  if (!config.flag("learned_embeddings", true))
    config.fail("learned_embeddings", "is not supported; only true is");
  if (llvm::Error error = config.finish())
    return error;

  model.context = context;
  model.positionLimit = context;
  Dim positionRows{context + positionOffset, "max_position_embeddings + 2"};

  Value x = embedTokens(graph, {"model.decoder.", "decoder."}, "embed_tokens", {vocab, embedding});
  if (embedding.size != hidden.size)
    x = graph.linear(x, "project_in", hidden, embedding, /*bias=*/false);
  Value table = graph.weight("embed_positions.weight", {positionRows, hidden});
  x = graph.add(x, graph.embed(graph.positions(), table, positionOffset));

  for (int64_t layer = 0; layer < layers && graph.ok(); ++layer) {
    std::string name = "layers." + std::to_string(layer) + ".", self = name + "self_attn.";
    // One norm a block: before its linears, or after the sum.
    auto normAt = [&](bool here, Value value, const char *which) {
      return here ? graph.layerNorm(value, name + which, hidden, affine, layerNormEps) : value;
    };
    x = graph.block(lm::BlockKind::Attention, layer, x, [&](Value residual) {
      Value in = normAt(normBefore, residual, "self_attn_layer_norm");
      auto [q, k, v, width] = threeLinears(graph, in, self, hidden, heads, biases);
      Value seen = graph.attention(q, k, v, heads.headDim);
      Value out = graph.linear(seen, self + "out_proj", hidden, width, biases);
      return normAt(!normBefore, graph.add(residual, out), "self_attn_layer_norm");
    });
    x = graph.block(lm::BlockKind::Ffn, layer, x, [&](Value residual) {
      Value in = normAt(normBefore, residual, "final_layer_norm");
      Value out = plainFfn(graph, in, name + "fc1", name + "fc2", hidden, ffn, act, {biases});
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

constexpr Family families::Opt = {"opt", /*defaultBos=*/2, /*defaultEos=*/2, buildOpt};

} // namespace coppice
