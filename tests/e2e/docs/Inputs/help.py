"""Runs every example of the programs' help, in one folder, and fails with the first that fails, or if
a line of help has more than 100 columns.

usage: help.py ROOT FOLDER PROGRAM...   PROGRAM: "coppice compile", "coppice-run", ...

An example is a line of the help that begins with two spaces and the program's name.
FOLDER is emptied, and holds what the examples speak of: a model folder opt-125m (the small one of
the repository), a plan cut.json, a prompt, a text, and what earlier examples leave.
"""

import os
import shutil
import subprocess
import sys

root, folder = (os.path.abspath(path) for path in sys.argv[1:3])
shutil.rmtree(folder, ignore_errors=True)
os.makedirs(folder)
os.symlink(os.path.join(root, "tests", "models", "opt-icl"), os.path.join(folder, "opt-125m"))
shutil.copy(os.path.join(root, "tests", "golden", "models", "opt-icl", "heads-20.json"),
            os.path.join(folder, "cut.json"))
shutil.copy(os.path.join(root, "docs", "overview.md"), os.path.join(folder, "text.txt"))
with open(os.path.join(folder, "prompt.txt"), "w", encoding="utf-8") as file:
    file.write("Once upon a time")
for name, flags in (("model", ""), ("dense", ""), ("masked", "--plan cut.json --keep-masks"),
                    ("pruned", "--plan cut.json")):
    subprocess.run(f"coppice compile opt-125m {flags} --quiet -o {name}.coppice", shell=True,
                   check=True, cwd=folder)

count = 0
for program in sys.argv[3:]:
    text = subprocess.run(program.split() + ["--help"], check=True, capture_output=True, text=True)
    if text.stderr or not text.stdout.startswith(program.split()[0]):
        sys.exit(f"{program} --help: does not begin with its name, on standard output alone")
    wide = [line for line in text.stdout.splitlines() if len(line) > 100]
    if wide:
        sys.exit(f"{program} --help: more than 100 columns: {wide[0]}")
    examples = [line.strip() for line in text.stdout.splitlines()
                if line.startswith(f"  {program.split()[0]}")
                and "COMMAND" not in line and "--version" not in line]
    if not examples:
        sys.exit(f"{program} --help: has no example")
    for example in examples:
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", example], cwd=folder,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{program} --help: '{example}': exit code {done.returncode}\n{done.stderr}")
        count += 1
print(f"{count} examples")
