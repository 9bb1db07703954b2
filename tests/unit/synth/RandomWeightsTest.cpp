// Numbers of a counter: pinned values from a reference in Python integers and NumPy (SplitMix64's
// finaliser over xxHash3 of the name), their moments against the normal distribution's, and that
// any part is the same as in the whole.
#include "compiler/synth/RandomWeights.h"
#include "compiler/artifact/FloatFormats.h"
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <vector>

using namespace coppice;

namespace {

template <typename T>
std::vector<T> made(const RandomWeights &random, Normal normal, DType type, uint64_t first,
                    size_t count) {
  std::vector<T> values(count);
  random.fill(normal, type, first, {reinterpret_cast<uint8_t *>(values.data()), count * sizeof(T)});
  return values;
}

} // namespace

// The bits do not depend on the host: these are the reference's.
TEST(RandomWeights, AreTheReferencesBits) {
  RandomWeights random(7, "a.weight");
  Normal normal{2, 0.5f};
  EXPECT_EQ(made<uint32_t>(random, normal, DType::F32, 0, 3),
            (std::vector<uint32_t>{0x4009db1b, 0x40253d27, 0x40172c94}));
  EXPECT_EQ(made<uint32_t>(random, normal, DType::F32, 1000000, 1).front(), 0x402ee44bu);
  EXPECT_EQ(made<uint16_t>(random, normal, DType::F16, 0, 3),
            (std::vector<uint16_t>{0x404f, 0x412a, 0x40b9}));
  // The upper half, rounded to nearest.
  EXPECT_EQ(made<uint16_t>(random, normal, DType::BF16, 0, 3),
            (std::vector<uint16_t>{0x400a, 0x4025, 0x4017}));
}

// Mean, deviation, skewness and kurtosis of a million numbers are those of the normal distribution,
// within five times what chance allows, and a kurtosis of 0.06 less, as the header says.
TEST(RandomWeights, AreNormal) {
  constexpr size_t count = 1 << 20;
  auto values = made<float>(RandomWeights(1, "w"), {0, 1}, DType::F32, 0, count);
  double moments[5] = {};
  for (float value : values)
    for (int power = 1; power <= 4; ++power)
      moments[power] += std::pow(double(value), power) / count;
  double root = std::sqrt(double(count));
  EXPECT_NEAR(moments[1], 0, 5 / root);
  EXPECT_NEAR(moments[2], 1, 5 * std::sqrt(2.0) / root);
  EXPECT_NEAR(moments[3], 0, 5 * std::sqrt(15.0) / root);
  EXPECT_NEAR(moments[4], 2.94, 0.02 + 5 * std::sqrt(96.0) / root);
  for (float value : values)
    ASSERT_LT(std::fabs(value), 6);
}

// A part made alone is what stands there in the whole; another name or seed gives other numbers.
TEST(RandomWeights, PartsAreOfTheWhole) {
  RandomWeights random(3, "x");
  auto whole = made<uint16_t>(random, {0, 1}, DType::F16, 0, 1000);
  auto part = made<uint16_t>(random, {0, 1}, DType::F16, 517, 100);
  EXPECT_EQ(part, std::vector<uint16_t>(whole.begin() + 517, whole.begin() + 617));
  for (const RandomWeights &other : {RandomWeights(3, "y"), RandomWeights(4, "x")}) {
    auto values = made<uint16_t>(other, {0, 1}, DType::F16, 0, 1000);
    size_t same = 0;
    for (size_t i = 0; i < values.size(); ++i)
      same += values[i] == whole[i];
    EXPECT_LT(same, 20u); // float16 has few values, so some meet by chance
  }
}
