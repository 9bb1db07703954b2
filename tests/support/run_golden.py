"""Compile a model, run it on a golden file's tokens, and compare its logits with the file's.

Usage: run_golden.py MODEL_DIR GOLDEN [--plan PLAN] [--greedy] [--second] [FLAG ...]; every FLAG goes to
`coppice compile`. With a plan the masked graph (--keep-masks) is held to the same file too, and the
shrunk and masked artifacts to each other, tightly. With --greedy the tokens after the prompt (the
file's `prompt_tokens` says how long that is) must be those that coppice-run chooses. `coppice` and
`coppice-run` are found through PATH. The exit code is 1 if anything differs.
"""

import argparse
import os
import subprocess
import sys
import tempfile

from compare_logits import difference, read_safetensors


def call(command):
    """Standard output; leaves the program with the tool's own message if it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"exit code {done.returncode}: {' '.join(command)}\n{done.stderr.rstrip()}")
    return done.stdout


def compile_model(model, output, plan=None, flags=()):
    call(["coppice", "compile", model, "-o", output, *flags, *(["--plan", plan] if plan else [])])
    return output


def run_logits(artifact, tokens, flags=()):
    """What coppice-run writes for these tokens, as a dictionary of tensors."""
    output = artifact + ".logits.safetensors"
    call(["coppice-run", artifact, "--tokens", ",".join(map(str, tokens)), "--logits", output,
          *flags])
    return read_safetensors(output)[0]


def run_golden(model, golden_path, plan=None, greedy=False, second=False, flags=()):
    """Prints how far apart the logits are; whether all are within their limits."""
    golden, metadata = read_safetensors(golden_path)
    if second:
        golden = {name: golden[name + "_2"] for name in ("tokens", "logits")}
    tokens = golden["tokens"].tolist()
    good = True

    def hold(name, ours, other, tight=False):
        nonlocal good
        within, text = difference(ours, other, tight)
        print(f"{name}: {text}{'' if within else ' <- too far'}")
        good &= within

    with tempfile.TemporaryDirectory() as folder:
        artifact = compile_model(model, os.path.join(folder, "shrunk.coppice"), plan, flags)
        ours = run_logits(artifact, tokens)
        hold("ours and golden", ours, golden)
        if plan:
            masked = compile_model(model, os.path.join(folder, "masked.coppice"), plan,
                                   [*flags, "--keep-masks"])
            theirs = run_logits(masked, tokens)
            hold("masked and golden", theirs, golden)
            hold("ours and masked", ours, theirs, tight=True)
        if greedy:
            count = int(metadata["prompt_tokens"])
            out = call(["coppice-run", artifact, "--tokens", ",".join(map(str, tokens[:count])),
                        "-n", str(len(tokens) - count)])
            chosen = [int(word) for word in out.split()]
            print(f"greedy: {chosen == tokens[count:]}")
            good &= chosen == tokens[count:]
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("golden")
    parser.add_argument("--plan")
    parser.add_argument("--greedy", action="store_true")
    parser.add_argument("--second", action="store_true", help="the file's tokens_2 and logits_2")
    args, flags = parser.parse_known_args()
    return 0 if run_golden(args.model, args.golden, args.plan, args.greedy, args.second, flags) else 1


if __name__ == "__main__":
    sys.exit(main())
