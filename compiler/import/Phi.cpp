// Phi-1, Phi-1.5 and Phi-2 (Gunasekar et al., arXiv 2306.11644; Li et al., arXiv 2309.05463), as
// Hugging Face's PhiForCausalLM computes it: both blocks of a layer read one norm, part of each
// head turns, and every linear has a bias, the head too.
#include "compiler/import/Family.h"
#include "compiler/import/LlamaLike.h"
#include "coppice/limits.h"

using mlir::Value;

namespace coppice {
namespace {

llvm::Error buildPhi(ConfigReader &config, GraphBuilder &graph, ImportedModel &model) {
  Dim vocab = config.size("vocab_size");
  Dim hidden = config.size("hidden_size");
  Dim ffn = config.size("intermediate_size");
  int64_t layers = config.integer("num_hidden_layers", 1, COPPICE_MAX_LAYERS);
  int64_t context = config.integer("max_position_embeddings", 1, INT32_MAX, 2048);
  HeadWidths all = readHeads(config, hidden);
  int64_t headDim = all.headDim;
  double eps = config.number("layer_norm_eps", 0, 1, 1e-5);
  bool tied = config.flag("tie_word_embeddings", false);
  auto act = readActivation(config, "hidden_act", "gelu_new");
  if (config.flag("qk_layernorm", false))
    config.fail("qk_layernorm", "is not supported; only false is");
  RopeDefaults defaults;
  defaults.headDim = headDim;
  defaults.partial = 0.5;
  RopeParameters rope = readRope(config, context, defaults);
  if (llvm::Error error = config.finish())
    return error;

  model.vocab = vocab.size;
  model.context = context;
  Rotation turn = rotation(rope, headDim, model.positions());

  graph.choosePrefix({"model.", ""}, "embed_tokens.weight");
  Value x = graph.embed(graph.tokens(), graph.weight("embed_tokens.weight", {vocab, hidden}));

  for (int64_t layer = 0; layer < layers && graph.ok(); ++layer) {
    std::string name = "layers." + std::to_string(layer) + ".", self = name + "self_attn.";
    auto linear = [&](Value in, const std::string &which, const Dim &outs, const Dim &ins) {
      return graph.linear(in, which, outs, ins, /*bias=*/true);
    };
    // Each block holds the norm, so that it stays when a plan skips the other.
    auto norm = [&](Value in) {
      return graph.layerNorm(in, name + "input_layernorm", hidden, /*affine=*/true, eps);
    };
    Value before = x;
    x = graph.block(lm::BlockKind::Attention, layer, x, [&](Value residual) {
      HeadWidths widths = graph.heads(self + "q_proj", self + "k_proj", hidden, all);
      Value in = norm(residual);
      Value q = graph.rope(linear(in, self + "q_proj", widths.queries, hidden), headDim, turn);
      Value k = graph.rope(linear(in, self + "k_proj", widths.keys, hidden), headDim, turn);
      Value v = linear(in, self + "v_proj", widths.keys, hidden);
      Value heads = graph.attention(q, k, v, headDim);
      return graph.add(residual, linear(heads, self + "dense", hidden, widths.queries));
    });
    x = graph.block(lm::BlockKind::Ffn, layer, x, [&](Value residual) {
      Dim neurons = graph.outputs(name + "mlp.fc1", ffn, hidden);
      Value up = graph.activation(act, linear(norm(before), name + "mlp.fc1", neurons, hidden));
      return graph.add(residual, linear(up, name + "mlp.fc2", hidden, neurons));
    });
  }

  x = graph.layerNorm(x, "final_layernorm", hidden, /*affine=*/true, eps);
  Value head = graph.head(tied, "embed_tokens", {vocab, hidden});
  return graph.finish(graph.linear(x, head, graph.absoluteWeight("lm_head.bias", {vocab})))
      .moveInto(model.module);
}

} // namespace

const Family phiFamily = {"phi", /*defaultBos=*/1, /*defaultEos=*/2, buildPhi};

} // namespace coppice
