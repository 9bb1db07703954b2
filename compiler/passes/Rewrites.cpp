// See Rewrites.h.
#include "compiler/passes/Rewrites.h"

using namespace mlir;
using namespace coppice;

Value coppice::selectColumns(OpBuilder &builder, Location loc, Value value,
                             lm::IndexListAttr kept) {
  auto type = cast<RankedTensorType>(value.getType());
  if (kept.isIdentity(lm::rowWidth(type)))
    return value;
  SmallVector<int64_t> shape(type.getShape());
  shape.back() = kept.size();
  auto narrowed = RankedTensorType::get(shape, type.getElementType());
  return builder.create<lm::SelectOp>(loc, narrowed, value, kept);
}

static lm::IndexListAttr narrow(lm::IndexListAttr before, lm::IndexListAttr kept) {
  return before ? before.compose(kept) : kept;
}

/// `weight` with other lists, and `extent` entries in dimension `dim`.
static lm::WeightOp rebuild(OpBuilder &builder, lm::WeightOp weight, lm::IndexListAttr rows,
                            lm::IndexListAttr cols, unsigned dim, int64_t extent) {
  auto type = cast<RankedTensorType>(weight.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape[dim] = extent;
  return builder.create<lm::WeightOp>(
      weight.getLoc(), RankedTensorType::get(shape, type.getElementType()), weight.getTensorAttr(),
      rows, cols, weight.getTransposedAttr());
}

lm::WeightOp coppice::keepRows(OpBuilder &builder, lm::WeightOp weight, lm::IndexListAttr kept) {
  return rebuild(builder, weight, narrow(weight.getRowsAttr(), kept), weight.getColsAttr(), 0,
                 kept.size());
}

lm::WeightOp coppice::keepColumns(OpBuilder &builder, lm::WeightOp weight, lm::IndexListAttr kept) {
  return rebuild(builder, weight, weight.getRowsAttr(), narrow(weight.getColsAttr(), kept), 1,
                 kept.size());
}

int64_t coppice::weightBytes(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  return tensor.getNumElements() * tensor.getElementTypeBitWidth() / 8;
}

std::optional<SmallVector<int32_t>> coppice::wholeHeads(lm::IndexListAttr kept, int32_t headDim) {
  ArrayRef<int32_t> columns = kept.getIndices();
  if (columns.size() % headDim)
    return std::nullopt;
  SmallVector<int32_t> heads;
  for (; !columns.empty(); columns = columns.drop_front(headDim)) {
    if (columns.front() % headDim)
      return std::nullopt;
    for (int32_t i = 0; i < headDim; ++i)
      if (columns[i] != columns.front() + i)
        return std::nullopt;
    heads.push_back(columns.front() / headDim);
  }
  return heads;
}

lm::IndexListAttr coppice::columnsOfHeads(MLIRContext *context, ArrayRef<int32_t> heads,
                                          int32_t headDim) {
  SmallVector<int32_t> columns;
  for (int32_t head : heads)
    for (int32_t i = 0; i < headDim; ++i)
      columns.push_back(head * headDim + i);
  return lm::IndexListAttr::get(context, columns);
}

static void eraseDeadIn(Region &region) {
  for (Block &block : region)
    // Readers come after what they read, so one walk from the end finds all.
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block))) {
      if (isOpTriviallyDead(&op) && !isa<lm::ObserveOp>(op)) {
        op.erase();
        continue;
      }
      for (Region &inner : op.getRegions())
        eraseDeadIn(inner);
    }
}

void coppice::eraseDead(Operation *root) {
  for (Region &region : root->getRegions())
    eraseDeadIn(region);
}

void coppice::remarkCounts(Operation *op, StringRef passName,
                           ArrayRef<std::pair<StringRef, int64_t>> counts) {
  InFlightDiagnostic remark = emitRemark(op->getLoc()) << passName << ": ";
  llvm::interleaveComma(counts, remark,
                        [&](const auto &count) { remark << count.first << " " << count.second; });
}
