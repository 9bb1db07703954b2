// What removal leaves constant goes into a bias.
//
// A constant row on the residual moves to the linear before it if nothing reads the value between.
// "Nothing reads between" is: every value on the way has one use. A bias is made of the constant's
// expression cloned to where the linear stands; it reads weights only, so it can stand anywhere.
#include "compiler/passes/Passes.h"
#include "compiler/passes/Rewrites.h"
#include "mlir/IR/IRMapping.h"

namespace coppice {
#define GEN_PASS_DEF_FOLDCONSTANTS
#include "compiler/passes/Passes.h.inc"
} // namespace coppice

using namespace mlir;
using namespace coppice;

namespace {

struct FoldConstantsPass : coppice::impl::FoldConstantsBase<FoldConstantsPass> {
  using FoldConstantsBase::FoldConstantsBase;
  void runOnOperation() override;

private:
  bool dropEmptyLinear(lm::AddOp add);
  bool moveConstant(lm::AddOp add);
  bool addBefore(Value value, Value constant);

  int64_t constants = 0, blocks = 0;
};

} // namespace

static Value sumOf(OpBuilder &builder, Location loc, Value lhs, Value rhs) {
  return builder.create<lm::AddOp>(
      loc, lm::constantRowType(builder.getContext(), lm::rowWidth(lhs.getType())), lhs, rhs);
}

/// A copy of a constant row's expression at the builder's place.
static Value cloneExpression(OpBuilder &builder, Value constant, IRMapping &copies) {
  if (Value copy = copies.lookupOrNull(constant))
    return copy;
  Operation *op = constant.getDefiningOp();
  for (Value operand : op->getOperands())
    cloneExpression(builder, operand, copies);
  Operation *copy = builder.clone(*op, copies);
  copies.map(constant, copy->getResult(0));
  return copy->getResult(0);
}

/// True if an expression is made of ops on weights alone, and can be cloned.
static bool isExpression(Value constant) {
  Operation *op = constant.getDefiningOp();
  return isa_and_nonnull<lm::WeightOp, lm::LinearOp, lm::AddOp, lm::MulOp, lm::ActivationOp,
                         lm::SelectOp, lm::SplatOp, lm::SoftcapOp, lm::RmsNormOp, lm::LayerNormOp>(
             op) &&
         llvm::all_of(op->getOperands(), isExpression);
}

/// Adds `constant` to `value`, which has one reader, where `value` is made. False, and nothing
/// changed, if something on the way wants the sum without it, or cannot take a constant.
bool FoldConstantsPass::addBefore(Value value, Value constant) {
  if (!value.hasOneUse())
    return false;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto block = dyn_cast<lm::BlockOp>(argument.getOwner()->getParentOp());
    return block && !block.getSkip() && addBefore(block.getInput(), constant);
  }
  Operation *op = value.getDefiningOp();
  OpBuilder builder(op);
  IRMapping copies;
  auto plus = [&](Value other) {
    return sumOf(builder, op->getLoc(), other, cloneExpression(builder, constant, copies));
  };
  if (auto linear = dyn_cast<lm::LinearOp>(op)) {
    Value bias =
        linear.getBias() ? plus(linear.getBias()) : cloneExpression(builder, constant, copies);
    linear.getBiasMutable().assign(bias);
    return true;
  }
  if (auto add = dyn_cast<lm::AddOp>(op)) {
    for (OpOperand &operand : add->getOpOperands())
      if (lm::isConstantRow(operand.get().getType())) {
        operand.set(plus(operand.get()));
        return true;
      }
    // The branch is on the right of the residual in imported graphs: the nearest bias first.
    return addBefore(add.getRhs(), constant) || addBefore(add.getLhs(), constant);
  }
  if (auto block = dyn_cast<lm::BlockOp>(op)) {
    if (block.getSkip())
      return addBefore(block.getInput(), constant);
    return addBefore(block.getBody().front().getTerminator()->getOperand(0), constant);
  }
  return false;
}

/// True if every token has the same row: that of a linear without columns, or a norm of it.
static bool isSameForAll(Value value) {
  if (!lm::isTokenRows(value.getType()))
    return false;
  if (auto linear = value.getDefiningOp<lm::LinearOp>())
    return lm::rowWidth(linear.getInput().getType()) == 0;
  // Without eps a row of zeros has no norm.
  if (auto norm = value.getDefiningOp<lm::RmsNormOp>())
    return !norm.getEps().isZero() && isSameForAll(norm.getInput());
  if (auto norm = value.getDefiningOp<lm::LayerNormOp>())
    return !norm.getEps().isZero() && isSameForAll(norm.getInput());
  return false;
}

/// That row as a constant row before `value`; null if it is zero.
static Value rowOfAll(Value value) {
  Operation *op = value.getDefiningOp();
  // A linear without columns is its bias.
  if (auto linear = dyn_cast<lm::LinearOp>(op))
    return linear.getBias();
  Value inner = rowOfAll(op->getOperand(0));
  if (!inner)
    return isa<lm::LayerNormOp>(op) ? cast<lm::LayerNormOp>(op).getBias() : Value();
  OpBuilder builder(op);
  IRMapping inputs;
  inputs.map(op->getOperand(0), inner);
  Operation *constant = builder.clone(*op, inputs);
  constant->getResult(0).setType(
      lm::constantRowType(builder.getContext(), lm::rowWidth(value.getType())));
  return constant->getResult(0);
}

/// x + a row that is the same for all tokens is x + a constant row.
bool FoldConstantsPass::dropEmptyLinear(lm::AddOp add) {
  for (bool left : {true, false}) {
    Value empty = left ? add.getLhs() : add.getRhs();
    Value other = left ? add.getRhs() : add.getLhs();
    // A sum of two constants would lose its tokens: moveConstant joins them in the linear's bias.
    if (!isSameForAll(empty) || !lm::isTokenRows(other.getType()))
      continue;
    if (Value constant = rowOfAll(empty)) {
      add.getLhsMutable().assign(other);
      add.getRhsMutable().assign(constant);
    } else {
      add.replaceAllUsesWith(other);
      add.erase();
    }
    return true;
  }
  return false;
}

/// x + constant is x with the constant in a bias before it.
bool FoldConstantsPass::moveConstant(lm::AddOp add) {
  bool left = lm::isConstantRow(add.getLhs().getType());
  Value constant = left ? add.getLhs() : add.getRhs();
  Value other = left ? add.getRhs() : add.getLhs();
  if (!lm::isConstantRow(constant.getType()) || !lm::isTokenRows(other.getType()) ||
      !isExpression(constant) || !addBefore(other, constant))
    return false;
  ++constants;
  add.replaceAllUsesWith(other);
  add.erase();
  return true;
}

/// A block that yields its argument is its input.
static bool isPassThrough(lm::BlockOp block) {
  Block &body = block.getBody().front();
  return body.getTerminator()->getOperand(0) == body.getArgument(0);
}

void FoldConstantsPass::runOnOperation() {
  constants = blocks = 0;
  bool changed = true;
  while (changed) {
    changed = false;
    // What read the value only to compute something dead does not read it.
    eraseDead(getOperation());
    SmallVector<lm::AddOp> adds;
    SmallVector<lm::BlockOp> passing;
    getOperation().walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (auto block = dyn_cast<lm::BlockOp>(op); block && block.getSkip())
        return WalkResult::skip();
      if (auto add = dyn_cast<lm::AddOp>(op))
        adds.push_back(add);
      return WalkResult::advance();
    });
    for (lm::AddOp add : adds)
      changed |= dropEmptyLinear(add) || moveConstant(add);
    getOperation().walk([&](lm::BlockOp block) {
      if (!block.getSkip() && isPassThrough(block))
        passing.push_back(block);
    });
    for (lm::BlockOp block : passing) {
      block.replaceAllUsesWith(block.getInput());
      block.erase();
      ++blocks;
      changed = true;
    }
  }
  if (report)
    remarkCounts(getOperation(), getArgument(), {{"constants", constants}, {"blocks", blocks}});
}
