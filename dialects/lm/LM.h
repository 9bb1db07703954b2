// The lm dialect: a transformer as a pure graph. See LMOps.td and docs/reference/lm.md.
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace coppice::lm {

/// tensor<?xNxf32>.
bool isTokenRows(mlir::Type type);
/// tensor<N> of f32, f16 or bf16 (f64 never reaches lm).
bool isConstantRow(mlir::Type type);
/// tensor<RxC> of f32, f16 or bf16; either extent may be 0.
bool isMatrix(mlir::Type type);
/// tensor<?xi32>.
bool isIds(mlir::Type type);
/// N of tensor<?xNxT> or tensor<N>.
int64_t rowWidth(mlir::Type type);
/// tensor<?xNxf32> / tensor<Nxf32>.
mlir::RankedTensorType tokenRowsType(mlir::MLIRContext *context, int64_t width);
mlir::RankedTensorType constantRowType(mlir::MLIRContext *context, int64_t width);

} // namespace coppice::lm

#include "dialects/lm/LMDialect.h.inc"
#include "dialects/lm/LMEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/lm/LMAttrs.h.inc"

#define GET_OP_CLASSES
#include "dialects/lm/LMOps.h.inc"
