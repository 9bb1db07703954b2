// GPT-NeoX (Black et al., arXiv 2204.06745) and Pythia (Biderman et al., arXiv 2304.01373), as
// Hugging Face's GPTNeoXForCausalLM computes it: the blocks of a layer side by side, each with a
// norm of its own, or one after the other; part of each head turns; query, key and value of a head
// lie together in one linear.
#include "compiler/import/Family.h"
#include "compiler/import/LlamaLike.h"
#include "coppice/limits.h"

using mlir::Value;

namespace coppice {
namespace {

llvm::Error buildNeoX(ConfigReader &config, GraphBuilder &graph, ImportedModel &model) {
  Dim vocab = config.size("vocab_size");
  Dim hidden = config.size("hidden_size");
  Dim ffn = config.size("intermediate_size");
  int64_t layers = config.integer("num_hidden_layers", 1, COPPICE_MAX_LAYERS);
  int64_t headCount = config.integer("num_attention_heads", 1, 65536);
  int64_t context = config.integer("max_position_embeddings", 1, INT32_MAX, 2048);
  double eps = config.number("layer_norm_eps", 0, 1, 1e-5);
  bool parallel = config.flag("use_parallel_residual", true);
  bool biases = config.flag("attention_bias", true);
  bool tied = config.flag("tie_word_embeddings", false);
  auto act = readActivation(config, "hidden_act", "gelu");
  if (hidden.size % headCount != 0)
    config.fail("num_attention_heads", "does not divide hidden_size");
  int64_t headDim = std::max<int64_t>(hidden.size / headCount, 1);
  RopeDefaults defaults;
  defaults.headDim = headDim;
  defaults.partial = 0.25;
  defaults.thetaField = "rotary_emb_base";
  defaults.partialField = "rotary_pct";
  RopeParameters rope = readRope(config, context, defaults);
  if (llvm::Error error = config.finish())
    return error;

  model.vocab = vocab.size;
  model.context = context;
  HeadWidths all{hidden, hidden, headDim};
  Rotation turn = rotation(rope, headDim, model.positions());

  graph.choosePrefix({"gpt_neox.", ""}, "embed_in.weight");
  graph.passOver({".attention.bias", ".attention.masked_bias"}); // the causal mask
  Value x = graph.embed(graph.tokens(), graph.weight("embed_in.weight", {vocab, hidden}));

  for (int64_t layer = 0; layer < layers && graph.ok(); ++layer) {
    std::string name = "layers." + std::to_string(layer) + ".";
    Value before = x;
    x = graph.block(lm::BlockKind::Attention, layer, x, [&](Value residual) {
      std::string fusedName = name + "attention.query_key_value";
      Dim fused = graph.outputs(fusedName, {3 * hidden.size, "3 * hidden_size"}, hidden);
      HeadWidths widths = graph.fusedHeads(fused, /*group=*/1, all);
      Value in = graph.layerNorm(residual, name + "input_layernorm", hidden, /*affine=*/true, eps);
      auto part = [&](int64_t which) {
        Runs rows{which * headDim, headDim, 3 * headDim, widths.keys.size / headDim};
        return graph.linear(in, fusedName, fused, hidden, {biases, /*transposed=*/false, rows});
      };
      Value q = graph.rope(part(0), headDim, turn), k = graph.rope(part(1), headDim, turn);
      Value heads = graph.attention(q, k, part(2), headDim);
      return graph.add(
          residual, graph.linear(heads, name + "attention.dense", hidden, widths.queries, biases));
    });
    x = graph.block(lm::BlockKind::Ffn, layer, x, [&](Value residual) {
      Dim neurons = graph.outputs(name + "mlp.dense_h_to_4h", ffn, hidden);
      Value in = graph.layerNorm(parallel ? before : residual, name + "post_attention_layernorm",
                                 hidden, /*affine=*/true, eps);
      Value up = graph.linear(in, name + "mlp.dense_h_to_4h", neurons, hidden, /*bias=*/true);
      Value out = graph.linear(graph.activation(act, up), name + "mlp.dense_4h_to_h", hidden,
                               neurons, /*bias=*/true);
      return graph.add(residual, out);
    });
  }

  x = graph.layerNorm(x, "final_layer_norm", hidden, /*affine=*/true, eps);
  Value head = graph.head(tied, "embed_in", {vocab, hidden}, "embed_out");
  return graph.finish(graph.linear(x, head)).moveInto(model.module);
}

} // namespace

const Family neoxFamily = {"gpt_neox", /*defaultBos=*/0, /*defaultEos=*/2, buildNeoX};

} // namespace coppice
