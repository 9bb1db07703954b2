// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
#include "tests/support/Random.h"
#include <cstdlib>

namespace coppice::test {

uint64_t Random::next() {
  uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

int64_t Random::between(int64_t low, int64_t high) {
  return low + int64_t(next() % uint64_t(high - low + 1));
}

double Random::uniform(double low, double high) {
  return low + (high - low) * double(next() >> 11) / 9007199254740992.0;
}

uint64_t testSeed(uint64_t fallback) {
  const char *given = std::getenv("COPPICE_SEED");
  return given ? std::strtoull(given, nullptr, 0) : fallback;
}

} // namespace coppice::test
