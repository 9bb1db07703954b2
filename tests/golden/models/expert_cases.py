"""Experts: Mixtral and Qwen3-MoE, routers near a tie, layers that keep different experts."""

import torch
from transformers import MixtralConfig, MixtralForCausalLM, Qwen3MoeConfig, Qwen3MoeForCausalLM

from cases import COMMON, IDS, Case

SMALL = {"vocab_size": 29, "num_hidden_layers": 2, **IDS, **COMMON}


def mixtral(experts, **fields):
    return lambda: MixtralForCausalLM(MixtralConfig(**{
        **SMALL, "hidden_size": 20, "intermediate_size": 13, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 6, "num_local_experts": experts,
        "num_experts_per_tok": 2, "max_position_embeddings": 256, **fields}))


def near_ties(model, generator):
    """Experts 1 and 3 score almost the same for every token, so that they change places often."""
    for layer in model.model.layers:
        rows = (getattr(layer, "block_sparse_moe", None) or layer.mlp).gate.weight.data
        rows[3] = rows[1] + 0.004 * torch.randn(rows[1].shape, generator=generator)


def qwen3_moe(**fields):
    return lambda: Qwen3MoeForCausalLM(Qwen3MoeConfig(**{
        **SMALL, "hidden_size": 18, "intermediate_size": 23, "moe_intermediate_size": 7,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6,
        "max_position_embeddings": 64, **fields}))


MIXTRAL_PLANS = {
    # Other experts in each layer, heads beside them.
    "plan-a": [{"layer": 0, "experts": [1], "heads": [0]}, {"layer": 1, "experts": [0, 3]}],
    "plan-b": [{"layer": 0, "attention": True, "experts": [2]},
               {"layer": 1, "ffn": True, "heads": [2, 3]}],
    # As few experts as the router picks; a KV head gone; a block of experts skipped.
    "plan-c": [{"layer": 0, "ffn": True, "heads": [3]},
               {"layer": 1, "heads": [0, 1], "experts": ["1-2"]}],
}
WINDOW_PLANS = {**MIXTRAL_PLANS, "plan-c": [
    {"layer": 0, "whole": True}, {"layer": 1, "heads": ["0-3"], "experts": [4, 0, 2]}]}
RENORM_PLANS = {
    "plan-a": [{"layer": 0, "experts": [0, 5]}, {"layer": 1, "experts": [2], "heads": [0, 2]}],
    "plan-b": [{"layer": 0, "experts": ["1-3"], "attention": True}, {"layer": 1, "ffn": True}],
    "plan-c": [{"layer": 0, "ffn": True, "heads": [0, 1]},
               {"layer": 1, "experts": [5, 0, 1], "heads": ["0-3"]}],
}
# Only layer 1 has experts.
MIXED_PLANS = {
    "plan-a": [{"layer": 0, "neurons": ["3-9", 22]}, {"layer": 1, "experts": [3]},
               {"layer": 3, "neurons": [0, 1], "heads": [1]}],
    "plan-b": [{"layer": 0, "ffn": True}, {"layer": 1, "heads": [0, 1], "experts": [4, 0, 2]},
               {"layer": 2, "whole": True}, {"layer": 3, "attention": True}],
    "plan-c": [{"layer": 1, "ffn": True}, {"layer": 2, "neurons": ["0-22"], "heads": [3]},
               {"layer": 3, "neurons": ["1-21"], "heads": ["0-3"]}],
}

CASES = {
    "mixtral-ties": Case(mixtral(4), MIXTRAL_PLANS, tokens=60, after_random=near_ties,
                         stored=torch.bfloat16),
    "mixtral-window": Case(mixtral(5, sliding_window=9, tie_word_embeddings=True), WINDOW_PLANS,
                           tokens=120, stored=torch.float16),
    # A window of 5 in every layer.
    "qwen3-moe-renorm": Case(
        qwen3_moe(num_experts=6, num_experts_per_tok=3, norm_topk_prob=True, use_sliding_window=True,
                  sliding_window=5),
        RENORM_PLANS, after_random=near_ties, stored=torch.bfloat16),
    # Every second layer has experts, but not the last, which is listed; weights as softmax gives them.
    "qwen3-moe-mixed": Case(
        qwen3_moe(num_experts=5, num_experts_per_tok=2, norm_topk_prob=False, num_hidden_layers=4,
                  decoder_sparse_step=2, mlp_only_layers=[3], attention_bias=True,
                  tie_word_embeddings=True),
        MIXED_PLANS, stored=torch.float16),
}
