"""docs/figures.md from the measured figures."""

INTRO = """# Measured figures

Written by `tools/dev bench`; do not edit. `tools/dev bench SECTION` measures one section anew, the
others keep what was measured before. Speeds hold for the machine named with them and drift with its
load: the ratios are what to read. They are taken side by side in one run, round by round, and are
medians over the rounds.
"""


def table(columns, rows):
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def megabytes(count):
    return f"{count / 1e6:,.2f}"


def where(section):
    machine = section["machine"]
    text = f"On {machine['cores']} cores of: {machine['processor']}. {machine['compiler']}."
    if machine.get("with"):
        text += f" The machine had other work: measured with `{machine['with']}`."
    return text


def build(section):
    return "\n\n".join((
        "## Building (`build`)",
        "A clean build of everything, tests included, without a compiler cache, and a rebuild after "
        "the source of one pass changed.",
        table(["clean", "one pass touched"],
              [[f"{section['clean_seconds'] / 60:.1f} min", f"{section['one_pass_seconds']:.0f} s"]]),
        where(section)))


def compiling(section):
    rows = [[row["model"], megabytes(row["checkpoint_bytes"]), f"{row['seconds']:.2f}",
             f"{row['checkpoint_bytes'] / row['seconds'] / 1e6:,.0f}",
             megabytes(row["peak_bytes"])] for row in section["rows"]]
    return "\n\n".join((
        "## Compiling (`compiling`)",
        "`coppice compile` with one thread, median of 3. The resident peak counts pages of the "
        "mapped checkpoint while they are in use.",
        table(["model", "checkpoint MB", "seconds", "MB/s", "peak resident MB"], rows),
        where(section)))


def sizes(section):
    rows = [[row["plan"], row["weights"], f"{row['artifact_bytes']:,}",
             f"{row['minimum_bytes']:,}", f"{row['artifact_bytes'] - row['minimum_bytes']:,}"]
            for row in section["rows"]]
    return "\n\n".join((
        "## Bytes (`sizes`)",
        "opt-icl, against the arithmetic minimum: the elements that the plan leaves, counted from "
        "`config.json` and the plan alone, times the bytes of the format; vectors are float32. The "
        "rest is code, tokenizer, metadata and alignment: without the tokenizer at most 64 KB. "
        "Metadata grows with the number of layers, not with their width.",
        table(["plan", "weights", "artifact", "minimum", "beyond it"], rows)))


def speed(section):
    parts = ["## Pruned pays (`speed`)",
             "Decoding a 2048x5632 Llama shape: whole, with 10, 30, 50 and 70 % of the heads and "
             "neurons of every layer cut, with 19 heads and 3373 neurons left, both prime, and a "
             "plan as masks. *Bytes* is the share of the whole model's weight bytes, *time* that of "
             "its time a token; *time over bytes* says what the bytes that are left cost beyond "
             "their share."]
    for model, threads in sorted(section["models"].items()):
        for count, rows in sorted(threads.items()):
            whole = rows[0]
            lines = []
            for row in rows:
                share = row["token_weight_bytes"] / whole["token_weight_bytes"]
                time = 1 / row["decode_against_first"]
                lines.append([row["file"].replace(".coppice", ""),
                              megabytes(row["token_weight_bytes"]),
                              f"{row['decode_tokens_per_second']:.1f}", f"{share:.3f}",
                              f"{time:.3f}", f"{time / share:.2f}",
                              f"{row['decode_of_stream_weights']:.2f}"])
            parts.append(f"{model}, {count} thread{'s' if count != '1' else ''}:")
            parts.append(table(["artifact", "MB a token", "tokens/s", "bytes", "time",
                                "time over bytes", "of a plain read"], lines))
    return "\n\n".join((*parts, where(section)))


def bandwidth(section):
    rows = [[row["shape"], row["weights"], f"{row['decode_bytes_per_second'] / 1e9:.1f}",
             f"{row['decode_of_stream_weights']:.3f}"] for row in section["rows"]]
    return "\n\n".join((
        "## Bandwidth (`bandwidth`)",
        "Decoding, one thread: the bytes of weights read in a second, and their rate over that of a "
        "plain read of as many bytes taken beside it, median of 9 rounds. The whole program: norms, "
        "RoPE, attention and the head are in it.",
        table(["matrices", "weights", "GB/s", "of a plain read"], rows), where(section)))


def small(section):
    rows = [[row["file"].replace(".coppice", ""), megabytes(row["weight_bytes"]),
             f"{row['prefill_tokens_per_second']:,.0f}", f"{row['decode_tokens_per_second']:,.0f}",
             f"{row['decode_against_first']:.2f}"] for row in section["rows"]]
    return "\n\n".join((
        "## A small model (`small`)",
        "stories260k in float32, one thread, whole and cut by its plan-a; 128 tokens of prefill, 256 "
        "decoded, median of 9 rounds.",
        table(["artifact", "weights MB", "prefill tokens/s", "decode tokens/s", "against whole"],
              rows), where(section)))


def stages(row, which):
    """Kinds of stages of one row, longest first, those above a hundredth."""
    kinds = sorted(row[which].items(), key=lambda kind: -kind[1]["seconds"])
    total = sum(kind["seconds"] for _, kind in kinds)
    return [[name, str(kind["stages"]), f"{kind['seconds'] * 1e6:,.1f}",
             f"{kind['seconds'] / total:.3f}"]
            for name, kind in kinds if kind["seconds"] > total / 100]


def plain(section):
    rows = [[row["artifact"].replace(".coppice", ""), f"{row['ours']:,.0f}",
             f"{row['theirs']['O3']:,.0f}", f"{row['theirs']['Ofast']:,.0f}",
             f"{row['ratio']['O3']:.2f}", f"{row['ratio']['Ofast']:.2f}"]
            for row in section["rows"]]
    parts = ["## Against plain C loops (`plain`)",
             "stories260k, one thread, 256 tokens decoded after 128: tests/bench/plain_llama.c built "
             f"with -O3 and with -Ofast, both -march=native, by {section['compiler']}; 9 alternating "
             "pairs. The float32 artifact and both programs continue a prompt with exactly the same "
             "tokens.",
             table(["artifact", "tokens/s", "-O3", "-Ofast", "over -O3", "over -Ofast"], rows)]
    each = section["ns_per_stage"]
    parts.append(f"A stage whose kernel does nothing takes {each['1']:.1f} ns with one thread, and "
                 f"{each['2']:.0f} ns with two that meet after it. Where the time of a token goes:")
    for row in section["stages"]:
        parts.append(row["file"].replace(".coppice", "") + ":")
        parts.append(table(["kernel", "stages", "us", "share"], stages(row, "decode_stages")))
    return "\n\n".join((*parts, where(section)))


def ratios(rows):
    """For each file what a second thread brings a prefill, and what a long context costs."""
    lines = []
    for one in (row for row in rows if row["threads"] == 1):
        def of(row, kind, key, count):
            return next((each["tokens_per_second"] for each in row[kind] if each[key] == count),
                        None)
        two = next(row for row in rows if row["threads"] == 2 and row["file"] == one["file"])
        short, long = of(one, "decode", "context", 128), of(one, "decode", "context", 4096)
        lines.append([one["file"].replace(".coppice", ""),
                      f"{of(two, 'prefill', 'tokens', 128) / of(one, 'prefill', 'tokens', 128):.2f}",
                      f"{short / long:.3f}" if long else ""])
    return lines


def shape(section):
    parts = ["## 1.1B parameters (`shape`)",
             "`coppice synth --shape llama-1.1b`, KV cache in bf16. *Of stream*: weights "
             "alone, and with the KV cache, over a plain read in the same rounds by as many threads. "
             "*Of peak*: a prefill's multiplications over a loop of nothing else, int8 dot products "
             "for i4 and i8, float32 multiply-adds for f16. Medians of the rounds."]
    for row in section["rows"]:
        row["title"] = row["file"].replace(".coppice", "") + f", {row['threads']} thread" + \
            ("s" if row["threads"] > 1 else "")
    lines = []
    for row in section["rows"]:
        for each in row["prefill"]:
            share = each["of_fma"] if "f16" in row["file"] else each["of_vnni"]
            lines.append([row["title"], str(each["tokens"]), f"{each['tokens_per_second']:.1f}",
                          f"{share:.3f}"])
    parts.append(table(["prefill of", "tokens", "tokens/s", "of peak"], lines))
    lines = []
    for row in section["rows"]:
        for each in row["decode"]:
            lines.append([row["title"], str(each["context"]), f"{each['tokens_per_second']:.2f}",
                          f"{each['weight_bytes_per_second'] / 1e9:.1f}",
                          f"{each['kv_bytes_per_second'] / 1e9:.2f}", f"{each['of_stream_weights']:.3f}",
                          f"{each['of_stream']:.3f}"])
    parts.append(table(["decoding", "after", "tokens/s", "weights GB/s", "KV GB/s", "of stream",
                        "with KV"], lines))
    parts.append(table(["ratio of medians", "prefill 128: 2 threads over 1",
                        "a token's time after 4096 over after 128"], ratios(section["rows"])))
    for row in section["rows"]:
        if row["threads"] == 1:
            parts.append(f"{row['title']}, a token after {row['decode'][-1]['context']}:")
            parts.append(table(["kernel", "stages", "us", "share"], stages(row, "decode_stages")))
            parts.append(f"{row['title']}, prefill of {row['prefill'][-1]['tokens']}:")
            parts.append(table(["kernel", "stages", "us", "share"], stages(row, "prefill_stages")))
    return "\n\n".join((*parts, where(section)))


def llama_cpp(section):
    first = section["results"][0]
    parts = ["## Against llama.cpp (`llama_cpp`)",
             f"The same 1.1B shape in llama-cpp-python {first['version']}, built from source for this "
             "machine, quantized by its own tool, with its own defaults; "
             f"{first['pairs']} alternating pairs, the ratio taken within each. Its Q4_0 keeps the "
             "output head in 6 bits, i4 in 8. *Of the bound*: ours, decoding in weight bytes over a "
             "plain read, prefill in multiplications over a loop of int8 dot products."]
    for result in section["results"]:
        rows = [[row["measured"], str(row["threads"]), f"{row['ours']:.1f}",
                 f"{row['theirs']:.1f}", f"{row['ratio']:.2f}",
                 f"{min(row['ratios']):.2f} to {max(row['ratios']):.2f}",
                 f"{row['of_bound']:.3f}"] for row in result["rows"]]
        parts.append(f"{result['weights']} ({result['artifact_bytes'] / 1e6:,.0f} MB) against "
                     f"{result['type']} ({result['gguf_bytes'] / 1e6:,.0f} MB):")
        parts.append(table(["measured", "threads", "tokens/s", "llama.cpp", "ratio", "of the pairs",
                            "of the bound"], rows))
    return "\n\n".join((*parts, where(section)))


def quality(section):
    parts = ["## Quality (`quality`)",
             "What each format costs against float32, token by token: perplexity and its change, "
             "the mean and the 99.9th percentile of KL(float32 || format) in nats, and how often both "
             "would choose the same token. opt-icl runs texts it was not trained on, in windows of "
             "255 tokens after `</s>`, as its makers measured it (float32: 25.35 and 21.85); the "
             "calibrated rows had `coppice calibrate` read another part of the collection that "
             "*valid* is from. stories260k runs the tokens of its golden file alone, a text of its "
             "own making: too few tokens for a perplexity, and none to calibrate with."]
    for text in section["texts"]:
        rows, whole = [], text["rows"][0]
        trained = text["model"] == "opt-icl"
        for row in text["rows"]:
            cells = [row["format"], f"{row['bytes']:,}"]
            if trained:
                cells += [f"{row['perplexity']:.3f}",
                          f"{100 * (row['perplexity'] / whole['perplexity'] - 1):+.3f} %"]
            rows.append(cells + [f"{row['kl_mean']:.6f}", f"{row['kl_999']:.5f}",
                                 f"{100 * row['top1']:.2f} %"])
        columns = ["weights", "artifact bytes", *(["perplexity", "change"] if trained else []),
                   "KL mean", "KL 99.9 %", "same choice"]
        parts.append(f"{text['model']}, {text['text']}: {whole['tokens']:,} tokens predicted.")
        parts.append(table(columns, rows))
    return "\n\n".join(parts)


def runtime(section):
    return "\n\n".join((
        "## The runtime (`runtime`)",
        "Machine code and constants in `libcoppice_runtime.a`, as `llvm-size-19` counts text.",
        table(["C core", "whole library"],
              [[f"{section['core_text_bytes']:,} bytes", f"{section['text_bytes']:,} bytes"]])))


def render(figures):
    parts = [INTRO.strip()]
    for name, write in (("build", build), ("compiling", compiling), ("sizes", sizes),
                        ("speed", speed), ("bandwidth", bandwidth), ("small", small),
                        ("plain", plain), ("shape", shape), ("llama_cpp", llama_cpp),
                        ("quality", quality), ("runtime", runtime)):
        if name in figures:
            parts.append(write(figures[name]))
    return "\n\n".join(parts) + "\n"
