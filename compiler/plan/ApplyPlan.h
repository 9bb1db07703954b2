// Applies a plan to an imported graph, as masks. Removing what is masked belongs to
// compiler/passes.
#pragma once
#include "compiler/plan/Plan.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include <memory>

namespace coppice {

/// Checks `plan` against the model and masks what it names: heads after lm.attention, neurons
/// before the down projection, experts in lm.moe; whole blocks are marked `skip`. Everything is
/// checked before anything changes, so that a module with an error is as it was. Errors read as
/// parsePlan's.
llvm::Error applyPlan(mlir::ModuleOp module, const Plan &plan);

/// lm-apply-plan with a plan at hand; `plan` must outlive the pass.
std::unique_ptr<mlir::Pass> createApplyPlanPass(const Plan &plan);

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "compiler/plan/PlanPasses.h.inc"

} // namespace coppice
