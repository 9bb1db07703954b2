// Normally distributed numbers from a counter: element i of a tensor is a function of the seed, the
// tensor's name and i, so that any part can be made alone, in any order.
//
// Integers make each number, two roundings of IEEE arithmetic end it: the bits are the same on
// every host.
#pragma once
#include "compiler/import/Checkpoint.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>

namespace coppice {

/// What the numbers of a tensor are drawn from.
struct Normal {
  float mean, deviation;
};

class RandomWeights {
public:
  RandomWeights(uint64_t seed, llvm::StringRef tensor);

  /// Elements [first, first + count) of `type`, little-endian, into `out`, which has exactly their
  /// bytes. No number lies further than 6 deviations from the mean.
  void fill(Normal normal, DType type, uint64_t first, llvm::MutableArrayRef<uint8_t> out) const;

private:
  uint64_t key;
};

} // namespace coppice
