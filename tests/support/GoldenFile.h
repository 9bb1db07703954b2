// Golden logits: a safetensors file with `logits` [tokens, vocabulary] float32 and `tokens` int32,
// written by scripts of tests/golden and trusted.
#pragma once
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <vector>

namespace coppice::test {

struct GoldenLogits {
  std::vector<int32_t> tokens;
  int64_t vocab = 0;
  std::vector<float> logits; // row-major, a row per token
};

llvm::Expected<GoldenLogits> readGolden(const llvm::Twine &path);

} // namespace coppice::test
