# lit over tests/lit and tests/e2e: run through the site file that CMake writes,
# BUILD/tests/lit.site.cfg.py, or with `tools/dev test`.
import os

import lit.formats

config.name = "coppice"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "unit", "golden", "models", "support"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.coppice_obj, "lit")

path = [config.coppice_bin, config.llvm_bin, config.environment.get("PATH", os.environ["PATH"])]
config.environment["PATH"] = os.pathsep.join(path)
# Golden models that may not be committed lie beside the checkout, or where this says.
shared = os.environ.get("COPPICE_MODELS", os.path.join(config.coppice_src, "..", "shared", "models"))
if os.path.isdir(os.path.join(shared, "stories260k")):
    config.available_features.add("stories260k")
config.substitutions += [
    ("%models", os.path.join(config.test_source_root, "models")),
    ("%golden", os.path.join(config.test_source_root, "golden")),
    ("%support", os.path.join(config.test_source_root, "support")),
    ("%shared_models", os.path.abspath(shared)),
    ("%python", "python3"),
]
