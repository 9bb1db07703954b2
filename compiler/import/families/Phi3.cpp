// Phi-3, Phi-3.5 (Abdin et al., arXiv 2404.14219) and Phi-4, as Hugging Face's Phi3ForCausalLM
// computes it: Llama's graph with query, key and value in one linear, gate and up in another, and
// LongRoPE for long contexts. The library changes frequencies when a text grows beyond the trained
// length; what is compiled has those of its context.
#include "compiler/import/LlamaLike.h"

using mlir::Value;

namespace coppice {
namespace {

LinearForm rowsOnly(const Runs &rows) { return {/*bias=*/false, /*transposed=*/false, rows}; }

llvm::Error buildPhi3(ConfigReader &config, GraphBuilder &graph, ImportedModel &model) {
  LlamaDefaults defaults;
  defaults.context = 4096;
  defaults.eps = 1e-5;
  defaults.partialRotary = 1;
  defaults.originalContext = 4096;
  LlamaLike form = readLlamaLike(config, defaults);
  form.windows = readWindows(config, form.layers, /*fallback=*/std::nullopt);
  if (llvm::Error error = config.finish())
    return error;

  const Dim &hidden = form.hidden;
  // The queries are as many as the output linear reads; keys and values share the rest.
  form.qkv = [&](Value in, const std::string &layer) {
    std::string self = layer + "self_attn.", fusedName = self + "qkv_proj";
    int64_t rows = form.heads.queries.size + 2 * form.heads.keys.size;
    Dim fused = graph.outputs(fusedName, {rows, "heads and KV heads * head_dim"}, hidden);
    Dim queries = graph.inputs(self + "o_proj", hidden, form.heads.queries);
    HeadWidths widths = graph.fusedHeads(fused, queries, form.heads);
    auto part = [&](int64_t start, const Dim &width) {
      return graph.linear(in, fusedName, fused, hidden, rowsOnly({start, width.size}));
    };
    int64_t q = widths.queries.size, k = widths.keys.size;
    return QueryKeyValue{part(0, widths.queries), part(q, widths.keys), part(q + k, widths.keys),
                         widths.queries};
  };
  auto ffn = [&](Value in, const std::string &layer) {
    std::string fusedName = layer + "mlp.gate_up_proj";
    Dim fused = graph.outputs(fusedName, {2 * form.ffn.size, "2 * intermediate_size"}, hidden);
    Dim neurons = graph.half(fused);
    auto part = [&](int64_t start) {
      return graph.linear(in, fusedName, fused, hidden, rowsOnly({start, neurons.size}));
    };
    Value product = graph.mul(graph.activation(form.activation, part(0)), part(neurons.size));
    return graph.linear(product, layer + "mlp.down_proj", hidden, neurons, /*bias=*/false);
  };
  return buildLlamaLike(form, graph, model, ffn);
}

constexpr Relative relatives[] = {
    {"phi3_v", "is of text and pictures; Phi-3 of text alone is \"phi3\""},
    {"phi3small", "has block-sparse attention; Phi-3 mini and medium are \"phi3\""},
    {"phimoe", "is Phi-3.5 MoE; the dense Phi-3 are \"phi3\""},
    {"phi4mm", "is of text, pictures and sound; Phi-4 of text alone is \"phi3\""}};

} // namespace

constexpr Family families::Phi3 = {"phi3", /*defaultBos=*/1, /*defaultEos=*/32000, buildPhi3,
                                   relatives};

} // namespace coppice
