// One safetensors file: its header, checked against every rule of the format.
#pragma once
#include "compiler/import/Checkpoint.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace coppice {

/// A header may be this long, as in the format's own reader.
constexpr uint64_t maxSafetensorsHeader = 100'000'000;

/// One entry of a header.
struct SafetensorsEntry {
  std::string name;
  std::string dtype; // as spelt in the file
  llvm::SmallVector<int64_t, 2> shape;
  llvm::ArrayRef<uint8_t> data;
};

/// Reads the header of a whole safetensors file. On success the entries, ordered by their data's
/// place, cover the file after the header exactly: no gaps, no overlaps, nothing left over, and
/// each is as long as its dtype and shape say. Errors name `path` and the tensor. The data is not
/// read.
llvm::Expected<std::vector<SafetensorsEntry>> readSafetensors(llvm::ArrayRef<uint8_t> file,
                                                              llvm::StringRef path);

} // namespace coppice
