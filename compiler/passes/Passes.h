// The passes on lm, one file each; Passes.td says what each does. Which run, and in which order, is
// said in compiler/pipeline only.
#pragma once
#include "compiler/import/Checkpoint.h"
#include "dialects/lm/LM.h"
#include "mlir/Pass/Pass.h"
#include <memory>

namespace coppice {

#define GEN_PASS_DECL
#include "compiler/passes/Passes.h.inc"

/// lm-find-dead with a checkpoint at hand, the one that was imported; it must outlive the pass.
std::unique_ptr<mlir::Pass> createFindDeadPass(const Checkpoint &checkpoint);

/// Registers the passes of this room and of compiler/plan, for tools that take them by name.
void registerPasses();

} // namespace coppice
