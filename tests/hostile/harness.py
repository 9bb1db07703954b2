"""Running the tools on bad input and judging what they do: what the suites of run.py share.

A refusal is judged whole: the exit code, exactly one line on standard error that begins with
"error: ", nothing on standard output, no trace of a crash, no file left or changed in the folder
where the output would go, and no more memory than a good run takes.
"""

import concurrent.futures
import hashlib
import os
import resource
import shutil
import subprocess
import tempfile
import threading

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MODELS = os.path.join(TESTS, "models")
# Seconds; a slow machine is not a hang.
LIMIT_S = 120
# Address space: what the tools map is a third of it, and what hostile files claim is far more.
ADDRESS_SPACE = {"coppice": 3 << 30, "coppice-run": 1 << 30}
MAX_RSS_KB = {"coppice": 400_000, "coppice-run": 120_000}
CRASHES = ("Stack dump", "PLEASE", "LLVM ERROR", "ssertion", "Sanitizer", "terminate called",
           "this is an error in coppice")


class Done:
    def __init__(self, code, out, err, rss):
        self.code, self.out, self.err, self.rss = code, out, err, rss


def run(command, limits=None, stdout=None, **options):
    """Runs to the end; the exit code is negative for a signal."""
    tool = os.path.basename(command[0])
    limits = {resource.RLIMIT_AS: ADDRESS_SPACE.get(tool), **(limits or {})}

    def restrict():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for which, value in limits.items():
            if value is not None:
                resource.setrlimit(which, (value, value))

    # Pipes, not files: limits on files are not for them.
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout or subprocess.PIPE,
                               stderr=subprocess.PIPE, preexec_fn=restrict, **options)
    timer = threading.Timer(LIMIT_S, process.kill)
    timer.start()
    texts = {}
    readers = [threading.Thread(target=lambda name=name, pipe=pipe: texts.update(
        {name: pipe.read().decode(errors="replace")}))
               for name, pipe in (("out", process.stdout), ("err", process.stderr)) if pipe]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    _, status, usage = os.wait4(process.pid, 0)
    timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()
    return Done(process.returncode, texts.get("out", ""), texts["err"], usage.ru_maxrss)


def snapshot(folder):
    """What lies in a folder and in those in it: names with hashes."""
    state = {}
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            with open(path, "rb") as file:
                state[name] = hashlib.sha256(file.read()).hexdigest()
        elif os.path.isdir(path) and not os.path.islink(path):
            state[name] = snapshot(path)
        else:
            state[name] = "not a file"
    return state


def judge(done, tool, code=1, part=""):
    """What is wrong with a refusal, or None."""
    lines = done.err.splitlines()
    if done.code != code:
        return f"exit code {done.code}, expected {code}: {done.err[:400]!r}"
    if not lines or not lines[0].startswith("error: "):
        return f"standard error does not begin with 'error: ': {done.err[:400]!r}"
    # A wrong call is told where help is; an error in the input is one line.
    if len(lines) > (2 if code == 2 else 1):
        return f"{len(lines)} lines on standard error: {done.err[:600]!r}"
    if done.out:
        return f"on standard output: {done.out[:200]!r}"
    for crash in CRASHES:
        if crash in done.err:
            return f"a crash: {done.err[:600]!r}"
    if part not in done.err:
        return f"{part!r} is not in {done.err[:400]!r}"
    if done.rss > MAX_RSS_KB.get(tool, MAX_RSS_KB["coppice"]):
        return f"{done.rss} KB of memory"
    return None


class Suite:
    """Cases of one kind, run side by side; each gets a folder of its own."""

    def __init__(self, jobs=None):
        self.cases, self.counts = [], {}
        self.jobs = jobs or os.cpu_count() or 1

    def add(self, kind, name, function, *args):
        """function(folder, *args) returns what is wrong, or None."""
        self.cases.append((kind, name, function, args))

    def refuse(self, kind, name, prepare, part="", code=1, **options):
        """prepare(folder, out) makes the input and returns the command; `out` is where it may
        write, and must be as it was afterwards."""

        def case(folder):
            out = os.path.join(folder, "out")
            os.mkdir(out)
            command = prepare(folder, out)
            before = snapshot(out)
            done = run(command, **options)
            if snapshot(out) != before:
                return f"left behind: {sorted(snapshot(out))}, before {sorted(before)}"
            return judge(done, os.path.basename(command[0]), code, part)

        self.add(kind, name, case)

    def run(self):
        """Prints what is wrong; the number of failed cases."""
        def one(case):
            kind, name, function, args = case
            # An unprivileged user may not enter the folders that root's tests get.
            with tempfile.TemporaryDirectory(dir="/tmp" if kind == "permissions" else None) as folder:
                try:
                    return kind, name, function(folder, *args)
                except Exception as error:  # a broken case is a failed one
                    return kind, name, f"{type(error).__name__}: {error}"

        failed = 0
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            for kind, name, wrong in pool.map(one, self.cases):
                self.counts[kind] = self.counts.get(kind, 0) + 1
                if wrong:
                    failed += 1
                    print(f"FAILED {kind}, {name}: {wrong}")
        return failed


def copy_model(name, folder):
    """A model of the tree in a folder of the case's own."""
    target = os.path.join(folder, "model")
    shutil.copytree(os.path.join(MODELS, name), target)
    return target


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)
    return path


_artifacts = {}
_lock = threading.Lock()


def artifact(name, target="x86-64-v3", flags=()):
    """The bytes of a model of the tree, compiled once per run."""
    with _lock:
        if (name, target, flags) not in _artifacts:
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "a")
                subprocess.run(["coppice", "compile", os.path.join(MODELS, name), "--target",
                                target, *flags, "--quiet", "-o", path], check=True)
                _artifacts[name, target, flags] = read(path)
        return _artifacts[name, target, flags]
