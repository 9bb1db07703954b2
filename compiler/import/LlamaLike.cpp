// The graph of the families around Llama, as Hugging Face's LlamaForCausalLM computes it, and what
// some of them add.
#include "compiler/import/LlamaLike.h"

using mlir::Value;

namespace coppice {

LlamaLike readLlamaLike(ConfigReader &config, const LlamaDefaults &defaults) {
  LlamaLike form;
  static_cast<Sizes &>(form) = readSizes(config, defaults.context);
  form.heads = readHeads(config, form.hidden, defaults.kvHeads, defaults.headDim);
  form.eps = config.number(defaults.epsField, 0, 1, defaults.eps);
  form.tied = config.flag("tie_word_embeddings", defaults.tied);
  form.activation = readActivation(config, defaults.activationField, defaults.activation);
  RopeDefaults rope;
  rope.theta = defaults.theta;
  rope.headDim = form.heads.headDim;
  rope.layers = defaults.ropeLayers;
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

llvm::Error buildLlamaLike(const LlamaLike &form, GraphBuilder &graph, ImportedModel &model,
                           const FfnBody &ffn) {
  const Dim &hidden = form.hidden;
  int64_t headDim = form.heads.headDim;
  model.context = form.context;
  Rotation turn = rotationFor(model, form.rope, headDim);
  Rotation localTurn = form.localRope ? rotationFor(model, *form.localRope, headDim) : turn;
  NormScale scale = form.norm == NormKind::RmsOnePlus ? NormScale::OnePlus : NormScale::Stored;
  auto norm = [&](Value x, const std::string &name) {
    return form.norm == NormKind::Layer
               ? graph.layerNorm(x, name, hidden, /*affine=*/true, form.eps)
               : graph.rmsNorm(x, name, hidden, form.eps, scale);
  };
  auto normAfter = [&](Value x, const std::string &name) {
    return form.normsAfter ? norm(x, name) : x;
  };

  Value x = embedTokens(graph, {"model.", ""}, "embed_tokens", {form.vocab, hidden});
  if (form.embeddingScale)
    x = graph.scale(x, *form.embeddingScale);

  for (int64_t layer = 0; layer < form.layers && graph.ok(); ++layer) {
    std::string name = "layers." + std::to_string(layer) + ".", self = name + "self_attn.";
    int64_t window = form.windows.empty() ? 0 : form.windows[layer];
    x = graph.block(lm::BlockKind::Attention, layer, x, [&](Value residual) {
      Value in = norm(residual, name + "input_layernorm");
      auto [q, k, v, width] = form.qkv
                                  ? form.qkv(in, name)
                                  : threeLinears(graph, in, self, hidden, form.heads, form.qkvBias);
      if (form.headNorms) {
        q = graph.headNorm(q, self + "q_norm", headDim, form.eps, scale);
        k = graph.headNorm(k, self + "k_norm", headDim, form.eps, scale);
      }
      q = graph.rope(q, headDim, window ? localTurn : turn);
      k = graph.rope(k, headDim, window ? localTurn : turn);
      Value heads =
          graph.attention(q, k, v, headDim, {model.window(window), form.scoreCap, form.scoreScale});
      Value out = graph.linear(heads, self + "o_proj", hidden, width, form.outputBias);
      return graph.add(residual, normAfter(out, name + "post_attention_layernorm"));
    });
    x = graph.block(lm::BlockKind::Ffn, layer, x, [&](Value residual) {
      Value in = norm(residual, name + (form.normsAfter ? "pre_feedforward_layernorm"
                                                        : "post_attention_layernorm"));
      std::optional<Value> own = ffn ? ffn(in, name) : std::nullopt;
      Value out = own ? *own : gatedFfn(form, graph, in, name);
      return graph.add(residual, normAfter(out, name + "post_feedforward_layernorm"));
    });
  }

  x = norm(x, "norm");
  x = graph.linear(x, graph.head(form.tied, "embed_tokens", {form.vocab, hidden}));
  if (form.logitCap != 0)
    x = graph.softcap(x, form.logitCap);
  return graph.finish(x).moveInto(model.module);
}

} // namespace coppice
