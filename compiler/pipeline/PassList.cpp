// See PassList.h.
#include "compiler/pipeline/PassList.h"
#include "compiler/passes/Passes.h"
#include "compiler/passes/pack/PackPasses.h"
#include "compiler/plan/ApplyPlan.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace coppice {

void addMaskPasses(OpPassManager &pm, const Plan *plan, const Checkpoint *checkpoint) {
  pm.addPass(createVerifyImported());
  if (plan)
    pm.addPass(createApplyPlanPass(*plan));
  if (checkpoint)
    pm.addPass(createFindDeadPass(*checkpoint));
}

void addShrinkPasses(OpPassManager &pm) {
  pm.addPass(createVerifyImported({/*masked=*/true}));
  pm.addPass(createRemoveSkippedBlocks());
  pm.addPass(createMasksToSelections());
  pm.addPass(createRemoveDeadExperts());
  pm.addPass(createPropagateSelections());
  // Dead KV heads become selections of keys and values, which move up in their turn.
  pm.addPass(createRemoveDeadKvHeads());
  pm.addPass(createPropagateSelections());
  pm.addPass(createFoldConstants());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createSymbolDCEPass());
}

void addPackPasses(OpPassManager &pm, StringRef weights, StringRef kv, int64_t context, bool masked,
                   bool observe) {
  if (!masked)
    pm.addPass(createVerifyUnmasked());
  pm.addPass(createInlineBlocks());
  // Equal reads of a tensor become one value: a tied weight is packed once.
  pm.addPass(createCSEPass());
  pm.addPass(createCanonicalizerPass());
  if (observe)
    pm.addPass(createObserveInputs());
  pm.addPass(createLmToPack({kv.str(), context}));
  pm.addPass(createChooseFormats({weights.str()}));
  pm.addPass(createFuseQuantize());
  pm.addPass(createSymbolDCEPass());
}

void addMemoryPasses(OpPassManager &pm, int64_t context) {
  pm.addPass(createVerifyStep());
  pm.addPass(createCSEPass());
  PlanMemoryOptions plan;
  plan.context = context;
  pm.addPass(createPlanMemory(plan));
  pm.addPass(createPlaceBarriers());
  pm.addPass(createVerifySchedule());
}

void registerPipelines() {
  static PassPipelineRegistration<> shrink("coppice-shrink", "the phase shrink", addShrinkPasses);
  static PassPipelineRegistration<> pack(
      "coppice-pack", "the phase pack, weights as stored, cache as f32",
      [](OpPassManager &pm) { addPackPasses(pm, "stored", "f32", /*context=*/0); });
  static PassPipelineRegistration<> memory(
      "coppice-memory", "the phase memory",
      [](OpPassManager &pm) { addMemoryPasses(pm, /*context=*/0); });
}

} // namespace coppice
