// Phi-1, Phi-1.5 and Phi-2 (Gunasekar et al., arXiv 2306.11644; Li et al., arXiv 2309.05463), as
// Hugging Face's PhiForCausalLM computes it: both blocks of a layer read one norm, part of each
// head turns, and every linear has a bias, the head too.
#include "compiler/import/FamilyParts.h"

using mlir::Value;

namespace coppice {
namespace {

llvm::Error buildPhi(ConfigReader &config, GraphBuilder &graph, ImportedModel &model) {
  Sizes sizes = readSizes(config, /*defaultContext=*/2048);
  const Dim &vocab = sizes.vocab, &hidden = sizes.hidden;
  HeadWidths heads = readHeads(config, hidden);
  int64_t headDim = heads.headDim;
  double eps = config.number("layer_norm_eps", 0, 1, 1e-5);
  bool tied = config.flag("tie_word_embeddings", false);
  auto act = readActivation(config, "hidden_act", "gelu_new");
  if (config.flag("qk_layernorm", false))
    config.fail("qk_layernorm", "is not supported; only false is");
  RopeDefaults defaults;
  defaults.headDim = headDim;
  defaults.partial = 0.5;
  RopeParameters rope = readRope(config, sizes.context, defaults);
  // What some converted files say of the same beside it.
  int64_t turning = int64_t(double(headDim) * rope.partial);
  if (config.integer("rotary_dim", 0, 65536, turning) != turning)
    config.fail("rotary_dim", "disagrees with partial_rotary_factor, which turns " +
                                  llvm::Twine(turning) + " columns of a head");
  if (llvm::Error error = config.finish())
    return error;

  model.context = sizes.context;
  Rotation turn = rotationFor(model, rope, headDim);

  Value x = embedTokens(graph, {"model.", ""}, "embed_tokens", {vocab, hidden});
  for (int64_t layer = 0; layer < sizes.layers && graph.ok(); ++layer) {
    std::string name = "layers." + std::to_string(layer) + ".", self = name + "self_attn.";
    // Each block holds the norm, so that it stays when a plan skips the other.
    auto norm = [&](Value in) {
      return graph.layerNorm(in, name + "input_layernorm", hidden, /*affine=*/true, eps);
    };
    Value before = x;
    x = graph.block(lm::BlockKind::Attention, layer, x, [&](Value residual) {
      auto [q, k, v, width] =
          threeLinears(graph, norm(residual), self, hidden, heads, /*bias=*/true);
      q = graph.rope(q, headDim, turn);
      k = graph.rope(k, headDim, turn);
      Value seen = graph.attention(q, k, v, headDim);
      return graph.add(residual, graph.linear(seen, self + "dense", hidden, width, /*bias=*/true));
    });
    x = graph.block(lm::BlockKind::Ffn, layer, x, [&](Value residual) {
      return graph.add(residual, plainFfn(graph, norm(before), name + "mlp.fc1", name + "mlp.fc2",
                                          hidden, sizes.ffn, act, {/*bias=*/true}));
    });
  }

  x = graph.layerNorm(x, "final_layernorm", hidden, /*affine=*/true, eps);
  Value head = graph.head(tied, "embed_tokens", {vocab, hidden});
  return graph.finish(graph.linear(x, head, graph.absoluteWeight("lm_head.bias", {vocab})))
      .moveInto(model.module);
}

constexpr Relative relatives[] = {
    {"phi-msft", "is the form before conversion; Phi 1 to 2 as transformers has them are \"phi\""}};

} // namespace

constexpr Family families::Phi = {"phi", /*defaultBos=*/1, /*defaultEos=*/2, buildPhi, relatives};

} // namespace coppice
