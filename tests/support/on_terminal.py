"""Runs a command with its standard error on a terminal, and prints what the terminal was given.

Usage: on_terminal.py COMMAND... The exit code is the command's. Escapes are shown as Python writes
them, each redrawing ("\\r") on a line of its own.
"""

import os
import pty
import subprocess
import sys

here, there = pty.openpty()
process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stderr=there)
os.close(there)
given = b""
while True:
    try:
        some = os.read(here, 65536)
    except OSError: # what Linux says when the last writer is gone
        break
    if not some:
        break
    given += some
code = process.wait()
for part in given.decode(errors="replace").split("\r"):
    print(repr(part))
sys.exit(code)
