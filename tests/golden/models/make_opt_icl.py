"""Write the trained model of the demo and its golden logits: opt-icl, rounded to float16.

The source folder holds the float32 checkpoint, tokenizer, tasks, calibration text and importance
scores. Written: tests/models/opt-icl (weights rounded to float16, tokenizer, the first queries of
each task) and, beside this file, plans and the logits of the rounded weights computed in float32.
Run: VENV/bin/python tests/golden/models/make_opt_icl.py SOURCE_DIR
"""

import argparse
import glob
import json
import os
import shutil

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer
from transformers import OPTForCausalLM

from masked_reference import logits_of, masked, write_golden, write_plan

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL = os.path.join(HERE, "..", "..", "models", "opt-icl")
GOLDEN = os.path.join(HERE, "opt-icl")
QUERIES = 80  # of each task; the source has 200


def copy_model(source):
    shutil.rmtree(MODEL, ignore_errors=True)
    os.makedirs(os.path.join(MODEL, "tasks"))
    for name in ("merges.txt", "special_tokens_map.json", "tokenizer.json",
                 "tokenizer_config.json", "vocab.json"):
        shutil.copyfile(os.path.join(source, name), os.path.join(MODEL, name))
    with open(os.path.join(source, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    config["torch_dtype"] = "float16"
    with open(os.path.join(MODEL, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)
        file.write("\n")
    weights = load_file(os.path.join(source, "model.safetensors"))
    rounded = {name: value.astype(np.float16) for name, value in weights.items()}
    save_file(rounded, os.path.join(MODEL, "model.safetensors"), metadata={"format": "pt"})
    for path in sorted(glob.glob(os.path.join(source, "tasks", "*.jsonl"))):
        with open(path, encoding="utf-8") as file:
            lines = [line for line in file if json.loads(line)["id"] < QUERIES]
        with open(os.path.join(MODEL, "tasks", os.path.basename(path)), "w",
                  encoding="utf-8") as file:
            file.writelines(lines)


def neuron_importance(model, sequences):
    """[layer, neuron]: what each adds to the residual, summed over the calibration tokens."""
    layers = model.model.decoder.layers
    sums = [torch.zeros(model.config.ffn_dim) for _ in layers]

    def add_to(total):
        def hook(module, args):
            total.add_(args[0].reshape(-1, total.numel()).abs().sum(0))
        return hook

    hooks = [layer.fc2.register_forward_pre_hook(add_to(s)) for layer, s in zip(layers, sums)]
    with torch.no_grad():
        for ids in sequences:
            model(torch.tensor([ids]))
    for hook in hooks:
        hook.remove()
    return torch.stack([s * layer.fc2.weight.norm(dim=0) for s, layer in zip(sums, layers)])


def ranges(numbers):
    """Sorted numbers as a plan writes them: runs of three and more as "first-last"."""
    out = []
    for n in numbers:
        if out and out[-1][-1] == n - 1:
            out[-1].append(n)
        else:
            out.append([n])
    return [e for run in out
            for e in (run if len(run) < 3 else [f"{run[0]}-{run[-1]}"])]


def plan_of(heads, neurons, skipped_ffn=()):
    """heads: layer * 8 + head; neurons: layer * 512 + neuron; skipped_ffn: layers."""
    remove = {}
    for layer, index in (divmod(h, 8) for h in sorted(heads)):
        remove.setdefault(layer, {"layer": layer}).setdefault("heads", []).append(index)
    for layer in skipped_ffn:
        remove.setdefault(layer, {"layer": layer})["ffn"] = True
    gone = {}
    for layer, index in (divmod(n, 512) for n in sorted(neurons)):
        if layer not in skipped_ffn:
            gone.setdefault(layer, []).append(index)
    for layer, indices in gone.items():
        remove.setdefault(layer, {"layer": layer})["neurons"] = ranges(indices)
    return {"version": 1, "model_type": "opt", "remove": [remove[k] for k in sorted(remove)]}


def accuracy(model, tokenizer, plan):
    """Share of the 5-shot queries answered right: the choice whose tokens are likeliest."""
    right = []
    for path in sorted(glob.glob(os.path.join(MODEL, "tasks", "*.jsonl"))):
        with open(path, encoding="utf-8") as file:
            queries = [q for q in map(json.loads, file) if q["shots"] == 5]
        for query in queries:
            prompt = tokenizer.encode(query["prompt"]).ids
            choices = [tokenizer.encode(c, add_special_tokens=False).ids for c in query["choices"]]
            longest = max(map(len, choices))
            rows = torch.tensor([prompt + c + [1] * (longest - len(c)) for c in choices])
            with torch.no_grad(), masked(model, plan):
                logits = model(rows, attention_mask=torch.ones_like(rows)).logits
            scores = logits.log_softmax(-1)
            sums = [sum(scores[i, len(prompt) - 1 + k, t].item() for k, t in enumerate(choice))
                    for i, choice in enumerate(choices)]
            right.append(int(np.argmax(sums)) == query["gold"])
    return float(np.mean(right))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", help="folder of the float32 checkpoint")
    source = parser.parse_args().source
    torch.set_num_threads(1)
    copy_model(source)
    model = OPTForCausalLM.from_pretrained(MODEL, attn_implementation="eager",
                                           torch_dtype=torch.float32).eval()
    tokenizer = Tokenizer.from_file(os.path.join(MODEL, "tokenizer.json"))

    with open(os.path.join(source, "text", "calibration.txt"), encoding="utf-8") as file:
        text = tokenizer.encode(file.read()[:60000], add_special_tokens=False).ids
    sequences = [[2] + text[i:i + 255] for i in range(0, len(text) - 255, 255)]
    # Calibrated on queries that the copied tasks do not have.
    for path in sorted(glob.glob(os.path.join(source, "tasks", "*.jsonl"))):
        with open(path, encoding="utf-8") as file:
            sequences += [tokenizer.encode(q["prompt"]).ids for q in map(json.loads, file)
                          if q["shots"] == 5 and q["id"] >= 150]
    neurons = neuron_importance(model, sequences).flatten().argsort(stable=True).tolist()
    with open(os.path.join(source, "golden", "pruning_curve.json"), encoding="utf-8") as file:
        heads = json.load(file)["head_ranking_least_first"]

    os.makedirs(GOLDEN, exist_ok=True)
    golden = load_file(os.path.join(source, "golden", "dense.safetensors"))
    prompt = golden["tokens"][:11].tolist()
    tokens = list(prompt)
    while len(tokens) < 64:  # greedy, by the rounded weights
        tokens.append(int(logits_of(model, tokens)[-1].argmax()))
    dense = logits_of(model, tokens)
    write_golden(os.path.join(GOLDEN, "dense.safetensors"), tokens, dense, len(prompt))
    print(f"prompt {tokenizer.decode(prompt)!r} continues {tokenizer.decode(tokens[11:])!r}")
    plans = {
        "heads-20": plan_of(heads[:9], []),
        "pruned": plan_of(heads[:9], neurons[:len(neurons) * 3 // 10]),
        "mixed": plan_of(heads[:4], neurons[:len(neurons) // 2], skipped_ffn=[1]),
    }
    print(f"dense: 5-shot accuracy {accuracy(model, tokenizer, plan_of([], [])):.4f}")
    tokens = tokens[:40]
    for name, plan in plans.items():
        logits = logits_of(model, tokens, plan)
        moved = np.abs(logits - dense[:40]).max()
        assert moved > 0.5, f"{name}: moves the logits by {moved} only"
        print(f"{name}: 5-shot accuracy {accuracy(model, tokenizer, plan):.4f}, moved {moved:.2f}")
        write_plan(os.path.join(GOLDEN, name + ".json"), plan)
        write_golden(os.path.join(GOLDEN, name + ".safetensors"), tokens, logits)


if __name__ == "__main__":
    main()
