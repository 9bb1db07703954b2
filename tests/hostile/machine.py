"""A machine that refuses: disks that are full or fail, folders that are missing or closed, results
that nobody can take, processors that lack what the code needs."""

import errno
import os
import resource
import shutil
import stat
import subprocess
import tempfile

from harness import MODELS, TESTS, Suite, artifact, copy_model, judge, read, run, snapshot, write

MODEL = os.path.join(MODELS, "llama-gqa")
RUN = ("--tokens", "1,2,3,4,5,6,7,8,9,10,11,12")


def compiling(out, *flags, model=MODEL):
    return ["coppice", "compile", model, "--target", "x86-64-v3", "-o", os.path.join(out, "a"),
            *flags]


def logits(folder, out):
    path = write(os.path.join(folder, "model.coppice"), artifact("llama-gqa"))
    return ["coppice-run", path, *RUN, "--logits", os.path.join(out, "a")]


def page(folder, out):
    path = write(os.path.join(folder, "model.coppice"), artifact("llama-gqa"))
    return ["coppice", "inspect", path, "--html", os.path.join(out, "a")]


def is_root():
    return os.geteuid() == 0


def may_make_devices():
    """Devices can be made, though perhaps not opened, in the folder where cases lie."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            os.mknod(os.path.join(folder, "null"), 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        except OSError:
            return False
    return True


def build_shim(folder):
    path = os.path.join(folder, "shim.so")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shim.c")
    subprocess.run(["clang", "-shared", "-fPIC", "-O1", "-o", path, source], check=True)
    return path


class Machine(Suite):
    def __init__(self, everything, shim):
        super().__init__()
        self.shim = shim
        self.limits(everything)
        self.full_disks()
        self.failing_disks()
        self.results_nobody_takes()
        self.wrong_places()
        self.inputs()
        self.permissions()
        self.processors()

    def kept(self, kind, name, command, part="", **options):
        """Both with nothing there and with an older file there, which must stay."""
        for older in (False, True):
            def prepare(folder, out, older=older):
                if older:
                    write(os.path.join(out, "a"), b"what was there before")
                return command(folder, out)
            self.refuse(kind, name + (", over a file" if older else ""), prepare, part, **options)

    def limits(self, everything):
        """Files may not grow beyond a size."""
        for size in (0, 1, 100, 4096, 50_000, 100_000) if everything else (0, 4096, 100_000):
            bound = {resource.RLIMIT_FSIZE: size}
            self.kept("full disks", f"limit {size}", lambda folder, out: compiling(out),
                      "File too large", limits=bound)
        for size in (0, 100, 4096):
            self.kept("full disks", f"limit {size}, logits", logits, "File too large",
                      limits={resource.RLIMIT_FSIZE: size})
        # Texts and pages, which are written in one piece.
        for size in (0, 100, 4096):
            bound = {resource.RLIMIT_FSIZE: size}
            for emit in ("mlir", "llvm", "asm"):
                self.kept("full disks", f"limit {size}, {emit}", lambda folder, out, emit=emit:
                          compiling(out, "--emit", emit), "File too large", limits=bound)
            self.kept("full disks", f"limit {size}, page", page, "File too large", limits=bound)
        # The artifact fits and the report does not fit beside it: neither is left.
        self.kept("full disks", "limit, report", lambda folder, out: compiling(
            out, "--report", os.path.join(out, "report.json")), "File too large",
                  limits={resource.RLIMIT_FSIZE: 1000})

    def full_disks(self):
        """A disk of a few pages, where one may be mounted."""
        probe = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"],
                               capture_output=True, check=False)
        if probe.returncode != 0:
            print("note: no tmpfs can be mounted here; limits on files stand for full disks")
            return
        for size in ("4k", "64k", "100k"):
            def case(folder, size=size):
                path = write(os.path.join(folder, "model.coppice"), artifact("llama-gqa"))
                long = ",".join(str(i % 90) for i in range(60))
                for command in (compiling("disk"),
                                ["coppice-run", path, "--tokens", long, "--logits", "disk/a"]):
                    if command[0] == "coppice-run" and size != "4k":
                        continue # 24 KB fit
                    # What is left is listed after the command; the listing is in the same namespace.
                    script = ('mkdir -p disk && mount -t tmpfs -o size="$0" none disk && '
                              '"$@" ; code=$?; ls -A disk | sed "s/^/left: /"; exit $code')
                    done = run(["unshare", "-m", "sh", "-c", script, size, *command], cwd=folder)
                    wrong = judge(done, command[0], 1, "No space left")
                    if wrong:
                        return wrong
                return None
            self.add("full disks", f"tmpfs of {size}", case)

    def shimmed(self, wish, out):
        return {"env": {**os.environ, "LD_PRELOAD": self.shim, "COPPICE_SHIM": wish,
                        "COPPICE_SHIM_FOLDER": out}}

    def failing_disks(self):
        """Each call that writes fails once."""
        for call, error in (("pwrite", errno.EIO), ("pwrite", errno.ENOSPC),
                            ("pwrite", errno.EDQUOT), ("ftruncate", errno.EIO),
                            ("fsync", errno.EIO), ("close", errno.EIO), ("close", errno.ENOSPC),
                            ("rename", errno.EACCES), ("rename", errno.ENOSPC)):
            def case(folder, call=call, error=error):
                out = os.path.join(folder, "out")
                os.mkdir(out)
                write(os.path.join(out, "a"), b"before")
                before = snapshot(out)
                done = run(compiling(out), **self.shimmed(f"{call} {error}", out))
                if snapshot(out) != before:
                    return f"left behind: {sorted(snapshot(out))}"
                return judge(done, "coppice", 1, os.strerror(error))
            self.add("failing disks", f"{call} {errno.errorcode[error]}", case)

        def short(folder):
            done = run(compiling(folder), **self.shimmed("pwrite short", folder))
            if done.code != 0:
                return f"exit code {done.code}: {done.err}"
            return None if read(os.path.join(folder, "a")) == artifact("llama-gqa") else "other bytes"
        self.add("failing disks", "short and interrupted writes give the same bytes", short)

    def results_nobody_takes(self):
        """Standard output is full, or closed."""
        def commands(folder):
            path = write(os.path.join(folder, "model.coppice"), artifact("llama-gqa"))
            return {"coppice": (["--help"], ["--version"], ["compile", "--help"],
                                ["compile", MODEL, "--emit", "mlir"],
                                ["compile", MODEL, "--emit", "asm"],
                                ["compile", MODEL, "--emit", "llvm"], ["inspect", path],
                                ["inspect", path, "--json"], ["inspect", "--help"]),
                    "coppice-run": (["--help"], [path, "--tokens", "1,2", "-n", "2"])}

        def case(folder, tool, number, closed):
            argv = [tool, *commands(folder)[tool][number]]
            if closed:
                done = run(["sh", "-c", '"$0" "$@" >&-', *argv])
            else:
                with open("/dev/full", "wb") as full:
                    done = run(argv, stdout=full)
            return judge(done, tool, 1, "cannot write to standard output")
        for tool, count in (("coppice", 9), ("coppice-run", 2)):
            for number in range(count):
                for closed in (False, True):
                    self.add("results", f"{tool} {number} {'closed' if closed else 'full'}", case,
                             tool, number, closed)

        def mute(folder):
            """With standard error closed no message gets into a file that takes its number."""
            done = run(["sh", "-c", '"$0" "$@" 2>&-', *compiling(folder)])
            same = read(os.path.join(folder, "a")) == artifact("llama-gqa")
            return None if done.code == 0 and same else f"exit code {done.code}, same: {same}"
        self.add("results", "standard error closed", mute)

    def wrong_places(self):
        """Paths that are missing, or something else than they should be."""
        def at(path):
            return lambda folder, out: ["coppice", "compile", MODEL, "-o",
                                        path.format(out=out, folder=folder)]
        for path in ("{folder}/none/a", "{out}", "{out}/", "{out}/" + "n" * 300, "", "-", "/proc/a",
                     "{out}/a/b"):
            self.refuse("places", f"output {path[:30]!r}", at(path), code=2 if path in ("", "-")
                        else 1)

        # Devices and pipes of our own: were they replaced, the machine would not miss them.
        def special(folder, out, kind, tool):
            place = os.path.join(out, "special")
            if kind == "pipe":
                os.mkfifo(place)
            else:
                os.mknod(place, 0o600 | stat.S_IFCHR, os.makedev(1, {"null": 3, "full": 7}[kind]))
            path = os.path.join(folder, "model.coppice")
            if tool != "compile":
                write(path, artifact("llama-gqa"))
            return {"compile": ["coppice", "compile", MODEL, "-o", place],
                    "report": compiling(out, "--report", place),
                    "page": ["coppice", "inspect", path, "--html", place],
                    "logits": ["coppice-run", path, *RUN, "--logits", place]}[tool]
        for kind in ("pipe", "null", "full") if may_make_devices() else ("pipe",):
            for tool in ("compile", "report", "page", "logits"):
                self.refuse("places", f"{tool} to a {kind}", lambda folder, out, kind=kind,
                            tool=tool: special(folder, out, kind, tool), "not a regular file")
        for model in ("{folder}/none", "/dev/null", "{folder}", "/proc/self/mem",
                      MODEL + "/config.json", "\x1b[31m"):
            self.refuse("places", f"model {model!r}", lambda folder, out, model=model: compiling(
                out, model=model.format(folder=folder)))
        for plan in ("{folder}/none", "{folder}", "/dev/null", "/dev/zero"):
            self.refuse("places", f"plan {plan}", lambda folder, out, plan=plan: compiling(
                out, "--plan", plan.format(folder=folder)))
        for path in ("{folder}/none", "{folder}", "/dev/null", "/dev/zero", "", "{folder}/none\x1b"):
            for tool in (["coppice", "inspect"], ["coppice-run", "--tokens", "1"]):
                def prepare(folder, out, path=path, tool=tool):
                    return [*tool, path.format(folder=folder)]
                code = 2 if path == "" and tool[0] == "coppice-run" else 1
                self.refuse("places", f"{tool[0]} {path!r}", prepare, code=code)

        def pipe(folder, out):
            target = copy_model("llama-gqa", folder)
            os.remove(os.path.join(target, "model.safetensors"))
            os.mkfifo(os.path.join(target, "model.safetensors"))
            return compiling(out, model=target)
        self.refuse("places", "a pipe as a checkpoint", pipe, "not a regular file")
        for place in ("{folder}/none/a", "{out}"):
            self.refuse("places", f"logits {place}", lambda folder, out, place=place: [
                *logits(folder, out)[:-1], place.format(folder=folder, out=out)])
            self.refuse("places", f"report {place}", lambda folder, out, place=place: compiling(
                out, "--report", place.format(folder=folder, out=out)))

    def inputs(self):
        """A result never takes the place of what it is made from, whatever its path is called."""
        def prepare(folder, out, file, spelling, command):
            # All of it lies in `out`, whose files must stay as they were.
            target = copy_model("opt-icl", out)
            plan = write(os.path.join(target, "plan.json"), read(os.path.join(
                TESTS, "golden", "models", "opt-icl", "heads-20.json")))
            place = os.path.join(target, file)
            for name in ("generation_config.json", "special_tokens_map.json", "vocab.json"):
                if not os.path.exists(os.path.join(target, name)):
                    write(os.path.join(target, name), b"{}")
            if spelling == "dots":
                place = os.path.join(target, "..", os.path.basename(target), ".", file)
            elif spelling == "link":
                place = os.path.join(folder, "link")
                os.symlink(os.path.join(target, file), place)
            elif spelling == "hard link":
                place = os.path.join(folder, "hard")
                os.link(os.path.join(target, file), place)
            flags = {"-o": ["-o", place], "--report": ["-o", os.path.join(folder, "a"), "--report",
                                                       place],
                     "mlir": ["--emit", "mlir", "-o", place]}[command]
            return ["coppice", "compile", target, "--plan", plan, *flags]
        cases = [(file, "name", "-o") for file in (
            "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
            "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "plan.json")]
        cases += [(file, spelling, command) for file in ("model.safetensors", "plan.json")
                  for spelling in ("dots", "link", "hard link") for command in ("-o", "--report")]
        cases += [(file, "name", command) for file in ("config.json", "plan.json")
                  for command in ("--report", "mlir")]
        for file, spelling, command in cases:
            self.refuse("inputs", f"{command} {file} by {spelling}", lambda folder, out, file=file,
                        spelling=spelling, command=command: prepare(folder, out, file, spelling,
                                                                    command),
                        "this compilation reads it")

        def shard(folder, out):
            target = copy_model("opt-post", out)
            return ["coppice", "compile", target, "-o",
                    os.path.join(target, "model-00002-of-00003.safetensors")]
        self.refuse("inputs", "-o a shard", shard, "this compilation reads it")
        for tool in ("logits", "page"):
            def itself(folder, out, tool=tool):
                path = write(os.path.join(out, "a"), artifact("llama-gqa"))
                return (["coppice-run", path, *RUN, "--logits", os.path.join(out, ".", "a")]
                        if tool == "logits" else ["coppice", "inspect", path, "--html", path])
            self.refuse("inputs", f"{tool} over the artifact", itself, "it is the artifact itself")

    def permissions(self):
        """As a user who may not: nobody, if this is root."""
        nobody = {"user": 65534, "group": 65534, "extra_groups": []} if is_root() else {}
        try:
            subprocess.run(["coppice", "--version"], check=True, capture_output=True, **nobody)
        except (PermissionError, subprocess.CalledProcessError):
            print("note: an unprivileged user cannot run the tools where they lie; not tried as one")
            return

        def closed(*names):
            """Opens everything to all, then closes these."""
            def prepare(folder, out):
                os.chmod(folder, 0o755)
                os.chmod(out, 0o777)
                target = copy_model("llama-gqa", folder)
                plan = write(os.path.join(folder, "plan.json"), b'{"version": 1, "model_type": '
                             b'"llama", "remove": []}')
                for name in names:
                    os.chmod(name.format(model=target, plan=plan, out=out), 0o000 if name != "{out}"
                             else 0o555)
                return compiling(out, "--plan", plan, model=target)
            return prepare
        for name in ("{model}", "{model}/config.json", "{model}/model.safetensors", "{plan}",
                     "{out}"):
            self.refuse("permissions", name, closed(name), "ermission denied", **nobody)

        def artifact_closed(folder, out, tool):
            os.chmod(folder, 0o755)
            path = write(os.path.join(folder, "model.coppice"), artifact("llama-gqa"))
            os.chmod(path, 0o000)
            return [*tool, path]
        for tool in (["coppice", "inspect"], ["coppice-run", "--tokens", "1"]):
            self.refuse("permissions", tool[0], lambda folder, out, tool=tool: artifact_closed(
                folder, out, tool), "ermission denied", **nobody)

        def logits_closed(folder, out):
            os.chmod(folder, 0o755)
            os.chmod(out, 0o555)
            return logits(folder, out)
        self.refuse("permissions", "logits", logits_closed, "ermission denied", **nobody)

    def processors(self):
        """Processors without what the code needs; really, under QEMU."""
        qemu = shutil.which("qemu-x86_64")

        def on(cpu, target, part):
            def case(folder):
                if not qemu:
                    return "qemu-x86_64 is missing: install the package qemu-user"
                path = write(os.path.join(folder, "model.coppice"), artifact("llama-gqa", target))
                command = [qemu, "-cpu", cpu, shutil.which("coppice-run"), path, *RUN, "-n", "3"]
                done = run(command)
                # QEMU's own warnings about what it does not emulate.
                done.err = "".join(line for line in done.err.splitlines(True)
                                   if not line.startswith("qemu-x86_64: warning"))
                if part:
                    return judge(done, "coppice-run", 1, part)
                here = run(["coppice-run", path, *RUN, "-n", "3"])
                same = done.code == here.code == 0 and done.out == here.out
                return None if same else f"{done.code}: {done.out!r}, here {here.out!r} {done.err!r}"
            return case
        self.add("processors", "Nehalem has no AVX", on("Nehalem", "x86-64-v3",
                                                       "this machine lacks avx"))
        self.add("processors", "Haswell has no AVX-512", on("Haswell", "x86-64-v4",
                                                           "this machine lacks avx512"))
        self.add("processors", "Haswell runs x86-64-v3", on("Haswell", "x86-64-v3", None))
