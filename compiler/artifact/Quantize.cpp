// See Quantize.h. Lanes are vectors of the language; what the machine has for them does not matter
// to the bits.
#include "compiler/artifact/Quantize.h"
#include "compiler/artifact/FloatFormats.h"

using namespace coppice;

#pragma STDC FP_CONTRACT OFF
// How vectors are passed depends on the machine's; here none leaves the file.
#pragma clang diagnostic ignored "-Wpsabi"

// All of it is compiled twice, inside two functions below.
#define COPPICE_INLINE __attribute__((always_inline)) inline

namespace {
typedef float Lanes __attribute__((vector_size(kQuantizeLanes * 4)));
typedef int32_t Ints __attribute__((vector_size(kQuantizeLanes * 4)));
typedef uint32_t Bits __attribute__((vector_size(kQuantizeLanes * 4)));

constexpr int64_t kGroup = args::kGroup;

/// Candidates, as what they make of the largest element of a group, up to the sign. i4: beyond the
/// codes it is clipped, which pays where the others gain more. i8: clipping does not pay, but steps
/// that happen to fall well on all elements do.
constexpr float kNibbleExtremes[] = {6.0f, 6.4f, 6.8f, 7.2f, 7.6f, 8.0f, 8.4f, 8.8f};
constexpr float kByteExtremes[] = {118.0f, 118.8f, 119.7f, 120.5f, 121.4f, 122.2f,
                                   123.1f, 123.9f, 124.8f, 125.6f, 126.5f, 127.3f};

/// Eight groups, with what a candidate is tried against.
struct Search {
  Lanes x[kGroup];
  const float *importance; // or null
  float least, most;       // codes
  Lanes bestError, bestScale;
};

COPPICE_INLINE Lanes splat(float value) { return Lanes{} + value; }
COPPICE_INLINE Lanes absolute(const Lanes &x) { return x < 0.0f ? -x : x; }

/// x * inverse as codes: rounded to nearest, ties to even, within the format's range. Adding 1.5 *
/// 2^23 leaves no bits after the point.
COPPICE_INLINE Lanes codesOf(const Lanes &x, const Lanes &inverse, float least, float most) {
  const float magic = 12582912.0f;
  Lanes q = x * inverse;
  q = q < least ? splat(least) : q;
  q = q > most ? splat(most) : q;
  return (q + magic) - magic;
}

/// Scales as float16 holds them, in float32: never 0, never infinite.
COPPICE_INLINE Lanes storable(const Lanes &scales) {
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
template <bool kWeighted> COPPICE_INLINE Lanes tryScale(Search &search, const Lanes &scale) {
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
COPPICE_INLINE void rank(const Search &search, const Lanes &inverse, Lanes &bestGain, Lanes &best) {
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

/// The first of a group's largest elements, with its sign, by magnitude or by what it weighs in the
/// error. What is far below any scale is raised, so that quotients by it are finite.
template <bool kWeighted> COPPICE_INLINE Lanes extremeOf(const Search &search) {
  Lanes extreme = {}, most = {};
  for (int64_t c = 0; c < kGroup; ++c) {
    Lanes size = absolute(search.x[c]);
    if (kWeighted)
      size = size * size * search.importance[c];
    extreme = size > most ? search.x[c] : extreme;
    most = size > most ? size : most;
  }
  const float tiny = 0x1p-60f;
  return absolute(extreme) < tiny ? splat(tiny) : extreme;
}

template <bool kWeighted> COPPICE_INLINE void searchScales(WeightFormat format, Search &search) {
  Lanes extreme = extremeOf<false>(search), gain = {}, scale;
  if (format == WeightFormat::I8) {
    scale = absolute(extreme) / 127.0f;
    tryScale<kWeighted>(search, storable(scale));
    for (float code : kByteExtremes)
      rank<kWeighted>(search, code / absolute(extreme), gain, scale);
  } else {
    scale = extreme / -8.0f;
    tryScale<kWeighted>(search, storable(scale));
    tryScale<kWeighted>(search, storable(-scale));
    for (float code : kNibbleExtremes) {
      rank<kWeighted>(search, code / extreme, gain, scale);
      rank<kWeighted>(search, -code / extreme, gain, scale);
    }
  }
  if (kWeighted) {
    // Larger elements that hardly count may be clipped, so that those that do are well met.
    extreme = extremeOf<true>(search);
    if (format == WeightFormat::I8) {
      for (float code : {64.0f, 127.0f})
        rank<kWeighted>(search, code / absolute(extreme), gain, scale);
    } else {
      for (float code : {5.0f, 7.0f, 8.0f}) {
        rank<kWeighted>(search, code / extreme, gain, scale);
        rank<kWeighted>(search, -code / extreme, gain, scale);
      }
    }
  }
  scale = tryScale<kWeighted>(search, storable(scale));
  tryScale<kWeighted>(search, storable(scale));
}

COPPICE_INLINE void quantize(WeightFormat format, const float *importance, QuantizeBlock &block) {
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

// Twice as wide. Without FMA: it would round otherwise.
__attribute__((target("avx2"))) void quantizeWide(WeightFormat format, const float *importance,
                                                  QuantizeBlock &block) {
  quantize(format, importance, block);
}
} // namespace

void coppice::quantizeBlockPlain(WeightFormat format, const float *importance,
                                 QuantizeBlock &block) {
  quantize(format, importance, block);
}

void coppice::quantizeBlock(WeightFormat format, const float *importance, QuantizeBlock &block) {
  static const bool wide = __builtin_cpu_supports("avx2");
  (wide ? quantizeWide : quantizeBlockPlain)(format, importance, block);
}
