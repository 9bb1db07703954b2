"""Change one byte of an artifact at many places: each must be refused, with a message and exit code 1.

Usage: change_bytes.py ARTIFACT. The places are each of the first 256 bytes, the last one, and others
spread evenly over the file. `coppice-run` is found through PATH.
"""

import concurrent.futures
import os
import subprocess
import sys
import tempfile

SPREAD = 300


def run(path):
    return subprocess.run(["coppice-run", path, "--tokens", "1", "-n", "1"], capture_output=True,
                          stdin=subprocess.DEVNULL, text=True, timeout=60)


def main():
    with open(sys.argv[1], "rb") as file:
        whole = file.read()
    if run(sys.argv[1]).returncode != 0:
        sys.exit("the unchanged artifact does not run")
    places = sorted({*range(min(256, len(whole))), len(whole) - 1,
                     *(i * len(whole) // SPREAD for i in range(SPREAD))})

    def check(place):
        with tempfile.NamedTemporaryFile(suffix=".coppice") as file:
            file.write(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1:])
            file.flush()
            done = run(file.name)
        if done.returncode != 1 or "error: " not in done.stderr or done.stdout:
            return f"byte {place}: exit code {done.returncode}, {done.stderr.strip()!r}"
        return None

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        wrong = [text for text in pool.map(check, places) if text]
    print(*wrong, f"{len(places) - len(wrong)} of {len(places)} changed bytes refused", sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
