# lit over tests/lit and tests/e2e: run through the site file that CMake writes,
# BUILD/tests/lit.site.cfg.py, or with `tools/dev test`.
import os
import shutil

import lit.formats

config.name = "coppice"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "unit", "golden", "models", "support", "bench"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.coppice_obj, "lit")
# lit -D roundtrip=1: everything that coppice-opt reads is printed, read again and compared first.
if lit_config.params.get("roundtrip"):
    config.name += "-roundtrip"
    config.test_exec_root += "-roundtrip"
    config.suffixes = [".mlir"]
    config.substitutions.append((r"\bcoppice-opt\b", "coppice-opt --verify-roundtrip"))

path = [config.coppice_bin, config.llvm_bin, config.environment.get("PATH", os.environ["PATH"])]
config.environment["PATH"] = os.pathsep.join(path)
# Reference scripts find the tools through PATH; bytecode is not left in the source tree.
config.environment["PYTHONDONTWRITEBYTECODE"] = "1"
config.available_features.add("target=" + config.target_host)
# Golden models that may not be committed lie beside the checkout, or where this says.
shared = os.environ.get("COPPICE_MODELS", os.path.join(config.coppice_src, "..", "shared", "models"))
if os.path.isfile(os.path.join(shared, "stories260k", "model.safetensors")):
    config.available_features.add("stories260k")
if os.path.isdir(os.path.join(shared, "opt-icl")):
    config.available_features.add("opt-icl-f32")
if os.path.isdir(os.path.join(shared, "opt-icl", "tasks")):
    config.available_features.add("opt-icl-tasks")
# Reads a page as its readers' browsers do. Large, so not among tools/packages.txt.
if shutil.which("chromium"):
    config.available_features.add("chromium")
if config.target_host == "x86_64":
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        flags = next((line for line in file if line.startswith("flags")), "").split()
    # What x86-64-v4 has beyond v3.
    if {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"} <= set(flags):
        config.available_features.add("x86-64-v4")
        if {"avx512_vnni", "avx512_bf16"} <= set(flags):
            config.available_features.add("x86-64-v4-bf16")
config.substitutions += [
    ("%models", os.path.join(config.test_source_root, "models")),
    ("%golden", os.path.join(config.test_source_root, "golden")),
    ("%support", os.path.join(config.test_source_root, "support")),
    ("%tools", config.coppice_bin),
    ("%shared_models", os.path.abspath(shared)),
    # Debian's own interpreter: it has python3-numpy, whatever else stands first on PATH.
    ("%python", "/usr/bin/python3"),
    # %exit CODE COMMAND: holds an exit code exactly, which `not` does not.
    ("%exit", "/usr/bin/python3 " + os.path.join(config.test_source_root, "support/exit_code.py")),
]
