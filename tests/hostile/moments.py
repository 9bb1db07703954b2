"""Bad moments: a signal in the middle of a compilation, and files that shrink while they are read.

The programs are stopped where it matters by a preloaded shim (shim.c), by a plan that is a pipe
(read after the checkpoint is mapped), and by a full pipe for what a run prints."""

import fcntl
import os
import random
import signal
import subprocess
import time

from harness import LIMIT_S, MODELS, Done, Suite, artifact, copy_model, judge, read, snapshot, write
from machine import compiling

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def obey_signals():
    """Whoever runs tests may ignore signals, and what is ignored stays so in children."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def start(command, **options):
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=obey_signals,
                            stdout=options.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE,
                            **options)


def finish(process):
    try:
        out, err = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        return Done("hangs", "", err.decode(errors="replace"), 0)
    return Done(process.returncode, (out or b"").decode(errors="replace"),
                err.decode(errors="replace"), 0)


def wait_until(condition, process):
    end = time.monotonic() + LIMIT_S
    while not condition():
        if process.poll() is not None or time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


def sleeps(process):
    """True if every thread of it has slept for a while."""
    for _ in range(20):
        for task in os.listdir(f"/proc/{process.pid}/task"):
            with open(f"/proc/{process.pid}/task/{task}/stat", encoding="ascii") as file:
                if file.read().rsplit(")", 1)[1].split()[0] != "S":
                    return False
        time.sleep(0.005)
    return True


class Moments(Suite):
    def __init__(self, everything, shim):
        super().__init__()
        self.shim = shim
        self.stops()
        self.stops_at_random(200 if everything else 10)
        self.shrinking_checkpoints()
        self.shrinking_artifacts()

    def stops(self):
        """At each call that writes, by each signal; once with an older file in the place."""
        for call in ("pwrite", "ftruncate", "fsync", "rename"):
            for number in SIGNALS:
                self.add("signals", f"{call} {number.name}", self.stop, call, number, "compile")
        for number in SIGNALS:
            self.add("signals", f"logits {number.name}", self.stop, "rename", number, "logits")
            self.add("signals", f"page {number.name}", self.stop, "rename", number, "page")

    def stop(self, folder, call, number, what):
        out = os.path.join(folder, "out")
        os.mkdir(out)
        write(os.path.join(out, "a"), b"before")
        before = snapshot(out)
        command = compiling(out, "--report", os.path.join(out, "report"))
        if what != "compile":
            path = write(os.path.join(folder, "m"), artifact("llama-gqa"))
        if what == "page":
            command = ["coppice", "inspect", path, "--html", os.path.join(out, "a")]
        if what == "logits":
            command = ["coppice-run", path, "--tokens", "1,2", "--logits", os.path.join(out, "a")]
        marker = os.path.join(folder, "waiting")
        process = start(command, env={**os.environ, "LD_PRELOAD": self.shim,
                                      "COPPICE_SHIM": f"{call} {marker}",
                                      "COPPICE_SHIM_FOLDER": out})
        if not wait_until(lambda: os.path.exists(marker), process):
            return f"{call} is not reached: {finish(process).err}"
        if snapshot(out) == before:
            process.kill()
            finish(process)
            return "there is no temporary to remove: the test proves nothing"
        process.send_signal(number)
        done = finish(process)
        if done.code != -number:
            return f"exit code {done.code}, expected {-number}: {done.err}"
        if done.err or done.out:
            return f"says {done.err + done.out!r}"
        return None if snapshot(out) == before else f"left behind: {sorted(snapshot(out))}"

    def stops_at_random(self, count):
        """At any time: either it was done already, or nothing is left."""
        chance = random.Random(5)
        for i in range(count):
            self.add("signals", f"random {i}", self.stop_at, chance.random() * 1.5,
                     SIGNALS[i % 3])

    def stop_at(self, folder, delay, number):
        out = os.path.join(folder, "out")
        os.mkdir(out)
        process = start(compiling(out, "--quiet"))
        time.sleep(delay)
        process.send_signal(number)
        done = finish(process)
        if done.code == 0:
            return None if os.listdir(out) == ["a"] else f"left behind: {os.listdir(out)}"
        if done.code != -number or done.err or done.out:
            return f"exit code {done.code}: {done.err!r}"
        return None if not os.listdir(out) else f"left behind: {os.listdir(out)}"

    def shrinking_checkpoints(self):
        """The weights are cut while the compiler waits for the plan."""
        for keep in (0, 4096, 40_000):
            for flags in ((), ("--find-dead",)):
                self.add("shrinking files", f"checkpoint to {keep} {flags}", self.shrink_checkpoint,
                         keep, flags)

    def shrink_checkpoint(self, folder, keep, flags):
        model = copy_model("llama-gqa", folder)
        out = os.path.join(folder, "out")
        os.mkdir(out)
        write(os.path.join(out, "a"), b"before")
        before = snapshot(out)
        plan = os.path.join(folder, "plan.json")
        os.mkfifo(plan)
        process = start(compiling(out, "--plan", plan, *flags, model=model))
        with open(plan, "wb") as pipe: # opens when the compiler opens it
            os.truncate(os.path.join(model, "model.safetensors"), keep)
            pipe.write(b'{"version": 1, "model_type": "llama", "remove": []}')
        done = finish(process)
        if snapshot(out) != before:
            return f"left behind: {sorted(snapshot(out))}"
        return judge(done, "coppice", 1, "model.safetensors: bytes that it had")

    def shrinking_artifacts(self):
        for keep in (0, 4096):
            for threads in (1, 2, 8):
                self.add("shrinking files", f"artifact to {keep}, {threads} threads",
                         self.shrink_artifact, keep, threads)

    def shrink_artifact(self, folder, keep, threads):
        """The artifact is cut while the run waits for somebody to read its text."""
        path = write(os.path.join(folder, "model.coppice"), artifact("opt-icl"))
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(writer, False)
        filled = 0
        try:
            while True:
                filled += os.write(writer, b"x" * 4096)
        except BlockingIOError:
            pass
        os.set_blocking(writer, True)
        process = start(["coppice-run", path, "-p", "the cat", "-n", "60", "--threads",
                         str(threads)], stdout=writer)
        os.close(writer)
        blocked = wait_until(lambda: sleeps(process), process)
        os.truncate(path, keep)
        while os.read(reader, 65536):
            pass
        os.close(reader)
        done = finish(process)
        if not blocked:
            return f"the run did not wait: {done.err}"
        return judge(done, "coppice-run", 1, "model.coppice: bytes that it had")
