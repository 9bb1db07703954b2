// kv_write and attention over real caches, against a double reference of softmax attention over
// what the cache holds, read by the layout that KernelArgs.h states. AttentionWindowTest.cpp has
// windows, rings and soft caps.
#include "AttentionCase.h"

using namespace coppice;
using namespace coppice::test;

// What kv_write stores, read by the layout: f32 as it is; bf16 within 2^-8 of each value, which is
// rounding to nearest and more; i8 within half a step of max / 127 of the position and head, but
// for the roundings of float32.
TEST(KvWrite, HoldsWhatTheLayoutSays) {
  Random random(24);
  for (const std::string &format : kFormats)
    for (uint32_t headDim : {1u, 2u, 7u, 16u, 33u, 64u, 130u})
      for (const std::string &target : runnableTargets()) {
        AttentionCase c(format, headDim, 2, 1 + random.below(3), random, 60);
        c.run(target, random.below(2) ? Flush::Exact : Flush::Begin, 1 + random.below(60), true);
        for (int s = 0; s < 2; ++s)
          for (uint32_t p = 0; p < c.lengths[s]; ++p)
            for (uint32_t h = 0; h < c.kvHeads; ++h)
              for (bool key : {false, true}) {
                const float *want =
                    &(key ? c.key : c.value)[s][(size_t(p) * c.kvHeads + h) * headDim];
                float top = 0;
                for (uint32_t d = 0; d < headDim; ++d)
                  top = std::max(top, std::fabs(want[d]));
                CacheReader cache = c.reader(s, h);
                for (uint32_t d = 0; d < headDim; ++d) {
                  float got = key ? cache.key(p, d) : cache.value(p, d);
                  double bound = format == "f32"    ? 0
                                 : format == "bf16" ? std::fabs(want[d]) * 0x1p-8
                                                    : top / 127.0 * 0.5 + top * 0x1p-22;
                  ASSERT_LE(std::fabs(double(got) - want[d]), bound)
                      << format << " headDim " << headDim << " position " << p << " d " << d;
                }
              }
      }
}

// Odd head sizes, one to nine query heads of a KV head in any order, KV heads that none reads,
// sessions of different length in one step, caches full of NaN that end at guard pages: the result
// is softmax attention up to the row's position.
TEST(Attention, EqualsTheReference) {
  Random random(20);
  for (const std::string &format : kFormats)
    for (uint32_t headDim : {1u, 3u, 8u, 15u, 16u, 17u, 31u, 33u, 64u, 65u, 80u, 128u, 130u}) {
      AttentionCase c(format, headDim, 1 + random.below(9), 1 + random.below(3), random);
      auto got = c.run("x86-64-v3", random.below(2) ? Flush::End : Flush::Begin, 37, true);
      for (int s = 0; s < 2; ++s)
        for (uint32_t p = 0; p < c.lengths[s]; ++p)
          for (uint32_t h = 0; h < c.heads; ++h)
            for (uint32_t d = 0; d < headDim; d += 1 + headDim / 5) {
              float value = got[s][(size_t(p) * c.heads + h) * headDim + d];
              ASSERT_NEAR(value, c.reference(s, p, h, d), 1e-5)
                  << format << " headDim " << headDim << " session " << s << " position " << p;
            }
    }
}

// Every head size to 200 in every format, each on one target or more, over sessions of one to three
// cache blocks.
TEST(Attention, EveryHeadSize) {
  Random random(23);
  std::vector<std::string> targets = runnableTargets();
  for (uint32_t headDim = 1; headDim <= 200; ++headDim)
    for (size_t turn = 0; turn < std::max(targets.size(), std::size(kFormats)); ++turn) {
      const std::string &target = targets[turn % targets.size()];
      AttentionCase c(kFormats[(headDim + turn) % 3], headDim, 1 + random.below(9),
                      1 + random.below(2), random, 40);
      auto got =
          c.run(target, random.below(2) ? Flush::Exact : Flush::Begin, 1 + random.below(40), true);
      for (int s = 0; s < 2; ++s)
        for (uint32_t p = random.below(3); p < c.lengths[s]; p += 3)
          for (uint32_t d = random.below(7); d < headDim; d += 7) {
            uint32_t head = random.below(c.heads);
            ASSERT_NEAR(got[s][(size_t(p) * c.heads + head) * headDim + d],
                        c.reference(s, p, head, d), 1e-5)
                << c.format << " headDim " << headDim << " session " << s << " position " << p;
          }
    }
}

// More query heads of one KV head than are taken together (32).
TEST(Attention, ManyQueryHeads) {
  Random random(25);
  AttentionCase c("bf16", 5, 71, 1, random, 80);
  auto got = c.run("x86-64-v3", Flush::Exact, 33, true);
  for (int s = 0; s < 2; ++s)
    for (uint32_t p = 0; p < c.lengths[s]; ++p)
      for (uint32_t h = 0; h < 71; ++h)
        ASSERT_NEAR(got[s][(size_t(p) * 71 + h) * 5 + 3], c.reference(s, p, h, 3), 1e-5);
}

// A row's bits are the same whether its tokens come one by one, in odd chunks or all at once, with
// items cut or whole, and on every target.
TEST(Attention, RowBitsDoNotDependOnCompany) {
  Random random(21);
  for (const std::string &format : kFormats)
    for (uint32_t headDim : {5u, 16u, 64u, 100u}) {
      AttentionCase c(format, headDim, 1 + random.below(9), 2, random);
      auto whole = c.run("x86-64-v3", Flush::End, 200, false);
      for (const std::string &target : runnableTargets())
        for (uint32_t chunk : {1u, 7u, 16u, 63u, 200u})
          expectSame(whole, c.run(target, Flush::Begin, chunk, chunk % 2), target);
    }
}

// A value of a later row that is not finite reaches no row before it, in company or not.
TEST(Attention, LaterRowsDoNotReachBack) {
  Random random(26);
  for (const std::string &format : kFormats) {
    AttentionCase c(format, 16, 3, 1, random, 150);
    auto clean = c.run("x86-64-v3", Flush::End, 200, false);
    uint32_t last = c.lengths[0] - 1;
    for (auto *rows : {&c.key, &c.value})
      for (uint32_t d = 0; d < 16; ++d)
        (*rows)[0][size_t(last) * 16 + d] = d % 2 ? INFINITY : std::nanf("");
    auto spoilt = c.run("x86-64-v3", Flush::End, 200, false);
    for (size_t i = 0; i < size_t(last) * 3 * 16; ++i)
      ASSERT_EQ(bits(clean[0][i]), bits(spoilt[0][i])) << format << " at " << i;
    for (size_t i = size_t(last) * 3 * 16; i < spoilt[0].size(); ++i)
      ASSERT_TRUE(std::isnan(spoilt[0][i])) << format << " at " << i;
  }
}

// Scores far apart and far below zero neither overflow nor lose the largest.
TEST(Attention, TakesExtremeScores) {
  Random random(22);
  AttentionCase c("f32", 16, 2, 1, random);
  for (auto &session : c.query)
    for (float &q : session)
      q *= 300;
  auto got = c.run("x86-64-v3", Flush::End, 16, false);
  for (int s = 0; s < 2; ++s)
    for (uint32_t p = 0; p < c.lengths[s]; ++p)
      for (uint32_t h = 0; h < 2; ++h)
        ASSERT_NEAR(got[s][(size_t(p) * 2 + h) * 16], c.reference(s, p, h, 0), 2e-3);
}

// Rows of a session of 32768 positions are the same softmax to the last.
TEST(Attention, ReachesThirtyTwoThousandPositions) {
  Random random(27);
  for (const std::string &format : kFormats) {
    const uint32_t length = 32768;
    AttentionCase c(format, 2, 2, 1, random, 16);
    c.lengths = {length, 1};
    c.capacities = {length, 16};
    c.query[0] = random.values(size_t(length) * 4);
    c.key[0] = random.values(size_t(length) * 2);
    c.value[0] = random.values(size_t(length) * 2);
    c.attendFrom = length - 256;
    auto got = c.run("x86-64-v3", Flush::End, 256, false);
    for (uint32_t p : {32512u, 32639u, 32640u, 32766u, 32767u})
      for (uint32_t h = 0; h < 2; ++h)
        for (uint32_t d = 0; d < 2; ++d)
          ASSERT_NEAR(got[0][(size_t(p) * 2 + h) * 2 + d], c.reference(0, p, h, d), 1e-5)
              << format << " position " << p;
  }
}
