"""Random plans as compiled artifacts: what the plan leaves must equal the masked original.

Usage: random_plans.py TESTS_DIR [--count N] [--seed S], or COPPICE_SEED=S. Each plan takes any heads,
any neurons, all of either, any experts or whole blocks of one of the tiny models, each model in its
turn. It is compiled shrunk and with --keep-masks, and both artifacts run the same random tokens; the
logits may differ by 1e-5 * max(1, max|logit|). A plan that fails is made smaller while it still
fails, then printed.
"""

import argparse
import concurrent.futures
import json
import os
import random
import sys
import tempfile

from compare_logits import difference
from run_family import tiny_models
from run_golden import compile_model, run_logits

# Layers of other widths than its config says, from which plans are drawn.
LEFT_OUT = {"llama-uneven"}


def random_indices(rng, count):
    """Any non-empty set, each size as likely as any other; all of them one time in five."""
    size = count if rng.random() < 0.2 else rng.randint(1, count)
    return sorted(rng.sample(range(count), size))


def first_of(config, *names):
    return next(config[name] for name in names if config.get(name) is not None)


def experts_in(config, layer):
    """(experts, how many of them the router picks) of a layer; none in one with a plain FFN."""
    step = config.get("decoder_sparse_step", 1)
    if layer in config.get("mlp_only_layers", ()) or (layer + 1) % step != 0:
        return 0, 0
    experts = config.get("num_local_experts") or config.get("num_experts") or 0
    return experts, config.get("num_experts_per_tok", 0)


def random_plan(rng, config):
    heads = first_of(config, "num_attention_heads", "n_head")
    # GPT-2 may leave it to the hidden width.
    config = {"n_inner": 4 * config.get("n_embd", 0), **{k: v for k, v in config.items() if v is not None}}
    neurons = first_of(config, "ffn_dim", "ffn_hidden_size", "intermediate_size", "n_inner")
    remove = []
    for layer in range(first_of(config, "num_hidden_layers", "n_layer")):
        experts, picked = experts_in(config, layer)
        entry = {"layer": layer}
        if rng.random() < 0.08:
            entry["whole"] = True
        else:
            for key, block, count in (("heads", "attention", heads), ("neurons", "ffn", neurons)):
                draw = rng.random()
                if draw < 0.15:
                    entry[block] = True
                elif draw < 0.75 and key == "neurons" and experts:
                    if spared := rng.randint(0, experts - picked):
                        entry["experts"] = sorted(rng.sample(range(experts), spared))
                elif draw < 0.75:
                    entry[key] = random_indices(rng, count)
        if len(entry) > 1:
            remove.append(entry)
    return {"version": 1, "model_type": config["model_type"], "remove": remove}


def check(model, plan, tokens):
    """(equal, a line that says how far apart) of the shrunk and the masked artifact."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "plan.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(plan, file)
        logits = []
        for name, flags in (("shrunk", []), ("masked", ["--keep-masks"])):
            try:
                artifact = compile_model(model, os.path.join(folder, name), path, flags)
                logits.append(run_logits(artifact, tokens))
            except SystemExit as failed:
                return False, str(failed)
        return difference(*logits, tight=True)


def smaller_plans(plan):
    """The plan without one entry, one key, or half of one list."""
    for i, entry in enumerate(plan["remove"]):
        variants = [None]
        for key in entry:
            if key == "layer":
                continue
            if len(entry) > 2:
                variants.append({k: v for k, v in entry.items() if k != key})
            if isinstance(entry[key], list) and len(entry[key]) > 1:
                half = len(entry[key]) // 2
                variants += [{**entry, key: part} for part in (entry[key][:half], entry[key][half:])]
        for variant in variants:
            rest = plan["remove"][:i] + ([variant] if variant else []) + plan["remove"][i + 1:]
            yield {**plan, "remove": rest}


def shrink(model, plan, tokens):
    found = True
    while found:
        found = False
        for candidate in smaller_plans(plan):
            if not check(model, candidate, tokens)[0]:
                plan, found = candidate, True
                break
    return plan


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tests")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("COPPICE_SEED", "1")))
    args = parser.parse_args()

    print(f"seed {args.seed}, {args.count} plans", flush=True)
    rng = random.Random(args.seed)
    cases = []
    models = [(folder, config) for folder, config in tiny_models(args.tests)
              if os.path.basename(folder) not in LEFT_OUT]
    for number in range(args.count):
        model, config = models[number % len(models)]
        tokens = [rng.randrange(config["vocab_size"]) for _ in range(24)]
        cases.append((model, random_plan(rng, config), tokens))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda case: check(*case), cases))
    failed = [(case, text) for case, (equal, text) in zip(cases, results) if not equal]
    for (model, plan, tokens), text in failed:
        print(f"{os.path.basename(model)}: {text}\n  {json.dumps(plan)}")
    for model, plan, tokens in [case for case, _ in failed[:5]]:
        print(f"{os.path.basename(model)}, made smaller: "
              f"{json.dumps(shrink(model, plan, tokens))}")
    print(f"{len(cases) - len(failed)} of {len(cases)} plans equal")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
