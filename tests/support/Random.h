// Seeded random numbers that are the same on every host: the standard library's distributions are
// not.
#pragma once
#include <cstdint>

namespace coppice::test {

class Random {
public:
  explicit Random(uint64_t seed) : state(seed) {}
  uint64_t next();
  /// In [low, high], both included.
  int64_t between(int64_t low, int64_t high);
  /// In [low, high).
  double uniform(double low, double high);
  bool chance(double probability) { return uniform(0, 1) < probability; }

private:
  uint64_t state;
};

/// $COPPICE_SEED if it is set, else `fallback`. Tests print what they use.
uint64_t testSeed(uint64_t fallback);

} // namespace coppice::test
