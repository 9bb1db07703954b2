"""Hold every tiny model of a family to its golden files: whole and under each plan, shrunk and masked;
the first with each format of the KV cache, and the last in each format of weights.

Usage: run_family.py MODEL_TYPE TESTS_DIR, or run_family.py --every TESTS_DIR, which runs no model:
each family that coppice lists must have a model and a test in e2e that runs it so, and no model may
be of another. Models are the folders of TESTS_DIR/models, found by looking, but for the trained one;
their golden files lie in golden/models under the same name. What is held how tightly:
run_golden.py, weight_formats.py, kv_formats.py. The exit code is 1 if anything is out of bounds.
"""

import argparse
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

from kv_formats import run_kv_formats
from run_golden import run_golden
from weight_formats import run_weight_formats

TRAINED = "opt-icl"  # a hundred times as large, with tests of its own


def tiny_models(tests):
    """(folder, config) of each, by name."""
    for name in sorted(os.listdir(os.path.join(tests, "models"))):
        if name != TRAINED:
            folder = os.path.join(tests, "models", name)
            with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
                yield folder, json.load(file)


def golden_files(tests, model):
    """(name, golden file, plan or None): the whole model first."""
    folder = os.path.join(tests, "golden", "models", os.path.basename(model))
    yield "dense", os.path.join(folder, "dense.safetensors"), None
    for plan in sorted(glob.glob(os.path.join(folder, "*.json"))):
        name = os.path.splitext(os.path.basename(plan))[0]
        yield name, os.path.join(folder, name + ".safetensors"), plan


def known_families():
    """The model types that coppice lists where it is given one that it does not know."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
            file.write('{"model_type": "none such"}')
        done = subprocess.run(["coppice", "compile", folder, "--dry-run", "-o", "none"],
                              capture_output=True, text=True)
    listed = re.search(r"supported are: ([a-z0-9_, ]+)", done.stderr)
    if not listed:
        sys.exit(f"coppice lists no families: {done.stderr}")
    return listed.group(1).split(", ")


def run(model_type, tests):
    models = [folder for folder, config in tiny_models(tests) if config["model_type"] == model_type]
    if not models:
        sys.exit(f"no model of tests/models is of family {model_type}")
    good = True
    for model in models:
        for name, golden, plan in golden_files(tests, model):
            print(f"{os.path.basename(model)}, {name}")
            good &= run_golden(model, golden, plan)
    for run_formats, model in ((run_kv_formats, models[0]), (run_weight_formats, models[-1])):
        print(f"{os.path.basename(model)}, each format")
        good &= run_formats(model, next(golden_files(tests, model))[1])
    return good


def run_every(tests):
    families = known_families()
    have = {config["model_type"] for _, config in tiny_models(tests)}
    tested = set()
    for path in glob.glob(os.path.join(tests, "e2e", "*.test")):
        with open(path, encoding="utf-8") as file:
            tested |= set(re.findall(r"RUN: .*run_family\.py (\w+) ", file.read()))
    for what, names in (("no model", set(families) - have), ("no test", set(families) - tested),
                        ("unknown to coppice", (have | tested) - set(families))):
        if names:
            print(f"{what}: {', '.join(sorted(names))}")
    print(f"{len(families)} families")
    return set(families) == have == tested


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("model_type", nargs="?")
    what.add_argument("--every", action="store_true")
    parser.add_argument("tests")
    args = parser.parse_args()
    return 0 if (run_every(args.tests) if args.every else run(args.model_type, args.tests)) else 1


if __name__ == "__main__":
    sys.exit(main())
