"""Fails unless BENCH, what coppice-bench printed of one artifact given twice, with --threads 1,2
--prompt 4,9,100000 --context 0,5,100000 --decode 3 --stages, agrees with INSPECT, what coppice inspect
says of it in float32.

usage: bench.py BENCH.json INSPECT.json
"""

import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    rows = json.load(file)
with open(sys.argv[2], encoding="utf-8") as file:
    inspect = json.load(file)
faults = []


def expect(what, got, want):
    if got != want:
        faults.append(f"{what}: {got}, not {want}")


weights = inspect["bytes"]["weights"]
table = sum(w["bytes"] for w in weights if w["role"] == "embed_tokens")
tied = not any(w["role"] == "lm_head" for w in weights)
read = sum(w["bytes"] for w in weights)
if not tied:  # the table is looked up: one row of it is read
    read -= table - table // inspect["model"]["token_limit"]
expect("threads", [row["threads"] for row in rows], [1, 1, 2, 2])
for row in rows:
    expect("prefill", [each["tokens"] for each in row["prefill"]], [4, 9])
    expect("decode", [each["context"] for each in row["decode"]], [0, 5])
    expect("parameters", row["parameters"], inspect["model"]["parameters"])
    if not 0 <= read - row["token_weight_bytes"] < 0.02 * read:  # tables of positions, kv_map
        faults.append(f"token_weight_bytes: {row['token_weight_bytes']}, about {read} is wanted")
    for each in row["prefill"] + row["decode"]:
        if not each["tokens_per_second"] > 0 or not each["against_first"] > 0:
            faults.append(str(each))
    for each in row["decode"]:
        ratio = each["weight_bytes_per_second"] / each["tokens_per_second"]
        if abs(ratio / row["token_weight_bytes"] - 1) > 0.01:
            faults.append(f"{ratio} bytes of weights a token")
        kv = each["kv_bytes_per_second"] / each["tokens_per_second"]
        positions = each["context"] + 2  # of three tokens, on average
        if abs(kv / (positions * row["kv_bytes_per_position"]) - 1) > 0.01:
            faults.append(f"{kv} bytes of KV cache a token after {each['context']}")
        both = each["of_stream_weights"] * (1 + kv / ratio)  # printed to four places
        if abs(each["of_stream"] - both) > 0.0002 + 0.001 * both:
            faults.append(f"{each['of_stream']} of stream with the KV cache, not {both}")
    for which in ("prefill_stages", "decode_stages"):
        if not row[which] or any(kind["seconds"] <= 0 for kind in row[which].values()):
            faults.append(f"{which}: {row[which]}")
    same = {name: kind["stages"] for name, kind in rows[0]["decode_stages"].items()}
    expect("decode_stages", {n: k["stages"] for n, k in row["decode_stages"].items()}, same)
    expect("prefill_stages", sum(k["stages"] for k in row["prefill_stages"].values()),
           sum(same.values()))
expect("against first", rows[0]["decode_against_first"], 1)
sys.exit("\n".join(faults) or 0)
