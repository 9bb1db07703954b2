// GPT-2 (Radford et al., 2019), and GPT-3's shape (Brown et al., arXiv 2005.14165) where attention
// is dense in every layer. As Hugging Face's GPT2LMHeadModel computes it: its linears are Conv1D,
// stored [in, out], and query, key and value are thirds of one.
#include "compiler/import/FamilyParts.h"
#include "coppice/limits.h"
#include <cmath>

using mlir::Value;

namespace coppice {
namespace {

llvm::Error buildGpt2(ConfigReader &config, GraphBuilder &graph, ImportedModel &model) {
  Dim vocab = config.size("vocab_size");
  Dim hidden = config.size("n_embd");
  Dim inner = config.size("n_inner", Dim{4 * hidden.size, "4 * n_embd"});
  int64_t layers = config.integer("n_layer", 1, COPPICE_MAX_LAYERS);
  HeadWidths all = readEqualHeads(config, hidden, "n_head");
  int64_t headDim = all.headDim, headCount = hidden.size / headDim;
  Dim positions = config.size("n_positions", Dim{1024, "n_positions"});
  double eps = config.number("layer_norm_epsilon", 0, 1, 1e-5);
  bool tied = config.flag("tie_word_embeddings", true);
  bool scaleByWidth = config.flag("scale_attn_weights", true);
  bool scaleByLayer = config.flag("scale_attn_by_inverse_layer_idx", false);
  auto act = readActivation(config, "activation_function", "gelu_new");
  // Heads by layer that the library itself has cut from the tensors.
  std::vector<int64_t> pruned(layers, 0);
  if (std::unique_ptr<ConfigReader> lists = config.object("pruned_heads")) {
    for (int64_t layer = 0; layer < layers; ++layer)
      if (std::string name = std::to_string(layer); lists->has(name)) {
        pruned[layer] = lists->numbers(name, 0, double(headCount - 1)).size();
        if (pruned[layer] >= headCount)
          lists->fail(name, "leaves none of " + llvm::Twine(headCount) + " heads");
      }
    lists->refuseUnread();
  }
  if (llvm::Error error = config.finish())
    return error;

  model.context = positions.size;
  model.positionLimit = positions.size;

  graph.passOver({".attn.bias", ".attn.masked_bias"}); // the causal mask
  Value x = embedTokens(graph, {"transformer.", ""}, "wte", {vocab, hidden});
  Value table = graph.weight("wpe.weight", {positions, hidden});
  x = graph.add(x, graph.embed(graph.positions(), table));

  for (int64_t layer = 0; layer < layers && graph.ok(); ++layer) {
    std::string name = "h." + std::to_string(layer) + ".";
    auto conv = [&](Value in, const char *which, const Dim &outs, const Dim &ins,
                    std::optional<Runs> rows = std::nullopt) {
      return graph.linear(in, name + which, outs, ins, {/*bias=*/true, /*transposed=*/true, rows});
    };
    x = graph.block(lm::BlockKind::Attention, layer, x, [&](Value residual) {
      Dim fused{3 * (headCount - pruned[layer]) * headDim, "3 * n_embd without pruned_heads"};
      if (!pruned[layer])
        fused = graph.outputs(name + "attn.c_attn", {3 * hidden.size, "3 * n_embd"}, hidden,
                              /*transposed=*/true);
      HeadWidths widths = graph.fusedHeads(fused, /*group=*/1, all);
      int64_t third = widths.keys.size;
      Value in = graph.layerNorm(residual, name + "ln_1", hidden, /*affine=*/true, eps);
      Value q = conv(in, "attn.c_attn", fused, hidden, Runs{0, third});
      Value k = conv(in, "attn.c_attn", fused, hidden, Runs{third, third});
      Value v = conv(in, "attn.c_attn", fused, hidden, Runs{2 * third, third});
      AttentionForm form;
      form.scale = (scaleByWidth ? 1 / std::sqrt(double(headDim)) : 1.0) /
                   (scaleByLayer ? double(layer + 1) : 1.0);
      Value heads = graph.attention(q, k, v, headDim, form);
      return graph.add(residual, conv(heads, "attn.c_proj", hidden, widths.queries));
    });
    x = graph.block(lm::BlockKind::Ffn, layer, x, [&](Value residual) {
      Value in = graph.layerNorm(residual, name + "ln_2", hidden, /*affine=*/true, eps);
      return graph.add(residual, plainFfn(graph, in, name + "mlp.c_fc", name + "mlp.c_proj", hidden,
                                          inner, act, {/*bias=*/true, /*transposed=*/true}));
    });
  }

  x = graph.layerNorm(x, "ln_f", hidden, /*affine=*/true, eps);
  Value head = graph.head(tied, "wte", {vocab, hidden});
  return graph.finish(graph.linear(x, head)).moveInto(model.module);
}

} // namespace

constexpr Family families::Gpt2 = {"gpt2", /*defaultBos=*/50256, /*defaultEos=*/50256, buildGpt2};

} // namespace coppice
