// lm-inline-blocks: see PackPasses.td.
#include "compiler/passes/pack/PackPasses.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;

namespace coppice {
#define GEN_PASS_DEF_INLINEBLOCKS
#include "compiler/passes/pack/PackPasses.h.inc"

namespace {
struct InlineBlocks : impl::InlineBlocksBase<InlineBlocks> {
  void runOnOperation() override {
    SmallVector<lm::BlockOp> blocks;
    getOperation().walk([&](lm::BlockOp block) { blocks.push_back(block); });
    IRRewriter rewriter(&getContext());
    for (lm::BlockOp block : blocks) {
      if (block.getSkip()) {
        rewriter.replaceOp(block, block.getInput());
        continue;
      }
      Block &body = block.getBody().front();
      for (Operation &op : body.without_terminator())
        op.setAttr(kLmLayer, block.getLayerAttr());
      auto yield = cast<lm::YieldOp>(body.getTerminator());
      Value result = yield.getValue();
      if (result == body.getArgument(0))
        result = block.getInput();
      rewriter.eraseOp(yield);
      rewriter.inlineBlockBefore(&body, block, block.getInput());
      rewriter.replaceOp(block, result);
    }
  }
};
} // namespace
} // namespace coppice
