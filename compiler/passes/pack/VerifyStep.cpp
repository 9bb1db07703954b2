// pack-verify-step: see PackPasses.td.
#include "compiler/passes/pack/PackPasses.h"

using namespace mlir;

namespace coppice {
#define GEN_PASS_DEF_VERIFYSTEP
#include "compiler/passes/pack/PackPasses.h.inc"

namespace {
struct VerifyStep : impl::VerifyStepBase<VerifyStep> {
  void runOnOperation() override {
    if (failed(verify()))
      signalPassFailure();
  }

  LogicalResult verify() {
    auto steps = getOperation().getOps<pack::StepOp>();
    if (!llvm::hasSingleElement(steps))
      return getOperation().emitError()
             << "must hold one pack.step, not " << std::distance(steps.begin(), steps.end())
             << ": run lm-to-pack on one function before";
    for (Operation &op : *getOperation().getBody())
      if (isa<func::FuncOp>(op))
        return op.emitError("is still a function beside the step: run lm-to-pack before");
    pack::RouteOp first;
    for (auto route : (*steps.begin()).getBody().getOps<pack::RouteOp>()) {
      first = first ? first : route;
      if (route.getType().getPicks() != first.getType().getPicks())
        return route.emitOpError()
               << "picks " << route.getType().getPicks() << " experts for each row, and another "
               << first.getType().getPicks() << ": all of a step must pick as many";
    }
    auto ret = cast<pack::ReturnOp>((*steps.begin()).getBody().front().getTerminator());
    Value logits = ret.getLogits();
    if (auto cap = logits.getDefiningOp<pack::SoftcapOp>(); cap && logits.hasOneUse())
      logits = cap.getInput();
    auto head = logits.getDefiningOp<pack::LinearOp>();
    if (!head || !head.getResult().hasOneUse() || head.getResidual())
      return ret.emitOpError("must return the result of a linear without residual, perhaps capped, "
                             "that nothing else reads: its kernel writes the logits for the "
                             "caller");
    return success();
  }
};
} // namespace
} // namespace coppice
