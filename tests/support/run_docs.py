"""Runs what a Markdown page shows: every fenced block, in order, in one scratch folder.

usage: run_docs.py PAGE.md --root REPOSITORY --build BUILD --scratch FOLDER [--not-run N]

The folder is emptied first and looks like the repository's root after a build: its entries are
linked there, `build` is BUILD, and BUILD/bin stands first on PATH. What a block leaves there, the
next one finds. By the fence's language:

  sh       runs under `bash -euo pipefail`, and must succeed
  console  each `$ command` runs; the lines after it, if any, are what it prints (standard error
           too). Compared loosely: blank lines and widths of gaps do not count, `...` stands for
           anything in a line or for any lines, and numbers from 1000 on may be a tenth off, but
           for whole ones in a line that speaks of parameters, heads, neurons, layers or tokens of
           a vocabulary: these are counts. The command must succeed, unless the page shows that it
           prints an error
  c        compiles as C11 without a warning
  json     parses
  mlir     coppice-opt reads, verifies, prints and reads it again
  text     a drawing; not looked at
  others   must be quoted with `from`, or not run

Comments on the lines right before a fence say more:

  <!-- not run: WHY -->          skip it; --not-run N says how many there are (0 by default)
  <!-- file: NAME -->            also write it to NAME in the folder; readers do not see this, so the
                                 text before the block must name it as `NAME`
  <!-- from: FILE -->            it is quoted: its lines stand in that file of the repository so,
                                 `...` lines for what is left out
  <!-- numbers vary -->          (console) any number will do where the page shows one
  <!-- run instead: COMMAND -->  (console) run this in place of the one command shown
  <!-- plan for: MODEL -->       (json) it is a plan that fits this model folder or graph (.mlir)
  <!-- plan errors for: MODEL --> (text) plans, or entries of one's "remove", one a line, and
                                 indented under each what compiling says about it
  <!-- passes: FLAGS -->         (mlir) coppice-opt runs these, too

Links to files and headings are checked. Exit code 1, with each fault on a line, if anything fails.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys

TIME_LIMIT_S = 240
FENCE = re.compile(r"^(\s*)```(\S*)\s*$")
COMMENT = re.compile(r"^\s*<!-- ([a-z ]+?)(?:: (.*?))? -->\s*$")
COUNTS = re.compile(r"\b(parameters|heads|neurons|layers|vocabulary)\b")
NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
DIRECTIVES = {"not run", "file", "from", "numbers vary", "run instead", "plan for",
              "plan errors for", "passes"}


class Fault(Exception):
    pass


class Block:
    def __init__(self, language, line, directives):
        self.language, self.line, self.directives = language, line, directives
        self.lines = []

    def text(self):
        return "".join(line + "\n" for line in self.lines)


def split_page(lines):
    """The fenced blocks, and the lines outside of them."""
    blocks, prose, block, directives, indent = [], [], None, {}, ""
    for number, line in enumerate(lines, 1):
        fence = FENCE.match(line)
        if block is not None:
            if fence and not fence[2]:
                blocks.append(block)
                block, directives = None, {}
            else:
                block.lines.append(line.removeprefix(indent))
            continue
        if fence:
            indent = fence[1]
            unknown = sorted(set(directives) - DIRECTIVES)
            if unknown:
                raise Fault(f"{number}: there is no comment '{unknown[0]}'")
            block = Block(fence[2], number, directives)
            continue
        comment = COMMENT.match(line)
        if comment:
            directives[comment[1]] = comment[2] or ""
        else:
            directives = {}
        prose.append((number, line))
    if block is not None:
        raise Fault(f"{block.line}: the block is not closed")
    return blocks, prose


def unnamed_files(blocks, prose):
    """Faults of blocks whose file has no name in the few lines before them."""
    return [f"{block.line}: the text before the block does not name `{block.directives['file']}`"
            for block in blocks if "file" in block.directives
            and not any(block.line - 8 <= number < block.line
                        and f"`{block.directives['file']}`" in line for number, line in prose)]


def squeeze(line):
    return " ".join(line.split())


def pattern_of(expected):
    """A regular expression for the lines shown, and their numbers in order, each with whether it
    is a count."""
    pattern, numbers = "", []
    for line in expected:
        if line == "...":
            pattern += r"(?:.*\n)*?"
            continue
        for part in line.split("..."):
            at = 0
            for number in NUMBER.finditer(part):
                pattern += re.escape(part[at:number.start()]) + f"({NUMBER.pattern})"
                numbers.append((number[0], bool(COUNTS.search(line)) and "." not in number[0]))
                at = number.end()
            pattern += re.escape(part[at:]) + ".*"
        pattern = pattern.removesuffix(".*") + r"\n"
    return pattern, numbers


def same_number(shown, printed, is_count):
    a, b = (float(text.replace(",", "")) for text in (shown, printed))
    return shown == printed or a >= 1000 and not is_count and abs(a - b) <= a / 10


def compare(expected, output, numbers_vary):
    """Why the output is not what the page shows, or None."""
    expected, printed = ([squeeze(line) for line in lines if line.strip()]
                         for lines in (expected, output.splitlines()))
    pattern, numbers = pattern_of(expected)
    match = re.fullmatch(pattern, "".join(line + "\n" for line in printed))
    if not match:
        return "it prints other lines"
    if not numbers_vary:
        for (shown, is_count), found in zip(numbers, match.groups()):
            if not same_number(shown, found, is_count):
                return f"it prints {found} for {shown}"
    return None


def commands_of(block):
    """The commands of a console block, each with the lines shown under it."""
    commands = []
    for line in block.lines:
        if line.startswith("$ "):
            commands.append([line[2:], []])
        elif not commands:
            raise Fault("a console block begins with '$ '")
        elif commands[-1][0].endswith("\\") and not commands[-1][1]:
            commands[-1][0] += "\n" + line.removeprefix("> ")
        else:
            commands[-1][1].append(line)
    return commands


class Runner:
    def __init__(self, root, build, scratch):
        self.root, self.scratch = os.path.abspath(root), os.path.abspath(scratch)
        shutil.rmtree(self.scratch, ignore_errors=True)
        os.makedirs(self.scratch)
        for entry in os.listdir(self.root):
            if not entry.startswith((".", "build")):
                os.symlink(os.path.join(self.root, entry), os.path.join(self.scratch, entry))
        os.symlink(os.path.abspath(build), os.path.join(self.scratch, "build"))
        # `python3` is the interpreter that runs this, whatever else stands first on PATH.
        own = os.path.join(self.scratch, ".bin")
        os.mkdir(own)
        os.symlink(sys.executable, os.path.join(own, "python3"))
        path = [os.path.join(self.scratch, "build", "bin"), own, os.environ["PATH"]]
        self.environment = dict(os.environ, LC_ALL="C.UTF-8", PATH=os.pathsep.join(path))

    def call(self, command, text=None):
        """Exit code and output, standard error in it."""
        try:
            done = subprocess.run(command, input=text, cwd=self.scratch, env=self.environment,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  stdin=subprocess.DEVNULL if text is None else None,
                                  errors="replace", timeout=TIME_LIMIT_S)
        except subprocess.TimeoutExpired:
            raise Fault(f"stopped after {TIME_LIMIT_S} s") from None
        return done.returncode, done.stdout

    def must(self, command, text=None):
        code, output = self.call(command, text)
        if code != 0:
            raise Fault(f"exit code {code}:\n{output}")
        return output

    def run(self, block):
        if "file" in block.directives:
            path = os.path.join(self.scratch, block.directives["file"])
            with open(path, "w", encoding="utf-8") as file:
                file.write(block.text())
        if "from" in block.directives:
            return self.quoted(block)
        if block.language == "text" and "plan errors for" in block.directives:
            return self.plan_errors(block)
        run = {"sh": self.sh, "console": self.console, "c": self.c, "json": self.json,
               "mlir": self.mlir, "text": lambda _: None}.get(block.language)
        if not run:
            raise Fault(f"a block of '{block.language}' is quoted with 'from' or not run")
        return run(block)

    def sh(self, block):
        self.must(["bash", "-euo", "pipefail", "-c", block.text()])

    def console(self, block):
        commands = commands_of(block)
        instead = block.directives.get("run instead")
        if instead and len(commands) != 1:
            raise Fault("'run instead' stands before one command")
        for command, expected in commands:
            code, output = self.call(["bash", "-euo", "pipefail", "-c", instead or command])
            fails = any(re.search("(^|: )error: ", line) for line in expected)
            if (code != 0) != fails:
                raise Fault(f"'{command}': exit code {code}:\n{output}")
            if not any(line.strip() for line in expected):
                continue
            why = compare(expected, output, "numbers vary" in block.directives)
            if why:
                raise Fault(f"'{command}': {why}:\n{output}")

    def c(self, block):
        self.must(["clang-19", "-std=c11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
                   "-Wno-unused-parameter", "-Wno-dangling-else", "-D_POSIX_C_SOURCE=200809L",
                   "-Iruntime/include", "-x", "c", "-"], block.text())

    def json(self, block):
        try:
            json.loads(block.text())
        except ValueError as error:
            raise Fault(str(error)) from None
        model = block.directives.get("plan for")
        if model is not None:
            code, output = self.plan(block.text(), model)
            if code != 0:
                raise Fault(output)

    def plan(self, text, model):
        """Applies a plan to a model folder or to a graph."""
        with open(os.path.join(self.scratch, "plan"), "w", encoding="utf-8") as file:
            file.write(text)
        if model.endswith(".mlir"):
            return self.call(["coppice-opt", model, "--lm-apply-plan=plan=plan"])
        return self.call(["coppice", "compile", model, "--plan", "plan", "--emit=mlir",
                          "--stop-after=mask"])

    def plan_errors(self, block):
        model = block.directives["plan errors for"]
        if model.endswith(".mlir"):
            family = "llama"
        else:
            with open(os.path.join(self.scratch, model, "config.json"), encoding="utf-8") as file:
                family = json.load(file)["model_type"]
        cases = []
        for line in block.lines:
            if line.startswith(" "):
                cases[-1][1] += " " + line.strip()
            elif line:
                cases.append([line, ""])
        if not cases:
            raise Fault("there is no entry")
        for entries, message in cases:
            plan = entries.removeprefix("plan ")
            if plan == entries:
                plan = f'{{"version": 1, "model_type": "{family}", "remove": [{entries}]}}'
            code, output = self.plan(plan, model)
            if code == 0 or not message or message.strip() not in squeeze(output):
                raise Fault(f"{entries}: exit code {code}:\n{output}")

    def mlir(self, block):
        self.must(["coppice-opt", "--split-input-file", "--verify-roundtrip",
                   *block.directives.get("passes", "").split(), "-"], block.text())

    def quoted(self, block):
        path = os.path.join(self.root, block.directives["from"])
        if not os.path.isfile(path):
            raise Fault(f"there is no file {block.directives['from']}")
        with open(path, encoding="utf-8") as file:
            source = [squeeze(line) for line in file]
        at, part = 0, []
        for line in [squeeze(line) for line in block.lines] + ["..."]:
            if line.lstrip("/#; ") != "...":
                part.append(line)
                continue
            found = [i for i in range(at, len(source)) if source[i:i + len(part)] == part]
            if not found:
                raise Fault(f"{block.directives['from']} does not hold:\n" + "\n".join(part))
            at, part = found[0] + len(part), []


def slug(heading):
    """The anchor of a heading."""
    text = re.sub(r"[^\w\- ]", "", heading.strip().lower().replace("`", ""))
    return text.replace(" ", "-")


def headings(path):
    with open(path, encoding="utf-8") as file:
        _, prose = split_page(file.read().splitlines())
    return {slug(line.lstrip("#")) for _, line in prose if line.startswith("#")}


def check_links(page, prose):
    faults = []
    for number, line in prose:
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            path = os.path.join(os.path.dirname(page), path) if path else page
            if not os.path.exists(path):
                faults.append(f"{number}: the link {target} leads nowhere")
            elif anchor and anchor not in headings(path):
                faults.append(f"{number}: there is no heading for {target}")
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page")
    parser.add_argument("--root", required=True, help="the repository")
    parser.add_argument("--build", required=True, help="the build folder")
    parser.add_argument("--scratch", required=True, help="a folder to work in; emptied first")
    parser.add_argument("--not-run", type=int, default=0, help="blocks that are not run")
    args = parser.parse_args()

    name = os.path.relpath(args.page, args.root)
    with open(args.page, encoding="utf-8") as file:
        try:
            blocks, prose = split_page(file.read().splitlines())
        except Fault as fault:
            sys.exit(f"{name}:{fault}")
    runner = Runner(args.root, args.build, args.scratch)
    faults = check_links(args.page, prose) + unnamed_files(blocks, prose)
    skipped = run = 0
    for block in blocks:
        if "not run" in block.directives:
            skipped += 1
            print(f"{name}:{block.line}: not run: {block.directives['not run']}")
            continue
        try:
            runner.run(block)
        except Fault as fault:
            faults.append(f"{block.line}: {fault}")
            # What comes after leans on what failed.
            break
        run += block.language != "text" or bool(block.directives)
    if not faults and skipped != args.not_run:
        faults.append(f"1: {skipped} blocks are not run, {args.not_run} are known")
    for fault in faults:
        print(f"{name}:{fault}"[:4000])
    print(f"{name}: {run} blocks run, {skipped} not run")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
