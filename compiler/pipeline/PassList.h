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
/// `observe`: what linears read is marked. `context`: positions of a session at most, 0 for any
/// number.
void addPackPasses(mlir::OpPassManager &pm, llvm::StringRef weights, llvm::StringRef kv,
                   int64_t context, bool masked = false, bool observe = false);
void addMemoryPasses(mlir::OpPassManager &pm, int64_t context);

/// Registers the phases as pipelines of coppice-opt: coppice-shrink, coppice-pack, coppice-memory.
void registerPipelines();

} // namespace coppice
