// lm-observe-inputs: see Passes.td.
#include "compiler/passes/Passes.h"

namespace coppice {
#define GEN_PASS_DEF_OBSERVEINPUTS
#include "compiler/passes/Passes.h.inc"
} // namespace coppice

using namespace mlir;
using namespace coppice;

namespace {

struct ObserveInputsPass : coppice::impl::ObserveInputsBase<ObserveInputsPass> {
  void runOnOperation() override {
    SmallVector<lm::LinearOp> linears;
    getOperation().walk([&](lm::LinearOp op) {
      if (lm::isTokenRows(op.getType()))
        linears.push_back(op);
    });
    for (lm::LinearOp linear : linears)
      if (failed(observe(linear)))
        return signalPassFailure();
  }

private:
  static LogicalResult observe(lm::LinearOp linear) {
    auto weight = linear.getWeight().getDefiningOp<lm::WeightOp>();
    if (!weight)
      return linear.emitOpError("multiplies with what is no tensor of the checkpoint: its input "
                                "has no name to be observed under");
    if (weight.getCols())
      return linear.emitOpError()
             << "reads " << lm::rowWidth(linear.getInput().getType()) << " columns by a list of '"
             << weight.getTensor()
             << "': inputs are observed in the checkpoint's own columns; run lm-observe-inputs "
                "before masks are removed";
    auto before = linear.getInput().getDefiningOp<lm::ObserveOp>();
    if (before && before.getName() == weight.getTensor())
      return success();
    OpBuilder builder(linear);
    auto mark = builder.create<lm::ObserveOp>(linear.getLoc(), linear.getInput().getType(),
                                              linear.getInput(), weight.getTensor());
    mark->setDiscardableAttrs(linear->getDiscardableAttrDictionary()); // of the same layer
    linear.getInputMutable().assign(mark);
    return success();
  }
};

} // namespace
