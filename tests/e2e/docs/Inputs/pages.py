"""Fails if a page of DOCS is not linked from its index, or has no test in TESTS.

usage: pages.py DOCS TESTS
"""

import glob
import os
import sys

docs, tests = sys.argv[1:]
with open(os.path.join(docs, "index.md"), encoding="utf-8") as file:
    index = file.read()
pages = [os.path.relpath(page, docs) for page in glob.glob(docs + "/**/*.md", recursive=True)]
faults = [f"{page}: not linked from index.md" for page in pages
          if page != "index.md" and f"]({page})" not in index]
# Written by commands: their links and blocks are not prose of ours.
written = ["figures.md"]
faults += [f"{page}: no test in {tests}" for page in pages
           if not page.startswith("reference/") and page not in written
           and not os.path.exists(os.path.join(tests, page[:-3] + ".test"))]
print("\n".join(sorted(faults)) or f"{len(pages)} pages")
sys.exit(bool(faults) or not pages)
