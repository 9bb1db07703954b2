"""More threads than processors: nothing hangs, and the logits are the same bits."""

import os
import subprocess

from harness import LIMIT_S, Suite, artifact, read, write

TOKENS = ",".join(str(i * 7 % 400) for i in range(60))


class Threads(Suite):
    def __init__(self, everything):
        super().__init__(jobs=1) # it is they who crowd the processors
        for threads in (2, 3, 8, 64):
            for cpus in (1, 2):
                for i in range(20 if everything else 2):
                    self.add("oversubscribed", f"{threads} threads, {cpus} processors, {i}",
                             self.same_bits, threads, cpus)

    def same_bits(self, folder, threads, cpus):
        path = write(os.path.join(folder, "model.coppice"), artifact("opt-icl"))
        allowed = set(sorted(os.sched_getaffinity(0))[:cpus])
        logits = []
        for count in (1, threads):
            out = os.path.join(folder, f"logits{count}")
            # Prefill in chunks, then as many decoding steps, so that steps of all sizes meet.
            done = subprocess.run(["coppice-run", path, "--tokens", TOKENS, "--logits", out, "-n",
                                   "40", "--threads", str(count), "--quiet"], capture_output=True,
                                  timeout=LIMIT_S, check=False,
                                  preexec_fn=lambda: os.sched_setaffinity(0, allowed))
            if done.returncode != 0:
                return f"exit code {done.returncode}: {done.stderr.decode()}"
            logits.append((read(out), done.stdout))
        return None if logits[0] == logits[1] else "other logits or tokens than with one thread"
