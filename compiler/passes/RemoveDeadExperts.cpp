// Takes out the experts that a plan cuts.
#include "compiler/passes/Passes.h"
#include "compiler/passes/Rewrites.h"

namespace coppice {
#define GEN_PASS_DEF_REMOVEDEADEXPERTS
#include "compiler/passes/Passes.h.inc"
} // namespace coppice

using namespace mlir;
using namespace coppice;

namespace {

struct RemoveDeadExpertsPass : coppice::impl::RemoveDeadExpertsBase<RemoveDeadExpertsPass> {
  using RemoveDeadExpertsBase::RemoveDeadExpertsBase;
  void runOnOperation() override {
    experts = bytes = 0;
    SmallVector<lm::MoeOp> found;
    getOperation().walk([&](lm::MoeOp moe) {
      if (moe.getDead())
        found.push_back(moe);
    });
    for (lm::MoeOp moe : found)
      rewrite(moe);
    if (report)
      remarkCounts(getOperation(), getArgument(), {{"experts", experts}, {"bytes", bytes}});
  }

private:
  void rewrite(lm::MoeOp moe);

  int64_t experts = 0, bytes = 0;
};

} // namespace

void RemoveDeadExpertsPass::rewrite(lm::MoeOp moe) {
  lm::IndexListAttr dead = *moe.getDead();
  lm::IndexListAttr alive = dead.complement(int32_t(moe.getExperts().size()));
  experts += dead.size();
  for (int32_t e : dead.getIndices())
    moe.getExperts()[e].walk([&](lm::WeightOp weight) { bytes += weightBytes(weight.getType()); });

  OpBuilder builder(moe);
  Value scores = selectColumns(builder, moe.getLoc(), moe.getScores(), alive);
  auto smaller = builder.create<lm::MoeOp>(moe.getLoc(), moe.getType(), moe.getInput(), scores,
                                           moe.getTopKAttr(), moe.getNormalizeAttr(),
                                           lm::IndexListAttr(), alive.size());
  for (auto [to, from] : llvm::enumerate(alive.getIndices()))
    smaller.getExperts()[to].takeBody(moe.getExperts()[from]);
  moe.replaceAllUsesWith(smaller.getResult());
  moe.erase();
}
