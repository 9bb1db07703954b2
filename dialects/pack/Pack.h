// The pack dialect: one step as a list of stages. See PackOps.td and docs/reference/pack.md.
#pragma once

#include "dialects/lm/LM.h"

#include "dialects/pack/PackDialect.h.inc"
#include "dialects/pack/PackEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/pack/PackAttrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/pack/PackTypes.h.inc"

#define GET_OP_CLASSES
#include "dialects/pack/PackOps.h.inc"

namespace coppice::pack {

/// Columns that share a scale in quantized weights and rows.
constexpr int64_t kGroup = 32;

/// Values a row, and the row set, of rows in the arena, quantized or not.
int64_t widthOf(mlir::Type rows);
RowSet setOf(mlir::Type rows);
/// Bytes of one row in the arena; -1 for a type that has no place there.
int64_t rowBytesOf(mlir::Type type);
/// Bytes in the arena for each row of a step: routed rows are several. -1 as above.
int64_t arenaBytesOf(mlir::Value value);
/// For verifiers: that a linear's weight takes such rows and makes such a result.
llvm::LogicalResult verifyMapping(mlir::Operation *op, mlir::Type input, WeightType weight,
                                  BufferType result);
/// Whether a set holds a row for each choice; and the set that holds those of `set`.
bool isRouted(RowSet set);
RowSet routed(RowSet set);

} // namespace coppice::pack
