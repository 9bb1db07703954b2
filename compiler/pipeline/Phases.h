// The phases of a compilation, in order: the one list that --stop-after, listings and the docs
// take their names from.
#pragma once
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <optional>

namespace coppice {

enum class Phase {
  Import, // the checkpoint as an lm graph
  Mask,   // the plan, and what --find-dead finds, as masks
  Shrink, // masks turned into smaller weights
  Pack,   // stages over packed weights
  Memory  // every buffer, cache and weight in its place
};

struct PhaseInfo {
  Phase phase;
  llvm::StringLiteral name;        // as --stop-after takes it
  llvm::StringLiteral description; // one line, for --help
};

/// Every phase, in order.
llvm::ArrayRef<PhaseInfo> phases();
/// By name; none if there is no such phase.
std::optional<Phase> findPhase(llvm::StringRef name);

} // namespace coppice
