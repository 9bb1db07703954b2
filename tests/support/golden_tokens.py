"""Print the tokens that follow the prompt in a golden file, as coppice-run prints ids.

Usage: golden_tokens.py GOLDEN
"""

import sys

from compare_logits import read_safetensors

tensors, metadata = read_safetensors(sys.argv[1])
print(*tensors["tokens"][int(metadata["prompt_tokens"]):])
