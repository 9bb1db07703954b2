// Rows quantized a group of 32 values at a time, for the kernels that end so.
#pragma once
#include "compiler/codegen/KernelBuilder.h"

namespace coppice::kernels {

/// Writes one quantized row. value(index, live) is 16 values from an index on, of which `live`
/// exist (null: all; else the lanes that do not exist, which may be none or all 16, must read
/// nothing, and may hold anything). See KernelArgs.h for what is written.
void quantizeRow(KernelBuilder &k, mlir::Value width, mlir::Value zero, mlir::Value out,
                 llvm::function_ref<mlir::Value(mlir::Value index, mlir::Value live)> value);

/// 16 floats of an arena row at an index, of which `live` exist.
mlir::Value loadRowChunk(KernelBuilder &k, mlir::Value row, mlir::Value index, mlir::Value live);

} // namespace coppice::kernels
