// pack-fuse-quantize: see PackPasses.td.
#include "compiler/passes/pack/PackPasses.h"

using namespace mlir;

namespace coppice {
#define GEN_PASS_DEF_FUSEQUANTIZE
#include "compiler/passes/pack/PackPasses.h.inc"

namespace {
struct FuseQuantize : impl::FuseQuantizeBase<FuseQuantize> {
  void runOnOperation() override {
    SmallVector<pack::QuantizeOp> all;
    getOperation().walk([&](pack::QuantizeOp op) { all.push_back(op); });
    for (pack::QuantizeOp quantize : all) {
      Operation *def = quantize.getInput().getDefiningOp();
      // Others that read the plain rows need them as they are.
      if (!quantize.getInput().hasOneUse() || !isa<pack::NormOp, pack::ActivationOp>(def))
        continue;
      def->getResult(0).setType(quantize.getType());
      quantize.replaceAllUsesWith(def->getResult(0));
      quantize.erase();
    }
  }
};
} // namespace
} // namespace coppice
