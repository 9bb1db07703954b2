// The quantizer of the formats i8 and i4: groups of up to 32 floats become a float16 scale and
// codes, so that code * scale is near.
//
// Symmetric: code 0 is 0. i8: codes -127..127, the scale positive; i4: codes -8..7, the scale of
// either sign. The scale is the one, of a fixed list of candidates and refits of them, that leaves
// the smallest squared error with every code the nearest one, ties to the first. The list begins
// with what llama.cpp's Q8_0 and Q4_0 choose, so no group is worse than theirs. A group whose codes
// are all 0 has scale 0; every other scale is at least 2^-24 and at most 65504 in magnitude.
//
// Eight groups are quantized side by side, one a lane: every sum runs over a group's columns in
// rising order, in float32 without contraction, so that the bits depend on nothing but the values.
#pragma once
#include "compiler/artifact/Program.h"
#include "compiler/codegen/KernelArgs.h"

namespace coppice {

constexpr int64_t kQuantizeLanes = 8;

struct QuantizeBlock {
  // Column c of the group in lane l; columns that do not exist are 0. Finite, and within the range
  // that FloatFormats.h states.
  alignas(32) float values[args::kGroup][kQuantizeLanes];
  alignas(32) int32_t codes[args::kGroup][kQuantizeLanes];
  uint16_t scales[kQuantizeLanes]; // float16
};

/// Fills in codes and scales. `importance`, if not null, has kGroup factors of the columns' squared
/// errors: not negative, the largest about 1. `format`: I8 or I4.
void quantizeBlock(WeightFormat format, const float *importance, QuantizeBlock &block);
/// The same with the instructions that every x86-64 has, for tests that compare the two.
void quantizeBlockPlain(WeightFormat format, const float *importance, QuantizeBlock &block);

} // namespace coppice
