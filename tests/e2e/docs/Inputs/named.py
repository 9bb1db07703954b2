"""Fails unless each function that a row of PAGE's tables names is defined in one of the row's files, and
each of the row's files has one of them. Rows are: what happens | [files](...) | `functions`.

usage: named.py PAGE
"""

import os
import re
import sys

page = sys.argv[1]
folder = os.path.dirname(page)
faults, functions = [], 0
with open(page, encoding="utf-8") as file:
    lines = file.read().splitlines()
for number, line in enumerate(lines, 1):
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    paths = re.findall(r"\]\(([^)]+)\)", cells[1]) if len(cells) == 3 else []
    if not paths:
        continue
    texts = {}
    for path in paths:
        try:
            with open(os.path.join(folder, path), encoding="utf-8") as file:
                # Comments may speak of functions that are gone.
                texts[path] = re.sub(r"(?s:/\*.*?\*/)|//[^\n]*", "", file.read())
        except OSError as error:
            faults.append(f"{page}:{number}: {error}")
    names = re.findall(r"`(\w+)`", cells[2])
    if not names:
        faults.append(f"{page}:{number}: names no function")
    used = set()
    for name in names:
        functions += 1
        # A definition: the name, parameters, and a body before any other statement's end.
        found = {p for p, text in texts.items()
                 if re.search(rf"(?<![\w.>]){name}\([^;{{}}]*\)[^;{{}}()]*\{{", text)}
        used |= found
        if not found:
            faults.append(f"{page}:{number}: {name} is not defined in {', '.join(paths)}")
    faults += [f"{page}:{number}: {path} has none of {', '.join(names)}"
               for path in texts if path not in used and path.endswith((".c", ".cpp"))]
print("\n".join(faults) or f"{functions} functions")
sys.exit(bool(faults) or functions == 0)
