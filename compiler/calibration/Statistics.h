// How much each input of each linear matters: the mean square of what it reads in calibration text.
//
// As a file: safetensors with one F32 vector for each tensor, under the tensor's name, in the
// checkpoint's numbering of columns; what it was measured on stands in the metadata.
#pragma once
#include "compiler/artifact/Writer.h"
#include <map>

namespace coppice {

struct Statistics {
  std::string path;           // of the file, for messages
  Digest checkpoint{};        // of its files
  std::optional<Digest> plan; // of the plan whose masks stood; none: nothing was masked
  uint64_t tokens = 0;
  std::map<std::string, std::vector<float>> meanSquares; // by tensor
};

/// Errors: what a file of another program, a damaged one, or a value that is negative or not finite
/// makes; they name the file.
llvm::Expected<Statistics> readStatistics(llvm::StringRef path);

/// The bytes of such a file, the same for the same statistics.
std::string statisticsFile(const Statistics &statistics);

/// Gives every quantized weight that a linear reads the importance of the columns it keeps. Errors:
/// statistics of another checkpoint, or taken with another plan than `plan`; a tensor that they do
/// not have, or have in another width; no such weight at all.
llvm::Error applyStatistics(const Statistics &statistics, const Digest &checkpointHash,
                            const std::optional<Digest> &plan, const Checkpoint &checkpoint,
                            llvm::MutableArrayRef<PackedWeight> weights);

} // namespace coppice
