// What the linear kernels of experts share: which rows and items are an expert's.
#pragma once
#include "compiler/codegen/kernels/LinearOutput.h"

namespace coppice::kernels {

/// body(first row, expert) for each expert that has rows, with the builder's items and the output
/// set to those of this expert: its panels among the kernel's items, and its rows. Items count
/// panels in steps of the number of experts, so that a stretch of items is about the same stretch
/// of panels of every expert.
void forExperts(KernelBuilder &k, LinearOutput &output,
                llvm::function_ref<void(mlir::Value first, mlir::Value expert)> body);

/// Address of an expert's matrix.
mlir::Value expertWeight(KernelBuilder &k, mlir::Value expert);

} // namespace coppice::kernels
