// Small rewrites that several passes share: columns of a value, rows and columns of a weight.
#pragma once
#include "dialects/lm/LM.h"

namespace coppice {

/// The listed columns of `value` (token rows or a constant row); `value` itself if the list keeps
/// everything in order.
mlir::Value selectColumns(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value,
                          lm::IndexListAttr kept);

/// A new lm.weight that keeps the listed rows (columns) of what `weight` keeps.
lm::WeightOp keepRows(mlir::OpBuilder &builder, lm::WeightOp weight, lm::IndexListAttr kept);
lm::WeightOp keepColumns(mlir::OpBuilder &builder, lm::WeightOp weight, lm::IndexListAttr kept);

/// Bytes of what a weight keeps, as the checkpoint stores it.
int64_t weightBytes(mlir::Type type);

/// If `kept` lists whole heads of `headDim` columns, each in order: the heads' numbers.
std::optional<llvm::SmallVector<int32_t>> wholeHeads(lm::IndexListAttr kept, int32_t headDim);

/// The columns of whole heads, in the given order.
lm::IndexListAttr columnsOfHeads(mlir::MLIRContext *context, llvm::ArrayRef<int32_t> heads,
                                 int32_t headDim);

/// Erases every op below `root` that nothing reads and that has no effect, and what dies with it.
/// Marks (lm.observe) and declarations stay.
void eraseDead(mlir::Operation *root);

/// A remark "NAME: heads 2, bytes 64".
void remarkCounts(mlir::Operation *op, llvm::StringRef passName,
                  llvm::ArrayRef<std::pair<llvm::StringRef, int64_t>> counts);

} // namespace coppice
