// pack-place-barriers: see PackPasses.td.
#include "compiler/passes/pack/Accesses.h"
#include "compiler/passes/pack/PackPasses.h"

using namespace mlir;

namespace coppice {
#define GEN_PASS_DEF_PLACEBARRIERS
#include "compiler/passes/pack/PackPasses.h.inc"

namespace {
struct PlaceBarriers : impl::PlaceBarriersBase<PlaceBarriers> {
  void runOnOperation() override {
    for (auto step : getOperation().getOps<pack::StepOp>()) {
      SmallVector<Access> open; // of the stages since the last barrier
      for (Operation &op : step.getBody().front()) {
        op.removeAttr(kPackJoined);
        SmallVector<Access> mine = accessesOf(&op);
        if (mine.empty())
          continue;
        bool conflict = llvm::any_of(mine, [&](const Access &a) {
          return llvm::any_of(
              open, [&](const Access &b) { return (a.write || b.write) && a.overlaps(b); });
        });
        if (conflict || open.empty())
          open.clear();
        else
          op.setAttr(kPackJoined, UnitAttr::get(&getContext()));
        llvm::append_range(open, mine);
      }
    }
  }
};
} // namespace
} // namespace coppice
