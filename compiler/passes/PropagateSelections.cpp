// Selections move up to the linears and weights that compute what they select.
//
// One walk from the end: when an op is reached, everything that reads it has been settled, so a
// selection that moves up is met again at the op above.
#include "compiler/passes/Passes.h"
#include "compiler/passes/Rewrites.h"
#include "llvm/ADT/MapVector.h"

namespace coppice {
#define GEN_PASS_DEF_PROPAGATESELECTIONS
#include "compiler/passes/Passes.h.inc"
} // namespace coppice

using namespace mlir;
using namespace coppice;

namespace {

/// Builds, before one op, what gives the kept columns of its result.
class Narrower {
public:
  explicit Narrower(Operation *op) : builder(op), loc(op->getLoc()), op(op) {}
  /// Null if the columns cannot be computed alone.
  Value narrow(lm::IndexListAttr kept);

private:
  Value narrowWeight(lm::WeightOp weight);
  Value narrowLinear(lm::LinearOp linear);
  Value narrowMask(lm::MaskOp mask);
  Value narrowRope(lm::RopeOp rope);
  Value narrowHeadNorm(lm::RmsNormOp norm);
  Value narrowAttention(lm::AttentionOp attention);
  Value select(Value value) { return selectColumns(builder, loc, value, kept); }
  Type resultType() {
    return lm::isConstantRow(op->getResult(0).getType())
               ? lm::constantRowType(op->getContext(), kept.size())
               : lm::tokenRowsType(op->getContext(), kept.size());
  }

  OpBuilder builder;
  Location loc;
  Operation *op;
  lm::IndexListAttr kept;
};

struct PropagateSelectionsPass : coppice::impl::PropagateSelectionsBase<PropagateSelectionsPass> {
  using PropagateSelectionsBase::PropagateSelectionsBase;
  void runOnOperation() override {
    rows = bytes = 0;
    for (Region &region : getOperation()->getRegions())
      settle(region);
    if (report)
      remarkCounts(getOperation(), getArgument(), {{"rows", rows}, {"bytes", bytes}});
  }

private:
  void settle(Region &region);
  void settle(Operation *op);

  int64_t rows = 0, bytes = 0;
};

} // namespace

Value Narrower::narrow(lm::IndexListAttr columns) {
  kept = columns;
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](lm::SelectOp select) -> Value {
        return selectColumns(builder, loc, select.getInput(), select.getKept().compose(kept));
      })
      .Case([&](lm::ActivationOp activation) -> Value {
        Value input = select(activation.getInput());
        return builder.create<lm::ActivationOp>(loc, resultType(), activation.getKind(), input);
      })
      .Case<lm::AddOp, lm::MulOp>([&](auto sum) -> Value {
        Value lhs = select(sum.getLhs()), rhs = select(sum.getRhs());
        return builder.create<decltype(sum)>(loc, resultType(), lhs, rhs);
      })
      .Case([&](lm::WeightOp weight) { return narrowWeight(weight); })
      .Case([&](lm::LinearOp linear) { return narrowLinear(linear); })
      .Case([&](lm::MaskOp mask) { return narrowMask(mask); })
      .Case([&](lm::RopeOp rope) { return narrowRope(rope); })
      .Case([&](lm::RmsNormOp norm) { return narrowHeadNorm(norm); })
      .Case([&](lm::SplatOp splat) -> Value {
        return builder.create<lm::SplatOp>(loc, resultType(), splat.getValueAttr());
      })
      .Case([&](lm::SoftcapOp softcap) -> Value {
        Value input = select(softcap.getInput());
        return builder.create<lm::SoftcapOp>(loc, resultType(), input, softcap.getCapAttr());
      })
      .Case([&](lm::AttentionOp attention) { return narrowAttention(attention); })
      .Default([](Operation *) { return Value(); });
}

Value Narrower::narrowWeight(lm::WeightOp weight) { return keepRows(builder, weight, kept); }

Value Narrower::narrowLinear(lm::LinearOp linear) {
  auto weight = linear.getWeight().getDefiningOp<lm::WeightOp>();
  if (!weight)
    return {};
  Value rows = keepRows(builder, weight, kept);
  Value bias = linear.getBias() ? select(linear.getBias()) : Value();
  return builder.create<lm::LinearOp>(loc, resultType(), linear.getInput(), rows, bias);
}

Value Narrower::narrowMask(lm::MaskOp mask) {
  llvm::DenseMap<int32_t, int32_t> place;
  for (auto [position, column] : llvm::enumerate(mask.getDead().getIndices()))
    place[column] = position;
  SmallVector<int32_t> dead, ofFill;
  for (auto [position, column] : llvm::enumerate(kept.getIndices())) {
    auto found = place.find(column);
    if (found == place.end())
      continue;
    dead.push_back(position);
    ofFill.push_back(found->second);
  }
  Value input = select(mask.getInput());
  if (dead.empty())
    return input;
  Value fill = mask.getFill();
  if (fill)
    fill = selectColumns(builder, loc, fill, lm::IndexListAttr::get(op->getContext(), ofFill));
  return builder.create<lm::MaskOp>(loc, input, lm::IndexListAttr::get(op->getContext(), dead),
                                    fill);
}

Value Narrower::narrowRope(lm::RopeOp rope) {
  // Columns rotate in pairs within their head.
  if (!wholeHeads(kept, rope.getHeadDim()))
    return {};
  Value input = select(rope.getInput());
  return builder.create<lm::RopeOp>(loc, resultType(), input, rope.getPositions(),
                                    rope.getHeadDimAttr(), rope.getInvFreqAttr(),
                                    rope.getMagnitudeAttr());
}

Value Narrower::narrowHeadNorm(lm::RmsNormOp norm) {
  // A norm over the whole row wants every column; one over heads takes heads away.
  if (!norm.getGroup() || !wholeHeads(kept, int32_t(*norm.getGroup())))
    return {};
  Value input = select(norm.getInput());
  return builder.create<lm::RmsNormOp>(loc, resultType(), input, norm.getScale(),
                                       norm.getGroupAttr(), norm.getEpsAttr());
}

Value Narrower::narrowAttention(lm::AttentionOp attention) {
  // Only the query is selected: which KV heads are left unread is seen by lm-remove-dead-kv-heads.
  auto heads = wholeHeads(kept, attention.getHeadDim());
  if (!heads)
    return {};
  SmallVector<int32_t> kvMap;
  for (int32_t head : *heads)
    kvMap.push_back(attention.getKvMap()[head]);
  Value query = select(attention.getQuery());
  return builder.create<lm::AttentionOp>(
      loc, resultType(), query, attention.getKey(), attention.getValue(),
      attention.getHeadDimAttr(), builder.getDenseI32ArrayAttr(kvMap), attention.getScaleAttr(),
      attention.getWindowAttr(), attention.getSoftcapAttr());
}

void PropagateSelectionsPass::settle(Region &region) {
  for (Block &block : region)
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block))) {
      for (Region &inner : op.getRegions())
        settle(inner);
      settle(&op);
    }
}

void PropagateSelectionsPass::settle(Operation *op) {
  if (op->getNumResults() != 1 || op->use_empty() ||
      !isa<RankedTensorType>(op->getResult(0).getType()))
    return;
  if (auto select = dyn_cast<lm::SelectOp>(op);
      select && select.getKept().isIdentity(lm::rowWidth(select.getInput().getType()))) {
    select.replaceAllUsesWith(select.getInput());
    return select.erase();
  }

  // What is computed per token is worth computing by parts only if the whole is then not needed,
  // and the parts are not more than it. Constant rows are computed once, by the compiler.
  Value whole = op->getResult(0);
  bool perToken = lm::isTokenRows(whole.getType());
  llvm::MapVector<lm::IndexListAttr, SmallVector<lm::SelectOp, 1>> readers;
  for (Operation *user : whole.getUsers()) {
    auto select = dyn_cast<lm::SelectOp>(user);
    if (select)
      readers[select.getKept()].push_back(select);
    else if (perToken)
      return;
  }
  int64_t width = lm::rowWidth(whole.getType()), parts = 0;
  for (auto &[kept, selects] : readers)
    parts += kept.size();
  if (readers.empty() || (perToken && parts > width))
    return;

  for (auto &[kept, selects] : readers) {
    Value part = Narrower(op).narrow(kept);
    if (!part)
      continue;
    for (lm::SelectOp select : selects) {
      select.replaceAllUsesWith(part);
      select.erase();
    }
  }
  if (!op->use_empty())
    return;
  if (auto linear = dyn_cast<lm::LinearOp>(op); linear && perToken) {
    rows += width - parts;
    int64_t rowBytes = weightBytes(linear.getWeight().getType()) / std::max<int64_t>(width, 1);
    bytes += (width - parts) * rowBytes;
  }
  op->erase();
}
