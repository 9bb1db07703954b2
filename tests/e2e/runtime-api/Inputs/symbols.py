"""What the runtime library asks of others, from `llvm-nm -u` of the archive, against what it may: the
core memory functions, the rest the C library without C++ and LLVM. Prints what is too much.

usage: symbols.py NM_OUTPUT SIZE_OUTPUT TEXT_BUDGET
"""

import re
import sys

CORE = re.compile(r"(checksum|sampler|session|step|tokenizer\w*)\.c\.o")
MEMORY = {"memcpy", "memset", "memmove", "memcmp", "bcmp"}  # clang makes bcmp of memcmp == 0
wrong, member, sanitized = [], None, False
for line in open(sys.argv[1]):
    line = line.strip()
    if line.endswith(":"):
        member = line[:-1]
    elif line:
        symbol = line.split()[-1]
        ours = symbol.startswith("coppice_") or "7coppice" in symbol
        sanitizer = symbol.startswith(("__asan", "__ubsan"))
        sanitized = sanitized or sanitizer
        if ours or sanitizer:
            continue
        if CORE.search(member) and symbol not in MEMORY:
            wrong.append(f"{member}: the core may not use {symbol}")
        if symbol.startswith(("_Z", "__cxa", "__gxx")) or "LLVM" in symbol:
            wrong.append(f"{member}: no C++ library, so no {symbol}")
if member is None:
    wrong.append("no archive member seen")
text = sum(int(row.split()[0]) for row in open(sys.argv[2]) if row.split()[0].isdigit())
if not sanitized and text > int(sys.argv[3]):
    wrong.append(f"{text} bytes of text, the budget is {sys.argv[3]}")
sys.exit("\n".join(wrong) or 0)
