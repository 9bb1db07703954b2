"""The demo: one trained model, whole and pruned, side by side.

Usage: demo.py --build BUILD [--questions N]. Compiles tests/models/opt-icl three times, draws what is
left, and measures sizes, speed in alternation, and accuracy on the model's tasks. Artifacts and
their pages land in BUILD/demo. Run by `tools/dev demo`.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time

import accuracy

TESTS = os.path.relpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
MODEL = os.path.join(TESTS, "models", "opt-icl")
PLANS = os.path.join(TESTS, "golden", "models", "opt-icl")
# What PyTorch measured of the float32 original, 200 questions a task, with the plan's heads masked.
ORIGINAL = {"whole": 94.8, "heads": 93.5}
SHOWN = ("antonym", "next_number", "category")  # a question of each is shown with its answers

if "utf" in (sys.stdout.encoding or "").lower():
    SHADES, FULL, EMPTY, OFF, ARROW = " ░▒▓█", "━", "─", "·", "→"
else:
    SHADES, FULL, EMPTY, OFF, ARROW = " -:+#", "#", "-", ".", "->"
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def green(text):
    return f"\033[32m{text}\033[0m" if COLOUR and text else text


def dim(text):
    return f"\033[2m{text}\033[0m" if COLOUR and text else text


def bold(text):
    return f"\033[1m{text}\033[0m" if COLOUR else text


class Status:
    """What is being done, on a terminal, until it is done."""

    def __init__(self, text):
        self.text = text

    def __enter__(self):
        if sys.stderr.isatty():
            print(f"\r\033[K{self.text} ...", end="", file=sys.stderr, flush=True)

    def __exit__(self, *_):
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def call(*command):
    """Standard output; leaves with the tool's own message if it fails."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    except OSError as error:
        sys.exit(f"error: {command[0]} cannot be run: {error.strerror}; build it with tools/dev build")
    if done.returncode != 0:
        sys.exit(done.stderr.decode(errors="replace").rstrip()
                 or f"error: {command[0]} ended with {done.returncode} and without a message")
    return done.stdout.decode()


def numbers(part):
    return {n for first, last in part["ranges"] for n in range(first, last + 1)}


def strip(part, cells):
    """The kept numbers of a part, drawn: a sign for each, or for as many as it takes."""
    kept, cells = numbers(part), min(cells, part["before"])
    text = ""
    for cell in range(cells):
        here = range(cell * part["before"] // cells, (cell + 1) * part["before"] // cells)
        share = sum(n in kept for n in here) / len(here)
        sign = SHADES[-1] if share == 1 else SHADES[max(share > 0, int(share * 4))]
        text += dim(OFF) if share == 0 else green(sign)
    return text


def draw_layers(report):
    print(dim(f"of what a sign stands for: {SHADES[4]} all, {SHADES[3]} three quarters or more, "
              f"{SHADES[2]} half or more, {SHADES[1]} less, {OFF} none"))
    print(bold(f"{'layer':8}{'heads':22}neurons, 16 to a sign"))
    for i, layer in enumerate(report["layers"]):
        heads, neurons = layer["heads"], layer["neurons"]
        print(f"{i:>5}   {strip(heads, 16)}  {heads['kept']} of {heads['before']:<5}"
              f"{strip(neurons, 32)}  {neurons['kept']} of {neurons['before']}")


def bar(share, width=18):
    full = max(0, min(width, round(share * width)))
    return green(FULL * full) + dim(EMPTY * (width - full))


def total(report, part):
    return sum(layer[part]["kept"] for layer in report["layers"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, help="the build folder, with bin/ in it")
    parser.add_argument("--questions", type=int, default=80, help="of each task, at most")
    args = parser.parse_args()
    began = time.monotonic()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that has seen enough is no error
    sys.stdout.reconfigure(line_buffering=True)
    tool = {name: os.path.join(args.build, "bin", name)
            for name in ("coppice", "coppice-run", "coppice-bench", "coppice-choices")}
    out = os.path.join(args.build, "demo")
    os.makedirs(out, exist_ok=True)

    print(bold("opt-icl, a small OPT trained to read a rule from examples: whole and pruned\n"))
    files, reports = {}, {}
    for name, plan in (("whole", None), ("heads", "heads-20.json"), ("pruned", "pruned.json")):
        files[name] = os.path.join(out, name + ".coppice")
        flags = ["--plan", os.path.join(PLANS, plan)] if plan else []
        print(dim("$ " + " ".join(["coppice compile", MODEL, *flags, "-o", files[name]])), flush=True)
        with Status("compiling"):
            call(tool["coppice"], "compile", MODEL, *flags, "-o", files[name])
            reports[name] = json.loads(call(tool["coppice"], "inspect", files[name], "--json"))
            call(tool["coppice"], "inspect", files[name], "--html",
                 os.path.join(out, name + ".html"))
    print("\nheads: 9 of 48 heads cut, the least important ones; pruned: 921 neurons too. It keeps:\n")
    draw_layers(reports["pruned"])

    with Status("measuring speed"):
        # One thread: at this size, more would measure how threads meet.
        speeds = json.loads(call(tool["coppice-bench"], *files.values(), "--json", "--threads", "1",
                                 "--rounds", "7", "--prompt", "256", "--decode", "64"))
    speed = dict(zip(files, speeds))
    rows = [("bytes of the file", [r["bytes"]["file"] for r in reports.values()]),
            ("parameters", [r["model"]["parameters"] for r in reports.values()]),
            ("heads", [total(r, "heads") for r in reports.values()]),
            ("neurons", [total(r, "neurons") for r in reports.values()]),
            ("KV cache, bytes", [r["entry_points"][0]["kv_bytes_at_context"]
                                 for r in reports.values()]),
            ("tokens/s, prompt", [speed[n]["prefill_tokens_per_second"] for n in files]),
            ("tokens/s, answer", [speed[n]["decode_tokens_per_second"] for n in files])]
    print("\n" + bold(f"{'':18}{'whole':>12}{'heads':>12}{'pruned':>12}  pruned against whole"))
    for name, values in rows:
        share = values[-1] / values[0]
        # Of each round by itself: the machine's speed may drift.
        if name == "tokens/s, prompt":
            share = speed["pruned"]["prefill"][0]["against_first"]
        elif name == "tokens/s, answer":
            share = speed["pruned"]["decode_against_first"]
        print(f"{name:18}" + "".join(f"{value:>12,.0f}" for value in values)
              + (f"  {bar(share)} {share:.2f}" if share <= 1 else f"  {'':18} {share:.2f} times"))

    tasks = accuracy.read_tasks(os.path.join(MODEL, "tasks"), 5, args.questions)
    given = {}
    for name, file in files.items():
        with Status(f"asking {name} {sum(map(len, tasks.values()))} questions"):
            given[name] = accuracy.answers(tool["coppice-choices"], file, tasks)

    print("\n" + bold("asked the same, with five examples each (the last two are shown):"))
    for task in SHOWN:
        question = tasks[task][0]
        said = [question["choices"][given[n][task][0]].strip()
                + ("" if given[n][task][0] == question["gold"] else " (wrong)") for n in files]
        lines = question["prompt"].splitlines()
        pairs = [f"{a.removeprefix('Input: ')} {ARROW} {b.removeprefix('Output:').strip()}"
                 for a, b in zip(lines[::2], lines[1::2])]
        print("  " + dim("   ".join(pairs[-3:-1]) + "   ") + pairs[-1].rstrip() + " ?")
        print("      " + ",  ".join(f"{n}: {bold(a)}" for n, a in zip(files, said)))

    print("\n" + bold(f"{'right answers, %':18}" + "".join(f"{n:>12}" for n in files)))
    means = {name: 0.0 for name in files}
    for task, questions in tasks.items():
        right = {name: accuracy.accuracy(questions, given[name][task]) for name in files}
        print(f"{task:18}" + "".join(f"{right[name]:>12.1f}" for name in files))
        for name in files:
            means[name] += right[name] / len(tasks)
    print(bold(f"{'mean':18}" + "".join(f"{means[name]:>12.1f}" for name in files))
          + dim(f"  of {min(map(len, tasks.values()))} questions a task, the weights in float16"))
    print(dim(f"{'in PyTorch':18}" + "".join(f"{ORIGINAL.get(n, ''):>12}" for n in files)
              + "  of 200 questions a task, in float32"))
    chance = sum(100 / len(q["choices"]) for qs in tasks.values() for q in qs) / sum(
        map(len, tasks.values()))
    print(dim(f"{'guessing':18}{chance:>12.1f}{chance:>12.1f}{chance:>12.1f}  one of the choices, blindly"))
    print(f"\nDrawn in full: {os.path.join(out, 'pruned.html')}, for a browser. More: docs/index.md")
    print(dim(f"this took {time.monotonic() - began:.0f} seconds"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
