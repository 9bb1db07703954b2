// From a checkpoint and a text to the statistics of what each linear reads.
//
// The float graph is compiled for this machine with its inputs marked, and run on the text. A
// file's bytes depend on the checkpoint, the plan, the text and the number of tokens, not on the
// machine or its threads: rows have the same bits on all, and are summed in their order.
#pragma once
#include "llvm/Support/Error.h"
#include <cstdint>
#include <functional>
#include <string>

namespace coppice {

/// Fewer say little about the columns of one matrix.
constexpr uint64_t kLeastCalibrationTokens = 256;

struct CalibrateOptions {
  std::string modelDir;
  std::string text;              // a file
  std::string output;            // a file
  std::string plan;              // whose masks stand; empty: none
  uint64_t tokens = 32768;       // at most, from the beginning of the text
  std::string target = "native"; // that runs here; never changes the bytes
  unsigned threads = 0;          // 0: as many as are worth it; never changes the bytes
  /// Called with what is done and a fraction in [0, 1] while work goes on, from one thread.
  std::function<void(llvm::StringRef what, double done)> progress;
};

struct CalibrateResult {
  uint64_t tokens = 0, textTokens = 0; // taken, and in the text
  uint64_t tensors = 0;
};

/// On an error nothing is left behind.
llvm::Expected<CalibrateResult> calibrate(const CalibrateOptions &options);

} // namespace coppice
