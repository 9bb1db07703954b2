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
    return f"On {machine['cores']} cores of: {machine['processor']}. {machine['compiler']}."


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
             "Decoding a 2048x5632 Llama shape of 4 layers in float32: whole, with 30, 50 and 70 % "
             "of the heads and neurons of every layer cut, and the 50 % plan as masks. *Bytes* is "
             "the share of the whole model's weight bytes, *time* that of its time a token; *time "
             "over bytes* says what the bytes that are left cost beyond their share."]
    for threads, rows in sorted(section["rows"].items()):
        whole = rows[0]
        lines = []
        for row in rows:
            share = row["weight_bytes"] / whole["weight_bytes"]
            time = 1 / row["decode_against_first"]
            lines.append([row["file"].replace(".coppice", ""), megabytes(row["weight_bytes"]),
                          f"{row['decode_tokens_per_second']:.1f}", f"{share:.3f}", f"{time:.3f}",
                          f"{time / share:.2f}", f"{row['decode_of_stream']:.2f}"])
        parts.append(f"{threads} thread{'s' if threads != '1' else ''}:")
        parts.append(table(["artifact", "weights MB", "tokens/s", "bytes", "time",
                            "time over bytes", "of a plain read"], lines))
    return "\n\n".join((*parts, where(section)))


def bandwidth(section):
    rows = [[row["shape"], row["weights"], f"{row['decode_bytes_per_second'] / 1e9:.1f}",
             f"{row['decode_of_stream']:.3f}"] for row in section["rows"]]
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
                        ("runtime", runtime)):
        if name in figures:
            parts.append(write(figures[name]))
    return "\n\n".join(parts) + "\n"
