// See FamilyParts.h.
#include "compiler/import/FamilyParts.h"
#include "coppice/limits.h"
#include "llvm/ADT/STLExtras.h"

using mlir::Value;

namespace coppice {

Sizes readSizes(ConfigReader &config, int64_t defaultContext) {
  Sizes sizes;
  sizes.vocab = config.size("vocab_size");
  sizes.hidden = config.size("hidden_size");
  sizes.ffn = config.size("intermediate_size");
  sizes.layers = config.integer("num_hidden_layers", 1, COPPICE_MAX_LAYERS);
  sizes.context = config.integer("max_position_embeddings", 1, INT32_MAX, defaultContext);
  return sizes;
}

lm::ActivationKind readActivation(ConfigReader &config, llvm::StringRef field,
                                  llvm::StringRef fallback) {
  using Kind = lm::ActivationKind;
  return config.choice<Kind>(field, fallback,
                             {{"silu", Kind::Silu},
                              {"swish", Kind::Silu},
                              {"gelu", Kind::Gelu},
                              {"gelu_python", Kind::Gelu},
                              {"gelu_new", Kind::GeluTanh},
                              {"gelu_fast", Kind::GeluTanh},
                              {"gelu_pytorch_tanh", Kind::GeluTanh},
                              {"relu", Kind::Relu}});
}

HeadWidths readHeads(ConfigReader &config, const Dim &hidden, std::optional<int64_t> defaultKvHeads,
                     std::optional<int64_t> defaultHeadDim) {
  int64_t heads = config.integer("num_attention_heads", 1, 65536);
  if (config.isNull("num_key_value_heads"))
    defaultKvHeads.reset();
  if (config.isNull("head_dim"))
    defaultHeadDim.reset();
  int64_t kvHeads = config.integer("num_key_value_heads", 1, 65536, defaultKvHeads.value_or(heads));
  bool given = config.has("head_dim") || defaultHeadDim;
  int64_t headDim = config.integer(
      "head_dim", 1, 65536, defaultHeadDim.value_or(std::max<int64_t>(hidden.size / heads, 1)));
  if (!given && hidden.size % heads != 0)
    config.fail("num_attention_heads", "does not divide hidden_size, and head_dim is not given");
  if (heads % kvHeads != 0)
    config.fail("num_key_value_heads", "does not divide num_attention_heads");
  if (heads * headDim > ConfigReader::kMostSize) {
    config.fail("num_attention_heads", "makes " + llvm::Twine(heads * headDim) +
                                           " columns of heads " + llvm::Twine(headDim) +
                                           " wide, and at most " +
                                           llvm::Twine(ConfigReader::kMostSize) + " are read");
    heads = kvHeads = 1;
  }
  return {{heads * headDim, "num_attention_heads * head_dim"},
          {kvHeads * headDim, "num_key_value_heads * head_dim"},
          headDim,
          given};
}

HeadWidths readEqualHeads(ConfigReader &config, const Dim &hidden, llvm::StringRef field) {
  int64_t heads = config.integer(field, 1, 65536);
  if (hidden.size % heads != 0)
    config.fail(field, "does not divide " + hidden.field);
  return {hidden, hidden, std::max<int64_t>(hidden.size / heads, 1)};
}

std::vector<int64_t> readWindows(ConfigReader &config, int64_t layers,
                                 std::optional<int64_t> fallback) {
  if (!config.has("sliding_window") && (!fallback || config.isNull("sliding_window")))
    return {};
  return std::vector<int64_t>(layers, config.integer("sliding_window", 1, INT32_MAX, fallback));
}

std::vector<int64_t> readLayerTypes(ConfigReader &config, int64_t layers, int64_t window,
                                    llvm::function_ref<bool(int64_t)> slides) {
  constexpr llvm::StringLiteral sliding = "sliding_attention";
  auto types = config.words("layer_types", layers, {sliding, "full_attention"});
  std::vector<int64_t> windows(layers, 0);
  for (int64_t layer = 0; layer < layers; ++layer)
    if (types ? (*types)[layer] == sliding : slides(layer))
      windows[layer] = window;
  return windows;
}

std::vector<int64_t> readUpperWindows(ConfigReader &config, int64_t layers) {
  bool used = config.flag("use_sliding_window", false) && !config.isNull("sliding_window");
  int64_t window = config.integer("sliding_window", 1, INT32_MAX, 4096);
  int64_t first = config.integer("max_window_layers", 0, INT32_MAX, 28);
  std::vector<int64_t> windows =
      readLayerTypes(config, layers, window, [&](int64_t layer) { return used && layer >= first; });
  // The library refuses to run such a model.
  if (!used && llvm::any_of(windows, [](int64_t width) { return width != 0; }))
    config.fail("layer_types", "has layers of sliding_attention, and no window is used: "
                               "use_sliding_window is not true, or sliding_window is null; correct "
                               "the one that is wrong");
  return windows;
}

Rotation rotationFor(ImportedModel &model, const RopeParameters &rope, int64_t headDim) {
  int64_t positions = model.positions(), trained = rope.originalContext;
  if (rope.kind == RopeParameters::Kind::LongRope && positions > trained &&
      rope.longFactors != rope.shortFactors)
    model.warnings.push_back(
        ("the context, " + llvm::Twine(positions) +
         ", is beyond original_max_position_embeddings, " + llvm::Twine(trained) +
         ": texts of every length turn by long_factor, and transformers takes short_factor for "
         "those of at most " +
         llvm::Twine(trained) + " tokens; for these, compile with --context " +
         llvm::Twine(trained))
            .str());
  return rotation(rope, headDim, positions);
}

Value embedTokens(GraphBuilder &graph, llvm::ArrayRef<llvm::StringRef> prefixes,
                  const std::string &embed, llvm::ArrayRef<Dim> shape) {
  graph.choosePrefix(prefixes, embed + ".weight");
  return graph.embed(graph.tokens(), graph.weight(embed + ".weight", shape));
}

QueryKeyValue threeLinears(GraphBuilder &graph, Value in, const std::string &self,
                           const Dim &hidden, const HeadWidths &config, bool bias) {
  HeadWidths widths = graph.heads(self + "q_proj", self + "k_proj", hidden, config);
  // One after the other: tensors are declared in the order of the model.
  Value q = graph.linear(in, self + "q_proj", widths.queries, hidden, bias);
  Value k = graph.linear(in, self + "k_proj", widths.keys, hidden, bias);
  Value v = graph.linear(in, self + "v_proj", widths.keys, hidden, bias);
  return {q, k, v, widths.queries};
}

Value plainFfn(GraphBuilder &graph, Value in, const std::string &up, const std::string &down,
               const Dim &hidden, const Dim &ffn, lm::ActivationKind activation,
               const LinearForm &form) {
  Dim neurons = graph.outputs(up, ffn, hidden, form.transposed);
  Value between = graph.activation(activation, graph.linear(in, up, neurons, hidden, form));
  return graph.linear(between, down, hidden, neurons, form);
}

} // namespace coppice
