// KV heads that no query head reads leave the attention, and with it the cache.
#include "compiler/passes/Passes.h"
#include "compiler/passes/Rewrites.h"
#include "llvm/ADT/BitVector.h"

namespace coppice {
#define GEN_PASS_DEF_REMOVEDEADKVHEADS
#include "compiler/passes/Passes.h.inc"
} // namespace coppice

using namespace mlir;
using namespace coppice;

namespace {

struct RemoveDeadKvHeadsPass : coppice::impl::RemoveDeadKvHeadsBase<RemoveDeadKvHeadsPass> {
  using RemoveDeadKvHeadsBase::RemoveDeadKvHeadsBase;
  void runOnOperation() override {
    kvHeads = 0;
    getOperation().walk([&](lm::AttentionOp attention) { rewrite(attention); });
    if (report)
      remarkCounts(getOperation(), getArgument(), {{"KV heads", kvHeads}});
  }

private:
  void rewrite(lm::AttentionOp attention);

  int64_t kvHeads = 0;
};

} // namespace

void RemoveDeadKvHeadsPass::rewrite(lm::AttentionOp attention) {
  llvm::BitVector read(attention.getNumKvHeads());
  for (int32_t kvHead : attention.getKvMap())
    read.set(kvHead);
  if (read.all())
    return;
  // Where something else reads all the keys, a selection of them only adds work.
  if (!attention.getKey().hasOneUse() || !attention.getValue().hasOneUse())
    return;
  kvHeads += read.size() - read.count();

  SmallVector<int32_t> kept;
  SmallVector<int32_t> renumbered(read.size(), -1);
  for (unsigned kvHead : read.set_bits()) {
    renumbered[kvHead] = kept.size();
    kept.push_back(kvHead);
  }
  SmallVector<int32_t> kvMap;
  for (int32_t kvHead : attention.getKvMap())
    kvMap.push_back(renumbered[kvHead]);

  OpBuilder builder(attention);
  auto columns = columnsOfHeads(&getContext(), kept, attention.getHeadDim());
  Location loc = attention.getLoc();
  attention.getKeyMutable().assign(selectColumns(builder, loc, attention.getKey(), columns));
  attention.getValueMutable().assign(selectColumns(builder, loc, attention.getValue(), columns));
  attention.setKvMap(kvMap);
}
