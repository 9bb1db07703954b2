#!/usr/bin/env python3
"""Writes tokenizer_unicode.inc: the character classes that tokenizers tell apart.

Source: Debian's unicode-data (Unicode 15.0), and the letters, digits and marks that 15.1 and 16.0
added, listed below: Hugging Face `tokenizers` 0.21 has the classes of Unicode 16.0. Nothing that
was in a class in 15.0 has left it. Its punctuation comes from another package, which is older: of
Unicode 8.0. tests/golden/tokenizer/check_unicode.py compares every code point with the pinned
package.

usage: tokenizer_unicode.py > tokenizer_unicode.inc
"""
import os
import sys

DATA = "/usr/share/unicode"
LETTER, NUMBER, SPACE, WORD, UPPER, LOWER, MARK, PUNCTUATION = 1, 2, 4, 8, 16, 32, 64, 128
PUNCTUATION_AGE = (8, 0)
PUNCTUATION_THEN = "166D 111C9"  # later versions took them out of the category

UPPER_ADDED = "1C89 A7CB-A7CC A7DA A7DC 10D50-10D65"
LOWER_ADDED = "1C8A A7CD A7DB 10D70-10D85"
LETTERS_ADDED = """1C89-1C8A A7CB-A7CD A7DA-A7DC 105C0-105F3 10D4A-10D65 10D6F-10D85 10EC2-10EC4
11380-11389 1138B 1138E 11390-113B5 113B7 113D1 113D3 11BC0-11BE0 13460-143FA 16100-1611D
16D40-16D6C 18CFF 1E5D0-1E5ED 1E5F0 2EBF0-2EE5D"""
NUMBERS_ADDED = """10D40-10D49 116D0-116E3 11BF0-11BF9 16130-16139 16D70-16D79 1CCF0-1CCF9
1E5F1-1E5FA"""
MARKS_ADDED = """0897 10D69-10D6D 10EFC 113B8-113C0 113C2 113C5 113C7-113CA 113CC-113D0 113D2
113E1-113E2 11F5A 1611E-1612F 1E5EE-1E5EF"""


def ranges(text):
    for item in text.split():
        first, _, last = item.partition("-")
        yield range(int(first, 16), int(last or first, 16) + 1)


def properties(file, wanted):
    for line in open(os.path.join(DATA, file), encoding="utf-8"):
        fields = line.split("#")[0].split(";")
        if len(fields) == 2 and fields[1].strip() == wanted:
            first, _, last = fields[0].strip().partition("..")
            yield range(int(first, 16), int(last or first, 16) + 1)


def categories():
    first = 0
    for line in open(os.path.join(DATA, "UnicodeData.txt"), encoding="utf-8"):
        fields = line.split(";")
        code = int(fields[0], 16)
        first = code if not fields[1].endswith("Last>") else first
        yield range(first, code + 1), fields[2]


def ages():
    """The version of Unicode that each code point is from; None where it is not assigned."""
    result = [None] * 0x110000
    for line in open(os.path.join(DATA, "DerivedAge.txt"), encoding="utf-8"):
        fields = line.split("#")[0].split(";")
        if len(fields) == 2:
            first, _, last = fields[0].strip().partition("..")
            version = tuple(int(number) for number in fields[1].strip().split("."))
            for code in range(int(first, 16), int(last or first, 16) + 1):
                result[code] = version
    return result


def classes():
    result = [0] * 0x110000

    def add(span, bits):
        for code in span:
            result[code] |= bits

    age = ages()
    for span, category in categories():
        if category in ("Lu", "Lt"):
            add(span, UPPER)
        if category == "Ll":
            add(span, LOWER)
        if category[0] == "M":
            add(span, MARK)
        if category[0] == "P":
            add([code for code in span if age[code] <= PUNCTUATION_AGE], PUNCTUATION)
        if category[0] == "L":
            add(span, LETTER)
        if category[0] == "N":
            add(span, NUMBER)
        if category[0] == "M" or category in ("Nd", "Pc"):
            add(span, WORD)
    for span in properties("DerivedCoreProperties.txt", "Alphabetic"):
        add(span, WORD)
    for span in properties("PropList.txt", "Join_Control"):
        add(span, WORD)
    for span in properties("PropList.txt", "White_Space"):
        add(span, SPACE)
    for span in ranges(LETTERS_ADDED):
        add(span, LETTER | WORD)
    for span in ranges(NUMBERS_ADDED):
        # All of them are decimal digits, and so word characters.
        add(span, NUMBER | WORD)
    for span in ranges(MARKS_ADDED):
        add(span, MARK | WORD)
    for span in ranges(UPPER_ADDED):
        add(span, UPPER)
    for span in ranges(LOWER_ADDED):
        add(span, LOWER)
    for span in ranges(PUNCTUATION_THEN):
        add(span, PUNCTUATION)
    for character in "$+<=>^`|~":  # with category P, the punctuation of ASCII
        add([ord(character)], PUNCTUATION)
    return result


def main():
    runs = []
    previous = None
    for code, bits in enumerate(classes()):
        if bits != previous:
            runs.append(code << 8 | bits)
            previous = bits
    out = ["/* Made by tokenizer_unicode.py: do not edit. Each word: first code point << 8 | class of",
           " * it and of those up to the next word's: 1 letter, 2 number, 4 white space, 8 word",
           " * character, 16 upper or title case, 32 lower case, 64 mark, 128 punctuation. */"]
    for start in range(0, len(runs), 8):
        out.append(" ".join(f"0x{word:08X}," for word in runs[start:start + 8]))
    sys.stdout.write("/* clang-format off */\n" + "\n".join(out) + "\n/* clang-format on */\n")


if __name__ == "__main__":
    main()
