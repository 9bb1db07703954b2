// Checks a plan against the model and inserts its masks.
//
// Works in two steps: the first resolves every cut to columns of one value and finds every error,
// the second changes the graph and cannot fail.
#include "compiler/plan/ApplyPlan.h"
#include "compiler/plan/BlockParts.h"
#include "llvm/ADT/BitVector.h"
#include <map>

namespace coppice {
#define GEN_PASS_DEF_APPLYPLAN
#include "compiler/plan/PlanPasses.h.inc"
} // namespace coppice

using namespace mlir;
using namespace coppice;
using llvm::Error;
using llvm::Expected;

namespace {

struct LayerBlocks {
  lm::BlockOp attention, ffn;
};

/// One change, found sound.
struct Change {
  enum Kind { Skip, Heads, Neurons, Experts } kind;
  lm::BlockOp block;         // Skip
  Operation *op = nullptr;   // Heads: the attention; Neurons: the down linear; Experts: the lm.moe
  SmallVector<int32_t> dead; // columns, or experts
};

class PlanChecker {
public:
  PlanChecker(ModuleOp module, const Plan &plan) : module(module), plan(plan) {}
  Error check();
  SmallVector<Change> changes;

private:
  Error checkCut(const LayerCut &cut);
  Error skip(const LayerCut &cut, lm::BlockOp block, lm::BlockKind kind);
  Error maskHeads(const LayerCut &cut, lm::BlockOp block);
  Error maskNeurons(const LayerCut &cut, lm::BlockOp block);
  Error maskExperts(const LayerCut &cut, lm::BlockOp block);
  Expected<SmallVector<int32_t>> resolve(const LayerCut &cut, const PlanRanges &ranges,
                                         StringRef key, StringRef one, int64_t extent);

  Error fault(const LayerCut &cut, const Twine &path, const Twine &what) {
    return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                   Twine(plan.fileName) + ": remove[" + Twine(cut.entry) + "]" +
                                       path + ": layer " + Twine(cut.layer) + ": " + what);
  }

  ModuleOp module;
  const Plan &plan;
  std::map<int32_t, LayerBlocks> layers;
};

} // namespace

Error PlanChecker::check() {
  auto modelType = module->getAttrOfType<StringAttr>("lm.model_type");
  if (!modelType || modelType.getValue() != plan.modelType)
    return llvm::createStringError(
        llvm::inconvertibleErrorCode(),
        Twine(plan.fileName) + ": model_type: is \"" + plan.modelType + "\", but the model is " +
            (modelType ? "\"" + modelType.getValue() + "\"" : Twine("of no stated type")) +
            "; take the plan that was made for this model");
  module.walk([&](lm::BlockOp block) {
    LayerBlocks &layer = layers[block.getLayer()];
    (block.getKind() == lm::BlockKind::Attention ? layer.attention : layer.ffn) = block;
  });
  for (const LayerCut &cut : plan.cuts)
    if (Error error = checkCut(cut))
      return error;
  return Error::success();
}

Error PlanChecker::checkCut(const LayerCut &cut) {
  auto found = layers.find(cut.layer);
  if (found == layers.end()) {
    if (layers.empty())
      return fault(cut, ".layer", "is out of range, the model has no layers");
    return fault(cut, ".layer",
                 "is out of range, the model has layers " + Twine(layers.begin()->first) + " to " +
                     Twine(layers.rbegin()->first));
  }
  auto [attention, ffn] = found->second;
  if (cut.whole || cut.attention)
    if (Error error = skip(cut, attention, lm::BlockKind::Attention))
      return error;
  if (cut.whole || cut.ffn)
    if (Error error = skip(cut, ffn, lm::BlockKind::Ffn))
      return error;
  if (Error error = maskHeads(cut, attention))
    return error;
  if (Error error = maskNeurons(cut, ffn))
    return error;
  return maskExperts(cut, ffn);
}

Error PlanChecker::skip(const LayerCut &cut, lm::BlockOp block, lm::BlockKind kind) {
  StringRef key = cut.whole ? "whole" : lm::stringifyBlockKind(kind);
  if (!block)
    return fault(cut, "." + key,
                 "has no " + lm::stringifyBlockKind(kind) +
                     " block in the graph; apply plans before passes");
  changes.push_back({Change::Skip, block, nullptr, {}});
  return Error::success();
}

Expected<SmallVector<int32_t>> PlanChecker::resolve(const LayerCut &cut, const PlanRanges &ranges,
                                                    StringRef key, StringRef one, int64_t extent) {
  // No allocation before the range is known to lie inside the model.
  llvm::BitVector dead(extent);
  for (const PlanRange &range : ranges) {
    std::string path = ("." + key + "[" + Twine(range.position) + "]").str();
    if (range.last >= extent)
      return fault(cut, path,
                   one + " " + Twine(range.last) + " is out of range, the layer has " +
                       Twine(extent) + " (0 to " + Twine(extent - 1) + ")");
    dead.set(range.first, range.last + 1);
  }
  SmallVector<int32_t> list;
  for (unsigned index : dead.set_bits())
    list.push_back(index);
  return list;
}

Error PlanChecker::maskHeads(const LayerCut &cut, lm::BlockOp block) {
  if (cut.heads.empty())
    return Error::success();
  if (!block)
    return fault(cut, ".heads", "has no attention block in the graph; apply plans before passes");
  if (isEmpty(block))
    return fault(cut, ".heads", "has no heads in this checkpoint; leave the key out");
  Expected<AttentionParts> parts = findAttentionParts(block);
  if (!parts)
    return fault(cut, ".heads", describe(block) + " " + llvm::toString(parts.takeError()));
  auto heads = resolve(cut, cut.heads, "heads", "head", parts->attention.getNumHeads());
  if (!heads)
    return heads.takeError();
  int32_t headDim = parts->attention.getHeadDim();
  SmallVector<int32_t> columns;
  for (int32_t head : *heads)
    for (int32_t column = 0; column < headDim; ++column)
      columns.push_back(head * headDim + column);
  changes.push_back({Change::Heads, block, parts->attention, std::move(columns)});
  return Error::success();
}

Error PlanChecker::maskNeurons(const LayerCut &cut, lm::BlockOp block) {
  if (cut.neurons.empty())
    return Error::success();
  if (!block)
    return fault(cut, ".neurons", "has no ffn block in the graph; apply plans before passes");
  if (lm::MoeOp moe = findExperts(block))
    return fault(cut, ".neurons",
                 "has " + Twine(moe.getExperts().size()) +
                     " experts, whose neurons a plan of version 1 cannot name; list \"experts\"");
  if (isEmpty(block))
    return fault(cut, ".neurons", "has no neurons in this checkpoint; leave the key out");
  Expected<FfnParts> parts = findFfnParts(block);
  if (!parts)
    return fault(cut, ".neurons", describe(block) + " " + llvm::toString(parts.takeError()));
  auto neurons = resolve(cut, cut.neurons, "neurons", "neuron",
                         lm::rowWidth(parts->down.getInput().getType()));
  if (!neurons)
    return neurons.takeError();
  changes.push_back({Change::Neurons, block, parts->down, std::move(*neurons)});
  return Error::success();
}

Error PlanChecker::maskExperts(const LayerCut &cut, lm::BlockOp block) {
  if (cut.experts.empty())
    return Error::success();
  lm::MoeOp moe = block ? findExperts(block) : lm::MoeOp();
  if (!moe)
    return fault(cut, ".experts", "has no experts; list \"neurons\", or leave the key out");
  int64_t extent = moe.getExperts().size();
  auto experts = resolve(cut, cut.experts, "experts", "expert", extent);
  if (!experts)
    return experts.takeError();
  int64_t left = extent - experts->size(), picked = int32_t(moe.getTopK());
  if (left < picked)
    return fault(cut, ".experts",
                 "leaves " + Twine(left) + " of " + Twine(extent) +
                     " experts, but the router picks " + Twine(picked) + "; keep at least as many");
  changes.push_back({Change::Experts, block, moe, std::move(*experts)});
  return Error::success();
}

static void apply(const Change &change) {
  MLIRContext *context = lm::BlockOp(change.block)->getContext();
  auto dead = lm::IndexListAttr::get(context, change.dead);
  OpBuilder builder(context);
  switch (change.kind) {
  case Change::Skip:
    lm::BlockOp(change.block).setSkip(true);
    return;
  case Change::Heads: {
    Value heads = change.op->getResult(0);
    builder.setInsertionPointAfter(change.op);
    Value mask = builder.create<lm::MaskOp>(change.op->getLoc(), heads, dead);
    heads.replaceAllUsesExcept(mask, mask.getDefiningOp());
    return;
  }
  case Change::Neurons: {
    auto down = cast<lm::LinearOp>(change.op);
    builder.setInsertionPoint(down);
    down.getInputMutable().assign(
        builder.create<lm::MaskOp>(down.getLoc(), down.getInput(), dead).getResult());
    return;
  }
  case Change::Experts:
    cast<lm::MoeOp>(change.op).setDeadAttr(dead);
    return;
  }
}

Error coppice::applyPlan(ModuleOp module, const Plan &plan) {
  PlanChecker checker(module, plan);
  if (Error error = checker.check())
    return error;
  for (const Change &change : checker.changes)
    apply(change);
  return Error::success();
}

namespace {

struct ApplyPlanPass : coppice::impl::ApplyPlanBase<ApplyPlanPass> {
  using ApplyPlanBase::ApplyPlanBase;
  ApplyPlanPass() = default;
  explicit ApplyPlanPass(const Plan &given) : given(&given) {}

  void runOnOperation() override {
    if (given)
      return run(*given);
    if (plan.empty()) {
      emitError(getOperation().getLoc(), "lm-apply-plan: has no plan; give it as plan=FILE");
      return signalPassFailure();
    }
    Expected<Plan> read = readPlan(plan);
    if (!read)
      return fail(read.takeError());
    run(*read);
  }

private:
  void run(const Plan &toApply) {
    if (Error error = applyPlan(getOperation(), toApply))
      return fail(std::move(error));
    if (report)
      remark();
  }

  void remark() {
    int64_t heads = 0, neurons = 0, experts = 0, blocks = 0;
    getOperation().walk([&](Operation *op) {
      if (auto mask = dyn_cast<lm::MaskOp>(op)) {
        auto attention = mask.getInput().getDefiningOp<lm::AttentionOp>();
        int64_t dead = mask.getDead().size();
        (attention ? heads : neurons) += attention ? dead / attention.getHeadDim() : dead;
      } else if (auto moe = dyn_cast<lm::MoeOp>(op)) {
        experts += moe.getDead() ? moe.getDead()->size() : 0;
      } else if (auto block = dyn_cast<lm::BlockOp>(op)) {
        blocks += block.getSkip();
      }
    });
    emitRemark(getOperation().getLoc())
        << getArgument() << ": heads " << heads << ", neurons " << neurons << ", experts "
        << experts << ", blocks " << blocks;
  }

  void fail(Error error) {
    emitError(getOperation().getLoc(), llvm::toString(std::move(error)));
    signalPassFailure();
  }

  const Plan *given = nullptr;
};

} // namespace

std::unique_ptr<Pass> coppice::createApplyPlanPass(const Plan &plan) {
  return std::make_unique<ApplyPlanPass>(plan);
}
