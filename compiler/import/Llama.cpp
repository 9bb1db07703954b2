// Llama (Touvron et al., arXiv 2302.13971) and what shares its code: Llama 2 and 3, TinyLlama,
// SmolLM. As Hugging Face's LlamaForCausalLM computes it.
#include "compiler/import/Family.h"
#include "compiler/import/Rope.h"
#include "coppice/limits.h"

using mlir::Value;

namespace coppice {
namespace {

llvm::Error buildLlama(ConfigReader &config, GraphBuilder &graph, ImportedModel &model) {
  Dim vocab = config.size("vocab_size");
  Dim hidden = config.size("hidden_size");
  Dim ffn = config.size("intermediate_size");
  int64_t layers = config.integer("num_hidden_layers", 1, COPPICE_MAX_LAYERS);
  int64_t heads = config.integer("num_attention_heads", 1, 65536);
  int64_t kvHeads = config.integer("num_key_value_heads", 1, 65536, heads);
  int64_t context = config.integer("max_position_embeddings", 1, INT32_MAX, 2048);
  double eps = config.number("rms_norm_eps", 0, 1, 1e-6);
  bool attentionBias = config.flag("attention_bias", false);
  bool mlpBias = config.flag("mlp_bias", false);
  bool tied = config.flag("tie_word_embeddings", false);
  RopeParameters rope = readRope(config, context);
  auto act = config.choice<lm::ActivationKind>("hidden_act", "silu",
                                               {{"silu", lm::ActivationKind::Silu},
                                                {"swish", lm::ActivationKind::Silu},
                                                {"gelu", lm::ActivationKind::Gelu},
                                                {"gelu_new", lm::ActivationKind::GeluTanh},
                                                {"gelu_pytorch_tanh", lm::ActivationKind::GeluTanh},
                                                {"relu", lm::ActivationKind::Relu}});
  int64_t headDim = config.integer("head_dim", 1, 65536, std::max<int64_t>(hidden.size / heads, 1));
  if (!config.has("head_dim") && hidden.size % heads != 0)
    config.fail("num_attention_heads", "does not divide hidden_size, and head_dim is not given");
  else if (headDim % 2 != 0)
    config.fail(config.has("head_dim") ? "head_dim" : "num_attention_heads",
                "makes heads " + llvm::Twine(headDim) +
                    " wide, and rotary embedding needs an even width");
  if (heads % kvHeads != 0)
    config.fail("num_key_value_heads", "does not divide num_attention_heads");
  if (llvm::Error error = config.finish())
    return error;

  model.vocab = vocab.size;
  model.context = context;
  std::vector<float> frequencies = inverseFrequencies(rope, headDim);
  Dim queries{heads * headDim, "num_attention_heads * head_dim"};
  Dim keys{kvHeads * headDim, "num_key_value_heads * head_dim"};

  graph.choosePrefix({"model.", ""}, "embed_tokens.weight");
  Value x = graph.embed(graph.tokens(), graph.weight("embed_tokens.weight", {vocab, hidden}));

  for (int64_t layer = 0; layer < layers && graph.ok(); ++layer) {
    std::string name = "layers." + std::to_string(layer) + ".";
    x = graph.block(lm::BlockKind::Attention, layer, x, [&](Value residual) {
      Value in = graph.rmsNorm(residual, name + "input_layernorm", hidden, eps);
      Value q = graph.linear(in, name + "self_attn.q_proj", queries, hidden, attentionBias);
      Value k = graph.linear(in, name + "self_attn.k_proj", keys, hidden, attentionBias);
      Value v = graph.linear(in, name + "self_attn.v_proj", keys, hidden, attentionBias);
      q = graph.rope(q, headDim, frequencies);
      k = graph.rope(k, headDim, frequencies);
      Value heads = graph.attention(q, k, v, headDim);
      Value out = graph.linear(heads, name + "self_attn.o_proj", hidden, queries, attentionBias);
      return graph.add(residual, out);
    });
    x = graph.block(lm::BlockKind::Ffn, layer, x, [&](Value residual) {
      Value in = graph.rmsNorm(residual, name + "post_attention_layernorm", hidden, eps);
      Value gate = graph.linear(in, name + "mlp.gate_proj", ffn, hidden, mlpBias);
      Value up = graph.linear(in, name + "mlp.up_proj", ffn, hidden, mlpBias);
      Value product = graph.mul(graph.activation(act, gate), up);
      Value out = graph.linear(product, name + "mlp.down_proj", hidden, ffn, mlpBias);
      return graph.add(residual, out);
    });
  }

  x = graph.rmsNorm(x, "norm", hidden, eps);
  Value head = graph.head(tied, "embed_tokens", {vocab, hidden});
  return graph.finish(graph.linear(x, head)).moveInto(model.module);
}

} // namespace

const Family llamaFamily = {"llama", /*defaultBos=*/1, /*defaultEos=*/2, buildLlama};

} // namespace coppice
