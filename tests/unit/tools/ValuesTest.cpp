// What coppice-bench prints of its rounds, by values whose middle is known.
#include "tools/coppice-bench/Values.h"
#include <gtest/gtest.h>

static Values of(std::initializer_list<double> rounds) {
  Values values;
  values.assign(rounds);
  return values;
}

// The middle, in any order; of an even count the middle of the two; of none nothing.
TEST(Values, Median) {
  EXPECT_EQ(of({5, 1, 3}).median(), 3);
  EXPECT_EQ(of({8, 2, 4, 1}).median(), 3);
  EXPECT_EQ(of({7}).median(), 7);
  EXPECT_EQ(of({}).median(), 0);
}

// Ratios: twice as fast and half as fast are neither, and whichever file is the first, the other
// way round is the inverse. 18000 and 8810 tokens/s against 9000 and 14424: arithmetic would
// give 1.30.
TEST(Values, MedianOfRatios) {
  EXPECT_EQ(of({2, 0.5}).medianRatio(), 1);
  EXPECT_EQ(of({3, 100, 0.1}).medianRatio(), 3);
  EXPECT_EQ(of({4, 100, 9, 0.1}).medianRatio(), 6);
  EXPECT_EQ(of({}).medianRatio(), 0);
  double a = 18000.0 / 9000, b = 8810.0 / 14424;
  EXPECT_NEAR(of({a, b}).medianRatio() * of({1 / a, 1 / b}).medianRatio(), 1, 1e-12);
  EXPECT_NEAR(of({a, b}).medianRatio(), 1.105, 0.001);
}
