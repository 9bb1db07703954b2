// The sampler against exact probabilities, computed here by sorting and std::exp.
#include "coppice/sampler.h"
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <numeric>
#include <vector>

namespace {
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

coppice_sampler samplerOf(float temperature, uint32_t topK = 0, float topP = 1, uint64_t seed = 1) {
  coppice_sampling sampling = {temperature, topK, topP, seed};
  coppice_sampler sampler;
  EXPECT_EQ(coppice_sampler_init(&sampler, &sampling), COPPICE_OK);
  return sampler;
}

int32_t next(coppice_sampler &sampler, const std::vector<float> &logits) {
  std::vector<uint64_t> scratch(logits.size());
  int32_t token = -1;
  EXPECT_EQ(coppice_sampler_next(&sampler, logits.data(), uint32_t(logits.size()), scratch.data(),
                                 scratch.size() * 8, &token),
            COPPICE_OK);
  return token;
}

// The definition: softmax at the temperature, the top_k largest (lower id first), then the shortest
// prefix of those with at least top_p of their probability, renormalised.
std::vector<double> exact(const std::vector<float> &logits, const coppice_sampling &how) {
  std::vector<size_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
  });
  if (how.top_k && how.top_k < order.size())
    order.resize(how.top_k);
  std::vector<double> p(logits.size());
  double total = 0, sum = 0, kept = 0;
  for (size_t i : order)
    total += std::exp((double(logits[i]) - double(logits[order[0]])) / double(how.temperature));
  for (size_t i : order) {
    if (sum >= double(how.top_p) * total)
      break;
    p[i] = std::exp((double(logits[i]) - double(logits[order[0]])) / double(how.temperature));
    sum += p[i];
  }
  kept = sum;
  for (double &x : p)
    x /= kept;
  return p;
}

// Pearson's statistic of many draws; tokens of probability zero must never come.
void compare(const std::vector<float> &logits, float temperature, uint32_t topK, float topP,
             int draws = 60000) {
  coppice_sampler sampler = samplerOf(temperature, topK, topP, 99);
  std::vector<double> p = exact(logits, sampler.sampling);
  std::vector<int> seen(logits.size());
  for (int i = 0; i < draws; ++i)
    ++seen[size_t(next(sampler, logits))];
  double statistic = 0;
  int freedom = -1;
  for (size_t i = 0; i < p.size(); ++i) {
    if (p[i] == 0) {
      EXPECT_EQ(seen[i], 0) << "token " << i << " was cut";
      continue;
    }
    ++freedom;
    double wanted = p[i] * draws;
    statistic += (seen[i] - wanted) * (seen[i] - wanted) / wanted;
  }
  // Mean `freedom`, deviation sqrt(2 * freedom): five deviations are as good as never exceeded.
  EXPECT_LT(statistic, freedom + 5 * std::sqrt(2.0 * freedom) + 5)
      << "temperature " << temperature << " top_k " << topK << " top_p " << topP;
}

const std::vector<float> kSmall = {0.1f, 1.5f, -2.0f, 0.9f, 0.1f, -0.5f, 2.0f};
} // namespace

// Greedy takes the largest, the lowest id of equals, and never NaN.
TEST(Sampler, GreedyTakesTheLargest) {
  coppice_sampler greedy = samplerOf(0);
  EXPECT_EQ(coppice_sampler_scratch_bytes(&greedy, 1000), 0u);
  EXPECT_EQ(next(greedy, kSmall), 6);
  EXPECT_EQ(next(greedy, {1, 3, 3, 2}), 1);
  EXPECT_EQ(next(greedy, {kNan, -5, kNan, -4}), 3);
  EXPECT_EQ(next(greedy, {kNan, -kInf, -kInf}), 1);
  EXPECT_EQ(next(greedy, {1, kInf, kInf}), 1);
}

// Frequencies follow the softmax at several temperatures.
TEST(Sampler, FollowsTheTemperature) {
  for (float temperature : {0.3f, 1.0f, 2.5f})
    compare(kSmall, temperature, 0, 1);
}

// top_k cuts all but the largest, equals by the lower id, and renormalises.
TEST(Sampler, FollowsTopK) {
  for (uint32_t k : {1u, 2u, 4u, 5u, 7u, 100u})
    compare(kSmall, 1.0f, k, 1);
}

// top_p keeps the shortest prefix that has at least p.
TEST(Sampler, FollowsTopP) {
  for (float p : {1e-6f, 0.3f, 0.5f, 0.8f, 0.95f, 0.999f})
    compare(kSmall, 1.0f, 0, p);
}

// Both together: top_p counts in what top_k left.
TEST(Sampler, FollowsBoth) {
  compare(kSmall, 0.8f, 4, 0.8f);
  compare(kSmall, 1.5f, 3, 0.5f);
}

// The heap finds the right ones among many, with equals at the cut.
TEST(Sampler, FindsTheLikeliestOfMany) {
  std::vector<float> logits(3000);
  uint32_t x = 7;
  for (float &logit : logits)
    logit = float((x = x * 1664525 + 1013904223) >> 24) / 32; // 256 values: many equals
  compare(logits, 1.0f, 40, 1, 10000);
  compare(logits, 1.0f, 0, 0.1f, 10000);
  compare(logits, 2.0f, 100, 0.7f, 10000);
}

// Each cut keeps exactly the exact set, whatever the order of the logits.
TEST(Sampler, KeepsTheExactSet) {
  std::vector<float> logits = {0, 1, 2, 3, 4, 5, 6, 7};
  uint32_t x = 3;
  for (int shuffle = 0; shuffle < 200; ++shuffle) {
    for (size_t i = logits.size(); i > 1; --i)
      std::swap(logits[i - 1], logits[(x = x * 1664525 + 1013904223) % i]);
    coppice_sampler sampler = samplerOf(5, 3, 1, uint64_t(shuffle));
    std::vector<double> p = exact(logits, sampler.sampling);
    for (int i = 0; i < 20; ++i)
      EXPECT_GT(p[size_t(next(sampler, logits))], 0);
  }
}

// The seed's state is splitmix64's published sequence for 0, so seeds mean the same everywhere.
TEST(Sampler, SeedsAsPublished) {
  coppice_sampler sampler = samplerOf(1, 0, 1, 0);
  EXPECT_EQ(sampler.state[0], 0xe220a8397b1dcdafu);
  EXPECT_EQ(sampler.state[1], 0x6e789e6aa1b965f4u);
  EXPECT_EQ(sampler.state[2], 0x06c45d188009454fu);
  EXPECT_EQ(sampler.state[3], 0xf88bb8a8724c81ecu);
}

// The same seed draws the same tokens, another one others, and a copy continues alike.
TEST(Sampler, IsDeterministic) {
  coppice_sampler a = samplerOf(1, 0, 1, 5), b = samplerOf(1, 0, 1, 5), c = samplerOf(1, 0, 1, 6);
  std::vector<int32_t> fromA, fromB, fromC;
  for (int i = 0; i < 50; ++i) {
    fromA.push_back(next(a, kSmall));
    fromB.push_back(next(b, kSmall));
    fromC.push_back(next(c, kSmall));
  }
  EXPECT_EQ(fromA, fromB);
  EXPECT_NE(fromA, fromC);
  coppice_sampler copy = a;
  for (int i = 0; i < 50; ++i)
    EXPECT_EQ(next(copy, kSmall), next(a, kSmall));
}

// NaN, infinities and extreme temperatures lead to defined choices.
TEST(Sampler, SurvivesStrangeNumbers) {
  for (int i = 0; i < 50; ++i) {
    coppice_sampler sampler = samplerOf(1, 0, 0.9f, uint64_t(i));
    EXPECT_EQ(next(sampler, {kNan, 1, kNan}), 1);
    EXPECT_EQ(next(sampler, {0, kInf, 3, -kInf}), 1);
    EXPECT_NE(next(sampler, {kInf, 0, kInf}), 1);
    EXPECT_NE(next(sampler, {kNan, -kInf, -kInf}), 0);
    coppice_sampler cold = samplerOf(1e-38f, 0, 1, uint64_t(i));
    EXPECT_EQ(next(cold, kSmall), 6);
    coppice_sampler hot = samplerOf(3e38f, 0, 1, uint64_t(i));
    EXPECT_GE(next(hot, kSmall), 0);
    EXPECT_EQ(next(sampler, {5}), 0);
  }
}

// A tiny weight is as exact as a large one: exp is right over its whole range.
TEST(Sampler, WeighsSmallProbabilities) {
  compare({0, -7, -7, -8}, 1, 0, 1);
  compare({0, -0.001f, -0.35f, -0.7f, -1.4f}, 1, 0, 1);
}

// Wrong settings and buffers are refused, and nothing is drawn.
TEST(Sampler, RefusesBadArguments) {
  coppice_sampler sampler;
  for (coppice_sampling bad : {coppice_sampling{-1, 0, 1, 0}, coppice_sampling{kNan, 0, 1, 0},
                               coppice_sampling{kInf, 0, 1, 0}, coppice_sampling{1, 0, 0, 0},
                               coppice_sampling{1, 0, 1.01f, 0}, coppice_sampling{1, 0, kNan, 0}})
    EXPECT_EQ(coppice_sampler_init(&sampler, &bad), COPPICE_BAD_ARGUMENT);
  sampler = samplerOf(1);
  coppice_sampler before = sampler;
  float logits[] = {1, 2}, nans[] = {kNan, kNan};
  uint64_t scratch[2];
  int32_t token = -7;
  EXPECT_EQ(coppice_sampler_next(&sampler, logits, 0, scratch, 16, &token), COPPICE_BAD_ARGUMENT);
  EXPECT_EQ(coppice_sampler_next(&sampler, nullptr, 2, scratch, 16, &token), COPPICE_BAD_ARGUMENT);
  EXPECT_EQ(coppice_sampler_next(&sampler, logits, 2, nullptr, 16, &token), COPPICE_BAD_ARGUMENT);
  EXPECT_EQ(coppice_sampler_next(&sampler, logits, 2, scratch, 15, &token), COPPICE_TOO_SMALL);
  EXPECT_EQ(coppice_sampler_next(&sampler, nans, 2, scratch, 16, &token), COPPICE_BAD_LOGITS);
  EXPECT_EQ(token, -7);
  EXPECT_EQ(sampler.state[0], before.state[0]);
}
