#!/usr/bin/env python3
"""Compares the core's character classes with those of the pinned `tokenizers`, every code point.

Needs the packages of requirements.txt and Debian's unicode-data; prints what differs.
"""
import os
import sys

from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "runtime", "core"))
import tokenizer_unicode as ours

CODES = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]


def matched(expression):
    split = pre_tokenizers.Split(Regex(expression), "removed")
    rest = {ord(c) for piece, _ in split.pre_tokenize_str("".join(map(chr, CODES))) for c in piece}
    return {code for code in CODES if code not in rest}


def word_characters():
    """`\\w` of the other regular expressions in there: what keeps a single_word token from matching."""
    tokenizer = Tokenizer(models.BPE(vocab={"?": 0}, merges=[], unk_token="?"))
    tokenizer.add_tokens([AddedToken("TOKEN", single_word=True)])
    encodings = tokenizer.encode_batch(["TOKEN" + chr(code) for code in CODES])
    return {code for code, encoding in zip(CODES, encodings) if 1 not in encoding.ids}


def main():
    classes = ours.classes()
    wrong = 0
    for name, bit, theirs in (("L", ours.LETTER, matched(r"\p{L}")), ("N", ours.NUMBER, matched(r"\p{N}")),
                              ("s", ours.SPACE, matched(r"\s")), ("w", ours.WORD, word_characters())):
        mine = {code for code in CODES if classes[code] & bit}
        for code in sorted(mine ^ theirs):
            print(f"U+{code:04X} is {'only ours' if code in mine else 'missing'} in {name}")
            wrong += 1
    print(f"{wrong} differences in {len(CODES)} code points")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
