// From a planned pack.step to the stage list, the weight list and the memory plan of a program.
#pragma once
#include "compiler/artifact/Program.h"
#include "compiler/codegen/Observation.h"
#include "dialects/pack/Pack.h"
#include "llvm/Support/Error.h"

namespace coppice {

struct StageList {
  std::vector<std::string> kernels; // names, sorted; Stage::kernel counts here
  std::vector<Stage> stages;
  std::vector<PackedWeight> weights;     // ascending offsets
  std::vector<Observation> observations; // by ascending stage
  MemoryPlan memory;
  uint32_t vocabulary = 0; // columns of the logits
  uint32_t tokenLimit = 0; // token ids below it have a row in the token table
  uint32_t picks = 0;      // routed rows for each row
};

/// `step` must have been planned (pack-plan-memory). Values in `weights` belong to its region.
/// Fails if a place or an extent does not fit the 32-bit argument words.
llvm::Expected<StageList> buildStages(pack::StepOp step);

} // namespace coppice
