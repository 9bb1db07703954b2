// pack-verify-schedule: see PackPasses.td. Independent of how places and barriers were chosen: it
// looks at bytes alone.
#include "compiler/passes/pack/Accesses.h"
#include "compiler/passes/pack/PackPasses.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace coppice {
#define GEN_PASS_DEF_VERIFYSCHEDULE
#include "compiler/passes/pack/PackPasses.h.inc"

namespace {

std::string describe(const Access &access) {
  const char *space = access.space == Access::Space::Arena   ? "the arena"
                      : access.space == Access::Space::Cache ? "the cache"
                      : access.space == Access::Space::Ring  ? "the ring"
                                                             : "the logits";
  return llvm::formatv("bytes {0} to {1} of {2}", access.begin, access.end, space);
}

struct VerifySchedule : impl::VerifyScheduleBase<VerifySchedule> {
  void runOnOperation() override {
    for (auto step : getOperation().getOps<pack::StepOp>())
      if (failed(verify(step)))
        return signalPassFailure();
  }

  LogicalResult verify(pack::StepOp step) {
    if (!step.getArena() || !step.getKv())
      return step.emitOpError("has no memory plan: run pack-plan-memory before");
    SmallVector<std::pair<Operation *, Access>> open;
    for (Operation &op : step.getBody().front()) {
      SmallVector<Access> mine = accessesOf(&op);
      if (mine.empty())
        continue;
      if (failed(inside(step, &op, mine)) || failed(items(&op, mine)))
        return failure();
      if (!op.hasAttr(kPackJoined))
        open.clear();
      for (const Access &a : mine)
        for (auto &[other, b] : open)
          if ((a.write || b.write) && a.overlaps(b)) {
            InFlightDiagnostic error = op.emitOpError()
                                       << "needs a barrier before it: it "
                                       << (a.write ? "writes " : "reads ") << describe(a);
            error.attachNote(other->getLoc()) << "this stage since the last barrier "
                                              << (b.write ? "writes " : "reads ") << describe(b);
            return error;
          }
      for (const Access &a : mine)
        open.push_back({&op, a});
    }
    return success();
  }

  static LogicalResult inside(pack::StepOp step, Operation *op, ArrayRef<Access> accesses) {
    for (const Access &a : accesses) {
      int64_t size = a.space == Access::Space::Arena   ? *step.getArena()
                     : a.space == Access::Space::Cache ? *step.getKv()
                     : a.space == Access::Space::Ring  ? step.getRing().value_or(0)
                                                       : a.end;
      if (a.begin < 0 || a.end > size)
        return op->emitOpError() << (a.write ? "writes " : "reads ") << describe(a)
                                 << ", which has " << size;
    }
    return success();
  }

  /// What one item writes no other item of the stage may read or write: a read of written bytes is
  /// of the same item's part, or of none.
  static LogicalResult items(Operation *op, ArrayRef<Access> accesses) {
    for (const Access &write : accesses) {
      if (!write.write)
        continue;
      for (const Access &read : accesses)
        if (&read != &write && read.overlaps(write) &&
            (read.share == Access::Share::All || !read.sameBytes(write)))
          return op->emitOpError() << "writes " << describe(write)
                                   << " while other items of it read " << describe(read);
    }
    return success();
  }
};

} // namespace
} // namespace coppice
