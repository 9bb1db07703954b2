// A linear that reads a masked value drops those columns and reads a selection instead.
//
// Invariant: masks form a chain above the linear, and the mask nearest to the linear decides a
// column that several of them name.
#include "compiler/passes/Passes.h"
#include "compiler/passes/Rewrites.h"

namespace coppice {
#define GEN_PASS_DEF_MASKSTOSELECTIONS
#include "compiler/passes/Passes.h.inc"
} // namespace coppice

using namespace mlir;
using namespace coppice;

namespace {

/// A column that a linear still reads: of the value at hand, and of the weight.
struct Column {
  int32_t ofValue, ofWeight;
};

struct MasksToSelectionsPass : coppice::impl::MasksToSelectionsBase<MasksToSelectionsPass> {
  using MasksToSelectionsBase::MasksToSelectionsBase;
  void runOnOperation() override {
    heads = neurons = bytes = 0;
    counted.clear();
    SmallVector<lm::ActivationOp> activations;
    SmallVector<lm::LinearOp> linears;
    getOperation().walk([&](lm::ActivationOp op) { activations.push_back(op); });
    getOperation().walk([&](lm::LinearOp op) { linears.push_back(op); });
    for (lm::ActivationOp activation : activations)
      sinkMask(activation);
    for (lm::LinearOp linear : linears)
      rewrite(linear);
    eraseUnreadMasks();
    if (report)
      remarkCounts(getOperation(), getArgument(),
                   {{"heads", heads}, {"neurons", neurons}, {"bytes", bytes}});
  }

private:
  void sinkMask(lm::ActivationOp activation);
  void rewrite(lm::LinearOp linear);
  void eraseUnreadMasks();
  Value dropMasked(OpBuilder &builder, lm::LinearOp linear, lm::MaskOp mask,
                   SmallVectorImpl<Column> &live, Value bias);
  void count(lm::MaskOp mask, int64_t columns);

  int64_t heads = 0, neurons = 0, bytes = 0;
  llvm::DenseSet<Operation *> counted;
};

} // namespace

/// f(mask(x, dead, c)) is mask(f(x), dead, f(c)); every f of lm is zero at zero.
void MasksToSelectionsPass::sinkMask(lm::ActivationOp activation) {
  auto mask = activation.getInput().getDefiningOp<lm::MaskOp>();
  if (!mask)
    return;
  OpBuilder builder(activation);
  Location loc = activation.getLoc();
  auto apply = [&](Value value, Type type) -> lm::ActivationOp {
    return builder.create<lm::ActivationOp>(loc, type, activation.getKind(), value);
  };
  Value fill = mask.getFill();
  if (fill)
    fill = apply(fill, lm::constantRowType(&getContext(), mask.getDead().size()));
  lm::ActivationOp inner = apply(mask.getInput(), activation.getType());
  Value outer = builder.create<lm::MaskOp>(loc, inner, mask.getDead(), fill);
  activation.replaceAllUsesWith(outer);
  activation.erase();
  sinkMask(inner);
}

/// Takes the columns that `mask` names out of `live`. Gives the bias that takes their part.
Value MasksToSelectionsPass::dropMasked(OpBuilder &builder, lm::LinearOp linear, lm::MaskOp mask,
                                        SmallVectorImpl<Column> &live, Value bias) {
  llvm::DenseMap<int32_t, int32_t> place;
  for (auto [position, column] : llvm::enumerate(mask.getDead().getIndices()))
    place[column] = position;
  SmallVector<int32_t> ofFill, ofWeight;
  SmallVector<Column> rest;
  for (Column column : live) {
    auto dead = place.find(column.ofValue);
    if (dead == place.end()) {
      rest.push_back(column);
      continue;
    }
    ofFill.push_back(dead->second);
    ofWeight.push_back(column.ofWeight);
  }
  live.assign(rest);
  count(mask, ofWeight.size());
  lm::WeightOp weight = linear.getWeight().getDefiningOp<lm::WeightOp>();
  int64_t rows = cast<RankedTensorType>(weight.getType()).getDimSize(0);
  bytes += weightBytes(RankedTensorType::get(
      {rows, int64_t(ofWeight.size())}, cast<RankedTensorType>(weight.getType()).getElementType()));
  if (!mask.getFill() || ofFill.empty())
    return bias;
  auto list = [&](ArrayRef<int32_t> indices) {
    return lm::IndexListAttr::get(&getContext(), indices);
  };
  Value constant = selectColumns(builder, linear.getLoc(), mask.getFill(), list(ofFill));
  return builder.create<lm::LinearOp>(linear.getLoc(), lm::constantRowType(&getContext(), rows),
                                      constant, keepColumns(builder, weight, list(ofWeight)), bias);
}

void MasksToSelectionsPass::rewrite(lm::LinearOp linear) {
  auto weight = linear.getWeight().getDefiningOp<lm::WeightOp>();
  if (!weight || !isa_and_nonnull<lm::MaskOp>(linear.getInput().getDefiningOp()))
    return;
  OpBuilder builder(linear);
  SmallVector<Column> live;
  for (int32_t i = 0, width = lm::rowWidth(linear.getInput().getType()); i < width; ++i)
    live.push_back({i, i});
  Value value = linear.getInput(), bias = linear.getBias();
  while (Operation *op = value.getDefiningOp()) {
    if (auto mask = dyn_cast<lm::MaskOp>(op)) {
      bias = dropMasked(builder, linear, mask, live, bias);
      value = mask.getInput();
    } else if (auto select = dyn_cast<lm::SelectOp>(op)) {
      for (Column &column : live)
        column.ofValue = select.getKept().getIndices()[column.ofValue];
      value = select.getInput();
    } else {
      break;
    }
  }
  SmallVector<int32_t> ofValue, ofWeight;
  for (Column column : live) {
    ofValue.push_back(column.ofValue);
    ofWeight.push_back(column.ofWeight);
  }
  Value selected = selectColumns(builder, linear.getLoc(), value,
                                 lm::IndexListAttr::get(&getContext(), ofValue));
  auto narrowed = keepColumns(builder, weight, lm::IndexListAttr::get(&getContext(), ofWeight));
  Value result =
      builder.create<lm::LinearOp>(linear.getLoc(), linear.getType(), selected, narrowed, bias);
  linear.replaceAllUsesWith(result);
  linear.erase();
}

/// A mask right on the heads cuts heads; any other cuts neurons.
void MasksToSelectionsPass::count(lm::MaskOp mask, int64_t columns) {
  if (!counted.insert(mask).second)
    return;
  Value value = mask.getInput();
  while (auto inner = value.getDefiningOp<lm::MaskOp>())
    value = inner.getInput();
  if (auto attention = value.getDefiningOp<lm::AttentionOp>())
    heads += columns / int32_t(attention.getHeadDim());
  else
    neurons += columns;
}

void MasksToSelectionsPass::eraseUnreadMasks() {
  SmallVector<lm::MaskOp> masks;
  getOperation().walk([&](lm::MaskOp mask) { masks.push_back(mask); });
  // The outer mask of a chain comes last.
  for (lm::MaskOp mask : llvm::reverse(masks))
    if (mask.use_empty())
      mask.erase();
}
