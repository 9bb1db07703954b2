// The end of shrinking: nothing masked is left. Errors name the block, notes the likely culprit.
#include "compiler/passes/Passes.h"
#include "compiler/plan/BlockParts.h"

namespace coppice {
#define GEN_PASS_DEF_VERIFYUNMASKED
#include "compiler/passes/Passes.h.inc"
} // namespace coppice

using namespace mlir;
using namespace coppice;

namespace {

struct VerifyUnmaskedPass : coppice::impl::VerifyUnmaskedBase<VerifyUnmaskedPass> {
  void runOnOperation() override {
    getOperation().walk([&](Operation *op) {
      if (auto block = dyn_cast<lm::BlockOp>(op); block && block.getSkip())
        report(op) << "the block is skipped, and still there; run lm-remove-skipped-blocks";
      else if (auto mask = dyn_cast<lm::MaskOp>(op))
        checkMask(mask);
      else if (auto select = dyn_cast<lm::SelectOp>(op))
        checkSelect(select);
      else if (auto moe = dyn_cast<lm::MoeOp>(op); moe && moe.getDead())
        report(op) << moe.getDead()->size() << " dead experts are left; run lm-remove-dead-experts";
    });
  }

private:
  InFlightDiagnostic report(Operation *op);
  void checkMask(lm::MaskOp mask);
  void checkSelect(lm::SelectOp select);
};

} // namespace

InFlightDiagnostic VerifyUnmaskedPass::report(Operation *op) {
  signalPassFailure();
  auto block = op->getParentOfType<lm::BlockOp>();
  if (auto itself = dyn_cast<lm::BlockOp>(op))
    block = itself;
  return op->emitError() << (block ? describe(block) : "the graph outside the blocks") << ": ";
}

void VerifyUnmaskedPass::checkMask(lm::MaskOp mask) {
  InFlightDiagnostic error = report(mask);
  error << "a mask of " << mask.getDead().size() << " of " << lm::rowWidth(mask.getType())
        << " columns is left";
  for (Operation *reader : mask->getUsers()) {
    auto linear = dyn_cast<lm::LinearOp>(reader);
    if (linear && weightOf(linear))
      continue;
    error.attachNote(reader->getLoc())
        << "it is read by " << reader->getName()
        << ", which needs every column; only a linear over an lm.weight can do without";
    return;
  }
  error.attachNote() << "run lm-masks-to-selections";
}

void VerifyUnmaskedPass::checkSelect(lm::SelectOp select) {
  // A constant row is evaluated by the compiler, selections and all.
  if (lm::isConstantRow(select.getType()))
    return;
  InFlightDiagnostic error = report(select);
  error << "a selection of " << select.getKept().size() << " of "
        << lm::rowWidth(select.getInput().getType()) << " columns is left";
  Value input = select.getInput();
  Operation *source = input.getDefiningOp();
  if (!source) {
    error.attachNote() << "it selects from the residual, which other blocks read whole";
    return;
  }
  for (Operation *reader : input.getUsers())
    if (!isa<lm::SelectOp>(reader)) {
      error.attachNote(reader->getLoc())
          << "what it selects from is read whole by " << reader->getName();
      return;
    }
  if (isa<lm::RopeOp, lm::AttentionOp>(source))
    error.attachNote(source->getLoc()) << "it selects parts of heads from " << source->getName();
  else if (isa<lm::ObserveOp>(source))
    error.attachNote(source->getLoc())
        << "it selects from lm.observe, across which nothing moves; remove the mark";
  else
    error.attachNote(source->getLoc())
        << "it selects from " << source->getName() << "; run lm-propagate-selections";
}
