// Checkpoints with random weights, of any shape that `coppice compile` reads: for measurements,
// where only the shape counts. What tensors there are and what they are for is asked of the
// imported graph, so that a new model family needs nothing here.
#pragma once
#include "compiler/import/Checkpoint.h"
#include "compiler/synth/RandomWeights.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace coppice {

struct SynthTensor {
  std::string name;
  llvm::SmallVector<int64_t, 2> shape;
  Normal normal;
};

/// What a checkpoint that `config`, the text of a config.json, describes holds, in the order in
/// which the model reads it. `path` names the text in errors.
llvm::Expected<std::vector<SynthTensor>> describeShape(llvm::StringRef path,
                                                       llvm::StringRef config);

struct SynthOptions {
  std::string shape;  // a name of Shapes.h, or the path of a config.json
  std::string output; // a folder that is not there yet
  DType dtype = DType::F16;
  uint64_t seed = 0;
  /// Called with a fraction in [0, 1] while work goes on.
  std::function<void(double done)> progress;
};

struct SynthResult {
  uint64_t parameters = 0, bytes = 0; // bytes: of model.safetensors
};

/// Writes the folder, config.json and model.safetensors: whole or not at all. The same options give
/// the same bytes. Memory does not grow with the model.
llvm::Expected<SynthResult> synthesize(const SynthOptions &options);

} // namespace coppice
