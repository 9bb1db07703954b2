// Shapes and configs as Hugging Face's configuration classes say them, family by family.
#include "tests/support/RandomShape.h"
#include <iterator>

namespace coppice::test {

namespace {

struct FamilyText {
  const char *name, *modelType, *architecture;
};
/// By the enum's order.
const FamilyText texts[] = {
    {"OptPreNorm", "opt", "OPTForCausalLM"},
    {"OptPostNorm", "opt", "OPTForCausalLM"},
    {"Llama", "llama", "LlamaForCausalLM"},
    {"Gpt2", "gpt2", "GPT2LMHeadModel"},
    {"NeoX", "gpt_neox", "GPTNeoXForCausalLM"},
    {"Falcon", "falcon", "FalconForCausalLM"},
    {"Phi", "phi", "PhiForCausalLM"},
    {"Phi3", "phi3", "Phi3ForCausalLM"},
    {"Mistral", "mistral", "MistralForCausalLM"},
    {"Qwen2", "qwen2", "Qwen2ForCausalLM"},
    {"Qwen3", "qwen3", "Qwen3ForCausalLM"},
    {"StarCoder2", "starcoder2", "Starcoder2ForCausalLM"},
    {"Gemma", "gemma", "GemmaForCausalLM"},
    {"Gemma2", "gemma2", "Gemma2ForCausalLM"},
    {"Gemma3", "gemma3_text", "Gemma3ForCausalLM"},
    {"Mixtral", "mixtral", "MixtralForCausalLM"},
    {"Qwen3Moe", "qwen3_moe", "Qwen3MoeForCausalLM"},
};

void drawWindow(ModelShape &shape, bool mixed, Random &random) {
  shape.window = random.between(1, 6);
  if (mixed)
    for (int64_t layer = 0; layer < shape.layers; ++layer)
      shape.local.push_back(random.chance(0.5));
}

void drawExperts(ModelShape &shape, bool mixed, Random &random) {
  int64_t count = random.between(2, 6);
  shape.chosen = random.between(1, std::min<int64_t>(count, 3));
  shape.renormalised = !mixed || random.chance(0.5);
  shape.expertFfn = random.between(2, 8);
  for (int64_t layer = 0; layer < shape.layers; ++layer)
    shape.experts.push_back(mixed && random.chance(0.3) ? 0 : count);
}

/// Where hidden_size says the heads' width, or says nothing about it.
void drawWidths(ModelShape &shape, bool fromHeads, bool grouped, Random &random) {
  shape.kvHeads = shape.heads;
  while (grouped) {
    shape.kvHeads = random.between(1, shape.heads);
    if (shape.heads % shape.kvHeads == 0)
      break;
  }
  shape.hidden = fromHeads ? shape.heads * shape.headDim : random.between(2, 20);
  shape.embedding = shape.hidden;
  shape.rotary = shape.headDim;
}

/// Heads of any width, odd ones among them, of which some pairs of columns turn.
void drawPartlyTurning(ModelShape &shape, bool grouped, Random &random) {
  shape.headDim = random.between(2, 7);
  drawWidths(shape, true, grouped, random);
  shape.rotary = 2 * random.between(1, shape.headDim / 2);
}

void drawFalcon(ModelShape &shape, Random &random) {
  shape.grouped = random.chance(0.5);
  shape.parallel = shape.grouped || random.chance(0.7);
  shape.twoNorms = shape.grouped && random.chance(0.6);
  drawWidths(shape, true, shape.grouped, random);
  if (!shape.grouped && random.chance(0.6))
    shape.kvHeads = 1;
  shape.ffnBias = shape.attentionBias;
  shape.activation = "gelu";
}

} // namespace

llvm::ArrayRef<Family> allFamilies() {
  static const Family all[] = {
      Family::OptPreNorm, Family::OptPostNorm, Family::Llama, Family::Gpt2,    Family::NeoX,
      Family::Falcon,     Family::Phi,         Family::Phi3,  Family::Mistral, Family::Qwen2,
      Family::Qwen3,      Family::StarCoder2,  Family::Gemma, Family::Gemma2,  Family::Gemma3,
      Family::Mixtral,    Family::Qwen3Moe};
  return all;
}

const char *nameOf(Family family) { return texts[int(family)].name; }

const char *ModelShape::modelType() const { return texts[int(family)].modelType; }

ModelShape randomShape(Family family, Random &random) {
  ModelShape shape;
  shape.family = family;
  shape.layers = random.between(1, 3);
  shape.heads = random.between(1, 6);
  shape.headDim = 2 * random.between(1, 3);
  shape.ffn = random.between(3, 20);
  shape.vocab = random.between(11, 20);
  shape.tied = random.chance(0.5);
  shape.attentionBias = random.chance(0.6);
  shape.ffnBias = random.chance(0.5);
  shape.activation = "silu";
  switch (family) {
  case Family::OptPreNorm:
  case Family::OptPostNorm:
    shape.headDim = random.between(1, 6);
    drawWidths(shape, true, false, random);
    if (random.chance(0.5))
      shape.embedding = random.between(2, 2 * shape.hidden);
    shape.ffnBias = shape.attentionBias;
    shape.activation = random.chance(0.5) ? "relu" : "gelu";
    break;
  case Family::Llama: {
    // With head_dim given, the residual may have any width.
    drawWidths(shape, false, true, random);
    const char *ropes[] = {"", "", "linear", "llama3"};
    shape.ropeType = ropes[random.between(0, 3)];
    break;
  }
  case Family::Gpt2:
    shape.headDim = random.between(1, 6);
    drawWidths(shape, true, false, random);
    shape.attentionBias = shape.ffnBias = true;
    shape.activation = random.chance(0.5) ? "gelu_new" : "gelu";
    break;
  case Family::NeoX:
    drawPartlyTurning(shape, false, random);
    shape.parallel = random.chance(0.7);
    shape.ffnBias = true;
    shape.activation = "gelu";
    break;
  case Family::Falcon:
    drawFalcon(shape, random);
    break;
  case Family::Phi:
    drawPartlyTurning(shape, true, random);
    shape.parallel = shape.attentionBias = shape.ffnBias = true;
    shape.tied = false;
    shape.activation = "gelu_new";
    break;
  case Family::Phi3:
    drawWidths(shape, true, true, random);
    shape.attentionBias = shape.ffnBias = false;
    if (random.chance(0.5))
      drawWindow(shape, false, random);
    if (random.chance(0.3))
      shape.ropeType = "longrope";
    break;
  case Family::Mistral:
  case Family::Mixtral:
    drawWidths(shape, false, true, random);
    shape.attentionBias = shape.ffnBias = false;
    if (random.chance(0.7))
      drawWindow(shape, false, random);
    if (family == Family::Mixtral)
      drawExperts(shape, false, random);
    break;
  case Family::Qwen2:
    drawWidths(shape, true, true, random);
    shape.attentionBias = true, shape.ffnBias = false;
    if (random.chance(0.5))
      drawWindow(shape, true, random);
    break;
  case Family::Qwen3:
  case Family::Qwen3Moe:
    drawWidths(shape, false, true, random);
    shape.ffnBias = false;
    if (random.chance(0.5))
      drawWindow(shape, family == Family::Qwen3, random);
    if (family == Family::Qwen3Moe)
      drawExperts(shape, true, random);
    break;
  case Family::StarCoder2:
    drawWidths(shape, true, true, random);
    shape.ffnBias = shape.attentionBias;
    shape.activation = "gelu_pytorch_tanh";
    if (random.chance(0.5))
      drawWindow(shape, false, random);
    break;
  case Family::Gemma:
  case Family::Gemma2:
  case Family::Gemma3:
    drawWidths(shape, false, true, random);
    shape.attentionBias = random.chance(0.3), shape.ffnBias = false, shape.tied = true;
    shape.activation = "gelu_pytorch_tanh";
    if (family != Family::Gemma)
      drawWindow(shape, true, random);
    break;
  }
  return shape;
}

static llvm::json::Array layerTypes(const ModelShape &shape) {
  llvm::json::Array types;
  for (int64_t layer = 0; layer < shape.layers; ++layer)
    types.push_back(!shape.local.empty() && shape.local[layer] ? "sliding_attention"
                                                               : "full_attention");
  return types;
}

/// A quarter of a column more than turn, so that cutting off the product gives their count again.
static double turningShare(const ModelShape &shape) {
  return shape.rotary == shape.headDim ? 1.0
                                       : (double(shape.rotary) + 0.25) / double(shape.headDim);
}

/// What only some families' classes have.
static void addOwnFields(const ModelShape &shape, llvm::json::Object &config) {
  llvm::json::Value window = shape.window ? llvm::json::Value(shape.window) : nullptr;
  switch (shape.family) {
  case Family::OptPreNorm:
  case Family::OptPostNorm:
    config["ffn_dim"] = shape.ffn;
    config["word_embed_proj_dim"] = shape.embedding;
    config["do_layer_norm_before"] = shape.family == Family::OptPreNorm;
    config["activation_function"] = shape.activation;
    config["enable_bias"] = shape.attentionBias;
    break;
  case Family::Gpt2:
    config["n_embd"] = shape.hidden;
    config["n_head"] = shape.heads;
    config["n_layer"] = shape.layers;
    config["n_inner"] = shape.ffn;
    config["n_positions"] = shape.context;
    config["activation_function"] = shape.activation;
    config["layer_norm_epsilon"] = 1e-5;
    break;
  case Family::NeoX:
    config["rotary_pct"] = turningShare(shape);
    config["rotary_emb_base"] = 100;
    config["use_parallel_residual"] = shape.parallel;
    config["layer_norm_eps"] = 1e-5;
    break;
  case Family::Falcon:
    config["alibi"] = false;
    config["bias"] = shape.attentionBias;
    config["multi_query"] = shape.kvHeads == 1;
    config["new_decoder_architecture"] = shape.grouped;
    config["num_kv_heads"] = shape.grouped ? shape.kvHeads : shape.heads;
    config["num_ln_in_parallel_attn"] =
        shape.grouped ? llvm::json::Value(shape.twoNorms ? 2 : 1) : nullptr;
    config["parallel_attn"] = shape.parallel;
    config["ffn_hidden_size"] = shape.ffn;
    config["activation"] = shape.activation;
    config["layer_norm_epsilon"] = 1e-5;
    break;
  case Family::Phi:
    config["partial_rotary_factor"] = turningShare(shape);
    config["layer_norm_eps"] = 1e-5;
    break;
  case Family::Phi3:
    config["sliding_window"] = window;
    config["original_max_position_embeddings"] = shape.ropeType.empty() ? shape.context : 8;
    break;
  case Family::Llama:
    config["mlp_bias"] = shape.ffnBias;
    config["head_dim"] = shape.headDim;
    break;
  case Family::Mistral:
    config["sliding_window"] = window;
    config["head_dim"] = shape.headDim;
    break;
  case Family::Mixtral:
    config["sliding_window"] = window;
    config["head_dim"] = shape.headDim;
    config["num_local_experts"] = shape.experts[0];
    config["num_experts_per_tok"] = shape.chosen;
    config["intermediate_size"] = shape.expertFfn;
    break;
  case Family::Qwen2:
    config["use_sliding_window"] = shape.window != 0;
    config["sliding_window"] = window;
    config["layer_types"] = layerTypes(shape);
    break;
  case Family::Qwen3:
    config["head_dim"] = shape.headDim;
    config["use_sliding_window"] = shape.window != 0;
    config["sliding_window"] = window;
    config["layer_types"] = layerTypes(shape);
    break;
  case Family::Qwen3Moe: {
    config["head_dim"] = shape.headDim;
    config["use_sliding_window"] = shape.window != 0;
    config["sliding_window"] = window;
    config["decoder_sparse_step"] = 1;
    config["moe_intermediate_size"] = shape.expertFfn;
    config["norm_topk_prob"] = shape.renormalised;
    config["num_experts_per_tok"] = shape.chosen;
    int64_t experts = shape.chosen;
    llvm::json::Array plain;
    for (int64_t layer = 0; layer < shape.layers; ++layer) {
      experts = std::max(experts, shape.experts[layer]);
      if (!shape.experts[layer])
        plain.push_back(layer);
    }
    config["num_experts"] = experts;
    config["mlp_only_layers"] = std::move(plain);
    break;
  }
  case Family::StarCoder2:
    config["sliding_window"] = window;
    config["use_bias"] = shape.attentionBias;
    config["norm_epsilon"] = 1e-5;
    break;
  case Family::Gemma3:
    config["rope_local_base_freq"] = 30.0;
    [[fallthrough]];
  case Family::Gemma2:
    config["sliding_window"] = shape.window;
    config["layer_types"] = layerTypes(shape);
    config["query_pre_attn_scalar"] = 5;
    config["attn_logit_softcapping"] =
        shape.family == Family::Gemma2 ? llvm::json::Value(2.0) : nullptr;
    config["final_logit_softcapping"] = 9.0;
    [[fallthrough]];
  case Family::Gemma:
    config["head_dim"] = shape.headDim;
    config["hidden_activation"] = shape.activation;
    break;
  }
}

llvm::json::Object configOf(const ModelShape &shape) {
  llvm::json::Object config{
      {"model_type", shape.modelType()},
      {"architectures", llvm::json::Array{texts[int(shape.family)].architecture}},
      {"vocab_size", shape.vocab},
      {"tie_word_embeddings", shape.tied},
      {"bos_token_id", 2},
      {"eos_token_id", 2},
      {"torch_dtype", "float32"}};
  if (shape.family != Family::Gpt2) {
    config["hidden_size"] = shape.hidden;
    config["num_hidden_layers"] = shape.layers;
    config["num_attention_heads"] = shape.heads;
    config["max_position_embeddings"] = shape.context;
  }
  bool own = shape.isOpt() || shape.family == Family::Gpt2 || shape.family == Family::Falcon;
  if (!own) {
    config["intermediate_size"] = shape.ffn;
    config["hidden_act"] = shape.activation;
  }
  bool norms = !own && shape.family != Family::NeoX && shape.family != Family::Phi &&
               shape.family != Family::StarCoder2;
  if (norms)
    config["rms_norm_eps"] = 1e-5;
  if (!own && shape.family != Family::NeoX)
    config["num_key_value_heads"] = shape.kvHeads;
  if (!shape.isOpt() && shape.family != Family::Gpt2 && shape.family != Family::NeoX)
    config["rope_theta"] = 100.0;
  if (shape.family == Family::Llama || shape.family == Family::NeoX || shape.isGemma() ||
      shape.family == Family::Qwen3 || shape.family == Family::Qwen3Moe)
    config["attention_bias"] = shape.attentionBias;
  if (shape.family == Family::Gemma2 || shape.family == Family::Gemma3)
    config.erase("hidden_act");
  addOwnFields(shape, config);
  if (shape.ropeType == "linear")
    config["rope_scaling"] = llvm::json::Object{{"rope_type", "linear"}, {"factor", 2.0}};
  if (shape.ropeType == "llama3")
    config["rope_scaling"] = llvm::json::Object{{"rope_type", "llama3"},
                                                {"factor", 4.0},
                                                {"low_freq_factor", 1.0},
                                                {"high_freq_factor", 4.0},
                                                {"original_max_position_embeddings", 8}};
  if (shape.ropeType == "longrope") {
    llvm::json::Array shorter, longer;
    for (int64_t i = 0; i < shape.headDim / 2; ++i) {
      shorter.push_back(1.0 + 0.1 * double(i));
      longer.push_back(1.5 + 0.75 * double(i));
    }
    config["rope_scaling"] = llvm::json::Object{{"type", "longrope"},
                                                {"short_factor", std::move(shorter)},
                                                {"long_factor", std::move(longer)}};
  }
  return config;
}

} // namespace coppice::test
