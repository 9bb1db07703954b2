#!/usr/bin/env python3
"""Compares the core's character classes and its NFC with those of the pinned `tokenizers`: every code
point, every composition, every order of two marks.

Needs the packages of requirements.txt and Debian's unicode-data; prints what differs.
"""
import os
import sys

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "runtime", "core"))
import tokenizer_nfc
import tokenizer_unicode as ours

CODES = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]


def split(pre_tokenizer):
    rest = {ord(c) for piece, _ in pre_tokenizer.pre_tokenize_str("".join(map(chr, CODES))) for c in piece}
    return {code for code in CODES if code not in rest}


def matched(expression):
    return split(pre_tokenizers.Split(Regex(expression), "removed"))


def word_characters():
    """`\\w` of the other regular expressions in there: what keeps a single_word token from matching."""
    tokenizer = Tokenizer(models.BPE(vocab={"?": 0}, merges=[], unk_token="?"))
    tokenizer.add_tokens([AddedToken("TOKEN", single_word=True)])
    encodings = tokenizer.encode_batch(["TOKEN" + chr(code) for code in CODES])
    return {code for code, encoding in zip(CODES, encodings) if 1 not in encoding.ids}


def check_classes():
    classes = ours.classes()
    wrong = 0
    for name, bit, theirs in (("L", ours.LETTER, matched(r"\p{L}")), ("N", ours.NUMBER, matched(r"\p{N}")),
                              ("s", ours.SPACE, matched(r"\s")), ("w", ours.WORD, word_characters()),
                              ("Lu and Lt", ours.UPPER, matched(r"[\p{Lu}\p{Lt}]")),
                              ("Ll", ours.LOWER, matched(r"\p{Ll}")), ("M", ours.MARK, matched(r"\p{M}")),
                              ("punctuation", ours.PUNCTUATION, split(pre_tokenizers.Punctuation("removed")))):
        mine = {code for code in CODES if classes[code] & bit}
        for code in sorted(mine ^ theirs):
            print(f"U+{code:04X} is {'only ours' if code in mine else 'missing'} in {name}")
            wrong += 1
    print(f"{wrong} differences in the classes of {len(CODES)} code points")
    return wrong


class Nfc:
    """NFC by the core's tables, as Unicode describes it."""

    def __init__(self):
        runs, pairs, composites = tokenizer_nfc.tables()
        self.order = [0] * 0x110000
        for word, end in zip(runs, [word >> 10 for word in runs[1:]] + [0x110000]):
            for code in range(word >> 10, end):
                self.order[code] = word & 0xFF
        self.parts = {word >> 42: [part for part in (word >> 21 & 0x1FFFFF, word & 0x1FFFFF) if part]
                      for word in pairs}
        self.whole = {tuple(self.parts[pairs[at] >> 42]): pairs[at] >> 42 for at in composites}
        for lead in range(19):
            for vowel in range(21):
                lv = 0xAC00 + (lead * 21 + vowel) * 28
                self.whole[0x1100 + lead, 0x1161 + vowel] = lv
                for trail in range(1, 28):
                    self.whole[lv, 0x11A7 + trail] = lv + trail

    def decomposed(self, code):
        if code not in self.parts:
            return [code]
        return [last for part in self.parts[code] for last in self.decomposed(part)]

    def __call__(self, text):
        codes = [last for character in text for last in self.decomposed(ord(character))]
        at = 0
        while at < len(codes):
            end = at
            while end < len(codes) and self.order[codes[end]]:
                end += 1
            codes[at:end] = sorted(codes[at:end], key=lambda code: self.order[code])
            at = end + 1
        out, starter = [], None
        for code in codes:
            last = self.order[out[-1]] if out else 0
            if starter is not None and (len(out) == starter + 1 or last < self.order[code]):
                if (out[starter], code) in self.whole:
                    out[starter] = self.whole[out[starter], code]
                    continue
            if self.order[code] == 0:
                starter = len(out)
            out.append(code)
        return "".join(map(chr, out))


def nfc_texts(ours):
    """Every code point by itself and between marks; all pairs that might compose; all orders."""
    for code in CODES:
        if code != 10:  # it separates the texts
            # A mark of any order moves in one of these.
            yield chr(code)
            yield "x" + chr(code) + "\u0334"
            yield "x\u0345" + chr(code)
    decompositions = {}
    for line in open(os.path.join(tokenizer_nfc.tokenizer_unicode.DATA, "UnicodeData.txt"), encoding="utf-8"):
        fields = line.split(";")
        if fields[5] and not fields[5].startswith("<"):
            decompositions[int(fields[0], 16)] = [int(part, 16) for part in fields[5].split()]
    pairs = [parts for parts in decompositions.values() if len(parts) == 2]
    firsts, seconds = sorted({pair[0] for pair in pairs}), sorted({pair[1] for pair in pairs})
    jamo = [*range(0x1100, 0x1200), 0xAC00, 0xAC01, 0xD788, 0xD7A3, 0xD7B0, 0xD7CB]
    for first in firsts:
        for second in seconds:
            yield chr(first) + chr(second)
            yield chr(first) + "\u0334" + chr(second)
    for first in jamo:
        for second in jamo:
            yield chr(first) + chr(second)
            yield chr(first) + chr(second) + "\u11a8"
    marks = [code for code in CODES if ours.order[code]]
    classes = {ours.order[code]: code for code in reversed(marks)}
    for mark in marks:
        for other in classes.values():
            yield "x" + chr(mark) + chr(other)
            yield "x" + chr(other) + chr(mark)


def check_nfc():
    mine, theirs = Nfc(), normalizers.NFC()
    texts = list(nfc_texts(mine))
    wrong = 0
    for start in range(0, len(texts), 1000):
        part = texts[start:start + 1000]
        # A line ends every text, and normalizes to itself.
        for text, want in zip(part, theirs.normalize_str("\n".join(part)).split("\n"), strict=True):
            if mine(text) != want:
                print("NFC of", *(f"U+{ord(c):04X}" for c in text), "is", *(f"U+{ord(c):04X}" for c in want),
                      "and not", *(f"U+{ord(c):04X}" for c in mine(text)))
                wrong += 1
    print(f"{wrong} differences in the NFC of {len(texts)} texts")
    return wrong


def main():
    return 1 if check_classes() + check_nfc() else 0


if __name__ == "__main__":
    sys.exit(main())
