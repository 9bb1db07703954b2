// The only list of passes: what runs in each phase. A phase opens with a pass that verifies what
// the phase before owes it.
#pragma once
#include "compiler/import/Checkpoint.h"
#include "compiler/plan/Plan.h"
#include "mlir/Pass/PassManager.h"

namespace coppice {

/// `plan` may be null; `checkpoint` is scanned for exact zeros if not null. Both must outlive `pm`.
void addMaskPasses(mlir::OpPassManager &pm, const Plan *plan, const Checkpoint *checkpoint);
void addShrinkPasses(mlir::OpPassManager &pm);
/// `weights` and `kv` as CompileOptions says. `masked`: the graph comes with its masks, not shrunk.
/// `observe`: what linears read is marked.
void addPackPasses(mlir::OpPassManager &pm, llvm::StringRef weights, llvm::StringRef kv,
                   bool masked = false, bool observe = false);
void addMemoryPasses(mlir::OpPassManager &pm);

/// Registers the phases as pipelines of coppice-opt: coppice-shrink, coppice-pack, coppice-memory.
void registerPipelines();

} // namespace coppice
