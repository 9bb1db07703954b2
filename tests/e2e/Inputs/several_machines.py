# Runs each target of artifacts on the host and under QEMU, and compares tokens and logits.
import json
import os
import shutil
import subprocess
import sys
import tempfile

TOKENS = "1,5,9,33,7,2,40,41,3,17"


def run(command, folder):
    """Tokens and the logits' file, or None and the message."""
    logits = os.path.join(folder, "logits")
    common = [*command, "--tokens", TOKENS, "--quiet"]
    generated = subprocess.run([*common, "-n", "12"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, check=False)
    if generated.returncode:
        return None, generated.stderr.decode()
    subprocess.run([*common, "--logits", logits], check=True, stderr=subprocess.DEVNULL)
    with open(logits, "rb") as file:
        return (generated.stdout, file.read()), ""


def check(path, folder):
    tool = shutil.which("coppice-run")
    entries = json.loads(subprocess.run(["coppice", "inspect", path, "--json"], check=True,
                                        stdout=subprocess.PIPE).stdout)["entry_points"]
    names = [entry["target"] for entry in entries]
    assert names == ["x86-64-v3", "x86-64-v3-vnni", "x86-64-v4", "x86-64-v4-vnni"], names
    best, why = run([tool, path], folder)
    assert best, why
    assert best[0].strip() and len(best[1]) > 100
    here = []
    for name in names:
        result, why = run([tool, path, "--target", name], folder)
        if result is None:
            assert f"compiled for {name}, and this machine lacks " in why, why
            continue
        here.append(name)
        assert result == best, f"{name} differs from the best"
    print(os.path.basename(path), "here:", *here)
    assert "x86-64-v3" in here
    qemu = shutil.which("qemu-x86_64")
    if not qemu:
        print("qemu-x86_64 is missing: other machines were not tried")
        return
    haswell = [qemu, "-cpu", "Haswell", tool, path]
    for more in [], ["--target", "x86-64-v3"]:
        result, why = run([*haswell, *more], folder)
        assert result == best, f"Haswell {more} differs: {why}"
    _, why = run([*haswell, "--target", "x86-64-v4"], folder)
    assert "compiled for x86-64-v4, and this machine lacks avx512bw, " in why, why
    _, why = run([qemu, "-cpu", "Nehalem", tool, path], folder)
    assert "code runs here: for x86-64-v3 this machine lacks avx, " in why, why
    assert "for x86-64-v3-vnni this machine lacks avx, " in why, why


with tempfile.TemporaryDirectory() as scratch:
    for artifact in sys.argv[1:]:
        check(artifact, scratch)
