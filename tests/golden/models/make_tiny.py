"""Write tiny random checkpoints (tests/models) and their golden logits (beside this file).

Every parameter is random, biases and norms too: their usual initialisation, 0 and 1, would hide
errors. Widths are awkward on purpose (odd vocabulary and FFN, heads of 5 to 10). The logits come
from Hugging Face transformers in float32, dense and under each plan (masked_reference.py).

Run: VENV/bin/python tests/golden/models/make_tiny.py GROUP [CASE ...], one group after another:
  opt-llama   the cases of this file, made with requirements.txt
  gpt         gpt_cases.py: GPT-2, GPT-NeoX, Falcon, Phi, Phi-3
  llama-like  llama_like_cases.py: Mistral, Qwen2, Qwen3, StarCoder2, Gemma 1-3, Llama of many widths
  experts     expert_cases.py: Mixtral and Qwen3-MoE
The last three are made with requirements-families.txt: the first pair does not know all of them.
Every case has a seed of its own, so that one can be made again alone.
"""

import importlib
import os
import shutil
import sys
import zlib

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM, OPTConfig, OPTForCausalLM

from cases import COMMON, Case
from masked_reference import logits_of, write_golden, write_plan

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = os.path.join(HERE, "..", "..", "models")
GROUPS = {"opt-llama": "make_tiny", "gpt": "gpt_cases", "llama-like": "llama_like_cases",
          "experts": "expert_cases"}


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

CASES = {
    "opt-pre": Case(opt_pre, OPT_PLANS, seed=1000, tokens=40, planned=40),
    "opt-post": Case(opt_post, OPT_PLANS, seed=1001, tokens=40, planned=40, shard="24KB"),
    "llama-gqa": Case(llama_gqa, GQA_PLANS, seed=1002, tokens=40, planned=40),
    "llama-rope3": Case(llama_rope3, ROPE3_PLANS, seed=1003, tokens=1200, planned=40),
    "llama-linear": Case(llama_linear, LINEAR_PLANS, seed=1004, tokens=200, planned=40,
                         stored=torch.bfloat16),
}


def randomise(model, generator):
    """All parameters, at sizes that keep a deep model's values near one."""
    owner = {id(value): module for module in model.modules()
             for value in module.parameters(recurse=False)}
    for name, value in model.named_parameters():
        noise = torch.randn(value.shape, generator=generator)
        kind = type(owner[id(value)]).__name__
        if value.ndim == 2:
            inputs = value.shape[0] if kind == "Conv1D" else value.shape[1]
            value.data = noise * (0.8 if kind == "Embedding" or "embed" in name
                                  else 1.3 * inputs ** -0.5)
        elif name.endswith("bias"):
            value.data = noise * 0.3
        else:
            # Gemma's norms multiply by one more than their weight.
            value.data = (0 if kind.startswith("Gemma") else 1) + 0.3 * noise


def read_back(case, model, folder):
    """The model from its files, in float32: a cast in place would round the RoPE frequencies too."""
    if not case.tweak:
        return type(model).from_pretrained(folder, torch_dtype=torch.float32, **COMMON).eval()
    model = case.build().eval()
    case.tweak(model)
    model.load_state_dict(load_file(os.path.join(folder, "model.safetensors")))
    return model


def make(name, case):
    seed = zlib.crc32(name.encode()) if case.seed is None else case.seed
    generator = torch.Generator().manual_seed(seed)
    model = case.build().eval()
    if case.tweak:
        case.tweak(model)
    randomise(model, generator)
    if case.after_random:
        case.after_random(model, generator)
    model.to(case.stored)
    folder = os.path.join(MODELS, name)
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, max_shard_size=case.shard, safe_serialization=True)
    os.remove(os.path.join(folder, "generation_config.json"))
    if case.after_save:
        case.after_save(folder)
    model = read_back(case, model, folder)

    golden = os.path.join(HERE, name)
    shutil.rmtree(golden, ignore_errors=True)
    os.makedirs(golden)
    tokens = torch.randint(0, model.config.vocab_size, (case.tokens,), generator=generator).tolist()
    dense = logits_of(model, tokens)
    write_golden(os.path.join(golden, "dense.safetensors"), tokens, dense)
    for other, count in case.prefixes.items():
        write_golden(os.path.join(golden, other + ".safetensors"), tokens[:count],
                     logits_of(model, tokens[:count]))
    tokens = tokens[:case.planned]
    for plan_name, remove in case.plans.items():
        plan = {"version": 1, "model_type": model.config.model_type, "remove": remove}
        logits = logits_of(model, tokens, plan)
        moved = np.abs(logits - dense[:case.planned]).max()
        # A plan that hardly moves the logits would prove nothing.
        assert moved > 0.5, f"{name} {plan_name}: moves the logits by {moved} only"
        print(f"{name} {plan_name}: moved {moved:.2f}, largest {np.abs(logits).max():.2f}")
        write_plan(os.path.join(golden, plan_name + ".json"), plan)
        write_golden(os.path.join(golden, plan_name + ".safetensors"), tokens, logits)


def main(group, *names):
    cases = CASES if group == "opt-llama" else importlib.import_module(GROUPS[group]).CASES
    torch.set_num_threads(1)
    for name in names or cases:
        make(name, cases[name])


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in GROUPS:
        sys.exit(__doc__)
    main(*sys.argv[1:])
