// Writes an artifact: prefix, metadata, code and weights, as runtime/include/coppice/
// artifact_prefix.h and runtime/schema/artifact.fbs lay them out.
//
// The file appears under its name whole or not at all: it is written beside, synced and renamed,
// and removed on any error. The same input gives the same bytes, whatever the number of threads.
#pragma once
#include "compiler/artifact/WeightStream.h"
#include <array>
#include <functional>
#include <optional>

namespace coppice {

/// BLAKE3, 256 bits.
using Digest = std::array<uint8_t, 32>;

struct ArtifactInputs {
  std::optional<Digest> plan;        // of the plan file, if there is one
  std::optional<Digest> source;      // of the checkpoint's files
  bool calibrated = false;           // quantized weights were chosen by a text's statistics
  llvm::ArrayRef<uint8_t> tokenizer; // a finished FlatBuffer (tokenizer.fbs); empty: none
  std::string compiler = "coppice 0.1.0";
  unsigned threads = 0;                             // that pack weights; 0: one for each core
  std::function<void(uint64_t, uint64_t)> progress; // weight bytes done and in all; may be null
  /// Called with the artifact's size when all is written and nothing has its name yet; an error
  /// undoes the artifact. May be null.
  std::function<llvm::Error(uint64_t)> beforeCommit;
};

/// Where each target's code lies in the file's code area; last, where the area ends.
std::vector<uint64_t> codePlaces(const Program &program);

/// The metadata FlatBuffer of a program, finished. Errors: a program beyond the schema's counts.
llvm::Expected<std::vector<uint8_t>> buildMetadata(const Program &program,
                                                   const ArtifactInputs &inputs);

/// The bytes that writeArtifact would write; it depends on no weight's value.
llvm::Expected<uint64_t> artifactBytes(const Program &program, const ArtifactInputs &inputs);

/// Writes `program` to `path`, replacing a file that is there. Errors name the path and what the
/// system said, or are streamWeights' and buildMetadata's.
llvm::Error writeArtifact(const Program &program, const Checkpoint &checkpoint,
                          const ArtifactInputs &inputs, llvm::StringRef path);

} // namespace coppice
