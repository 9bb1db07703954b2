"""Count the parameters of the published configs (tests/published) as transformers builds them.

Nothing is allocated: the models are made on the meta device. `active` are those that one token
uses: all but the experts that its routers do not pick. Pinned versions: requirements-families.txt.
Run: VENV/bin/python tests/golden/models/make_published.py
"""

import json
import os

import torch
from transformers import AutoConfig, AutoModelForCausalLM

PUBLISHED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "published")


def count(folder):
    config = AutoConfig.from_pretrained(folder)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    model.tie_weights()
    total = sum(p.numel() for p in model.parameters())
    experts = sum(p.numel() for name, p in model.named_parameters() if ".experts." in name)
    number = getattr(config, "num_local_experts", None) or getattr(config, "num_experts", None)
    picked = getattr(config, "num_experts_per_tok", None)
    unused = experts * (number - picked) // number if experts else 0
    return {"parameters": total, "active": total - unused}


if __name__ == "__main__":
    names = sorted(entry for entry in os.listdir(PUBLISHED)
                   if os.path.isdir(os.path.join(PUBLISHED, entry)))
    counts = {name: count(os.path.join(PUBLISHED, name)) for name in names}
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in counts.items())
    with open(os.path.join(PUBLISHED, "counts.json"), "w", encoding="utf-8") as file:
        file.write("{\n" + rows + "\n}\n")
