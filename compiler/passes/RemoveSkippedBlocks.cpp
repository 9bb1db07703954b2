// Takes out the blocks that a plan cuts as a whole.
#include "compiler/passes/Passes.h"
#include "compiler/passes/Rewrites.h"

namespace coppice {
#define GEN_PASS_DEF_REMOVESKIPPEDBLOCKS
#include "compiler/passes/Passes.h.inc"
} // namespace coppice

using namespace mlir;
using namespace coppice;

namespace {

struct RemoveSkippedBlocksPass : coppice::impl::RemoveSkippedBlocksBase<RemoveSkippedBlocksPass> {
  using RemoveSkippedBlocksBase::RemoveSkippedBlocksBase;
  void runOnOperation() override {
    int64_t bytes = 0;
    SmallVector<lm::BlockOp> skipped;
    getOperation().walk([&](lm::BlockOp block) {
      if (block.getSkip())
        skipped.push_back(block);
    });
    for (lm::BlockOp block : skipped) {
      block.walk([&](lm::WeightOp weight) { bytes += weightBytes(weight.getType()); });
      block.replaceAllUsesWith(block.getInput());
      block.erase();
    }
    if (report)
      remarkCounts(getOperation(), getArgument(),
                   {{"blocks", int64_t(skipped.size())}, {"bytes", bytes}});
  }
};

} // namespace
