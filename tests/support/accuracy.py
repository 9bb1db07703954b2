"""How often an artifact holds the right answer to be the likeliest, over tasks of questions.

Usage: accuracy.py ARTIFACT CURVE [MASKED SKIPPED] --tasks DIR. Compares with the accuracies of
CURVE, the JSON file of pruning curves that PyTorch measured: of the whole model, or of the entry with
these heads masked and these FFNs skipped, each as a JSON list. A task may differ by one question.

A task is DIR/NAME.jsonl, a question a line: id, shots, prompt, choices, gold. The score of a choice
is the sum of its tokens' log-probabilities after the prompt (coppice-choices computes it).
"""

import argparse
import glob
import json
import os
import subprocess
import sys
import tempfile


def read_tasks(folder, shots, most=None):
    """{name: questions}; the first `most` of each task, all without it."""
    tasks = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.jsonl"))):
        with open(path, encoding="utf-8") as file:
            questions = [q for q in map(json.loads, file) if q["shots"] == shots]
        tasks[os.path.basename(path)[:-len(".jsonl")]] = questions[:most]
    return tasks


def answers(choices, artifact, tasks):
    """{name: which choice of each question is the likeliest}; `choices` is the program's path."""
    texts = [text for questions in tasks.values() for q in questions
             for text in (q["prompt"], *q["choices"], "")]
    # A file, not a pipe: a program that ends before it has read all of a pipe takes this one along,
    # by SIGPIPE, before its message is read.
    with tempfile.TemporaryFile() as file:
        file.write(b"".join(t.encode() + b"\0" for t in texts))
        file.seek(0)
        try:
            done = subprocess.run([choices, artifact], capture_output=True, stdin=file)
        except OSError as error:
            sys.exit(f"error: {choices} cannot be run: {error.strerror}")
    if done.returncode != 0:
        sys.exit(done.stderr.decode(errors="replace").rstrip()
                 or f"error: {choices} ended with {done.returncode} and without a message")
    lines = iter(done.stdout.decode().splitlines())
    result = {}
    for name, questions in tasks.items():
        result[name] = []
        for question in questions:
            scores = [float(s) for s in next(lines).split()]
            assert len(scores) == len(question["choices"])
            result[name].append(scores.index(max(scores)))
    return result


def accuracy(questions, answer):
    """In percent."""
    return 100 * sum(a == q["gold"] for q, a in zip(questions, answer)) / len(questions)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artifact")
    parser.add_argument("curve")
    parser.add_argument("masked", nargs="?", type=json.loads, default=[])
    parser.add_argument("skipped", nargs="?", type=json.loads, default=[])
    parser.add_argument("--tasks", required=True)
    args = parser.parse_args()
    with open(args.curve, encoding="utf-8") as file:
        curve = json.load(file)
    entries = [{**e, "masked": e.get("masked", []), "skipped": e.get("skipped", [])}
               for kind in ("heads", "ffn", "combined") for e in curve[kind]]
    wanted = next(e for e in entries
                  if sorted(e["masked"]) == args.masked and sorted(e["skipped"]) == args.skipped)
    tasks = read_tasks(args.tasks, curve["shots"], curve["examples_per_task"])
    assert sorted(tasks) == sorted(curve["tasks"]), sorted(tasks)
    given = answers("coppice-choices", args.artifact, tasks)
    wrong = 0
    for name, questions in tasks.items():
        got, right = accuracy(questions, given[name]), 100 * wanted["accuracy"][name]
        print(f"{name:14}{got:6.1f} here {right:6.1f} there")
        wrong += abs(got - right) > 100.1 / len(questions)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
