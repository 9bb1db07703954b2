// See RandomWeights.h. Of 64 mixed bits, 32 are counted and 32 are two uniform numbers: the count
// of fair coins is nearly normal, and a triangle one coin wide fills the steps between counts.
// Excess kurtosis is -0.06, and 2^22 values are possible.
#include "compiler/synth/RandomWeights.h"
#include "compiler/artifact/FloatFormats.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/xxhash.h"

namespace coppice {
namespace {

/// SplitMix64's finaliser (Steele, Lea and Flood, OOPSLA 2014): a bijection that mixes well.
inline uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// 2^16 times (a binomial number of 32 coins + a triangular one), less the mean.
inline int32_t centred(uint64_t bits) {
  int32_t coins = int32_t(llvm::popcount(uint32_t(bits >> 32)));
  int32_t triangle = int32_t(bits & 0xffff) + int32_t((bits >> 16) & 0xffff);
  return (coins - 16) * 65536 + triangle - 65535;
}

// 1 / (2^16 sqrt(32/4 + 2/12)), the inverse of centred()'s standard deviation.
constexpr float kUnit = float(0.34992710611188255 / 65536);

} // namespace

RandomWeights::RandomWeights(uint64_t seed, llvm::StringRef tensor)
    : key(mix(seed ^ mix(llvm::xxh3_64bits(tensor)))) {}

void RandomWeights::fill(Normal normal, DType type, uint64_t first,
                         llvm::MutableArrayRef<uint8_t> out) const {
  constexpr uint64_t kGolden = 0x9e3779b97f4a7c15u; // SplitMix64's step
  float scale = normal.deviation * kUnit;
  size_t count = out.size() / dtypeBytes(type);
  auto number = [&](size_t i) {
    // |centred| < 2^24: exact as a float.
    float value = float(centred(mix(key + (first + i) * kGolden))) * scale;
    return formats::asBits(normal.mean + value);
  };
  using namespace llvm::support::endian;
  switch (type) {
  case DType::F32:
    for (size_t i = 0; i < count; ++i)
      write32le(out.data() + 4 * i, number(i));
    break;
  case DType::F16:
    for (size_t i = 0; i < count; ++i)
      write16le(out.data() + 2 * i, formats::narrowHalf(number(i)));
    break;
  case DType::BF16:
    for (size_t i = 0; i < count; ++i)
      write16le(out.data() + 2 * i, formats::narrowBrain(number(i)));
    break;
  }
}

} // namespace coppice
