"""Times an artifact against llama.cpp on the same checkpoint, pair by pair, on this machine.

Usage: against_llama_cpp.py setup VENV
       VENV/bin/python against_llama_cpp.py run --bench COPPICE_BENCH --artifact FILE
           --checkpoint DIR --type Q4_0|Q8_0|F16 [--scratch DIR] [--threads 1,2]
           [--prompt 128,512] [--context 0,128] [--decode 32] [--pairs 5]

setup makes a virtual environment and builds llama-cpp-python, at the version stated below, from source
for this machine's processor (about six minutes of one core). run converts the checkpoint, a Llama that
`coppice synth` may have made, to GGUF and lets llama.cpp quantize it as it does for its users; the
files are kept in the scratch folder. Then it alternates: a pass of llama.cpp, a pass of coppice-bench,
as often as pairs are asked for. Prints JSON: medians of tokens per second, and of the ratios within
each pair (ours over theirs).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

VERSION = "0.3.36"  # of llama-cpp-python, the newest there is
BUILD = ["-DGGML_NATIVE=ON", "-DGGML_CUDA=OFF", "-DGGML_BLAS=OFF", "-DLLAMA_CURL=OFF",
         "-DLLAVA_BUILD=OFF"]


def setup(venv):
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    # NumPy and gguf come as they are; what is timed is built here.
    environment = dict(os.environ, CMAKE_ARGS=" ".join(BUILD))
    subprocess.run([os.path.join(venv, "bin/pip"), "install", "--no-binary", "llama-cpp-python",
                    f"llama-cpp-python=={VERSION}", "gguf"], check=True, env=environment)


# -- the same model as GGUF ------------------------------------------------------------------------

def tensors(path):
    """(name, array) of a safetensors file of float16 or float32, one at a time."""
    import numpy
    types = {"F16": numpy.float16, "F32": numpy.float32}
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            yield name, numpy.memmap(path, types[entry["dtype"]], "r", 8 + length + begin,
                                     tuple(entry["shape"]))


NAMES = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
         "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
         "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate",
         "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}


def gguf_name(name):
    if name.startswith("model.layers."):
        _, _, layer, rest = name.split(".", 3)
        return f"blk.{layer}.{NAMES[rest.removesuffix('.weight')]}.weight"
    return {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight":
            "output_norm.weight", "lm_head.weight": "output.weight"}[name]


def paired(array, heads):
    """Rows of each head in the order in which llama.cpp turns them: pairs side by side."""
    rows, columns = array.shape
    return array.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def write_gguf(checkpoint, output):
    import gguf
    import numpy
    with open(os.path.join(checkpoint, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    writer = gguf.GGUFWriter(output + ".part", "llama")
    heads = config["num_attention_heads"]
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_dimension_count(config["hidden_size"] // heads)
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("no_vocab")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    for name, array in tensors(os.path.join(checkpoint, "model.safetensors")):
        if array.ndim == 1:
            array = array.astype(numpy.float32)
        else:
            array = array.astype(numpy.float16)
        if "q_proj" in name:
            array = paired(array, heads)
        if "k_proj" in name:
            array = paired(array, config["num_key_value_heads"])
        writer.add_tensor(gguf_name(name), numpy.ascontiguousarray(array))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.rename(output + ".part", output)


def silence():
    """llama.cpp tells its log everything; nothing of it is kept. The callback must stay alive."""
    import llama_cpp
    silence.callback = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(silence.callback, None)


def model_file(checkpoint, kind, scratch, threads):
    import llama_cpp
    os.makedirs(scratch, exist_ok=True)
    plain = os.path.join(scratch, os.path.basename(os.path.normpath(checkpoint)) + "-F16.gguf")
    if not os.path.exists(plain):
        write_gguf(checkpoint, plain)
    if kind == "F16":
        return plain
    output = plain.replace("-F16.gguf", f"-{kind}.gguf")
    if not os.path.exists(output):
        options = llama_cpp.llama_model_quantize_default_params()
        options.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind}")
        options.nthread = threads
        if llama_cpp.llama_model_quantize(plain.encode(), (output + ".part").encode(), options):
            sys.exit(f"llama.cpp cannot quantize {plain}")
        os.rename(output + ".part", output)
    return output


# -- a pass of each --------------------------------------------------------------------------------

class Theirs:
    """One context of llama.cpp, its fastest settings as its own defaults choose them."""

    def __init__(self, path, threads, positions, batch):
        import llama_cpp
        self.api = llama_cpp
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(
            path.encode(), llama_cpp.llama_model_default_params())
        options = llama_cpp.llama_context_default_params()
        options.n_ctx, options.n_batch, options.n_ubatch = positions, batch, batch
        options.n_threads = options.n_threads_batch = threads
        self.context = llama_cpp.llama_init_from_model(self.model, options)
        if not self.context:
            sys.exit(f"llama.cpp cannot run {path}")
        self.batch = batch
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(
            llama_cpp.llama_model_get_vocab(self.model))

    def close(self):
        self.api.llama_free(self.context)
        self.api.llama_model_free(self.model)

    def feed(self, first, count):
        tokens = (self.api.llama_token * count)(
            *((i * 2654435761 % 2**32) % self.vocabulary for i in range(first, first + count)))
        if self.api.llama_decode(self.context, self.api.llama_batch_get_one(tokens, count)):
            sys.exit("llama_decode failed")
        self.api.llama_get_logits_ith(self.context, -1)  # waits for the result

    def clear(self):
        self.api.llama_memory_clear(self.api.llama_get_memory(self.context), True)

    def prefill(self, tokens):
        self.clear()
        start = time.perf_counter()
        for at in range(0, tokens, self.batch):
            self.feed(at, min(self.batch, tokens - at))
        return tokens / (time.perf_counter() - start)

    def decode(self, before, steps):
        self.clear()
        for at in range(0, before, self.batch):
            self.feed(at, min(self.batch, before - at))
        start = time.perf_counter()
        for i in range(steps):
            self.feed(before + i, 1)
        return steps / (time.perf_counter() - start)


def ours(options, threads):
    command = [options.bench, options.artifact, "--json", "--rounds", "1", "--threads", str(threads),
               "--prompt", ",".join(map(str, options.prompt)), "--context",
               ",".join(map(str, options.context)), "--decode", str(options.decode)]
    row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)[0]
    speeds = {f"prefill {each['tokens']}": each["tokens_per_second"] for each in row["prefill"]}
    speeds |= {f"after {each['context']}": each["tokens_per_second"] for each in row["decode"]}
    stream = {f"after {each['context']}": each["of_stream_weights"] for each in row["decode"]}
    stream |= {f"prefill {each['tokens']}": max(each["of_vnni"], 0) for each in row["prefill"]}
    return speeds, stream


def run(options):
    silence()
    path = model_file(options.checkpoint, options.type, options.scratch, max(options.threads))
    positions = max(options.prompt + [c + options.decode for c in options.context]) + 8
    rows = []
    for threads in options.threads:
        pairs = []
        theirs = Theirs(path, threads, positions, max(options.prompt))
        theirs.prefill(min(options.prompt))
        for _ in range(options.pairs):
            other = {f"prefill {n}": theirs.prefill(n) for n in options.prompt}
            other |= {f"after {n}": theirs.decode(n, options.decode) for n in options.context}
            time.sleep(0.3)  # their threads go to sleep
            pairs.append((*ours(options, threads), other))
        theirs.close()
        for name in pairs[0][0]:
            rows.append({
                "threads": threads, "measured": name,
                "ours": statistics.median(pair[0][name] for pair in pairs),
                "theirs": statistics.median(pair[2][name] for pair in pairs),
                "ratio": statistics.median(pair[0][name] / pair[2][name] for pair in pairs),
                "ratios": [round(pair[0][name] / pair[2][name], 3) for pair in pairs],
                "of_bound": statistics.median(pair[1][name] for pair in pairs)})
    return {"type": options.type, "version": VERSION, "pairs": options.pairs,
            "gguf_bytes": os.path.getsize(path),
            "artifact_bytes": os.path.getsize(options.artifact), "rows": rows}


def numbers(text):
    return [int(each) for each in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("setup").add_argument("venv")
    measure = commands.add_parser("run")
    for name in ("bench", "artifact", "checkpoint", "type"):
        measure.add_argument("--" + name, required=True)
    measure.add_argument("--scratch", default="llama-cpp-scratch")
    for name, default in (("threads", "1,2"), ("prompt", "128,512"), ("context", "0,128")):
        measure.add_argument("--" + name, type=numbers, default=numbers(default))
    measure.add_argument("--decode", type=int, default=32)
    measure.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    if options.command == "setup":
        setup(options.venv)
    else:
        json.dump(run(options), sys.stdout, indent=1)
        print()


if __name__ == "__main__":
    main()
