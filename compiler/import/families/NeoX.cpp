// GPT-NeoX (Black et al., arXiv 2204.06745) and Pythia (Biderman et al., arXiv 2304.01373), as
// Hugging Face's GPTNeoXForCausalLM computes it: the blocks of a layer side by side, each with a
// norm of its own, or one after the other; part of each head turns; query, key and value of a head
// lie together in one linear.
#include "compiler/import/FamilyParts.h"

using mlir::Value;

namespace coppice {
namespace {

llvm::Error buildNeoX(ConfigReader &config, GraphBuilder &graph, ImportedModel &model) {
  Sizes sizes = readSizes(config, /*defaultContext=*/2048);
  const Dim &vocab = sizes.vocab, &hidden = sizes.hidden;
  HeadWidths all = readEqualHeads(config, hidden);
  int64_t headDim = all.headDim;
  double eps = config.number("layer_norm_eps", 0, 1, 1e-5);
  bool parallel = config.flag("use_parallel_residual", true);
  bool biases = config.flag("attention_bias", true);
  bool tied = config.flag("tie_word_embeddings", false);
  auto act = readActivation(config, "hidden_act", "gelu");
  RopeDefaults defaults;
  defaults.headDim = headDim;
  defaults.partial = 0.25;
  defaults.thetaField = "rotary_emb_base";
  defaults.partialField = "rotary_pct";
  RopeParameters rope = readRope(config, sizes.context, defaults);
  if (llvm::Error error = config.finish())
    return error;

  model.context = sizes.context;
  Rotation turn = rotationFor(model, rope, headDim);

  graph.passOver({".attention.bias", ".attention.masked_bias"}); // the causal mask
  Value x = embedTokens(graph, {"gpt_neox.", ""}, "embed_in", {vocab, hidden});
  for (int64_t layer = 0; layer < sizes.layers && graph.ok(); ++layer) {
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
      Value in = graph.layerNorm(parallel ? before : residual, name + "post_attention_layernorm",
                                 hidden, /*affine=*/true, eps);
      return graph.add(residual,
                       plainFfn(graph, in, name + "mlp.dense_h_to_4h", name + "mlp.dense_4h_to_h",
                                hidden, sizes.ffn, act, {/*bias=*/true}));
    });
  }

  x = graph.layerNorm(x, "final_layer_norm", hidden, /*affine=*/true, eps);
  Value head = graph.head(tied, "embed_in", {vocab, hidden}, "embed_out");
  return graph.finish(graph.linear(x, head)).moveInto(model.module);
}

constexpr Relative relatives[] = {
    {"gpt_neo", "has local attention of its own kind; GPT-NeoX and Pythia are \"gpt_neox\""},
    {"gpt_neox_japanese", "has biases of its own after attention; GPT-NeoX is \"gpt_neox\""},
    {"gptj", "turns pairs that lie side by side; GPT-NeoX and Pythia are \"gpt_neox\""}};

} // namespace

constexpr Family families::NeoX = {"gpt_neox", /*defaultBos=*/0, /*defaultEos=*/2, buildNeoX,
                                   relatives};

} // namespace coppice
