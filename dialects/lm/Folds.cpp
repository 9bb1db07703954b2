// Canonicalizers of lm: each is a rule on one op and its operands that holds for every plan. What
// moves masks and selections across ops belongs to compiler/passes.
#include "dialects/lm/LM.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace coppice::lm;

/// A list that keeps everything in order is no list. How much everything is, the declaration says,
/// and to look for one alone is to go through all of them: so this is a rule on the function, which
/// finds the declarations of all its weights at once. A rule on each weight takes time quadratic in
/// the layers.
static LogicalResult dropFullLists(func::FuncOp function, PatternRewriter &rewriter) {
  SymbolTableCollection symbols;
  bool changed = false;
  auto inOrder = [](IndexListAttr list) { return list && list.isIdentity(list.size()); };
  function.walk([&](WeightOp op) {
    IndexListAttr rows = op.getRowsAttr(), cols = op.getColsAttr();
    if (!inOrder(rows) && !inOrder(cols))
      return;
    auto tensor = symbols.lookupNearestSymbolFrom<TensorOp>(op, op.getTensorAttr());
    if (!tensor)
      return;
    ArrayRef<int64_t> shape = cast<RankedTensorType>(tensor.getType()).getShape();
    bool fullRows = rows && rows.isIdentity(op.getTransposed() ? shape.back() : shape.front());
    bool fullCols = cols && cols.isIdentity(op.getTransposed() ? shape.front() : shape.back());
    if (!fullRows && !fullCols)
      return;
    changed = true;
    rewriter.modifyOpInPlace(op, [&] {
      if (fullRows)
        op.removeRowsAttr();
      if (fullCols)
        op.removeColsAttr();
    });
  });
  return success(changed);
}

void WeightOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *) {
  patterns.add(dropFullLists);
}

/// A constant row through a weight without columns is the bias.
static LogicalResult foldEmptyConstant(LinearOp op, PatternRewriter &rewriter) {
  if (!isConstantRow(op.getType()) || rowWidth(op.getInput().getType()) != 0 || !op.getBias() ||
      op.getBias().getType() != op.getType())
    return failure();
  rewriter.replaceOp(op, op.getBias());
  return success();
}

void LinearOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *) {
  patterns.add(foldEmptyConstant);
}

static LogicalResult dropEmptyMask(MaskOp op, PatternRewriter &rewriter) {
  if (op.getDead().size() != 0)
    return failure();
  rewriter.replaceOp(op, op.getInput());
  return success();
}

/// The outer mask decides where both are dead. Two masks of zeros are one; a mask that the outer
/// one covers is gone, whatever its fill. Masks that leave a mixture of zeros and fill stay two:
/// lm has no constant row of zeros to join with the fill.
static LogicalResult mergeMasks(MaskOp op, PatternRewriter &rewriter) {
  auto inner = op.getInput().getDefiningOp<MaskOp>();
  if (!inner)
    return failure();
  ArrayRef<int32_t> outerDead = op.getDead().getIndices();
  llvm::SmallDenseSet<int32_t> covered(outerDead.begin(), outerDead.end());
  bool covers = llvm::all_of(inner.getDead().getIndices(),
                             [&](int32_t column) { return covered.contains(column); });
  if (covers) {
    rewriter.modifyOpInPlace(op, [&] { op.getInputMutable().assign(inner.getInput()); });
    return success();
  }
  if (op.getFill() || inner.getFill())
    return failure();
  SmallVector<int32_t> dead(outerDead);
  for (int32_t column : inner.getDead().getIndices())
    if (!covered.contains(column))
      dead.push_back(column);
  llvm::sort(dead);
  rewriter.replaceOpWithNewOp<MaskOp>(op, inner.getInput(),
                                      IndexListAttr::get(op.getContext(), dead));
  return success();
}

void MaskOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *) {
  patterns.add(dropEmptyMask);
  patterns.add(mergeMasks);
}

static LogicalResult dropFullSelect(SelectOp op, PatternRewriter &rewriter) {
  if (!op.getKept().isIdentity(rowWidth(op.getInput().getType())))
    return failure();
  rewriter.replaceOp(op, op.getInput());
  return success();
}

static LogicalResult composeSelects(SelectOp op, PatternRewriter &rewriter) {
  auto inner = op.getInput().getDefiningOp<SelectOp>();
  if (!inner)
    return failure();
  rewriter.replaceOpWithNewOp<SelectOp>(op, op.getType(), inner.getInput(),
                                        inner.getKept().compose(op.getKept()));
  return success();
}

void SelectOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *) {
  patterns.add(dropFullSelect);
  patterns.add(composeSelects);
}
