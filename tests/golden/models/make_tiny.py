"""Write the tiny random checkpoints (tests/models) and their golden logits (beside this file).

Every parameter is random, biases and norms too: their usual initialisation, 0 and 1, would hide
errors. Widths are awkward on purpose (odd vocabulary and FFN, heads of 6, 8 and 10). The logits come from
Hugging Face transformers in float32, dense and under each plan (masked_reference.py).
Pinned versions: requirements.txt. Run: VENV/bin/python tests/golden/models/make_tiny.py
"""

import os
import shutil

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM, OPTConfig, OPTForCausalLM

from masked_reference import logits_of, write_golden, write_plan

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = os.path.join(HERE, "..", "..", "models")
COMMON = {"attn_implementation": "eager"}


def opt_pre():
    """Norm before each block, ReLU, tied head."""
    return OPTForCausalLM(OPTConfig(
        vocab_size=97, hidden_size=24, word_embed_proj_dim=24, ffn_dim=37, num_hidden_layers=3,
        num_attention_heads=4, max_position_embeddings=64, activation_function="relu", **COMMON))


def opt_post():
    """Norm after each residual, embeddings of 10 projected in and out, GELU."""
    return OPTForCausalLM(OPTConfig(
        vocab_size=97, hidden_size=24, word_embed_proj_dim=10, ffn_dim=37, num_hidden_layers=3,
        num_attention_heads=4, max_position_embeddings=64, do_layer_norm_before=False,
        activation_function="gelu", **COMMON))


def llama_gqa():
    """Six heads on two KV heads, head size given (6 x 6 is not the hidden size), own output head."""
    return LlamaForCausalLM(LlamaConfig(
        vocab_size=97, hidden_size=24, head_dim=6, intermediate_size=37, num_hidden_layers=3,
        num_attention_heads=6, num_key_value_heads=2, max_position_embeddings=64,
        rms_norm_eps=1e-5, tie_word_embeddings=False, **COMMON))


def llama_rope3():
    """Biases everywhere, tied head, llama3 scaling with frequencies below, in and above its band."""
    return LlamaForCausalLM(LlamaConfig(
        vocab_size=29, hidden_size=20, head_dim=10, intermediate_size=37, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=1280,
        attention_bias=True, mlp_bias=True, tie_word_embeddings=True, rope_theta=1000.0,
        eos_token_id=[2, 5],
        rope_scaling={"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                      "high_freq_factor": 4.0, "original_max_position_embeddings": 64}, **COMMON))


def llama_linear():
    """One KV head for all, linear RoPE scaling, weights stored as bfloat16."""
    return LlamaForCausalLM(LlamaConfig(
        vocab_size=61, hidden_size=20, head_dim=8, intermediate_size=31, num_hidden_layers=2,
        num_attention_heads=3, num_key_value_heads=1, max_position_embeddings=256,
        tie_word_embeddings=True, rope_theta=50000.0,
        rope_scaling={"rope_type": "linear", "factor": 4.0}, **COMMON))


# Some heads and neurons; whole blocks; everything of a block, which leaves constants behind.
OPT_PLANS = {
    "plan-a": [{"layer": 0, "heads": [1, 3], "neurons": ["3-9", 17, "30-36"]},
               {"layer": 2, "heads": [0], "neurons": [0, 5, 36]}],
    "plan-b": [{"layer": 0, "ffn": True, "heads": [2]},
               {"layer": 1, "attention": True, "neurons": ["0-12"]},
               {"layer": 2, "ffn": True}],
    "plan-c": [{"layer": 0, "heads": [0, 1, 2, 3], "neurons": ["1-35"]},
               {"layer": 1, "whole": True},
               {"layer": 2, "heads": [3, 0, 1, 2], "neurons": ["0-36"]}],
}
GQA_PLANS = {
    # Uneven: KV head 0 keeps one query head of three, KV head 1 two; layer 1 loses KV head 0.
    "plan-a": [{"layer": 0, "heads": [0, 2, 4], "neurons": ["3-9", 17, "30-36"]},
               {"layer": 1, "heads": [0, 1, 2, 5], "neurons": [0, 36]}],
    "plan-b": [{"layer": 0, "attention": True, "neurons": ["0-12"]},
               {"layer": 1, "ffn": True, "heads": [4]},
               {"layer": 2, "attention": True}],
    "plan-c": [{"layer": 0, "heads": ["0-5"], "neurons": ["1-35"]},
               {"layer": 1, "whole": True},
               {"layer": 2, "heads": [3, 4, 5], "neurons": ["0-36"]}],
}
ROPE3_PLANS = {
    "plan-a": [{"layer": 0, "heads": [1], "neurons": ["3-9", 17, "30-36"]},
               {"layer": 1, "heads": [0, 1], "neurons": [0, 36]}],
    "plan-b": [{"layer": 0, "ffn": True}, {"layer": 1, "attention": True}],
    "plan-c": [{"layer": 0, "heads": ["0-3"], "neurons": ["0-36"]},
               {"layer": 1, "heads": ["0-3"], "neurons": ["0-35"]}],
}
LINEAR_PLANS = {
    "plan-a": [{"layer": 0, "heads": [1], "neurons": ["3-9", 17]},
               {"layer": 1, "heads": [2, 0], "neurons": [0, 30]}],
    "plan-b": [{"layer": 0, "whole": True}, {"layer": 1, "neurons": ["10-20"]}],
    "plan-c": [{"layer": 0, "heads": ["0-2"]}, {"layer": 1, "neurons": ["0-30"], "heads": [1]}],
}

# name: (builder, plans, tokens of the dense golden, stored type, largest shard)
CASES = {
    "opt-pre": (opt_pre, OPT_PLANS, 40, torch.float32, "5GB"),
    "opt-post": (opt_post, OPT_PLANS, 40, torch.float32, "24KB"),
    "llama-gqa": (llama_gqa, GQA_PLANS, 40, torch.float32, "5GB"),
    "llama-rope3": (llama_rope3, ROPE3_PLANS, 1200, torch.float32, "5GB"),
    "llama-linear": (llama_linear, LINEAR_PLANS, 200, torch.bfloat16, "5GB"),
}


def randomise(model, generator):
    for name, value in model.named_parameters():
        noise = torch.randn(value.shape, generator=generator)
        if value.ndim == 2:
            embedding = "embed" in name
            value.data = noise * (0.8 if embedding else 1.3 * value.shape[1] ** -0.5)
        elif name.endswith("bias"):
            value.data = noise * 0.3
        else:
            value.data = 1 + 0.3 * noise


def make(seed, name):
    build, plans, count, stored, shard = CASES[name]
    generator = torch.Generator().manual_seed(seed)
    model = build().eval()
    randomise(model, generator)
    model.to(stored)
    folder = os.path.join(MODELS, name)
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, max_shard_size=shard, safe_serialization=True)
    os.remove(os.path.join(folder, "generation_config.json"))
    # The golden logits are those of the weights as stored, read back: a cast in place would round
    # the RoPE frequencies too.
    model = type(model).from_pretrained(folder, torch_dtype=torch.float32, **COMMON).eval()

    golden = os.path.join(HERE, name)
    os.makedirs(golden, exist_ok=True)
    vocabulary = model.config.vocab_size
    tokens = torch.randint(0, vocabulary, (count,), generator=generator).tolist()
    dense = logits_of(model, tokens)
    write_golden(os.path.join(golden, "dense.safetensors"), tokens, dense)
    tokens = tokens[:40]
    for plan_name, remove in plans.items():
        plan = {"version": 1, "model_type": model.config.model_type, "remove": remove}
        logits = logits_of(model, tokens, plan)
        moved = np.abs(logits - dense[:40]).max()
        # A plan that hardly moves the logits would prove nothing.
        assert moved > 0.5, f"{name} {plan_name}: moves the logits by {moved} only"
        print(f"{name} {plan_name}: moved {moved:.2f}, largest {np.abs(logits).max():.2f}")
        write_plan(os.path.join(golden, plan_name + ".json"), plan)
        write_golden(os.path.join(golden, plan_name + ".safetensors"), tokens, logits)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for number, case in enumerate(CASES):
        make(1000 + number, case)
