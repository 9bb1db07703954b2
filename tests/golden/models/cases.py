"""What one tiny checkpoint is made of, and plans that fit a shape. make_tiny.py makes them."""

import dataclasses
from typing import Callable, Optional

import torch

COMMON = {"attn_implementation": "eager"}
# Ids that every tiny vocabulary has.
IDS = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}


@dataclasses.dataclass
class Case:
    build: Callable  # () -> a model with any parameters
    plans: dict  # name: the "remove" list
    tokens: int = 24  # of the dense golden
    planned: int = 18  # of these, the first so many run under the plans
    stored: torch.dtype = torch.float32
    shard: str = "5GB"  # the largest file
    seed: Optional[int] = None  # the name's checksum where it is not given
    prefixes: dict = dataclasses.field(default_factory=dict)  # name: tokens of a further dense golden
    tweak: Optional[Callable] = None  # model ->, modules of other widths than the config's
    after_random: Optional[Callable] = None  # (model, generator) ->, values with a purpose
    after_save: Optional[Callable] = None  # folder ->, what other tools write differently


def plans_of(layers, heads, kv_heads, ffn, swap=False):
    """Three plans for any shape of two or three layers.

    plan-a: uneven heads over the KV heads, other neurons in each layer; the last KV head goes in layer
    1 where there are two. plan-b: blocks skipped beside cuts, with `swap` the other block of the two.
    plan-c: all heads of layer 0 and all of its neurons but one, all neurons of layer 1; a third layer
    goes whole.
    """
    group = heads // kv_heads
    last_group = list(range(heads - group, heads)) if kv_heads > 1 else [heads - 1]
    first = [0] if group == 1 else list(range(group - 1))
    plan_a = [{"layer": 0, "heads": first, "neurons": ["3-9", 11, f"{ffn - 4}-{ffn - 1}"]},
              {"layer": 1, "heads": sorted({*last_group, *([0] if heads > group + 1 else [])}),
               "neurons": [0, ffn - 1]}]
    plan_b = [{"layer": int(swap), "attention": True, "neurons": ["0-8"]},
              {"layer": int(not swap), "ffn": True, "heads": [heads - 1]}]
    plan_b.sort(key=lambda entry: entry["layer"])
    plan_c = [{"layer": 0, "heads": [f"0-{heads - 1}"], "neurons": [f"1-{ffn - 1}"]},
              {"layer": 1, "neurons": [f"0-{ffn - 1}"], "heads": [0]}]
    if layers > 2:
        plan_a.append({"layer": 2, "heads": [heads // 2], "neurons": ["1-2", 7]})
        plan_b.append({"layer": 2, "attention": True})
        plan_c.append({"layer": 2, "whole": True})
    return {"plan-a": plan_a, "plan-b": plan_b, "plan-c": plan_c}
