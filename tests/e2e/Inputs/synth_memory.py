"""Fails if coppice synth keeps a large checkpoint in memory instead of streaming it: one of about 500 MB,
made with 150 MB resident at most, pages of mapped files among them. usage: synth_memory.py FOLDER"""

import json
import os
import subprocess
import sys

MOST = 150 * 2**20
# A table, which is tied, and one small layer: little to compute for its size.
CONFIG = {"model_type": "llama", "hidden_size": 512, "intermediate_size": 512,
          "num_hidden_layers": 1, "num_attention_heads": 8, "num_key_value_heads": 8,
          "vocab_size": 500000, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
          "rope_theta": 10000.0, "tie_word_embeddings": True}


def peak(command):
    """Peak resident bytes, as a small program's child: wait4 counts from before the exec."""
    code = ("import os, sys\n"
            "pid = os.posix_spawn('/usr/bin/env', ['env', *sys.argv[1:]], os.environ)\n"
            "_, status, usage = os.wait4(pid, 0)\n"
            "print(usage.ru_maxrss * 1024)\n"
            "sys.exit(os.waitstatus_to_exitcode(status))\n")
    done = subprocess.run([sys.executable, "-S", "-c", code, *command], check=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    return int(done.stdout)


folder = sys.argv[1]
with open(folder + ".json", "w", encoding="utf-8") as file:
    json.dump(CONFIG, file)
used = peak(["coppice", "synth", "--shape", folder + ".json", "-o", folder, "--quiet"])
size = os.path.getsize(folder + "/model.safetensors")
print(f"synth of {size / 2**20:.0f} MB: {used / 2**20:.0f} MB resident")
sys.exit(size < 450 * 2**20 or not 2**20 < used <= MOST)
