// Sets of kept heads and neurons as the metadata stores them (runtime/schema/artifact.fbs,
// IndexSet): runs for plans that cut stretches, a bitmap for scattered ones, whichever is shorter.
#pragma once
#include "runtime/schema/artifact_generated.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <vector>

namespace coppice {

/// `kept` are distinct numbers of [0, before), in any order; the set has none.
flatbuffers::Offset<artifact::IndexSet> writeIndexSet(flatbuffers::FlatBufferBuilder &builder,
                                                      llvm::ArrayRef<int32_t> kept,
                                                      uint32_t before);

/// The set in ascending order. Errors: a set that contradicts itself; nothing is allocated from a
/// claimed size that its bytes do not back.
llvm::Expected<std::vector<uint32_t>> readIndexSet(const artifact::IndexSet &set);

} // namespace coppice
