"""Damaged and lying files through the programs themselves. The same damage is tried by the
thousand in one process by tests/unit/hostile; here a sample shows what a user would see."""

import json
import os
import shutil
import struct

from harness import MODELS, TESTS, Suite, artifact, copy_model, read, write

PLAN = os.path.join(TESTS, "golden", "models", "llama-gqa", "plan-a.json")
DEEP = b"[" * 100_000
RINGS_AND_EXPERTS = ("--context", "2048", "--weights", "i8")


def compile_command(model, out, *flags):
    return ["coppice", "compile", model, "--target", "x86-64-v3", "-o", os.path.join(out, "a"),
            *flags]


def spread(count, size):
    return sorted({i * size // count for i in range(count)})


def header_of(data):
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:8 + length]), data[8 + length:]


def with_header(header, data):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


class Files(Suite):
    def __init__(self, everything):
        super().__init__()
        self.many = 200 if everything else 12
        self.checkpoints()
        self.shards()
        self.numbers()
        self.configs()
        self.tokenizers()
        self.side_files()
        self.plans()
        self.artifacts()

    def model(self, kind, name, file, data, part="", model="llama-gqa", flags=()):
        """A model's folder in which one file has other bytes."""
        def prepare(folder, out):
            target = copy_model(model, folder)
            write(os.path.join(target, file), data)
            return compile_command(target, out, *flags)

        self.refuse(kind, name, prepare, part)

    def checkpoints(self):
        file = "model.safetensors"
        good = read(os.path.join(MODELS, "llama-gqa", file))
        header, data = header_of(good)
        for at in spread(self.many, len(good)):
            self.model("checkpoints", f"cut at {at}", file, good[:at], file)
        length = len(good) - len(data)
        refused = [i for i in range(length) if good[i:i + 1] not in (b" ",)]
        for i in spread(self.many, len(refused)):
            at = refused[i]
            # 0x80 is in no ASCII text: every byte of the header counts.
            changed = good[:at] + bytes([good[at] ^ 0x80]) + good[at + 1:]
            self.model("checkpoints", f"byte {at}", file, changed, file)
        lies = {
            "10 GB header": struct.pack("<Q", 10 << 30) + b"{" + b" " * 1000,
            "largest header": struct.pack("<Q", 2**64 - 1) + b"{" + b" " * 1000,
            "10 GB tensor": with_header({"a": {"dtype": "F32", "shape": [50000, 50000],
                                               "data_offsets": [0, 10**10]}}, b""),
            "wrapping shape": with_header({"a": {"dtype": "F32", "shape": [2**32, 2**32],
                                                 "data_offsets": [0, 0]}}, b""),
            "100,000 levels": with_header(DEEP, b""),
            "100,000 levels in it": with_header(b'{"a":' + DEEP, b""),
            "nothing": b"", "zeros": bytes(4096), "no tensors": with_header({}, b""),
            "a name that a terminal obeys": with_header(
                {"\x1b]0;owned\x07\n\nerror: x\u009b31m": {"dtype": "F32", "shape": [9],
                                                           "data_offsets": [0, 4]}}, b"abcd"),
            "more data": good + b"x",
        }
        for name, lie in lies.items():
            self.model("checkpoints", name, file, lie)
        for name in sorted(header)[1::5]:
            entry = json.dumps(header[name])
            twice = json.dumps(header).replace(f'"{name}":', f'"{name}": {entry}, "{name}":', 1)
            self.model("checkpoints", f"{name} twice", file, with_header(twice.encode(), data), name)
            self.model("checkpoints", f"{name} overlapping", file,
                       with_header({**header, name + "s": header[name]}, data), "overlaps")
            other = {**header}
            other[name + "s"] = other.pop(name)
            self.model("checkpoints", f"{name} missing", file, with_header(other, data), name)
            flat = dict(header[name], shape=[1] + header[name]["shape"])
            self.model("checkpoints", f"{name} of another shape", file,
                       with_header({**header, name: flat}, data), name)

        def sparse(folder, out):
            target = copy_model("llama-gqa", folder)
            os.truncate(os.path.join(target, file), 10 << 30)
            return compile_command(target, out)
        self.refuse("checkpoints", "10 GB of nothing behind it", sparse, file)

    def shards(self):
        index = "model.safetensors.index.json"
        good = json.loads(read(os.path.join(MODELS, "opt-post", index)))
        name = sorted(good["weight_map"])[3]

        def indexed(**changes):
            return json.dumps({**good, "weight_map": {**good["weight_map"], **changes}}).encode()
        for shard in ("../model.safetensors", "/etc/passwd", "", ".", "..", "a\0b", 7, None, [],
                      "nowhere.safetensors", "config.json", "a" * 5000):
            self.model("shards", f"in {shard!r:.30}", index, indexed(**{name: shard}), "opt-post"[:0],
                       "opt-post")
        self.model("shards", "a tensor that is not there", index,
                   indexed(**{"ghost": good["weight_map"][name]}), "ghost", "opt-post")
        for text in (b"", b"{}", b"[]", b'{"weight_map": []}', b'{"weight_map": {}}', DEEP,
                     b'{"weight_map": {"a": "x", "a": "x"}}', b"\xff\xfe"):
            self.model("shards", f"index {text[:20]!r}", index, text, index, "opt-post")

        def again(folder, out):
            target = copy_model("opt-post", folder)
            for i in (2, 3):
                shutil.copy(os.path.join(target, "model-00001-of-00003.safetensors"),
                            os.path.join(target, f"model-0000{i}-of-00003.safetensors"))
            return compile_command(target, out)
        self.refuse("shards", "the same shard three times", again)

    def numbers(self):
        file = "model.safetensors"
        good = read(os.path.join(MODELS, "llama-gqa", file))
        header, data = header_of(good)
        start = len(good) - len(data)
        names = [n for n in sorted(header) if n != "__metadata__"]
        for i, name in enumerate(names if self.many > 20 else names[::6]):
            begin, end = header[name]["data_offsets"]
            at = start + (begin, begin + (end - begin) // 8 * 4, end - 4)[i % 3]
            value = (b"\x00\x00\xc0\x7f", b"\x00\x00\x80\x7f", b"\x00\x00\x80\xff")[i // 3 % 3]
            self.model("weights", f"{name} at {at}", file, good[:at] + value + good[at + 4:], name,
                       flags=((), ("--find-dead",), ("--weights", "f16"))[i % 3])

    def configs(self):
        file = "config.json"
        text = read(os.path.join(MODELS, "llama-gqa", file))
        good = json.loads(text)
        for at in spread(self.many, len(text.rstrip()) - 1):
            self.model("configs", f"cut at {at}", file, text[:at], file)
            changed = text[:at] + bytes([text[at] ^ 0x80]) + text[at + 1:]
            self.model("configs", f"byte {at}", file, changed, file)
        for field, lies in {"hidden_size": (0, -1, 23, 2**31, 2**63, 1e300, "24", None, [24]),
                            "vocab_size": (0, 96, 2**31 - 1, 2**31, 0.5),
                            "num_hidden_layers": (0, -1, 4, 2**31 - 1, "3"),
                            "num_attention_heads": (0, 5, 2**31 - 1),
                            "num_key_value_heads": (0, 4, 7, 2**31 - 1),
                            "head_dim": (0, 5, 7, 2**31 - 1),
                            "max_position_embeddings": (0, -1, 2**31, 2**40, {}),
                            "rms_norm_eps": (-1, "x", 1e300), "rope_theta": (0, -1, "x"),
                            "rope_scaling": (1, {"rope_type": "x"}, {"type": 3}),
                            "hidden_act": ("", "x", 3), "eos_token_id": (-1, 97, "x", [97], [[]]),
                            "a_new_field": (1,)}.items():
            for lie in lies:
                self.model("configs", f"{field} {lie!r}", file,
                           json.dumps({**good, field: lie}).encode(), "")
        for family, part in (("gpt9", "did you mean \"gpt2\"?"), ("", "supported are"),
                             ("lama", 'did you mean "llama"?'), ("\x1b[31m", "supported are"),
                             ("x" * 100_000, "supported are")):
            self.model("configs", f"family {family!r:.30}", file,
                       json.dumps({**good, "model_type": family}).encode(), part)
        for name, lie in {"levels": DEEP, "levels in it": b'{"model_type": ' + DEEP, "nothing": b"",
                          "a list": b"[]", "twice": text.replace(b"{", b'{"vocab_size": 97,', 1),
                          "latin-1": text.replace(b"silu", b"sil\xfc")}.items():
            self.model("configs", name, file, lie, file)

        def missing(folder, out):
            target = copy_model("llama-gqa", folder)
            os.remove(os.path.join(target, file))
            return compile_command(target, out)
        self.refuse("configs", "missing", missing, file)

    def tokenizers(self):
        file = "tokenizer.json"
        text = read(os.path.join(TESTS, "models", "opt-icl", file))
        good = json.loads(text)
        for at in spread(self.many, len(text.rstrip()) - 1):
            self.model("tokenizers", f"cut at {at}", file, text[:at], file)
            changed = text[:at] + bytes([text[at] ^ 0x80]) + text[at + 1:]
            self.model("tokenizers", f"byte {at}", file, changed, file)
        model = good["model"]
        first = sorted(model["vocab"])[0]
        for name, lie in {
            "an id beyond the model": {"model": {**model, "vocab": {**model["vocab"], "zz": 2**31}}},
            "an id beyond 32 bits": {"model": {**model, "vocab": {**model["vocab"], "zz": 2**40}}},
            "an id twice": {"model": {**model, "vocab": {**model["vocab"],
                                                         "zz": model["vocab"][first]}}},
            "a negative id": {"model": {**model, "vocab": {**model["vocab"], "zz": -1}}},
            "a merge of nothing": {"model": {**model, "merges": ["xyzzy plugh"]}},
            "a merge of three": {"model": {**model, "merges": ["a b c"]}},
            "no vocabulary": {"model": {**model, "vocab": {}}},
            "another kind": {"model": {**model, "type": "WordPiece"}},
            "another normalizer": {"normalizer": {"type": "x"}},
            "another pre-tokenizer": {"pre_tokenizer": {"type": "x"}},
            "another version": {"version": "2.0"}, "no model": {"model": None},
            "an added token of nothing": {"added_tokens": [{"id": 3}]},
        }.items():
            self.model("tokenizers", name, file, json.dumps({**good, **lie}).encode(), file)
        for name, lie in {"levels": DEEP, "levels in it": b'{"model": ' + DEEP,
                          "nothing": b""}.items():
            self.model("tokenizers", name, file, lie, file)

    def side_files(self):
        """The files beside the large ones, cut anywhere and with a byte changed."""
        def other(kind, file, data, text, part=None, without=()):
            def prepare(folder, out):
                target = copy_model(kind, folder)
                for name in without:
                    os.remove(os.path.join(target, name))
                write(os.path.join(target, file), data)
                return compile_command(target, out)
            self.refuse("side files", f"{file} {text}", prepare, file if part is None else part)

        opt = os.path.join(MODELS, "opt-icl")
        for model, file, text, without in (
                ("opt-icl", "vocab.json", None, ("tokenizer.json",)),
                ("opt-icl", "tokenizer_config.json", None, ("tokenizer.json",)),
                ("opt-icl", "special_tokens_map.json", None, ("tokenizer.json",)),
                ("opt-icl", "added_tokens.json", b'{"<more>": 1024}', ("tokenizer.json",)),
                ("opt-icl", "generation_config.json", b'{"eos_token_id": [2, 3]}', ()),
                ("opt-post", "model.safetensors.index.json", None, ())):
            good = text or read(os.path.join(MODELS, model, file)).rstrip()
            for at in spread(min(self.many, len(good)), len(good)):
                other(model, file, good[:at], f"cut at {at}", without=without)
                # 0x80 belongs to no ASCII text.
                changed = good[:at] + bytes([good[at] ^ 0x80]) + good[at + 1:]
                if good[at] < 0x80:
                    other(model, file, changed, f"byte {at}", without=without)
            for name, lie in {"levels": DEEP, "nothing": b"", "a number": b"7",
                              "a list": b"[]"}.items():
                other(model, file, lie, name, without=without)
        merges = read(os.path.join(opt, "merges.txt"))
        lines = merges.splitlines(True)
        alone = ("tokenizer.json",)
        for count in spread(self.many, len(lines) - 60):
            other("opt-icl", "merges.txt", b"".join(lines[:count]), f"cut after line {count}",
                  "the list of merges was cut short", alone)
        for name, lie, part in (("one word a line", b"ab\n", "merges.txt: line 1"),
                                ("three words", b"a b c\n", "merges.txt: line 1"),
                                ("words it does not have", b"xyzzy plugh\n", "vocab lacks"),
                                ("nothing", b"", "cut short"), ("zeros", bytes(100), "merges.txt"),
                                ("a megabyte without a line", b"a" * (1 << 20), "merges.txt")):
            other("opt-icl", "merges.txt", lie, name, part, alone)
        for name, lie in {"beyond the model": b'{"eos_token_id": 1024}',
                          "negative": b'{"eos_token_id": -1}', "a word": b'{"eos_token_id": "x"}',
                          "lists": b'{"eos_token_id": [[2]]}'}.items():
            other("opt-icl", "generation_config.json", lie, name)

    def plans(self):
        text = read(PLAN)
        good = json.loads(text)

        def plan(name, data, part="plan.json"):
            def prepare(folder, out):
                path = write(os.path.join(folder, "plan.json"), data)
                return compile_command(os.path.join(MODELS, "llama-gqa"), out, "--plan", path)
            self.refuse("plans", name, prepare, part)
        for at in spread(self.many, len(text.rstrip()) - 1):
            plan(f"cut at {at}", text[:at])
            plan(f"byte {at}", text[:at] + bytes([text[at] ^ 0x80]) + text[at + 1:])
        for remove in ([{"layer": 9, "whole": True}], [{"layer": -1, "whole": True}],
                       [{"layer": 0, "heads": [6]}], [{"layer": 0, "heads": ["0-2147483646"]}],
                       [{"layer": 0, "neurons": ["36-37"]}], [{"layer": 0, "heads": ["5-3"]}],
                       [{"layer": 0, "heads": [1, 1]}], [{"layer": 0, "heads": [1, "0-2"]}],
                       [{"layer": 0, "heads": [2**63]}], [{"layer": 0, "whole": False}],
                       [{"layer": 0, "whole": True, "heads": [1]}], [{"layer": 0, "experts": [0]}],
                       [{"layer": 0, "heads": [0.5]}], [{"layer": 0, "x\x1b[0m\n": 1}],
                       [{"layer": 0}, {"layer": 0}], [{"heads": [1]}], [7], 7, None, {}):
            plan(f"{remove!r:.50}", json.dumps({**good, "remove": remove}).encode())
        for name, lie in {"levels": DEEP, "nothing": b"", "zeros": bytes(1000),
                          "another version": text.replace(b'"version": 1', b'"version": 2'),
                          "another family": text.replace(b"llama", b"opt")}.items():
            plan(name, lie)

    def artifacts(self):
        commands = {"run": lambda path: ["coppice-run", path, "--tokens", "1,2", "-n", "1"],
                    "inspect": lambda path: ["coppice", "inspect", path, "--json"]}

        def tried(name, data, part=""):
            for tool, command in commands.items():
                def prepare(folder, out, command=command):
                    return command(write(os.path.join(folder, "model.coppice"), data))
                self.refuse("artifacts", f"{name}, {tool}", prepare, part)

        def damaged(name, good):
            for at in spread(self.many, len(good)):
                tried(f"{name} cut at {at}", good[:at])
                tried(f"{name} byte {at}", good[:at] + bytes([good[at] ^ 1]) + good[at + 1:])
            # The prefix: file length, then offset and length of three areas (artifact_prefix.h).
            for at in range(16, 16 + 7 * 8, 8):
                right = struct.unpack("<Q", good[at:at + 8])[0]
                for lie in (right + 1, right - 1, 2**64 - 1, 10 << 30):
                    changed = good[:at] + struct.pack("<Q", lie % 2**64) + good[at + 8:]
                    tried(f"{name} number at {at} {lie}", changed)

        good = artifact("llama-gqa")
        damaged("plain", good)
        # Experts, and caches that a window makes rings.
        damaged("rings and experts", artifact("mixtral-window", flags=RINGS_AND_EXPERTS))
        for name, lie in {"nothing": b"", "text": b"hello\n", "zeros": bytes(100_000),
                          "only the magic": good[:8], "longer": good + b"\0",
                          "twice": good + good}.items():
            tried(name, lie)
