// kv_write and attention over real caches, against a double reference of softmax attention.
#include "Harness.h"
#include <cmath>
#include <limits>

using namespace coppice;
using namespace coppice::test;

namespace {
enum Buffer { Query, Key, Value, Out };

/// Sessions whose tokens arrive in pieces; one attention layer, not the first in the cache.
struct Case {
  uint32_t headDim, heads, kvHeads, layerOffset;
  std::vector<uint32_t> map;
  std::vector<uint64_t> capacities;
  std::vector<uint32_t> lengths; // tokens per session
  std::vector<std::vector<float>> query, key, value;
  Weights weights;
  uint32_t mapWord = 0;
  float scale = 0.3f;

  Case(uint32_t headDim, uint32_t heads, uint32_t kvHeads, Random &random, uint32_t longest = 150)
      : headDim(headDim), heads(heads), kvHeads(kvHeads), layerOffset(3 * random.below(3)) {
    for (uint32_t h = 0; h < heads; ++h)
      map.push_back(random.below(kvHeads));
    mapWord = weights.add(map);
    for (int s = 0; s < 2; ++s) {
      uint32_t length = 1 + random.below(s ? longest / 4 + 1 : longest);
      lengths.push_back(length);
      capacities.push_back((length + 15) / 16 * 16 + 16 * random.below(2));
      query.push_back(random.values(size_t(length) * heads * headDim));
      key.push_back(random.values(size_t(length) * kvHeads * headDim));
      value.push_back(random.values(size_t(length) * kvHeads * headDim));
      for (float &q : query.back())
        q *= 4;
    }
  }

  /// All rows of both sessions, `chunk` positions of each a step; rows in the order of positions.
  std::vector<std::vector<float>> run(const std::string &target, Flush flush, uint32_t chunk,
                                      bool cut) const {
    std::vector<std::unique_ptr<Guarded>> caches; // filled with NaN
    for (int s = 0; s < 2; ++s)
      caches.push_back(std::make_unique<Guarded>(
          capacities[s] * (layerOffset + 2 * size_t(headDim) * kvHeads) * 4, flush));
    std::vector<std::vector<float>> out(2);
    for (uint32_t from = 0; from < std::max(lengths[0], lengths[1]); from += chunk) {
      std::vector<coppice_row> rows;
      std::vector<int> owner;
      for (int s = 0; s < 2; ++s)
        for (uint32_t p = from; p < std::min(from + chunk, lengths[s]); ++p) {
          rows.push_back({caches[s]->data(), capacities[s], 0, int32_t(p)});
          owner.push_back(s);
        }
      uint32_t width = heads * headDim, kvWidth = kvHeads * headDim;
      Step step(weights, rows.size(), {width, kvWidth, kvWidth, width}, flush);
      step.rows = rows;
      step.frame.sets[0].rows = step.rows.data();
      for (size_t r = 0; r < rows.size(); ++r) {
        size_t p = rows[r].position;
        std::copy_n(&query[owner[r]][p * width], width, step.row(Query, r));
        std::copy_n(&key[owner[r]][p * kvWidth], kvWidth, step.row(Key, r));
        std::copy_n(&value[owner[r]][p * kvWidth], kvWidth, step.row(Value, r));
      }
      auto runItems = [&](const char *name, std::vector<uint32_t> words, uint64_t items) {
        coppice_kernel kernel = codeFor(target).kernel(name);
        uint64_t middle = cut ? items / 3 : 0;
        step.run(kernel, words, middle, items);
        step.run(kernel, words, 0, middle);
      };
      runItems("kv_write",
               {COPPICE_ROWS_ALL, step.word(Key), step.word(Value), layerOffset, kvHeads, headDim},
               rows.size() * kvHeads);
      runItems("attention",
               {COPPICE_ROWS_ALL, step.word(Query), step.word(Out), layerOffset, heads, kvHeads,
                headDim, mapWord, bits(scale)},
               rows.size() * heads);
      for (size_t r = 0; r < rows.size(); ++r) {
        float *row = step.row(Out, r);
        out[owner[r]].insert(out[owner[r]].end(), row, row + width);
      }
    }
    return out;
  }

  double reference(int s, uint32_t position, uint32_t head, uint32_t d) const {
    const float *q = &query[s][(size_t(position) * heads + head) * headDim];
    auto at = [&](const std::vector<float> &all, uint32_t p) {
      return &all[(size_t(p) * kvHeads + map[head]) * headDim];
    };
    std::vector<double> score(position + 1);
    double top = -INFINITY, sum = 0, result = 0;
    for (uint32_t p = 0; p <= position; ++p) {
      for (uint32_t i = 0; i < headDim; ++i)
        score[p] += double(q[i]) * at(key[s], p)[i] * scale;
      top = std::max(top, score[p]);
    }
    for (uint32_t p = 0; p <= position; ++p) {
      double share = std::exp(score[p] - top);
      sum += share;
      result += share * at(value[s], p)[d];
    }
    return result / sum;
  }
};

void expectSame(const std::vector<std::vector<float>> &a, const std::vector<std::vector<float>> &b,
                const std::string &how) {
  for (int s = 0; s < 2; ++s)
    for (size_t i = 0; i < a[s].size(); ++i)
      ASSERT_EQ(bits(a[s][i]), bits(b[s][i])) << how << " session " << s << " at " << i;
}
} // namespace

// Odd head sizes, any map from query to KV heads, sessions of different length in one step, caches
// full of NaN that end at guard pages: the result is softmax attention up to the row's position.
TEST(Attention, EqualsTheReference) {
  Random random(20);
  for (uint32_t headDim :
       {1u, 2u, 3u, 8u, 15u, 16u, 17u, 31u, 32u, 33u, 48u, 64u, 65u, 80u, 100u, 128u, 130u}) {
    Case c(headDim, 1 + random.below(4), 1 + random.below(3), random);
    auto got = c.run("x86-64-v3", random.below(2) ? Flush::End : Flush::Begin, 37, true);
    for (int s = 0; s < 2; ++s)
      for (uint32_t p = 0; p < c.lengths[s]; ++p)
        for (uint32_t h = 0; h < c.heads; ++h)
          for (uint32_t d = 0; d < headDim; d += 1 + headDim / 9) {
            float value = got[s][(size_t(p) * c.heads + h) * headDim + d];
            ASSERT_NEAR(value, c.reference(s, p, h, d), 1e-5)
                << "headDim " << headDim << " session " << s << " position " << p;
          }
  }
}

// Every head size to 200, over sessions of one to three cache blocks.
TEST(Attention, EveryHeadSize) {
  Random random(23);
  for (uint32_t headDim = 1; headDim <= 200; ++headDim)
    for (const std::string &target : runnableTargets()) {
      Case c(headDim, 1 + random.below(3), 1 + random.below(2), random, 40);
      auto got =
          c.run(target, random.below(2) ? Flush::Exact : Flush::Begin, 1 + random.below(40), true);
      for (int s = 0; s < 2; ++s)
        for (uint32_t p = random.below(3); p < c.lengths[s]; p += 3)
          for (uint32_t d = random.below(7); d < headDim; d += 7) {
            uint32_t head = random.below(c.heads);
            ASSERT_NEAR(got[s][(size_t(p) * c.heads + head) * headDim + d],
                        c.reference(s, p, head, d), 1e-5)
                << "headDim " << headDim << " session " << s << " position " << p;
          }
    }
}

// A row's bits are the same whether its tokens come one by one, in odd chunks or all at once, with
// items cut or whole, and on every target.
TEST(Attention, RowBitsDoNotDependOnCompany) {
  Random random(21);
  for (uint32_t headDim : {5u, 16u, 33u, 64u, 100u}) {
    Case c(headDim, 3, 2, random);
    auto whole = c.run("x86-64-v3", Flush::End, 200, false);
    for (const std::string &target : runnableTargets())
      for (uint32_t chunk : {1u, 7u, 16u, 63u, 200u})
        expectSame(whole, c.run(target, Flush::Begin, chunk, chunk % 2), target);
  }
}

// Scores far apart and far below zero neither overflow nor lose the largest.
TEST(Attention, TakesExtremeScores) {
  Random random(22);
  Case c(16, 2, 1, random);
  for (auto &session : c.query)
    for (float &q : session)
      q *= 300;
  auto got = c.run("x86-64-v3", Flush::End, 16, false);
  for (int s = 0; s < 2; ++s)
    for (uint32_t p = 0; p < c.lengths[s]; ++p)
      for (uint32_t h = 0; h < 2; ++h)
        ASSERT_NEAR(got[s][(size_t(p) * 2 + h) * 16], c.reference(s, p, h, 0), 2e-3);
}
