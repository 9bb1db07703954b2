// Hugging Face configs carry dozens of keys that say nothing about the function computed: training,
// defaults of generate(), bookkeeping of the library. Those seen in published checkpoints of the
// families that are read are listed here. Anything else is refused rather than ignored, because a
// field that is not understood may be one that changes the result.
#include "compiler/import/ConfigFields.h"
#include "llvm/ADT/STLExtras.h"

namespace coppice {
namespace {

// Never change what one forward pass computes.
constexpr llvm::StringLiteral harmless[] = {
    // Bookkeeping of the library.
    "_attn_implementation", "_attn_implementation_autoset", "_attn_implementation_internal",
    "_num_labels", "n_special", "num_steps", "output_past", "predict_special_tokens",
    "_commit_hash", "_experts_implementation", "_flash_attn_2_enabled", "_from_model_config",
    "_name_or_path", "_output_attentions", "architectures", "attn_implementation", "auto_map",
    "chunk_size_feed_forward", "custom_pipelines", "dtype", "finetuning_task", "flash_attn",
    "id2label", "is_decoder", "is_llama_config", "keys_to_ignore_at_inference", "label2id",
    "name_or_path", "output_attentions", "output_hidden_states", "output_projection", "prefix",
    "problem_type", "return_dict", "task_specific_params", "tf_legacy_loss", "tokenizer_class",
    "torch_dtype", "torchscript", "transformers.js_config", "transformers_version", "unsloth_fixed",
    "unsloth_version", "use_bfloat16", "use_cache", "use_flash_attention", "use_flash_attention_2",
    // How a matrix is cut for tensor parallelism; the product is the same.
    "ep_size", "pretraining_tp", "tp_size",
    // Lengths that say what training or the tokenizer did; max_position_embeddings is the one read.
    "max_sequence_length", "model_max_length", "n_ctx", "n_positions", "seq_length",
    // Training.
    "activation_dropout", "attention_dropout", "attention_probs_dropout_prob", "attn_pdrop",
    "classifier_dropout", "dropout", "embedding_dropout", "hidden_dropout_prob", "resid_dropout",
    "residual_dropout", "embd_pdrop", "gradient_checkpointing", "hidden_dropout", "init_std",
    "initializer_factor", "initializer_range", "layerdrop", "resid_pdrop",
    // How attention is computed and its cache kept, not what.
    "cache_implementation", "reorder_and_upcast_attn",
    // Which layers have a window stands in layer_types or sliding_window_pattern, and how long it
    // is, in sliding_window.
    "_sliding_window_pattern", "sliding_window_size",
    // A classifier's head.
    "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type",
    "summary_use_proj",
    // Tokens that only padding, encoders or prompts use.
    "decoder_start_token_id", "pad_token_id", "sep_token_id", "unk_token_id", "cls_token_id",
    "mask_token_id",
    // Defaults of generate() that its callers choose, as those of coppice-run do.
    "diversity_penalty", "do_sample", "early_stopping", "length_penalty", "max_length",
    "max_new_tokens", "num_beam_groups", "num_beams", "num_return_sequences", "output_scores",
    "remove_invalid_values", "return_dict_in_generate", "temperature", "top_k", "top_p",
    "typical_p"};

struct Neutral {
  llvm::StringLiteral name;
  llvm::StringLiteral json; // the one value that means "not used"
};

// Change the result unless they have this value.
constexpr Neutral neutral[] = {{"add_cross_attention", "false"},
                               {"attention_bias", "false"},
                               {"bad_words_ids", "null"},
                               {"begin_suppress_tokens", "null"},
                               {"cross_attention_hidden_size", "null"},
                               {"embedding_multiplier", "1"},
                               {"encoder_no_repeat_ngram_size", "0"},
                               {"exponential_decay_length_penalty", "null"},
                               {"full_attn_mod", "1"},
                               {"forced_bos_token_id", "null"},
                               {"forced_eos_token_id", "null"},
                               {"interpolate_factor", "1"},
                               {"is_encoder_decoder", "false"},
                               {"lm_head_bias", "false"},
                               {"logit_scale", "1"},
                               {"logits_scaling", "1"},
                               {"min_length", "0"},
                               {"mlp_bias", "false"},
                               {"no_repeat_ngram_size", "0"},
                               {"partial_rotary_factor", "1"},
                               {"pruned_heads", "{}"},
                               {"repetition_penalty", "1"},
                               {"residual_multiplier", "1"},
                               {"rope_interleaved", "false"},
                               {"scale_embeddings", "false"},
                               {"suppress_tokens", "null"},
                               {"tie_encoder_decoder", "false"},
                               {"qkv_bias", "false"},
                               {"shared_expert_intermediate_size", "0"},
                               {"use_bidirectional_attention", "false"},
                               {"use_mrope", "false"},
                               {"use_qk_norm", "false"},
                               {"use_sliding_window", "false"}};

struct Refused {
  llvm::StringLiteral name, why;
};

constexpr Refused refused[] = {
    {"quantization_config", "says that the weights are quantized; only checkpoints of F32, F16 or "
                            "BF16 weights are read"},
    {"compression_config", "says that the weights are compressed; only checkpoints of F32, F16 or "
                           "BF16 weights are read"},
    {"dual_chunk_attention_config",
     "changes attention for texts of more than chunk_size - local_size tokens, which is not "
     "supported; for texts of at most as many it changes nothing: remove the field, and compile "
     "with --context of at most that difference"},
    {"sliding_window", "limits attention to a window, which is not supported"},
    {"num_local_experts", "makes this a mixture of experts, which is not supported for this "
                          "model_type"},
    {"num_experts", "makes this a mixture of experts, which is not supported for this model_type"},
    {"text_config", "makes this a model of several parts; only plain language models are read"}};

bool isNeutral(llvm::StringRef name, const llvm::json::Value &value) {
  if (name == "layer_types") {
    const llvm::json::Array *types = value.getAsArray();
    return types && llvm::all_of(*types, [](const llvm::json::Value &type) {
             return type.getAsString() == llvm::StringRef("full_attention");
           });
  }
  for (const Neutral &field : neutral) {
    if (field.name != name)
      continue;
    llvm::Expected<llvm::json::Value> wanted = llvm::json::parse(field.json);
    if (const llvm::json::Array *list = value.getAsArray(); list && field.json == "null")
      return list->empty();
    if (std::optional<double> number = value.getAsNumber())
      return number == wanted->getAsNumber();
    return value == *wanted;
  }
  return false;
}

} // namespace

std::optional<std::string> whyRefused(llvm::StringRef name, const llvm::json::Value &value,
                                      bool nested) {
  if (!nested && (llvm::is_contained(harmless, name) || isNeutral(name, value)))
    return std::nullopt;
  if (!nested) {
    for (const Refused &field : refused)
      if (field.name == name)
        return field.why.str();
    for (const Neutral &field : neutral)
      if (field.name == name)
        return "changes what the model computes or which tokens may follow, and is not supported; "
               "if "
               "you can do without it, remove it from the file";
  }
  return "is not known for this model_type, and may change what the model computes; if it does "
         "not, remove it from the file";
}

} // namespace coppice
