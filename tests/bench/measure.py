"""The measurements behind docs/figures.md, one function a section; each gives a dictionary.

Speeds are those of this machine at that moment: what counts are the ratios, taken side by side in
one run and given as medians.
"""

import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time

import against_plain
import quality

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OPT = os.path.join(ROOT, "tests/models/opt-icl")
OPT_PLANS = os.path.join(ROOT, "tests/golden/models/opt-icl")
STORIES = os.path.join(os.environ.get("COPPICE_MODELS",
                                      os.path.join(ROOT, "../shared/models")), "stories260k")


def run(command, **options):
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, **options).stdout


def timed(command):
    """Seconds and peak resident bytes of a command. The peak is read from /proc while it runs:
    wait4 would count this interpreter's own, from before the command took its place."""
    start, peak = time.monotonic(), 0
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    while process.poll() is None:
        try:
            with open(f"/proc/{process.pid}/status") as file:
                peak = max([peak] + [1024 * int(line.split()[1]) for line in file
                                     if line.startswith("VmHWM")])
        except OSError:
            pass
        time.sleep(0.005)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.monotonic() - start, peak


def compile_model(tools, model, output, *flags):
    run([tools["coppice"], "compile", model, "-o", output, "--quiet", *flags])
    return output


def bench(tools, files, *flags):
    rows = json.loads(run([*against_plain.WITH, tools["coppice-bench"], "--json", *flags, *files]))
    for row in rows:
        row["file"] = os.path.basename(row["file"])
    return rows


def synth(tools, folder, layers, hidden, ffn, heads, kv_heads, vocab, **more):
    """A Llama of this shape with random float32 weights."""
    config = {"model_type": "llama", "hidden_size": hidden, "intermediate_size": ffn,
              "num_hidden_layers": layers, "num_attention_heads": heads,
              "num_key_value_heads": kv_heads, "vocab_size": vocab,
              "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
              "tie_word_embeddings": True, **more}
    with open(folder + ".json", "w", encoding="utf-8") as file:
        json.dump(config, file)
    run([tools["coppice"], "synth", "--shape", folder + ".json", "-o", folder, "--dtype", "f32",
         "--quiet"])


def machine():
    """What the figures were taken on, in words, and how."""
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")),
                     "unknown processor")
    compiler = run(["clang++-19", "--version"]).splitlines()[0]
    return {"processor": model, "cores": os.cpu_count(), "compiler": compiler,
            "with": " ".join(against_plain.WITH)}


def build(tools, scratch):
    """A clean build without a compiler cache, and a rebuild after one pass changed."""
    environment = dict(os.environ, CCACHE_DISABLE="1")
    folder = os.path.join(scratch, "build")
    run(["cmake", "--preset", "default", "-B", folder], cwd=ROOT, env=environment)
    start = time.monotonic()
    run(["ninja", "-C", folder], env=environment)
    clean = time.monotonic() - start
    os.utime(os.path.join(ROOT, "compiler/passes/MasksToSelections.cpp"))
    start = time.monotonic()
    run(["ninja", "-C", folder], env=environment)
    return {"clean_seconds": clean, "one_pass_seconds": time.monotonic() - start}


def compiling(tools, scratch):
    """Compile time and peak memory, for checkpoints from small to large."""
    large = os.path.join(scratch, "large")
    if not os.path.isdir(large):
        synth(tools, large, layers=4, hidden=2048, ffn=5632, heads=32, kv_heads=4, vocab=4096)
    rows = []
    billion = llama(tools, scratch)
    for name, model, flags in (
            ("opt-icl, float16", OPT, ()), ("2048x5632, 4 layers, float32", large, ()),
            ("llama-1.1b, float16 to int8", billion, ("--weights", "i8")),
            ("llama-1.1b, float16 to int4", billion, ("--weights", "i4"))):
        times, memory = [], []
        for _ in range(3):
            seconds, peak = timed([*against_plain.WITH, tools["coppice"], "compile", model,
                                   "--quiet", "--threads", "1", "-o",
                                   os.path.join(scratch, "compiled.coppice"), *flags])
            times.append(seconds)
            memory.append(peak)
        size = os.path.getsize(os.path.join(model, "model.safetensors"))
        rows.append({"model": name, "checkpoint_bytes": size,
                     "seconds": statistics.median(times), "peak_bytes": max(memory)})
    return {"rows": rows}


def minimum_opt(plan, element):
    """Bytes of what a plan leaves of opt-icl, counted from its config and the plan alone: `element`
    bytes for each element of a matrix, 4 for each of a vector."""
    with open(os.path.join(OPT, "config.json")) as file:
        config = json.load(file)
    hidden, ffn, heads = config["hidden_size"], config["ffn_dim"], config["num_attention_heads"]
    dim = hidden // heads
    cuts = {}
    if plan:
        with open(plan) as file:
            cuts = {cut["layer"]: cut for cut in json.load(file)["remove"]}

    def count(entries):
        return sum(1 if isinstance(e, int) else int(e.split("-")[1]) - int(e.split("-")[0]) + 1
                   for e in entries)

    matrices = config["vocab_size"] * hidden + (config["max_position_embeddings"] + 2) * hidden
    vectors = 2 * hidden
    for layer in range(config["num_hidden_layers"]):
        cut = cuts.get(layer, {})
        kept = heads - count(cut.get("heads", []))
        if not (cut.get("attention") or cut.get("whole")) and kept:
            matrices += 4 * kept * dim * hidden
            vectors += 3 * kept * dim + hidden + 2 * hidden
        kept = ffn - count(cut.get("neurons", []))
        if not (cut.get("ffn") or cut.get("whole")) and kept:
            matrices += 2 * kept * hidden
            vectors += kept + hidden + 2 * hidden
    return matrices * element + vectors * 4


def sizes(tools, scratch):
    """Artifact bytes against the arithmetic minimum of what the plan leaves."""
    rows = []
    for name, plan in (("whole", None), ("heads-20", "heads-20.json"), ("mixed", "mixed.json"),
                       ("pruned", "pruned.json")):
        for form, element in (("f16", 2), ("f32", 4)):
            path = plan and os.path.join(OPT_PLANS, plan)
            artifact = compile_model(tools, OPT, os.path.join(scratch, "size.coppice"),
                                     "--weights", form, *(["--plan", path] if path else []))
            rows.append({"plan": name, "weights": form, "artifact_bytes": os.path.getsize(artifact),
                         "minimum_bytes": minimum_opt(path, element)})
    return {"rows": rows}


def even_plan(layers, heads, ffn, gone, neurons):
    """Cuts so many heads and neurons of every layer, spread evenly."""
    return {"version": 1, "model_type": "llama",
            "remove": [{"layer": i, "heads": sorted((h * heads // gone + i) % heads
                                                    for h in range(gone)),
                        "neurons": sorted(n * ffn // neurons for n in range(neurons))}
                       for i in range(layers)]}


# Of 32 heads and 5632 neurons a layer. The last one leaves 19 and 3373, both prime.
CUTS = {"cut-10": (3, 563), "cut-30": (10, 1690), "cut-50": (16, 2816), "cut-70": (22, 3942),
        "cut-to-primes": (13, 2259)}


def whole_and_cut(tools, scratch, model, layers, masked, *flags):
    """The artifacts of a 2048x5632 shape, whole, cut, and with a plan as masks."""
    files = [compile_model(tools, model, os.path.join(scratch, "whole.coppice"), *flags)]
    for name, (heads, neurons) in CUTS.items():
        plan = os.path.join(scratch, f"{name}.json")
        with open(plan, "w") as file:
            json.dump(even_plan(layers, 32, 5632, heads, neurons), file)
        files.append(compile_model(tools, model, os.path.join(scratch, f"{name}.coppice"),
                                   "--plan", plan, *flags))
        if name == masked:
            files.append(compile_model(tools, model,
                                       os.path.join(scratch, f"masked{name[3:]}.coppice"),
                                       "--plan", plan, "--keep-masks", *flags))
    return files


def speed(tools, scratch):
    """Decoding whole, masked and pruned against the bytes left: float32, and 1.1B in int4."""
    large = os.path.join(scratch, "large")
    if not os.path.isdir(large):
        synth(tools, large, layers=4, hidden=2048, ffn=5632, heads=32, kv_heads=4, vocab=4096)
    models = {}
    for name, model, layers, masked, flags in (
            ("4 layers in float32", large, 4, "cut-50", ()),
            ("llama-1.1b in int4", llama(tools, scratch), 22, None,
             ("--weights", "i4", "--kv", "bf16"))):
        files = whole_and_cut(tools, scratch, model, layers, masked, *flags)
        models[name] = {str(threads): bench(tools, files, "--threads", str(threads), "--prompt",
                                            "16", "--decode", "8", "--rounds", "7")
                        for threads in (1, 2)}
    return {"models": models}


def bandwidth(tools, scratch):
    """Float32 decoding, one thread, against a plain read, for two shapes of matrices."""
    rows = []
    for name, shape in (("2048x5632", {"hidden": 2048, "ffn": 5632, "heads": 32, "kv_heads": 4}),
                        ("4096x11008", {"hidden": 4096, "ffn": 11008, "heads": 32,
                                        "kv_heads": 32})):
        folder = os.path.join(scratch, "shape")
        synth(tools, folder, layers=1 if shape["hidden"] > 2048 else 4, vocab=1024, **shape)
        for form in ("f32", "f16"):
            artifact = compile_model(tools, folder, os.path.join(scratch, "shape.coppice"),
                                     "--weights", form)
            rows.append({"shape": name, "weights": form,
                         **bench(tools, [artifact], "--prompt", "16", "--decode", "8", "--rounds",
                                 "9")[0]})
        shutil.rmtree(folder)
    return {"rows": rows}


def small(tools, scratch):
    """A small model, where the overhead of stages counts."""
    if not os.path.isdir(STORIES):
        raise FileNotFoundError(STORIES)
    whole = compile_model(tools, STORIES, os.path.join(scratch, "stories.coppice"))
    cut = compile_model(tools, STORIES, os.path.join(scratch, "stories-a.coppice"), "--plan",
                        os.path.join(STORIES, "golden/plan-a.json"))
    return {"rows": bench(tools, [whole, cut], "--prompt", "128", "--decode", "256", "--rounds",
                          "9")}


def plain(tools, scratch):
    """The small model against plain C loops; float32, and int8 in the same words."""
    if not os.path.isdir(STORIES):
        raise FileNotFoundError(STORIES)
    artifacts = [compile_model(tools, STORIES, os.path.join(scratch, f"stories-{form}.coppice"),
                               "--weights", form) for form in ("f32", "i8")]
    program = against_plain.Plain(STORIES, scratch, "cc")
    against_plain.check(program, artifacts[:1], tools["coppice-run"],
                        os.path.join(STORIES, "golden/dense.safetensors"))
    steps = json.loads(run([*against_plain.WITH, tools["coppice-kernel-bench"],
                            "--benchmark_filter=step/", "--benchmark_format=json"]))
    return {"rows": against_plain.compare(program, tools["coppice-bench"], artifacts, 9),
            "compiler": run(["cc", "--version"]).splitlines()[0],
            "stages": bench(tools, artifacts, "--stages", "--prompt", "128", "--decode", "256"),
            "ns_per_stage": {each["name"].split("/")[1]: each["ns_per_stage"]
                             for each in steps["benchmarks"]}}


def llama(tools, scratch):
    """The synthetic checkpoint of 1.1B parameters, kept for the sections that follow."""
    folder = os.path.join(scratch, "llama-1.1b")
    if not os.path.isdir(folder):
        run([tools["coppice"], "synth", "--shape", "llama-1.1b", "-o", folder, "--quiet"])
    return folder


def llama_artifact(tools, scratch, form):
    output = os.path.join(scratch, f"llama-{form}.coppice")
    if not os.path.exists(output):
        compile_model(tools, llama(tools, scratch), output, "--weights", form, "--kv", "bf16",
                      "--context", "4352")
    return output


def shape(tools, scratch):
    """1.1B parameters in each format: prefill, decoding at several contexts, and where time goes."""
    quantized = [llama_artifact(tools, scratch, form) for form in ("i4", "i8")]
    half = [llama_artifact(tools, scratch, "f16")]
    return {"rows": bench(tools, quantized, "--threads", "1,2", "--prompt", "32,128,512",
                          "--context", "0,128,512,4096", "--decode", "16", "--rounds", "5",
                          "--stages") +
                    bench(tools, half, "--threads", "1,2", "--prompt", "32,128", "--context",
                          "0,128", "--decode", "16", "--rounds", "5", "--stages")}


def llama_cpp(tools, scratch):
    """The same shape against llama.cpp, where a virtual environment with it is named."""
    venv = os.environ.get("COPPICE_LLAMA_CPP", "COPPICE_LLAMA_CPP, a virtual environment")
    python = os.path.join(venv, "bin/python")
    if not os.path.exists(python):
        raise FileNotFoundError(python)
    results = []
    for form, kind in (("i4", "Q4_0"), ("i8", "Q8_0")):
        results.append(json.loads(run(
            [*against_plain.WITH, python, os.path.join(ROOT, "tests/bench/against_llama_cpp.py"),
             "run", "--bench", tools["coppice-bench"], "--artifact",
             llama_artifact(tools, scratch, form), "--checkpoint", llama(tools, scratch), "--type",
             kind, "--scratch", os.path.join(scratch, "gguf")])))
        results[-1]["weights"] = form + ", bf16 KV cache,"
    return {"results": results}


def runtime(tools, scratch):
    """Bytes of machine code in the runtime library."""
    text = {}
    for line in run(["llvm-size-19", tools["runtime"]]).splitlines()[1:]:
        fields = line.split()
        text[fields[5]] = int(fields[0])
    core = sum(size for name, size in text.items() if name.endswith(".c.o"))
    return {"core_text_bytes": core, "text_bytes": sum(text.values())}


def quality_of_formats(tools, scratch):
    return quality.quality(tools, scratch, os.path.dirname(STORIES))


SECTIONS = {"build": build, "compiling": compiling, "sizes": sizes, "speed": speed,
            "bandwidth": bandwidth, "small": small, "plain": plain, "shape": shape,
            "llama_cpp": llama_cpp, "quality": quality_of_formats, "runtime": runtime}


def measure(names, tools):
    """The results of the named sections; a section that cannot be had here is left out, said why."""
    results = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            print(f"measuring: {name}", flush=True)
            try:
                results[name] = SECTIONS[name](tools, scratch)
                results[name]["machine"] = machine()
            except FileNotFoundError as missing:
                print(f"left out: {name}: there is no {missing}", flush=True)
    return results
