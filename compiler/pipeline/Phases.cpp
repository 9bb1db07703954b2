// See Phases.h.
#include "compiler/pipeline/Phases.h"

namespace coppice {

llvm::ArrayRef<PhaseInfo> phases() {
  static constexpr PhaseInfo list[] = {
      {Phase::Import, "import", "the checkpoint as a graph, nothing cut yet"},
      {Phase::Mask, "mask", "the plan, and what --find-dead finds, as masks: the meaning"},
      {Phase::Shrink, "shrink", "masks turned into smaller weights: the same meaning, less of it"},
      {Phase::Pack, "pack", "stages over packed weights, for the rows that need them"},
      {Phase::Memory, "memory", "every buffer, cache and weight in its place"}};
  return list;
}

std::optional<Phase> findPhase(llvm::StringRef name) {
  for (const PhaseInfo &info : phases())
    if (info.name == name)
      return info.phase;
  return std::nullopt;
}

} // namespace coppice
