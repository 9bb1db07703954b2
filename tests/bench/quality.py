"""What formats cost in quality: the section `quality` of docs/figures.md, and what it measures.

Every artifact runs the same texts as the float32 one of the same checkpoint, through
coppice-divergence, which gives the probabilities' distances token by token. The texts are those that
lie beside the models (COPPICE_MODELS); the calibration text is another part of the same collection.
"""

import json
import math
import os
import struct
import subprocess

import numpy as np

WINDOW = 255
FORMATS = (  # name, flags of compile
    ("f32", ["--weights", "f32"]),
    ("f16", ["--weights", "f16"]),
    ("bf16", ["--weights", "bf16"]),
    ("bf16, x86-64-v4-bf16", ["--weights", "bf16", "--target", "x86-64-v4-bf16"]),
    ("i8", ["--weights", "i8"]),
    ("i8, calibrated", ["--weights", "i8", "--calibration", "STATS"]),
    ("i8, out_proj=i8", ["--weights", "i8,*.out_proj.weight=i8"]),  # OPT's name for it
    ("i8, out_proj=i8, calibrated",
     ["--weights", "i8,*.out_proj.weight=i8", "--calibration", "STATS"]),
    ("i4", ["--weights", "i4"]),
    ("i4, calibrated", ["--weights", "i4", "--calibration", "STATS"]),
    ("i4, head=i4", ["--weights", "i4,head=i4"]),
    ("i4, head=i4, calibrated", ["--weights", "i4,head=i4", "--calibration", "STATS"]),
    ("f32, KV bf16", ["--weights", "f32", "--kv", "bf16"]),
    ("f32, KV i8", ["--weights", "f32", "--kv", "i8"]),
    ("i4, calibrated, KV i8", ["--weights", "i4", "--calibration", "STATS", "--kv", "i8"]),
)


def call(command, **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, **options)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def has_bf16_dots():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        return "avx512_bf16" in file.read().split()


def compile_all(tools, model, text, scratch):
    """{format: artifact}; without the calibrated ones where there is no text."""
    name = os.path.basename(model)
    statistics = os.path.join(scratch, f"{name}.stats")
    if text:
        call([tools["coppice"], "calibrate", model, "--text", text, "-o", statistics, "--quiet",
              "--tokens", "1000000"])
    artifacts = {}
    for number, (label, flags) in enumerate(FORMATS):
        if ("STATS" in flags and not text) or ("out_proj" in label and "opt" not in name):
            continue
        if "x86-64-v4-bf16" in flags and not has_bf16_dots():
            continue
        output = os.path.join(scratch, f"{name}-{number}.coppice")
        flags = [statistics if flag == "STATS" else flag for flag in flags]
        call([tools["coppice"], "compile", model, "-o", output, "--quiet", *flags])
        artifacts[label] = output
    return artifacts


def distances(tools, artifacts, text):
    """[{format, ...}] for one text; the first artifact is the reference."""
    raw = call([tools["coppice-divergence"], str(WINDOW), text, *artifacts.values()])
    values = np.frombuffer(raw).reshape(len(artifacts), -1, 3)
    rows = []
    for (label, artifact), (loss, divergence, same) in zip(artifacts.items(),
                                                          values.transpose(0, 2, 1)):
        rows.append({"format": label, "bytes": os.path.getsize(artifact), "tokens": len(loss),
                     "perplexity": math.exp(loss.mean()), "kl_mean": float(divergence.mean()),
                     "kl_999": float(np.percentile(divergence, 99.9)), "top1": float(same.mean())})
    return rows


def golden_tokens(model, scratch):
    """The tokens of the model's golden file, as a file for coppice-divergence."""
    with open(os.path.join(model, "golden/dense.safetensors"), "rb") as file:
        data = file.read()
    (length,) = struct.unpack_from("<Q", data)
    begin, end = json.loads(data[8:8 + length])["tokens"]["data_offsets"]
    tokens = np.frombuffer(data[8 + length:][begin:end], np.int32)
    path = os.path.join(scratch, os.path.basename(model) + ".tokens")
    with open(path, "w", encoding="ascii") as file:
        file.write(" ".join(map(str, tokens)))
    return path


def quality(tools, scratch, models):
    opt, stories = (os.path.join(models, name) for name in ("opt-icl", "stories260k"))
    for needed in (os.path.join(opt, "text/valid.txt"), os.path.join(stories, "golden")):
        if not os.path.exists(needed):
            raise FileNotFoundError(needed)
    result = {"texts": []}
    artifacts = compile_all(tools, opt, os.path.join(opt, "text/calibration.txt"), scratch)
    for name in ("valid", "valid_novel"):
        rows = distances(tools, artifacts, os.path.join(opt, f"text/{name}.txt"))
        result["texts"].append({"model": "opt-icl", "text": name, "rows": rows})
    artifacts = compile_all(tools, stories, None, scratch)
    rows = distances(tools, artifacts, golden_tokens(stories, scratch))
    result["texts"].append({"model": "stories260k", "text": "golden tokens", "rows": rows})
    return result
