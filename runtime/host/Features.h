// What this machine can execute, the operating system's part (saved registers) included.
#pragma once

namespace coppice::runtime {

/// Whether code for the feature `name` (LLVM's name, "avx2") runs here. A name that this runtime
/// does not know does not.
bool hasFeature(const char *name);

} // namespace coppice::runtime
