// Writes the stages and weights of a program as the metadata stores them: the byte streams that
// runtime/schema/artifact.fbs describes and runtime/host/Records.h reads.
#pragma once
#include "compiler/artifact/Program.h"
#include "llvm/Support/Error.h"

namespace coppice {

/// Appends a number in LEB128.
void putNumber(std::vector<uint8_t> &to, uint32_t number);

/// Errors: a stage beyond what the schema's numbers hold.
llvm::Expected<std::vector<uint8_t>> writeStages(llvm::ArrayRef<Stage> stages);

/// Roles are numbered in the order in which they first come, and appended to `roles`. Errors: a
/// weight beyond what the schema's numbers hold, or that does not lie where the one before it ends.
llvm::Expected<std::vector<uint8_t>> writeWeights(llvm::ArrayRef<PackedWeight> weights,
                                                  std::vector<std::string> &roles);

} // namespace coppice
