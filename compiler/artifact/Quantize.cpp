// See Quantize.h. Lanes are vectors of the language; what the machine has for them does not matter
// to the bits.
#include "compiler/artifact/Quantize.h"
#include "compiler/artifact/FloatFormats.h"

using namespace coppice;

#pragma STDC FP_CONTRACT OFF
// How vectors are passed depends on the machine's; here none leaves the file.
#pragma clang diagnostic ignored "-Wpsabi"

namespace {
typedef float Lanes __attribute__((vector_size(kQuantizeLanes * 4)));
typedef int32_t Ints __attribute__((vector_size(kQuantizeLanes * 4)));
typedef uint32_t Bits __attribute__((vector_size(kQuantizeLanes * 4)));

constexpr int64_t kGroup = args::kGroup;

/// What the largest element of a group divided by a candidate scale is, up to the sign: beyond the
/// codes it is clipped, which pays where the others gain more.
constexpr float kExtremeCodes[] = {6.0f, 6.4f, 6.8f, 7.2f, 7.6f, 8.0f, 8.4f, 8.8f};

/// Eight groups, with what a candidate is tried against.
struct Search {
  Lanes x[kGroup];
  const float *importance; // or null
  float least, most;       // codes
  Lanes bestError, bestScale;
};

Lanes splat(float value) { return Lanes{} + value; }
Lanes absolute(const Lanes &x) { return x < 0.0f ? -x : x; }

/// x * inverse as codes: rounded to nearest, ties to even, within the format's range. Adding 1.5 *
/// 2^23 leaves no bits after the point.
inline Lanes codesOf(const Lanes &x, const Lanes &inverse, float least, float most) {
  const float magic = 12582912.0f;
  Lanes q = x * inverse;
  q = q < least ? splat(least) : q;
  q = q > most ? splat(most) : q;
  return (q + magic) - magic;
}

/// Scales as float16 holds them, in float32: never 0, never infinite.
Lanes storable(const Lanes &scales) {
  Lanes result;
  for (int64_t l = 0; l < kQuantizeLanes; ++l) {
    uint32_t half = formats::narrowHalf(formats::asBits(scales[l]));
    uint32_t magnitude = half & 0x7fffu;
    magnitude = magnitude < 1 ? 1 : magnitude > 0x7bffu ? 0x7bffu : magnitude;
    result[l] = formats::asFloat(formats::widenHalf(uint16_t((half & 0x8000u) | magnitude)));
  }
  return result;
}

/// The squared error of a storable scale, each code the nearest one. Keeps it if it is smaller than
/// those before. Returns the best scale for the same codes.
template <bool kWeighted> Lanes tryScale(Search &search, const Lanes &scale) {
  Lanes inverse = 1.0f / scale, error = {}, xq = {}, qq = {};
  for (int64_t c = 0; c < kGroup; ++c) {
    Lanes q = codesOf(search.x[c], inverse, search.least, search.most);
    Lanes off = search.x[c] - q * scale;
    Lanes weightedOff = off, weighted = q;
    if (kWeighted) {
      weightedOff = off * search.importance[c];
      weighted = q * search.importance[c];
    }
    error += weightedOff * off;
    xq += search.x[c] * weighted;
    qq += q * weighted;
  }
  Ints better = error < search.bestError;
  search.bestError = better ? error : search.bestError;
  search.bestScale = better ? scale : search.bestScale;
  return qq > 0.0f ? xq / qq : scale;
}

/// The best scale for the codes of one inverse scale, kept in `best` if it leaves less than those
/// before: what codes q leave with their best scale is the sum of x * x, less gain.
template <bool kWeighted>
void rank(const Search &search, const Lanes &inverse, Lanes &bestGain, Lanes &best) {
  Lanes xq = {}, qq = {};
  for (int64_t c = 0; c < kGroup; ++c) {
    Lanes q = codesOf(search.x[c], inverse, search.least, search.most);
    Lanes weighted = kWeighted ? q * search.importance[c] : q;
    xq += search.x[c] * weighted;
    qq += q * weighted;
  }
  Lanes scale = xq / qq, gain = xq * scale;
  Ints better = gain > bestGain; // false where all codes are 0
  bestGain = better ? gain : bestGain;
  best = better ? scale : best;
}

template <bool kWeighted> void searchScales(WeightFormat format, Search &search) {
  Lanes extreme = {}; // the first of the largest in magnitude, with its sign
  for (int64_t c = 0; c < kGroup; ++c) {
    Ints larger = absolute(search.x[c]) > absolute(extreme);
    extreme = larger ? search.x[c] : extreme;
  }
  // Far below what a scale can express, and far from where a quotient is infinite.
  const float tiny = 0x1p-60f;
  extreme = absolute(extreme) < tiny ? splat(tiny) : extreme;

  if (format == WeightFormat::I8) {
    Lanes scale = tryScale<kWeighted>(search, storable(absolute(extreme) / 127.0f));
    tryScale<kWeighted>(search, storable(scale));
    return;
  }
  tryScale<kWeighted>(search, storable(extreme / -8.0f));
  tryScale<kWeighted>(search, storable(extreme / 8.0f));
  Lanes gain = {}, scale = extreme / -8.0f;
  for (float code : kExtremeCodes) {
    rank<kWeighted>(search, code / extreme, gain, scale);
    rank<kWeighted>(search, -code / extreme, gain, scale);
  }
  scale = tryScale<kWeighted>(search, storable(scale));
  tryScale<kWeighted>(search, storable(scale));
}
} // namespace

void coppice::quantizeBlock(WeightFormat format, const float *importance, QuantizeBlock &block) {
  Search search;
  std::memcpy(search.x, block.values, sizeof search.x);
  search.importance = importance;
  bool bytes = format == WeightFormat::I8;
  search.least = bytes ? -127.0f : -8.0f;
  search.most = bytes ? 127.0f : 7.0f;
  search.bestError = splat(__builtin_inff());
  search.bestScale = splat(1.0f);
  if (importance)
    searchScales<true>(format, search);
  else
    searchScales<false>(format, search);

  Lanes inverse = 1.0f / search.bestScale;
  Ints any = {};
  for (int64_t c = 0; c < kGroup; ++c) {
    Lanes q = codesOf(search.x[c], inverse, search.least, search.most);
    Ints codes = __builtin_convertvector(q, Ints);
    any |= codes;
    std::memcpy(block.codes[c], &codes, sizeof codes);
  }
  for (int64_t l = 0; l < kQuantizeLanes; ++l)
    block.scales[l] =
        any[l] ? formats::narrowHalf(formats::asBits(search.bestScale[l])) : uint16_t(0);
}
