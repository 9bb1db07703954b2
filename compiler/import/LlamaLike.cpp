// The graph of the families around Llama, as Hugging Face's LlamaForCausalLM computes it.
#include "compiler/import/LlamaLike.h"
#include "coppice/limits.h"

using mlir::Value;

namespace coppice {

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
          headDim};
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
  std::vector<int64_t> windows;
  for (int64_t layer = 0; layer < layers; ++layer)
    windows.push_back((types ? (*types)[layer] == sliding : slides(layer)) ? window : 0);
  return windows;
}

LlamaLike readLlamaLike(ConfigReader &config, const LlamaDefaults &defaults) {
  LlamaLike form;
  form.vocab = config.size("vocab_size");
  form.hidden = config.size("hidden_size");
  form.ffn = config.size("intermediate_size");
  form.layers = config.integer("num_hidden_layers", 1, COPPICE_MAX_LAYERS);
  form.context = config.integer("max_position_embeddings", 1, INT32_MAX, defaults.context);
  form.heads = readHeads(config, form.hidden, defaults.kvHeads, defaults.headDim);
  form.eps = config.number("rms_norm_eps", 0, 1, defaults.eps);
  form.tied = config.flag("tie_word_embeddings", defaults.tied);
  form.activation = readActivation(config, "hidden_act", "silu");
  RopeDefaults rope;
  rope.theta = defaults.theta;
  rope.headDim = form.heads.headDim;
  rope.partial = defaults.partialRotary;
  rope.originalContext = defaults.originalContext;
  form.rope = readRope(config, form.context, rope);
  return form;
}

static Value gatedFfn(const LlamaLike &form, GraphBuilder &graph, Value in,
                      const std::string &layer) {
  std::string mlp = layer + "mlp.";
  Dim neurons = graph.outputs(mlp + "up_proj", form.ffn, form.hidden);
  Value gate = graph.linear(in, mlp + "gate_proj", neurons, form.hidden, form.ffnBias);
  Value up = graph.linear(in, mlp + "up_proj", neurons, form.hidden, form.ffnBias);
  Value product = graph.mul(graph.activation(form.activation, gate), up);
  return graph.linear(product, mlp + "down_proj", form.hidden, neurons, form.ffnBias);
}

static QueryKeyValue threeLinears(const LlamaLike &form, GraphBuilder &graph, Value in,
                                  const std::string &layer) {
  std::string self = layer + "self_attn.";
  HeadWidths widths = graph.heads(self + "q_proj", self + "k_proj", form.hidden, form.heads);
  auto linear = [&](const char *name, const Dim &width) {
    return graph.linear(in, self + name, width, form.hidden, form.qkvBias);
  };
  // One after the other: tensors are declared in the order of the model.
  Value q = linear("q_proj", widths.queries);
  Value k = linear("k_proj", widths.keys);
  Value v = linear("v_proj", widths.keys);
  return {q, k, v, widths.queries};
}

llvm::Error buildLlamaLike(const LlamaLike &form, GraphBuilder &graph, ImportedModel &model,
                           const FfnBody &ffn) {
  const Dim &hidden = form.hidden;
  int64_t headDim = form.heads.headDim;
  model.vocab = form.vocab.size;
  model.context = form.context;
  Rotation turn = rotation(form.rope, headDim, model.positions());

  graph.choosePrefix({"model.", ""}, "embed_tokens.weight");
  Value x = graph.embed(graph.tokens(), graph.weight("embed_tokens.weight", {form.vocab, hidden}));

  for (int64_t layer = 0; layer < form.layers && graph.ok(); ++layer) {
    std::string name = "layers." + std::to_string(layer) + ".", self = name + "self_attn.";
    x = graph.block(lm::BlockKind::Attention, layer, x, [&](Value residual) {
      Value in = graph.rmsNorm(residual, name + "input_layernorm", hidden, form.eps);
      auto [q, k, v, width] = form.qkv ? form.qkv(in, name) : threeLinears(form, graph, in, name);
      if (form.headNorms) {
        q = graph.headNorm(q, self + "q_norm", headDim, form.eps);
        k = graph.headNorm(k, self + "k_norm", headDim, form.eps);
      }
      q = graph.rope(q, headDim, turn);
      k = graph.rope(k, headDim, turn);
      int64_t window = form.windows.empty() ? 0 : model.window(form.windows[layer]);
      Value heads = graph.attention(q, k, v, headDim, {window});
      Value out = graph.linear(heads, self + "o_proj", hidden, width, form.outputBias);
      return graph.add(residual, out);
    });
    x = graph.block(lm::BlockKind::Ffn, layer, x, [&](Value residual) {
      Value in = graph.rmsNorm(residual, name + "post_attention_layernorm", hidden, form.eps);
      Value out = ffn ? ffn(in, name) : Value();
      if (!out)
        out = gatedFfn(form, graph, in, name);
      return graph.add(residual, out);
    });
  }

  x = graph.rmsNorm(x, "norm", hidden, form.eps);
  Value head = graph.head(form.tied, "embed_tokens", {form.vocab, hidden});
  return graph.finish(graph.linear(x, head)).moveInto(model.module);
}

} // namespace coppice
