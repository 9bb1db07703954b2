// One function per operation file: emits the body of a kernel whose function is open in `k`. What
// arguments and items mean is written in compiler/codegen/KernelArgs.h.
#pragma once
#include "compiler/codegen/KernelBuilder.h"

namespace coppice::kernels {

void linear(KernelBuilder &k, WeightType type);

} // namespace coppice::kernels
