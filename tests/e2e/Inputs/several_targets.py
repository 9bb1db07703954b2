# Takes an artifact for two targets and one for each: holds that the first has the weights of the
# others once, the code of both, and little more.
import json
import subprocess
import sys


def inspect(path):
    return json.loads(subprocess.run(["coppice", "inspect", path, "--json"], check=True,
                                     stdout=subprocess.PIPE).stdout)


def weights(path):
    """The file's last bytes: the weight segment, whose place is in the prefix."""
    with open(path, "rb") as file:
        data = file.read()
    offset, count = (int.from_bytes(data[at:at + 8], "little") for at in (56, 64))
    assert offset + count == len(data), (path, offset, count, len(data))
    return data[offset:]


both, low, high = sys.argv[1:]
assert weights(both) == weights(low) == weights(high) != b""
entries = inspect(both)["entry_points"]
assert [entry["target"] for entry in entries] == ["x86-64-v3", "x86-64-v4"], entries
assert entries[0]["rank"] < entries[1]["rank"], entries
for entry, alone in zip(entries, (low, high)):
    single = inspect(alone)["entry_points"]
    assert len(single) == 1 and single[0]["rank"] == 0, single
    single[0]["rank"] = entry["rank"]
    assert single[0] == entry, (single, entry)
metadata = inspect(both)["bytes"]["metadata"] - inspect(low)["bytes"]["metadata"]
# An offset and a number for each kernel, and the target's own features.
assert 0 < metadata < 400 + 24 * len(entries[0]["kernels"]), metadata
