// A pruning plan, version 1: which heads, neurons, experts and blocks of which layer go.
//
// Indices are the original checkpoint's. A parsed plan is sound in itself; whether the model has
// what it names is checked by applyPlan (ApplyPlan.h).
#pragma once
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace coppice {

/// An entry of a list of the plan: one index (first == last) or an inclusive range.
struct PlanRange {
  int32_t first, last;
  uint32_t position; // in the list, for messages: heads[position]
};
using PlanRanges = llvm::SmallVector<PlanRange, 0>;

/// What goes of one layer.
struct LayerCut {
  int32_t layer = 0;
  uint32_t entry = 0;                 // remove[entry], for messages
  bool whole = false;                 // both blocks; then nothing else is set
  bool attention = false;             // the whole attention block; then `heads` is empty
  bool ffn = false;                   // the whole FFN block; then `neurons` and `experts` are empty
  PlanRanges heads, neurons, experts; // no index twice in one list; ranges in the file's order
};

struct Plan {
  std::string fileName; // as messages name it
  std::string modelType;
  std::vector<LayerCut> cuts; // no layer twice, in the file's order
};

/// Parses a plan. Errors read "FILE: remove[2].heads[1]: layer 5: what is wrong, and the way out".
llvm::Expected<Plan> parsePlan(llvm::StringRef text, llvm::StringRef fileName);

/// A plan has at most this many bytes; each index of a large model, spelt out, is a hundredth of
/// it.
constexpr uint64_t maxPlanBytes = uint64_t(64) << 20;

/// Reads FILE and parses it.
llvm::Expected<Plan> readPlan(llvm::StringRef fileName);

/// BLAKE3 of a plan file's bytes: what an artifact records of where it came from.
std::array<uint8_t, 32> planHash(llvm::StringRef text);

} // namespace coppice
