// Gemma 1, 2 and 3, text (Gemma Team, arXiv 2403.08295, 2408.00118, 2503.19786), as Hugging Face's
// Gemma*ForCausalLM compute them. Scaled embeddings; every norm's scale is 1 + its weight. From the
// second on norms stand after each branch too and local layers see a window; the second caps scores
// and logits; the third norms each head of query and key, and turns local layers by a base of their
// own.
#include "compiler/import/LlamaLike.h"
#include "coppice/limits.h"
#include <cmath>

using mlir::Value;

namespace coppice {
namespace {

enum Generation { First = 1, Second, Third };

struct Gemma {
  Dim vocab, hidden, ffn;
  int64_t layers, context;
  HeadWidths heads;
  double eps;
  bool tied, bias;
  lm::ActivationKind activation;
  RopeParameters rope, localRope;
  std::vector<int64_t> windows; // per layer, 0 for global ones
  double scoreScale, scoreCap = 0, logitCap = 0;
};

/// The first generation was trained with the tanh form, and its first configs say "gelu".
lm::ActivationKind readFirstActivation(ConfigReader &config) {
  auto older = readActivation(config, "hidden_act", "gelu_pytorch_tanh");
  if (config.has("hidden_activation")) {
    auto newer = readActivation(config, "hidden_activation", "gelu_pytorch_tanh");
    if (config.has("hidden_act") && older != newer && older != lm::ActivationKind::Gelu)
      config.fail("hidden_activation", "disagrees with hidden_act, and versions of transformers "
                                       "differ in which of the two they take; make them agree");
    return newer;
  }
  return older == lm::ActivationKind::Gelu ? lm::ActivationKind::GeluTanh : older;
}

/// A cap that null, or nothing where the library has no default, turns off.
double readCap(ConfigReader &config, llvm::StringRef name, double fallback) {
  return config.isNull(name) || (!config.has(name) && fallback == 0)
             ? 0
             : config.number(name, 1e-3, 1e9, fallback);
}

Gemma read(ConfigReader &config, Generation generation) {
  Gemma form;
  form.vocab = config.size("vocab_size", Dim{generation == Third ? 262208 : 256000, "vocab_size"});
  form.hidden = config.size("hidden_size");
  form.ffn = config.size("intermediate_size");
  form.layers = config.integer("num_hidden_layers", 1, COPPICE_MAX_LAYERS);
  form.context =
      config.integer("max_position_embeddings", 1, INT32_MAX, generation == Third ? 131072 : 8192);
  form.heads = readHeads(config, form.hidden, generation == First ? 16 : 4, 256);
  form.eps = config.number("rms_norm_eps", 0, 1, 1e-6);
  form.tied = config.flag("tie_word_embeddings", true);
  form.bias = config.flag("attention_bias", false);
  form.rope = readRope(config, form.context, {generation == Third ? 1e6 : 1e4, form.heads.headDim});
  form.scoreScale = 1 / std::sqrt(double(form.heads.headDim));
  form.windows.assign(form.layers, 0);
  if (generation == First) {
    form.activation = readFirstActivation(config);
    form.localRope = form.rope;
    return form;
  }
  // Second and third generation configs may name the older field; the library reads the newer.
  form.activation = readActivation(config, "hidden_activation", "gelu_pytorch_tanh");
  readActivation(config, "hidden_act", "gelu_pytorch_tanh");
  form.scoreScale = 1 / std::sqrt(config.number("query_pre_attn_scalar", 1e-3, 1e9, 256));
  form.scoreCap = readCap(config, "attn_logit_softcapping", generation == Second ? 50 : 0);
  if (generation == Third && form.scoreCap != 0)
    config.fail("attn_logit_softcapping",
                "transformers reads in this family and does not apply; only null is supported");
  form.logitCap = readCap(config, "final_logit_softcapping", generation == Second ? 30 : 0);
  // Every second layer is global in the second generation, every sixth in the third.
  int64_t period =
      generation == Second ? 2 : config.integer("sliding_window_pattern", 1, COPPICE_MAX_LAYERS, 6);
  int64_t window = config.integer("sliding_window", 1, INT32_MAX, 4096);
  form.windows = readLayerTypes(config, form.layers, window,
                                [&](int64_t layer) { return (layer + 1) % period != 0; });
  form.localRope = form.rope;
  if (generation == Third) {
    form.localRope = RopeParameters();
    form.localRope.theta = config.number("rope_local_base_freq", 1e-3, 1e30, 1e4);
  }
  return form;
}

llvm::Error build(const Gemma &form, Generation generation, GraphBuilder &graph,
                  ImportedModel &model) {
  const Dim &hidden = form.hidden;
  int64_t headDim = form.heads.headDim;
  model.vocab = form.vocab.size;
  model.context = form.context;
  int64_t positions = model.positions();
  Rotation turn = rotation(form.rope, headDim, positions);
  Rotation localTurn = rotation(form.localRope, headDim, positions);
  auto norm = [&](Value x, const std::string &name) {
    return graph.rmsNorm(x, name, hidden, form.eps, NormScale::OnePlus);
  };
  auto normAfter = [&](Value x, const std::string &name) {
    return generation == First ? x : norm(x, name);
  };

  graph.choosePrefix({"model.", ""}, "embed_tokens.weight");
  Value x = graph.embed(graph.tokens(), graph.weight("embed_tokens.weight", {form.vocab, hidden}));
  x = graph.scale(x, std::sqrt(double(hidden.size)));

  for (int64_t layer = 0; layer < form.layers && graph.ok(); ++layer) {
    std::string name = "layers." + std::to_string(layer) + ".", self = name + "self_attn.";
    int64_t window = model.window(form.windows[layer]);
    x = graph.block(lm::BlockKind::Attention, layer, x, [&](Value residual) {
      HeadWidths widths = graph.heads(self + "q_proj", self + "k_proj", hidden, form.heads);
      Value in = norm(residual, name + "input_layernorm");
      Value q = graph.linear(in, self + "q_proj", widths.queries, hidden, form.bias);
      Value k = graph.linear(in, self + "k_proj", widths.keys, hidden, form.bias);
      Value v = graph.linear(in, self + "v_proj", widths.keys, hidden, form.bias);
      if (generation == Third) {
        q = graph.headNorm(q, self + "q_norm", headDim, form.eps, NormScale::OnePlus);
        k = graph.headNorm(k, self + "k_norm", headDim, form.eps, NormScale::OnePlus);
      }
      const Rotation &own = form.windows[layer] ? localTurn : turn;
      q = graph.rope(q, headDim, own);
      k = graph.rope(k, headDim, own);
      Value heads = graph.attention(q, k, v, headDim, {window, form.scoreCap, form.scoreScale});
      Value out = graph.linear(heads, self + "o_proj", hidden, widths.queries, form.bias);
      return graph.add(residual, normAfter(out, name + "post_attention_layernorm"));
    });
    x = graph.block(lm::BlockKind::Ffn, layer, x, [&](Value residual) {
      Value in = norm(residual, name + (generation == First ? "post_attention_layernorm"
                                                            : "pre_feedforward_layernorm"));
      Dim neurons = graph.outputs(name + "mlp.up_proj", form.ffn, hidden);
      Value gate = graph.linear(in, name + "mlp.gate_proj", neurons, hidden, /*bias=*/false);
      Value up = graph.linear(in, name + "mlp.up_proj", neurons, hidden, /*bias=*/false);
      Value product = graph.mul(graph.activation(form.activation, gate), up);
      Value out = graph.linear(product, name + "mlp.down_proj", hidden, neurons, /*bias=*/false);
      return graph.add(residual, normAfter(out, name + "post_feedforward_layernorm"));
    });
  }

  x = graph.linear(norm(x, "norm"), graph.head(form.tied, "embed_tokens", {form.vocab, hidden}));
  if (form.logitCap != 0)
    x = graph.softcap(x, form.logitCap);
  return graph.finish(x).moveInto(model.module);
}

template <Generation generation>
llvm::Error buildGemma(ConfigReader &config, GraphBuilder &graph, ImportedModel &model) {
  Gemma form = read(config, generation);
  if (llvm::Error error = config.finish())
    return error;
  return build(form, generation, graph, model);
}

} // namespace

const Family gemmaFamily = {"gemma", /*defaultBos=*/2, /*defaultEos=*/1, buildGemma<First>};
const Family gemma2Family = {"gemma2", /*defaultBos=*/2, /*defaultEos=*/1, buildGemma<Second>};
const Family gemma3Family = {"gemma3_text", /*defaultBos=*/2, /*defaultEos=*/1, buildGemma<Third>};

} // namespace coppice
