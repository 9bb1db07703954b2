"""Read a page of `coppice inspect --html` and hold it to `coppice inspect --json`.

Usage: inspect_page.py ARTIFACT PAGE [--chromium [--screens]]. The page must be well-formed, need
nothing from outside, and draw exactly the heads, KV heads, neurons, bytes and hashes that the object
names. With --chromium the same is asked of the page as a browser has read it, and that a narrow
window cuts nothing off; with --screens that it is seen in light and in dark.
"""

import argparse
import html
import html.parser
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import zlib

VOID = {"meta", "link", "br", "hr", "img", "input"}
# Chromium's numbers of the schemes: 1 is light, 0 dark.
PAPER_AND_KEPT = {1: ((0xfb, 0xfa, 0xf7), (0x2f, 0x7d, 0x4f)),
                  0: ((0x14, 0x17, 0x15), (0x57, 0xb3, 0x7c))}


class Node:
    def __init__(self, tag, attributes, parent):
        self.tag, self.attributes, self.parent = tag, dict(attributes), parent
        self.children, self.own = [], ""

    def all(self, tag=None):
        for child in self.children:
            if tag is None or child.tag == tag:
                yield child
            yield from child.all(tag)

    @property
    def text(self):
        return self.own + "".join(child.text for child in self.children)

    @property
    def classes(self):
        return self.attributes.get("class", "").split()


class Page(html.parser.HTMLParser):
    """A tree; every element that is opened must be closed, in order."""

    def __init__(self, text):
        super().__init__()
        self.root = self.at = Node("", {}, None)
        self.feed(text)
        self.close()
        assert self.at is self.root, f"<{self.at.tag}> is never closed"
        ids = [n.attributes["id"] for n in self.root.all() if "id" in n.attributes]
        assert len(ids) == len(set(ids)), "an id stands twice"
        self.ids = {n.attributes["id"]: n for n in self.root.all() if "id" in n.attributes}

    def handle_starttag(self, tag, attributes):
        node = Node(tag, attributes, self.at)
        self.at.children.append(node)
        if tag not in VOID:
            self.at = node

    def handle_startendtag(self, tag, attributes):
        self.at.children.append(Node(tag, attributes, self.at))

    def handle_endtag(self, tag):
        assert tag == self.at.tag, f"</{tag}> closes <{self.at.tag}>"
        self.at = self.at.parent

    def handle_data(self, data):
        self.at.own += data


def number(node):
    return int(node.text.replace(",", ""))


def members(part):
    return {n for first, last in part["ranges"] for n in range(first, last + 1)}


def stays_alone(text, page):
    """Nothing is fetched and nothing runs."""
    for node in page.root.all():
        assert node.tag not in {"script", "link", "img", "iframe", "object", "use", "image"}, node.tag
        for name in node.attributes:
            assert name not in {"src", "href", "xlink:href", "srcset"} and not name.startswith("on"), name
    assert not re.search(r"url\(|@import|https?:", text), "the page names something outside"


def check_heads(page, i, layer):
    heads, kv_heads = layer["heads"], layer["kv_heads"]
    rects = list(page.ids[f"heads-{i}"].all("rect"))
    drawn = {}
    for rect in rects:
        layer_number, kind, index, state = re.fullmatch(
            r"layer (\d+), (head|KV head) (\d+): (kept|cut)", rect.text).groups()
        assert int(layer_number) == i and (kind, int(index)) not in drawn
        drawn[kind, int(index)] = state == "kept"
        kept_class = {"head": "kept", "KV head": "kv"}[kind]
        assert (kept_class in rect.classes) == (state == "kept"), rect.classes
    kept = members(heads) if layer["attention"] else set()
    expected = {("head", h): h in kept for h in range(heads["before"])}
    if heads["before"] != kv_heads["before"]:
        kept = members(kv_heads) if layer["attention"] else set()
        expected.update({("KV head", h): h in kept for h in range(kv_heads["before"])})
    assert drawn == expected, f"layer {i}: {drawn} drawn, {expected} expected"
    # Heads do not overlap, and a KV head lies under its group.
    group = heads["before"] // kv_heads["before"]
    at = {k: (float(r.attributes["x"]), float(r.attributes["x"]) + float(r.attributes["width"]))
          for k, r in zip(drawn, rects)}
    for h in range(heads["before"]):
        assert h == 0 or at["head", h][0] > at["head", h - 1][1]
        if ("KV head", h // group) in at:
            left, right = at["KV head", h // group]
            assert left <= at["head", h][0] and at["head", h][1] <= right


def check_neurons(page, i, layer, widest):
    """The strip's paths, read back as neurons."""
    neurons = layer["neurons"]
    kept = members(neurons) if layer["ffn"] else set()
    assert widest <= 640, "one column for one neuron, or this test cannot read it"
    drawn = set()
    for path in page.ids[f"neurons-{i}"].all("path"):
        assert path.classes == ["kept"]
        for left, width in re.findall(r"M([\d.]+) \d+h([\d.]+)v", path.attributes["d"]):
            first = round((float(left) - 44) * widest / 640)
            drawn.update(range(first, first + round(float(width) * widest / 640)))
    assert drawn == kept, f"layer {i}: neurons {sorted(drawn ^ kept)} are drawn wrong"
    text = page.ids[f"neurons-{i}"].children[-1].text
    expected = f"{len(kept):,} of {neurons['before']:,}" if layer["ffn"] else "block cut"
    assert text.startswith(expected), text


def check(text, report):
    page = Page(text)
    stays_alone(text, page)
    model, entry, sizes = report["model"], report["entry_points"][0], report["bytes"]
    for name, value in [("parameters", model["parameters"]),
                        ("parameters-before", model["parameters_before"]),
                        ("file-bytes", sizes["file"]), ("stages", entry["stages"]),
                        ("kv-bytes-at-context", entry["kv_bytes_at_context"]),
                        ("vocabulary", model["vocabulary"]), ("context", model["context"])]:
        assert number(page.ids[name]) == value, f"{name}: {page.ids[name].text}, not {value}"
    # A key or a value of d numbers: 4 d bytes, 2 d, or d and a float32 scale.
    size, scale = {"f32": (4, 0), "bf16": (2, 0), "i8": (1, 4), None: (4, 0)}[entry["kv_format"]]
    position = sum(2 * l["kv_heads"]["before"] * (l["head_dim"] * size + scale)
                   for l in report["layers"])
    assert number(page.ids["kv-bytes-before"]) == position * -(-model["context"] // 16) * 16
    kept = sum(2 * l["kv_heads"]["kept"] * (l["head_dim"] * size + scale)
               for l in report["layers"] if l["attention"])
    assert entry["kv_bytes_per_position"] == kept, (entry["kv_bytes_per_position"], kept)
    format_name = page.ids["kv-format"].text if "kv-format" in page.ids else None
    assert format_name == entry["kv_format"], format_name
    # A bar is a share of what was there before, and of the file's bytes nothing is known before.
    assert not any("bar" in n.classes for n in page.ids["file-bytes"].parent.all())
    for name, value in [("family", model["family"]), ("target", entry["target"]),
                        ("features", ", ".join(entry["features"])),
                        ("kernels", ", ".join(entry["kernels"])),
                        ("source", report["provenance"]["source"]),
                        ("plan", entry["plan"] or "none: nothing was planned"),
                        ("compiler", report["provenance"]["compiler"])]:
        assert page.ids[name].text == value, f"{name}: {page.ids[name].text}, not {value}"
    rows = [[cell.text for cell in row.children] for row in page.ids["bytes"].all("tr")]
    expected = [(w["role"], w["bytes"]) for w in sizes["weights"]]
    expected += [(part, sizes[part]) for part in ("code", "tokenizer", "metadata")]
    expected += [("prefix, alignment", sizes["prefix"] + sizes["padding"]), ("file", sizes["file"])]
    assert [(r[0], int(r[1].replace(",", ""))) for r in rows] == expected, rows
    memory = {row.children[0].text: number(row.children[1]) for row in page.ids["memory"].all("tr")}
    assert memory["arena for one token"] == entry["arena_bytes_per_row"], memory
    assert memory["weights, mapped"] == sum(w["bytes"] for w in sizes["weights"]), memory
    widest = max(layer["neurons"]["before"] for layer in report["layers"])
    for i, layer in enumerate(report["layers"]):
        check_heads(page, i, layer)
        check_neurons(page, i, layer, widest)
    assert f"heads-{len(report['layers'])}" not in page.ids


def pixels(path):
    """{colour: how many pixels} of an 8-bit PNG as Chromium writes it."""
    with open(path, "rb") as file:
        data = file.read()
    at, packed, header = 8, b"", None
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        header = struct.unpack(">IIBBBBB", body) if kind == b"IHDR" else header
        packed += body if kind == b"IDAT" else b""
        at += 12 + size
    width, height, depth, colours = header[:4]
    channels = {2: 3, 6: 4}[colours]
    assert depth == 8
    lines, stride = zlib.decompress(packed), width * channels
    before, counts = bytearray(stride), {}
    for y in range(height):
        start = y * (stride + 1)
        kind, line = lines[start], bytearray(lines[start + 1:start + 1 + stride])
        for x in range(stride):
            left = line[x - channels] if x >= channels else 0
            up, corner = before[x], before[x - channels] if x >= channels else 0
            if kind == 1:
                line[x] = (line[x] + left) & 255
            elif kind == 2:
                line[x] = (line[x] + up) & 255
            elif kind == 3:
                line[x] = (line[x] + (left + up) // 2) & 255
            elif kind == 4:
                guess = left + up - corner
                near = min((left, up, corner), key=lambda v: abs(guess - v))
                line[x] = (line[x] + near) & 255
        for x in range(0, stride, channels):
            colour = tuple(line[x:x + 3])
            counts[colour] = counts.get(colour, 0) + 1
        before = line
    return counts


def browse(page, *flags):
    """What Chromium prints. Its sandbox does not run as root, and the page is our own."""
    with tempfile.TemporaryDirectory() as profile:
        return subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--hide-scrollbars", f"--user-data-dir={profile}", *flags,
             "file://" + os.path.abspath(page)],
            check=True, capture_output=True, timeout=120).stdout.decode()


def check_narrow(text):
    """In 420 pixels the page is no wider than the window, and its tables fit their cards."""
    script = """onload = () => {
      const inner = document.querySelector('iframe').contentDocument, wide = [];
      for (const e of inner.querySelectorAll('html, table, .tile')) {
        const card = e.closest('section') || e, box = card.getBoundingClientRect();
        if (e.scrollWidth > 420 || e.getBoundingClientRect().right > box.right)
          wide.push(e.tagName + ' ' + e.id + ' ' + e.scrollWidth);
      }
      document.getElementById('wide').textContent =
          inner.querySelectorAll('table').length + ' tables; too wide: ' + wide.join(', ');
    };"""
    with tempfile.TemporaryDirectory() as folder:
        frame = os.path.join(folder, "frame.html")
        with open(frame, "w", encoding="utf-8") as file:
            file.write('<!DOCTYPE html><meta charset="utf-8"><p id="wide"></p><iframe width="420" '
                       f'height="900" srcdoc="{html.escape(text)}"></iframe><script>{script}</script>')
        said = Page(re.sub(r"(?s)<iframe.*</script>", "", browse(frame, "--dump-dom"))).ids["wide"].text
    assert said == "3 tables; too wide: ", said


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artifact")
    parser.add_argument("page")
    parser.add_argument("--chromium", action="store_true")
    parser.add_argument("--screens", action="store_true")
    args = parser.parse_args()
    report = json.loads(subprocess.run(["coppice", "inspect", args.artifact, "--json"], check=True,
                                       capture_output=True).stdout)
    with open(args.page, encoding="utf-8") as file:
        text = file.read()
    check(text, report)
    if not args.chromium:
        return 0
    check(browse(args.page, "--dump-dom"), report)
    check_narrow(text)
    if not args.screens:
        return 0
    with tempfile.TemporaryDirectory() as folder:
        for scheme, (paper, kept) in PAPER_AND_KEPT.items():
            picture = os.path.join(folder, f"{scheme}.png")
            browse(args.page, f"--screenshot={picture}", "--window-size=900,460",
                   f"--blink-settings=preferredColorScheme={scheme}")
            counts = pixels(picture)
            # The window's edges are paper; bars and heads are of the accent.
            assert counts.get(paper, 0) > 20000, counts.get(paper)
            assert counts.get(kept, 0) > 2000, counts.get(kept)
    return 0


if __name__ == "__main__":
    sys.exit(main())
