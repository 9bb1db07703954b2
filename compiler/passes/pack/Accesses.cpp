// See Accesses.h. The shares follow from the kernels' items (compiler/codegen/KernelArgs.h).
#include "compiler/passes/pack/Accesses.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace coppice {
namespace {

using Share = Access::Share;

/// The share that the stage's items have in what they read of `operand`.
Share shareOf(Operation *stage, Value operand) {
  return TypeSwitch<Operation *, Share>(stage)
      // An item makes a panel of columns out of all columns, and adds the residual's same columns.
      .Case([&](pack::LinearOp op) {
        return operand == op.getResidual() && operand != op.getInput() ? Share::Item : Share::All;
      })
      // An item's positions are those of its session, which other rows of the step write.
      .Case(
          [&](pack::AttentionOp op) { return operand == op.getQuery() ? Share::Item : Share::All; })
      // A routed row may come from any row, and a row from any routed ones.
      .Case<pack::GroupOp, pack::DispatchOp, pack::ExpertLinearOp>([](auto) { return Share::All; })
      .Case([&](pack::CombineOp op) {
        return operand == op.getInput() || operand == op.getGroups() ? Share::All : Share::Item;
      })
      // Rows of the logits set come from other rows.
      .Case([](pack::GatherOp) { return Share::All; })
      .Default([](Operation *) { return Share::Item; });
}

std::optional<Access> access(Value value, bool write, Share share) {
  auto place = value.getDefiningOp()->getAttrOfType<IntegerAttr>("place");
  if (auto cache = dyn_cast<pack::CacheType>(value.getType()))
    return Access{value.getDefiningOp<pack::KvWriteOp>().getRing() ? Access::Space::Ring
                                                                   : Access::Space::Cache,
                  place.getInt(), place.getInt() + cache.bytesPerPosition(), write, share};
  int64_t bytes = pack::arenaBytesOf(value);
  if (bytes < 0)
    return std::nullopt; // a weight
  if (!place)            // the logits, which lie where the caller wants them
    return Access{Access::Space::Logits, 0, bytes, write, share};
  return Access{Access::Space::Arena, place.getInt(), place.getInt() + bytes, write, share};
}

} // namespace

SmallVector<Access> accessesOf(Operation *stage) {
  SmallVector<Access> all;
  if (isa<pack::WeightOp, pack::ConstantOp, pack::ReturnOp>(stage) || !stage->getNumResults())
    return all;
  for (Value operand : stage->getOperands())
    if (auto read = access(operand, false, shareOf(stage, operand)))
      all.push_back(*read);
  if (auto write = access(stage->getResult(0), true, Share::Item))
    all.push_back(*write);
  return all;
}

} // namespace coppice
