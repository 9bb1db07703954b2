// Attention to windows, over plain caches and rings, and with soft caps, against the double
// reference of AttentionCase.h and against the plain kernels.
#include "AttentionCase.h"

using namespace coppice;
using namespace coppice::test;

namespace {
/// The least ring that steps of `chunk` rows may use.
uint32_t ringFor(uint32_t window, uint32_t chunk) { return (window + chunk + 63) / 64 * 64; }

void expectReference(const AttentionCase &c, const std::vector<std::vector<float>> &got,
                     Random &random) {
  for (int s = 0; s < 2; ++s)
    for (uint32_t p = random.below(4); p < c.lengths[s]; p += 1 + random.below(5))
      for (uint32_t h = random.below(2); h < c.heads; h += 1 + random.below(3))
        for (uint32_t d = h % 3; d < c.headDim; d += 1 + c.headDim / 5)
          ASSERT_NEAR(got[s][(size_t(p) * c.heads + h) * c.headDim + d], c.reference(s, p, h, d),
                      1e-5)
              << c.attentionName() << " window " << c.window << " headDim " << c.headDim
              << " session " << s << " position " << p << " head " << h;
}
} // namespace

// A row sees itself and the window - 1 positions before it and no others: windows on either side of
// blocks and groups, of one token, and wider than the text; with and without a soft cap.
TEST(AttentionWindow, EqualsTheReference) {
  Random random(31);
  std::vector<std::string> targets = runnableTargets();
  size_t turn = 0;
  for (const std::string &format : kFormats)
    for (uint32_t window : {1u, 2u, 3u, 7u, 15u, 16u, 17u, 63u, 64u, 65u, 100u, 128u, 500u})
      for (float cap : {0.0f, 1.5f}) {
        AttentionCase c(format, 1 + random.below(70), 1 + random.below(9), 1 + random.below(3),
                        random, 300);
        c.window = window;
        c.cap = cap;
        Flush flush = random.below(2) ? Flush::Exact : Flush::Begin;
        expectReference(
            c, c.run(targets[turn++ % targets.size()], flush, 1 + random.below(90), true), random);
      }
}

// Capped scores, without a window: moderate ones, and such as a cap is there for.
TEST(AttentionSoftcap, EqualsTheReference) {
  Random random(32);
  for (const std::string &format : kFormats)
    for (const std::string &target : runnableTargets())
      for (float cap : {0.3f, 5.0f, 50.0f})
        for (float scale : {0.01f, 0.3f, 8.0f}) {
          AttentionCase c(format, 1 + random.below(70), 1 + random.below(9), 2, random, 150);
          c.cap = cap;
          c.scale = scale;
          auto got = c.run(target, Flush::Begin, 1 + random.below(40), true);
          for (int s = 0; s < 2; ++s)
            for (uint32_t p = 0; p < c.lengths[s]; p += 7)
              for (uint32_t h = 0; h < c.heads; ++h)
                ASSERT_NEAR(got[s][(size_t(p) * c.heads + h) * c.headDim], c.reference(s, p, h, 0),
                            2e-5 * std::max(1.0f, cap / 5))
                    << format << " cap " << cap << " scale " << scale << " position " << p;
        }
}

// Where a window hides nothing the bits are those of the kernel without one.
TEST(AttentionWindow, AWideOneChangesNoBit) {
  Random random(33);
  for (const std::string &format : kFormats)
    for (float cap : {0.0f, 4.0f}) {
      AttentionCase c(format, 40, 5, 2, random, 300);
      c.cap = cap;
      auto plain = c.run("x86-64-v3", Flush::End, 64, false);
      for (uint32_t window : {c.lengths[0], 1u << 20, 0x7fffffefu})
        for (const std::string &target : runnableTargets()) {
          c.window = window;
          expectSame(plain, c.run(target, Flush::Begin, 29, true), target);
        }
    }
}

// A ring with room for the window and a step holds what a cache of all positions does: the same
// bits when it has wrapped many times, in steps of any size up to that, in sessions shorter than it
// too. Guard pages are where it ends, and it begins full of NaN.
TEST(AttentionWindow, RingEqualsPlainCache) {
  Random random(34);
  std::vector<std::string> targets = runnableTargets();
  size_t turn = 0;
  for (const std::string &format : kFormats)
    for (uint32_t window : {1u, 5u, 16u, 48u, 64u, 90u})
      for (uint32_t largest : {1u, 13u, 64u}) {
        AttentionCase c(format, 1 + random.below(40), 1 + random.below(9), 2, random, 60);
        uint32_t length = 500 + random.below(200);
        c.lengths[0] = length;
        c.capacities[0] = (length + 15) / 16 * 16;
        c.query[0] = random.values(size_t(length) * c.heads * c.headDim);
        c.key[0] = random.values(size_t(length) * c.kvHeads * c.headDim);
        c.value[0] = random.values(size_t(length) * c.kvHeads * c.headDim);
        c.window = window;
        auto plain = c.run("x86-64-v3", Flush::End, 100, false);
        expectReference(c, plain, random);
        c.ring = ringFor(window, largest);
        for (uint32_t chunk : {1u, largest / 2 + 1, largest})
          expectSame(plain,
                     c.run(targets[turn++ % targets.size()],
                           random.below(2) ? Flush::Exact : Flush::Begin, chunk, chunk % 2),
                     format + " window " + std::to_string(window) + " steps of " +
                         std::to_string(chunk));
      }
}

// A row's bits are the same whether its tokens come one by one, in odd chunks or all at once, with
// items cut or whole, and on every target.
TEST(AttentionWindow, RowBitsDoNotDependOnCompany) {
  Random random(35);
  for (const std::string &format : kFormats)
    for (uint32_t window : {4u, 37u, 130u})
      for (float cap : {0.0f, 2.0f}) {
        AttentionCase c(format, 1 + random.below(80), 1 + random.below(9), 2, random, 300);
        c.window = window;
        c.cap = cap;
        auto whole = c.run("x86-64-v3", Flush::End, 300, false);
        for (const std::string &target : runnableTargets())
          for (uint32_t chunk : {1u, 7u, 16u, 63u, 300u})
            expectSame(whole, c.run(target, Flush::Begin, chunk, chunk % 2), target);
      }
}

// What lies before a window reaches no row, also if it is not finite; up to its edge it does.
TEST(AttentionWindow, HiddenRowsDoNotReachForward) {
  Random random(36);
  for (const std::string &format : kFormats)
    for (uint32_t window : {3u, 16u, 70u}) {
      AttentionCase c(format, 16, 3, 1, random, 60);
      c.lengths[0] = 200;
      c.capacities[0] = 208;
      c.query[0] = random.values(200 * 48);
      c.key[0] = random.values(200 * 16);
      c.value[0] = random.values(200 * 16);
      c.window = window;
      auto clean = c.run("x86-64-v3", Flush::End, 50, false);
      const uint32_t bad = 61;
      for (auto *rows : {&c.key, &c.value})
        for (uint32_t d = 0; d < 16; ++d)
          (*rows)[0][size_t(bad) * 16 + d] = d % 2 ? INFINITY : std::nanf("");
      auto spoilt = c.run("x86-64-v3", Flush::End, 50, false);
      for (uint32_t p = 0; p < 200; ++p)
        for (size_t i = size_t(p) * 48; i < size_t(p + 1) * 48; ++i) {
          if (p < bad || p >= bad + window)
            ASSERT_EQ(bits(clean[0][i]), bits(spoilt[0][i])) << format << " position " << p;
          else
            ASSERT_TRUE(std::isnan(spoilt[0][i])) << format << " position " << p;
        }
    }
}
