"""Run a command and check its exit code: exit_code.py CODE COMMAND ...

Its output passes through. The exit code is 0 if the command's was CODE, else 1.
"""

import subprocess
import sys

code = subprocess.run(sys.argv[2:]).returncode
if code != int(sys.argv[1]):
    sys.exit(f"exit code {code}, not {sys.argv[1]}: {' '.join(sys.argv[2:])}")
