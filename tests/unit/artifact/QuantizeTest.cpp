// The quantizer against llama.cpp's Q4_0 and Q8_0, written from the formats' description, and
// against every scale that there is.
#include "compiler/artifact/Quantize.h"
#include "compiler/artifact/FloatFormats.h"
#include <cmath>
#include <cstring>
#include <functional>
#include <gtest/gtest.h>
#include <random>
#include <vector>

using namespace coppice;

namespace {
using Group = std::vector<float>; // 32 values

double half(float value) { // rounded to float16
  return formats::asFloat(formats::widenHalf(formats::narrowHalf(formats::asBits(value))));
}

double squaredError(const Group &x, const std::vector<double> &back,
                    const std::vector<float> &importance = {}) {
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i)
    sum += (x[i] - back[i]) * (x[i] - back[i]) * (importance.empty() ? 1.0 : importance[i]);
  return sum;
}

/// Q4_0: the scale is the value of the largest magnitude over -8, codes are truncated after 8.5 is
/// added and at most 15, and the scale is then stored as float16.
std::vector<double> q4_0(const Group &x) {
  float extreme = 0;
  for (float v : x)
    if (std::fabs(v) > std::fabs(extreme))
      extreme = v;
  float d = extreme / -8, inverse = d != 0 ? 1 / d : 0;
  std::vector<double> back;
  for (float v : x)
    back.push_back(half(d) * (std::min(15, int(v * inverse + 8.5f)) - 8));
  return back;
}

/// Q8_0: the scale is the largest magnitude over 127, codes are rounded.
std::vector<double> q8_0(const Group &x) {
  float most = 0;
  for (float v : x)
    most = std::max(most, std::fabs(v));
  float d = most / 127, inverse = d != 0 ? 1 / d : 0;
  std::vector<double> back;
  for (float v : x)
    back.push_back(half(d) * std::round(v * inverse));
  return back;
}

struct Result {
  std::vector<double> back;
  std::vector<int> codes;
  uint16_t scale;
};

/// Each group in a lane of its own, whichever comes.
std::vector<Result> quantized(WeightFormat format, const std::vector<Group> &groups,
                              const std::vector<float> &importance = {}) {
  std::vector<Result> results;
  for (size_t first = 0; first < groups.size(); first += kQuantizeLanes) {
    QuantizeBlock block, plain;
    std::memset(block.values, 0, sizeof block.values);
    for (size_t l = 0; l < size_t(kQuantizeLanes) && first + l < groups.size(); ++l)
      for (size_t c = 0; c < groups[first + l].size(); ++c)
        block.values[c][l] = groups[first + l][c];
    std::memcpy(plain.values, block.values, sizeof block.values);
    quantizeBlock(format, importance.empty() ? nullptr : importance.data(), block);
    quantizeBlockPlain(format, importance.empty() ? nullptr : importance.data(), plain);
    // The two compilations of the quantizer agree to the bit.
    EXPECT_EQ(std::memcmp(block.codes, plain.codes, sizeof block.codes), 0);
    EXPECT_EQ(std::memcmp(block.scales, plain.scales, sizeof block.scales), 0);
    for (size_t l = 0; l < size_t(kQuantizeLanes) && first + l < groups.size(); ++l) {
      Result result;
      result.scale = block.scales[l];
      double scale = formats::asFloat(formats::widenHalf(result.scale));
      for (size_t c = 0; c < groups[first + l].size(); ++c) {
        result.codes.push_back(block.codes[c][l]);
        result.back.push_back(block.codes[c][l] * scale);
      }
      results.push_back(result);
    }
  }
  return results;
}

/// Groups of several kinds: bell curves of many widths, long tails, few distinct values, mostly
/// zeros, and some with values so small that float16 scales are subnormal. Every eighth is as
/// weights usually are: a bell curve, as wide as others.
std::vector<Group> manyGroups(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::student_t_distribution<float> tailed(3);
  std::vector<Group> groups;
  for (size_t g = 0; g < count; ++g) {
    float width = std::ldexp(1.0f, g % 8 == 0 ? -5 : int(random() % 24) - 20);
    Group group;
    for (int i = 0; i < 32; ++i) {
      float v = g % 4 == 1 ? tailed(random) : normal(random);
      if (g % 4 == 2)
        v = std::round(v);
      if (g % 4 == 3 && random() % 5)
        v = 0;
      group.push_back(v * width);
    }
    groups.push_back(group);
  }
  return groups;
}

// No group is worse than Q4_0 or Q8_0 makes it; over usual ones the RMSE is 5 % and 10 % less.
TEST(Quantize, NoGroupWorseThanTheReference) {
  std::vector<Group> groups = manyGroups(40000, 1);
  for (WeightFormat format : {WeightFormat::I4, WeightFormat::I8}) {
    bool nibbles = format == WeightFormat::I4;
    std::vector<Result> results = quantized(format, groups);
    double ours = 0, theirs = 0;
    for (size_t g = 0; g < groups.size(); ++g) {
      double power = 0;
      for (float v : groups[g])
        power += double(v) * v;
      double reference = squaredError(groups[g], nibbles ? q4_0(groups[g]) : q8_0(groups[g]));
      double error = squaredError(groups[g], results[g].back);
      // Both rounded: candidates are compared in float32.
      ASSERT_LE(error, reference * (1 + 1e-5) + power * 1e-12) << g;
      if (g % 8 == 0) {
        ours += error;
        theirs += reference;
      }
    }
    EXPECT_LE(std::sqrt(ours / theirs), nibbles ? 0.95 : 0.9);
    std::printf("%s: RMSE %.4f of the reference's\n", nibbles ? "i4" : "i8",
                std::sqrt(ours / theirs));
  }
}

// Against every float16 there is as the scale, each with its nearest codes: within 1 % (i4) and
// 4 % (i8) of the least error possible, and never below it.
TEST(Quantize, NearTheBestScaleThereIs) {
  std::mt19937 random(2);
  std::normal_distribution<float> normal(0, 0.02f);
  std::vector<Group> groups(24, Group(32));
  for (Group &group : groups)
    for (float &v : group)
      v = normal(random);
  for (WeightFormat format : {WeightFormat::I4, WeightFormat::I8}) {
    bool nibbles = format == WeightFormat::I4;
    std::vector<Result> results = quantized(format, groups);
    double ours = 0, best = 0;
    for (size_t g = 0; g < groups.size(); ++g) {
      double least = 1e30;
      // Up to 2^-4: far above what values of a few hundredths want.
      for (uint32_t bits = 1; bits < 0x2c00; ++bits)
        for (double sign : {1.0, -1.0}) {
          double scale = sign * formats::asFloat(formats::widenHalf(uint16_t(bits))), sum = 0;
          for (float v : groups[g]) {
            double code = std::nearbyint(v / scale);
            code = std::clamp(code, nibbles ? -8.0 : -127.0, nibbles ? 7.0 : 127.0);
            sum += (v - code * scale) * (v - code * scale);
            if (sum >= least)
              break;
          }
          least = std::min(least, sum);
        }
      double error = squaredError(groups[g], results[g].back);
      ASSERT_GE(error, least * (1 - 1e-9)) << g;
      ours += error;
      best += least;
    }
    double ratio = std::sqrt(ours / best);
    EXPECT_LE(ratio, nibbles ? 1.01 : 1.04);
    std::printf("%s: RMSE %.4f of the least possible\n", nibbles ? "i4" : "i8", ratio);
  }
}

// With importance the weighted error is what counts: no group is worse in it than the reference,
// the sum is less than without importance, and columns that count nothing are free.
TEST(Quantize, Importance) {
  std::mt19937 random(3);
  std::vector<float> importance(32);
  for (float &factor : importance)
    factor = std::ldexp(1.0f, -int(random() % 8));
  importance[5] = 1;
  importance[9] = 0;
  std::vector<Group> groups = manyGroups(8000, 4);
  for (WeightFormat format : {WeightFormat::I4, WeightFormat::I8}) {
    bool nibbles = format == WeightFormat::I4;
    std::vector<Result> with = quantized(format, groups, importance);
    std::vector<Result> without = quantized(format, groups);
    double sumWith = 0, sumWithout = 0;
    for (size_t g = 0; g < groups.size(); ++g) {
      double power = 0;
      for (float v : groups[g])
        power += double(v) * v;
      double error = squaredError(groups[g], with[g].back, importance);
      std::vector<double> theirs = nibbles ? q4_0(groups[g]) : q8_0(groups[g]);
      ASSERT_LE(error, squaredError(groups[g], theirs, importance) * (1 + 1e-5) + power * 1e-12);
      if (g % 8 == 0) {
        sumWith += error;
        sumWithout += squaredError(groups[g], without[g].back, importance);
      }
    }
    std::printf("%s: weighted RMSE %.4f of that without importance\n", nibbles ? "i4" : "i8",
                std::sqrt(sumWith / sumWithout));
    EXPECT_LT(std::sqrt(sumWith / sumWithout), 0.97);
  }
  // Only what the factors are to each other matters.
  std::vector<Result> whole = quantized(WeightFormat::I4, groups, std::vector<float>(32, 1.0f));
  std::vector<Result> halves = quantized(WeightFormat::I4, groups, std::vector<float>(32, 0.5f));
  for (size_t g = 0; g < groups.size(); ++g)
    ASSERT_EQ(whole[g].back, halves[g].back);
}

// Groups that are zero, of float32 subnormals, below the smallest float16 scale, at the largest
// values the format holds, and of one value: exactly what the header says.
TEST(Quantize, Ends) {
  auto one = [](WeightFormat format, const std::function<float(int)> &value) {
    Group group;
    for (int i = 0; i < 32; ++i)
      group.push_back(value(i));
    return quantized(format, {group})[0];
  };
  for (WeightFormat format : {WeightFormat::I4, WeightFormat::I8}) {
    bool nibbles = format == WeightFormat::I4;
    float most = nibbles ? 8 * 65504.0f : 127 * 65504.0f;
    // Zeros of both signs, subnormals, and what is less than half the smallest scale there is.
    for (float value : {0.0f, -0.0f, 1e-45f, -1e-39f, 0x1p-40f, 0x1.fffp-26f}) {
      Result result = one(format, [&](int i) { return i % 3 ? value : -value; });
      EXPECT_EQ(result.scale, 0) << value;
      EXPECT_EQ(result.codes, std::vector<int>(32, 0)) << value;
    }
    // A scale that would round to 0 is the smallest there is: nothing is lost that it can say.
    Result small = one(format, [](int i) { return i == 7 ? 0x1p-24f : 0.0f; });
    EXPECT_EQ(std::fabs(small.back[7]), 0x1p-24);
    EXPECT_EQ(small.back[8], 0);
    // The largest values, either sign.
    for (float value : {most, -most}) {
      Result large = one(format, [&](int i) { return i == 3 ? value : 0.0f; });
      EXPECT_EQ(large.back[3], value);
      EXPECT_EQ(large.scale & 0x7fff, 0x7bff);
    }
    // Codes times a float16 are exact where the largest is there, by a scale of either sign.
    for (float step : {0.25f, -0.0625f}) {
      auto value = [&](int i) {
        return step * float(nibbles ? i % 16 - 8 : i == 9 ? -127 : 7 * i - 120);
      };
      Result exact = one(format, value);
      for (int i = 0; i < 32; ++i)
        EXPECT_EQ(exact.back[i], value(i)) << i;
    }
  }
}
} // namespace
