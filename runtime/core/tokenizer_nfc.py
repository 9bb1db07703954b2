#!/usr/bin/env python3
"""Writes tokenizer_nfc.inc: what canonical composition (NFC) must know of characters.

Source: Debian's unicode-data, without what is younger than VERSION: the Unicode of the crate that
Hugging Face `tokenizers` 0.21 normalizes with. Hangul is worked out, not listed.
tests/golden/tokenizer/check_unicode.py compares every code point and every pair with the pinned
package. What tokenizer_nfc.c takes for granted of these tables is asserted here.

usage: tokenizer_nfc.py > tokenizer_nfc.inc
"""
import os
import sys

import tokenizer_unicode

VERSION = (9, 0)
CHANGES, COMPOSES = 1 << 8, 1 << 9
HANGUL_VOWELS, HANGUL_TRAILS = range(0x1161, 0x1176), range(0x11A8, 0x11C3)


def read():
    """Combining classes that are not 0, and canonical decompositions, one step each."""
    age = tokenizer_unicode.ages()
    orders, decompositions = {}, {}
    for line in open(os.path.join(tokenizer_unicode.DATA, "UnicodeData.txt"), encoding="utf-8"):
        fields = line.split(";")
        code = int(fields[0], 16)
        if age[code] is None or age[code] > VERSION:
            continue
        if fields[3] != "0":
            orders[code] = int(fields[3])
        if fields[5] and not fields[5].startswith("<"):
            decompositions[code] = [int(part, 16) for part in fields[5].split()]
    return orders, decompositions


def full(decompositions, code):
    if code not in decompositions:
        return [code]
    return [last for part in decompositions[code] for last in full(decompositions, part)]


def utf8(codes):
    return len("".join(map(chr, codes)).encode())


def tables():
    """(runs of properties, decompositions, composites): the words of the three tables."""
    orders, decompositions = read()
    excluded = {code for span in tokenizer_unicode.properties(
        "DerivedNormalizationProps.txt", "Full_Composition_Exclusion") for code in span}
    composites = {tuple(parts): code for code, parts in decompositions.items() if code not in excluded}
    composes = {second for _, second in composites} | {*HANGUL_VOWELS, *HANGUL_TRAILS}

    def properties(code):
        return (orders.get(code, 0) | (CHANGES if code in decompositions and code in excluded else 0)
                | (COMPOSES if code in composes else 0))

    for code, parts in decompositions.items():
        whole = full(decompositions, code)
        assert len(parts) <= 2 and parts[-1] not in decompositions or len(parts) == 1
        assert len(whole) <= 4 and 2 * len(whole) <= 3 * utf8([code]) and utf8(whole) <= 3 * utf8([code])
        # A character without properties begins a segment: so must what it is made of.
        assert properties(code) or not properties(whole[0])
    for (first, second), code in composites.items():
        assert utf8([code]) <= utf8([first, second])
    assert all(properties(code) == 0 for code in range(0x300))

    runs, before = [], None
    for code in range(0x110000):
        now = properties(code)
        if now != before:
            runs.append(code << 10 | now)
            before = now
    pairs = sorted(code << 42 | parts[0] << 21 | (parts[1] if len(parts) > 1 else 0)
                   for code, parts in decompositions.items())
    place = {word >> 42: at for at, word in enumerate(pairs)}
    return runs, pairs, [place[code] for _, code in sorted(composites.items())]


def table(name, kind, words, form, row):
    lines = [f"static const {kind} {name}[] = {{"]
    for start in range(0, len(words), row):
        lines.append("  " + " ".join(form % word + "," for word in words[start:start + row]))
    return lines + ["};"]


def main():
    runs, pairs, composites = tables()
    out = ["/* clang-format off */",
           "/* Made by tokenizer_nfc.py: do not edit. "
           f"{4 * len(runs) + 8 * len(pairs) + 2 * len(composites)} bytes. */",
           "/* First code point << 10 | properties of it and of those up to the next word's: the combining",
           " * class, 256 if NFC never has it, 512 if it may compose with what is before it. */",
           *table("runs", "uint32_t", runs, "0x%08X", 8),
           "/* Decompositions: code point << 42 | first << 21 | second, which is 0 if there is none. */",
           *table("pairs", "uint64_t", pairs, "0x%016X", 5),
           "/* Those that compose again, as indices of pairs, in order of first and second. */",
           *table("composites", "uint16_t", composites, "%d", 20), "/* clang-format on */"]
    sys.stdout.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
