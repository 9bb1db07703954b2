// StarCoder2 (Lozhkov et al., arXiv 2402.19173), as Hugging Face's Starcoder2ForCausalLM computes
// it: layer norms and an FFN without a gate, biases, grouped queries, rotary embedding, a sliding
// window.
#include "compiler/import/LlamaLike.h"
#include "coppice/limits.h"

using mlir::Value;

namespace coppice {
namespace {

llvm::Error buildStarCoder2(ConfigReader &config, GraphBuilder &graph, ImportedModel &model) {
  Dim vocab = config.size("vocab_size");
  Dim hidden = config.size("hidden_size");
  Dim ffn = config.size("intermediate_size");
  int64_t layers = config.integer("num_hidden_layers", 1, COPPICE_MAX_LAYERS);
  int64_t context = config.integer("max_position_embeddings", 1, INT32_MAX, 4096);
  HeadWidths all = readHeads(config, hidden, /*defaultKvHeads=*/2);
  int64_t headDim = all.headDim;
  double eps = config.number("norm_epsilon", 0, 1, 1e-5);
  bool biases = config.flag("use_bias", true);
  bool tied = config.flag("tie_word_embeddings", true);
  auto act = readActivation(config, "hidden_act", "gelu_pytorch_tanh");
  std::vector<int64_t> windows = readWindows(config, layers, /*fallback=*/std::nullopt);
  RopeDefaults defaults;
  defaults.headDim = headDim;
  RopeParameters rope = readRope(config, context, defaults);
  // The published files carry fields of the code that trained them.
  config.ignore({"activation_function", "attention_softmax_in_fp32", "layer_norm_epsilon",
                 "mlp_type", "norm_type", "scale_attention_softmax_in_fp32", "scale_attn_weights"});
  if (llvm::Error error = config.finish())
    return error;

  model.vocab = vocab.size;
  model.context = context;
  Rotation turn = rotation(rope, headDim, model.positions());

  graph.choosePrefix({"model.", ""}, "embed_tokens.weight");
  Value x = graph.embed(graph.tokens(), graph.weight("embed_tokens.weight", {vocab, hidden}));

  for (int64_t layer = 0; layer < layers && graph.ok(); ++layer) {
    std::string name = "layers." + std::to_string(layer) + ".", self = name + "self_attn.";
    x = graph.block(lm::BlockKind::Attention, layer, x, [&](Value residual) {
      HeadWidths widths = graph.heads(self + "q_proj", self + "k_proj", hidden, all);
      Value in = graph.layerNorm(residual, name + "input_layernorm", hidden, /*affine=*/true, eps);
      Value q = graph.linear(in, self + "q_proj", widths.queries, hidden, biases);
      Value k = graph.linear(in, self + "k_proj", widths.keys, hidden, biases);
      Value v = graph.linear(in, self + "v_proj", widths.keys, hidden, biases);
      q = graph.rope(q, headDim, turn);
      k = graph.rope(k, headDim, turn);
      int64_t window = windows.empty() ? 0 : model.window(windows[layer]);
      Value heads = graph.attention(q, k, v, headDim, {window});
      return graph.add(residual,
                       graph.linear(heads, self + "o_proj", hidden, widths.queries, biases));
    });
    x = graph.block(lm::BlockKind::Ffn, layer, x, [&](Value residual) {
      Dim neurons = graph.outputs(name + "mlp.c_fc", ffn, hidden);
      Value in = graph.layerNorm(residual, name + "post_attention_layernorm", hidden,
                                 /*affine=*/true, eps);
      Value up = graph.linear(in, name + "mlp.c_fc", neurons, hidden, biases);
      return graph.add(residual, graph.linear(graph.activation(act, up), name + "mlp.c_proj",
                                              hidden, neurons, biases));
    });
  }

  x = graph.layerNorm(x, "norm", hidden, /*affine=*/true, eps);
  Value head = graph.head(tied, "embed_tokens", {vocab, hidden});
  return graph.finish(graph.linear(x, head)).moveInto(model.module);
}

} // namespace

const Family starCoder2Family = {"starcoder2", /*defaultBos=*/50256, /*defaultEos=*/50256,
                                 buildStarCoder2};

} // namespace coppice
