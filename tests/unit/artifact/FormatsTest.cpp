// Conversions against the formats' definitions: sign, exponent, mantissa, by ldexp.
#include "compiler/artifact/FloatFormats.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace coppice::formats;

namespace {
/// The value of a finite pattern with `mantissaBits` bits of mantissa and the given exponent bias.
double valueOf(uint32_t magnitude, int mantissaBits, int bias) {
  int exponent = int(magnitude >> mantissaBits);
  double mantissa = magnitude & ((1u << mantissaBits) - 1);
  if (exponent == 0)
    return std::ldexp(mantissa, 1 - bias - mantissaBits);
  return std::ldexp(mantissa + std::ldexp(1.0, mantissaBits), exponent - bias - mantissaBits);
}

// Widening is exact for all 65,536 float16 patterns, both signs, subnormals, infinities and NaNs.
TEST(Formats, WidenHalfExhaustively) {
  for (uint32_t h = 0; h < 0x10000; ++h) {
    float wide = asFloat(widenHalf(uint16_t(h)));
    uint32_t magnitude = h & 0x7fff;
    EXPECT_EQ(std::signbit(wide), (h & 0x8000) != 0) << h;
    if (magnitude > 0x7c00)
      ASSERT_TRUE(std::isnan(wide)) << h;
    else if (magnitude == 0x7c00)
      ASSERT_TRUE(std::isinf(wide)) << h;
    else
      ASSERT_EQ(std::fabs(double(wide)), valueOf(magnitude, 10, 15)) << h;
  }
}

// The same for bfloat16.
TEST(Formats, WidenBrainExhaustively) {
  for (uint32_t b = 0; b < 0x10000; ++b) {
    float wide = asFloat(widenBrain(uint16_t(b)));
    uint32_t magnitude = b & 0x7fff;
    EXPECT_EQ(std::signbit(wide), (b & 0x8000) != 0) << b;
    if (magnitude > 0x7f80)
      ASSERT_TRUE(std::isnan(wide)) << b;
    else if (magnitude == 0x7f80)
      ASSERT_TRUE(std::isinf(wide)) << b;
    else
      ASSERT_EQ(std::fabs(double(wide)), valueOf(magnitude, 7, 127)) << b;
  }
}

/// Between each two neighbours of the format: both are kept, the middle goes to the even one, and
/// the float32 values next to the middle to the nearer one. `top` is infinity's pattern; as a
/// neighbour of the largest finite value it stands for the next power of two.
template <typename Narrow>
void checkRounding(Narrow narrow, uint32_t top, int mantissaBits, int bias) {
  for (uint32_t sign : {0u, 0x80000000u})
    for (uint32_t low = 0; low < top; ++low) {
      double a = valueOf(low, mantissaBits, bias), b = valueOf(low + 1, mantissaBits, bias);
      float middle = float((a + b) / 2);
      uint16_t signBit = uint16_t(sign >> 16);
      auto at = [&](float value) { return narrow(asBits(value) | sign); };
      ASSERT_EQ(at(float(a)), low | signBit) << low;
      ASSERT_EQ(at(middle), ((low & 1) ? low + 1 : low) | signBit) << low;
      ASSERT_EQ(at(std::nextafterf(middle, 0)), low | signBit) << low;
      ASSERT_EQ(at(std::nextafterf(middle, HUGE_VALF)), (low + 1) | signBit) << low;
    }
}

// Narrowing to float16 rounds to nearest, ties to even, in every interval, overflow included.
TEST(Formats, NarrowHalfRounds) { checkRounding(narrowHalf, 0x7c00, 10, 15); }

// The same for bfloat16. Its top interval reaches beyond float32, and stands in the next test.
TEST(Formats, NarrowBrainRounds) { checkRounding(narrowBrain, 0x7f7f, 7, 127); }

// Known answers at the ends of the ranges: the limits are exactly where infinity begins.
TEST(Formats, Ends) {
  EXPECT_EQ(narrowHalf(asBits(65504.0f)), 0x7bff);
  EXPECT_EQ(narrowHalf(asBits(std::nextafterf(65520.0f, 0))), 0x7bff);
  EXPECT_EQ(narrowHalf(asBits(65520.0f)), 0x7c00);
  EXPECT_EQ(kHalfLimit, asBits(65520.0f));
  EXPECT_EQ(narrowHalf(asBits(5.9604645e-08f)), 0x0001); // 2^-24
  EXPECT_EQ(narrowHalf(asBits(2.9802322e-08f)), 0x0000); // 2^-25, a tie: to even
  EXPECT_EQ(narrowHalf(asBits(-1.0f)), 0xbc00);
  EXPECT_EQ(narrowHalf(asBits(0.333251953125f)), 0x3555);
  EXPECT_EQ(narrowHalf(0x7f800000u), 0x7c00);
  EXPECT_EQ(narrowHalf(1), 0); // the smallest float32
  EXPECT_EQ(narrowBrain(kBrainLimit - 1), 0x7f7f);
  EXPECT_EQ(narrowBrain(kBrainLimit), 0x7f80);
  EXPECT_EQ(narrowBrain(asBits(3.140625f)), 0x4049);
  EXPECT_EQ(narrowBrain(0xff800000u), 0xff80);
  // NaNs stay NaNs, also those whose payload is in the low bits only.
  for (uint32_t nan : {0x7fc00000u, 0x7f800001u, 0xffffffffu}) {
    EXPECT_GT(narrowHalf(nan) & 0x7fff, 0x7c00) << nan;
    EXPECT_GT(narrowBrain(nan) & 0x7fff, 0x7f80) << nan;
  }
}
} // namespace
