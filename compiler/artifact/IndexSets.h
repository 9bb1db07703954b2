// Sets of kept heads and neurons as the metadata stores them (runtime/schema/artifact.fbs,
// IndexSet): runs for plans that cut stretches, a bitmap for scattered ones, whichever is shorter.
#pragma once
#include "runtime/schema/artifact_generated.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <vector>

namespace coppice {

/// `kept` are distinct numbers of [0, before), in any order. Not `recorded`: how many they are, but
/// not which, unless they are none or all.
flatbuffers::Offset<artifact::IndexSet> writeIndexSet(flatbuffers::FlatBufferBuilder &builder,
                                                      llvm::ArrayRef<int32_t> kept, uint32_t before,
                                                      bool recorded = true);

/// The set in ascending order; null if it does not record which numbers are kept. Errors: a set
/// that contradicts itself; nothing is allocated from a claimed size that its bytes do not back.
llvm::Expected<std::optional<std::vector<uint32_t>>> readIndexSet(const artifact::IndexSet &set);

} // namespace coppice
