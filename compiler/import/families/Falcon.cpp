// Falcon (Almazrouei et al., arXiv 2311.16867; Falcon 2: arXiv 2407.14885), as Hugging Face's
// FalconForCausalLM computes it. Three builds: 7B with one KV head and one norm that both blocks of
// a layer read; 40B and after ("new_decoder_architecture") with groups of heads and one or two
// norms; and blocks one after the other. Query, key and value lie in one linear, group by group.
#include "compiler/import/FamilyParts.h"
#include "coppice/limits.h"

using mlir::Value;

namespace coppice {
namespace {

llvm::Error buildFalcon(ConfigReader &config, GraphBuilder &graph, ImportedModel &model) {
  Dim vocab = config.size("vocab_size");
  Dim hidden = config.has("n_embed") ? config.size("n_embed") : config.size("hidden_size");
  Dim ffn = config.size("ffn_hidden_size", Dim{4 * hidden.size, "4 * hidden_size"});
  int64_t layers = config.integer("num_hidden_layers", 1, COPPICE_MAX_LAYERS);
  int64_t headDim = readEqualHeads(config, hidden).headDim, headCount = hidden.size / headDim;
  int64_t context = config.integer("max_position_embeddings", 1, INT32_MAX, 2048);
  double eps = config.number("layer_norm_epsilon", 0, 1, 1e-5);
  bool grouped = config.flag("new_decoder_architecture", false);
  bool oneKvHead = config.flag("multi_query", true) && !grouped;
  if (oneKvHead) // which all share, and then the field means nothing
    config.ignore({"num_kv_heads"});
  int64_t kvHeads = oneKvHead ? 1 : config.integer("num_kv_heads", 1, 65536, headCount);
  bool parallel = config.flag("parallel_attn", true);
  int64_t norms = config.integer("num_ln_in_parallel_attn", 1, 2, grouped ? 2 : 1);
  bool biases = config.flag("bias", false);
  bool tied = config.flag("tie_word_embeddings", true);
  auto act = readActivation(config, "activation", "gelu");
  config.ignore({"apply_residual_connection_post_layernorm", "ff_factor", "n_head", "n_layer"});
  if (config.flag("alibi", false))
    config.fail("alibi", "is not supported: attention with linear biases in place of rotary "
                         "embedding; only false is");
  if (grouped && !parallel)
    config.fail("parallel_attn", "is not supported beside new_decoder_architecture; only true is");
  if (!grouped && norms == 2)
    config.fail("num_ln_in_parallel_attn", "needs new_decoder_architecture");
  if (headCount % kvHeads != 0)
    config.fail("num_kv_heads", "does not divide num_attention_heads");
  if (!grouped && !oneKvHead && kvHeads != headCount)
    config.fail("num_kv_heads", "disagrees with num_attention_heads, " + llvm::Twine(headCount) +
                                    ": without multi_query and new_decoder_architecture each head "
                                    "has a KV head of its own; remove it, or correct those fields");
  RopeDefaults rope;
  rope.headDim = headDim;
  RopeParameters turns = readRope(config, context, rope);
  if (llvm::Error error = config.finish())
    return error;

  model.context = context;
  Rotation turn = rotationFor(model, turns, headDim);
  // Query heads for each KV head; all of them for the one.
  int64_t group = oneKvHead ? headCount : grouped ? headCount / kvHeads : 1;
  int64_t keys = hidden.size / group;
  HeadWidths all{hidden, {keys, "hidden_size / heads of a group"}, headDim};

  Value x = embedTokens(graph, {"transformer.", ""}, "word_embeddings", {vocab, hidden});
  for (int64_t layer = 0; layer < layers && graph.ok(); ++layer) {
    std::string name = "h." + std::to_string(layer) + ".";
    auto norm = [&](Value in, const char *which) {
      return graph.layerNorm(in, name + which, hidden, /*affine=*/true, eps);
    };
    Value before = x;
    x = graph.block(lm::BlockKind::Attention, layer, x, [&](Value residual) {
      std::string fusedName = name + "self_attention.query_key_value";
      Dim rows{hidden.size + 2 * keys, "(heads + 2 * KV heads) * head_dim"};
      Dim fused = graph.outputs(fusedName, rows, hidden);
      int64_t queries = oneKvHead ? fused.size / headDim - 2 : group;
      HeadWidths widths = graph.fusedHeads(fused, queries, all);
      int64_t groups = widths.keys.size / headDim;
      int64_t length = groups ? widths.queries.size / groups : 0;
      Value in = norm(residual, norms == 2 ? "ln_attn" : "input_layernorm");
      auto part = [&](int64_t start, int64_t each) {
        Runs runs{start, each, length + 2 * headDim, groups};
        return graph.linear(in, fusedName, fused, hidden, {biases, /*transposed=*/false, runs});
      };
      Value q = graph.rope(part(0, length), headDim, turn);
      Value k = graph.rope(part(length, headDim), headDim, turn);
      Value heads = graph.attention(q, k, part(length + headDim, headDim), headDim);
      return graph.add(residual, graph.linear(heads, name + "self_attention.dense", hidden,
                                              widths.queries, biases));
    });
    x = graph.block(lm::BlockKind::Ffn, layer, x, [&](Value residual) {
      // One norm that both blocks read stands in each, so that it stays when a plan skips the
      // other.
      Value in = parallel ? norm(before, norms == 2 ? "ln_mlp" : "input_layernorm")
                          : norm(residual, "post_attention_layernorm");
      return graph.add(residual, plainFfn(graph, in, name + "mlp.dense_h_to_4h",
                                          name + "mlp.dense_4h_to_h", hidden, ffn, act, {biases}));
    });
  }

  x = graph.layerNorm(x, "ln_f", hidden, /*affine=*/true, eps);
  Value head = graph.head(tied, "word_embeddings", {vocab, hidden});
  return graph.finish(graph.linear(x, head)).moveInto(model.module);
}

constexpr Relative relatives[] = {
    {"RefinedWeb", "is the form before conversion; Falcon as transformers has it is \"falcon\""},
    {"RefinedWebModel",
     "is the form before conversion; Falcon as transformers has it is \"falcon\""}};

} // namespace

constexpr Family families::Falcon = {"falcon", /*defaultBos=*/11, /*defaultEos=*/11, buildFalcon,
                                     relatives};

} // namespace coppice
