"""Prints the fenced code blocks of one language in a Markdown file, so that a test can run what the
docs show.

usage: extract_code.py FILE.md LANGUAGE [NUMBER]   NUMBER, from 0, picks one block
"""

import sys


def blocks(lines, language):
    block = None
    for line in lines:
        if block is None:
            if line.strip() == "```" + language:
                block = []
        elif line.strip() == "```":
            yield "".join(block)
            block = None
        else:
            block.append(line)


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as source:
        found = list(blocks(source, sys.argv[2]))
    if len(sys.argv) == 4:
        found = found[int(sys.argv[3]) :][:1]
    if not found:
        sys.exit(f"{sys.argv[1]}: there is no such block of {sys.argv[2]}")
    sys.stdout.write("".join(found))


main()
