# Usage: bfloat_dots.py SUPPORT BF16 OTHERS... Each holds code for x86-64-v3 and x86-64-v4-bf16.
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, sys.argv[1])
import numpy as np  # noqa: E402
from compare_logits import read_safetensors  # noqa: E402

TOKENS = [1, 5, 9, 33, 7, 2, 40, 41, 3, 17, 12, 30, 44, 21, 8]


def logits(path, target, tokens, folder):
    file = os.path.join(folder, "logits")
    subprocess.run(["coppice-run", path, *(["--target", target] if target else []), "--tokens",
                    ",".join(map(str, tokens)), "--logits", file, "--quiet"], check=True,
                   stderr=subprocess.DEVNULL)
    return read_safetensors(file)[0]["logits"]


with tempfile.TemporaryDirectory() as scratch:
    for path in sys.argv[3:]:
        low, best = (logits(path, target, TOKENS, scratch) for target in ("x86-64-v3", None))
        assert low.tobytes() == best.tobytes(), f"{path}: bits differ between levels"
    rounding = sys.argv[2]
    exact = logits(rounding, "x86-64-v3", TOKENS, scratch)
    rounded = logits(rounding, None, TOKENS, scratch)
    # Inputs are off by at most 2^-9 of themselves in each of a few layers.
    apart = np.abs(exact - rounded).max() / np.abs(exact).max()
    assert 0 < apart < 0.03, apart
    print("largest difference in bf16, of the largest logit:", apart)
    # One token, some, and more than a tile of rows give a position the same bits.
    for count in range(1, len(TOKENS)):
        part = logits(rounding, None, TOKENS[:count], scratch)
        assert part.tobytes() == rounded[:count].tobytes(), count
