// kv_write and attention over real caches, against a double reference of softmax attention over
// what the cache holds, read by the layout that KernelArgs.h states.
#include "Harness.h"
#include <cmath>
#include <limits>

using namespace coppice;
using namespace coppice::test;

namespace {
enum Buffer { Query, Key, Value, Out };

const std::vector<std::string> kFormats = {"f32", "bf16", "i8"};

/// A head's keys and values out of a cache, by the layout's words alone.
struct CacheReader {
  const uint8_t *head; // its first block
  uint32_t headDim;
  std::string format;

  size_t size() const { return format == "f32" ? 4 : format == "bf16" ? 2 : 1; }
  size_t blockBytes() const { return 32 * headDim * size() + (format == "i8" ? 128 : 0); }
  float element(uint32_t position, size_t index, bool key) const {
    const uint8_t *block = head + position / 16 * blockBytes();
    const uint8_t *from = block + index * size();
    uint32_t word = 0;
    if (format == "i8")
      return float(int8_t(*from)) * scale(position, key);
    memcpy(reinterpret_cast<uint8_t *>(&word) + (4 - size()), from, size());
    float value;
    memcpy(&value, &word, 4);
    return value;
  }
  float scale(uint32_t position, bool key) const {
    const uint8_t *block = head + position / 16 * blockBytes();
    float value;
    memcpy(&value, block + 32 * headDim + (key ? 0 : 64) + position % 16 * 4, 4);
    return value;
  }
  float key(uint32_t position, uint32_t d) const {
    return element(position, (size_t(headDim) + d) * 16 + position % 16, true);
  }
  float value(uint32_t position, uint32_t d) const {
    return element(position, size_t(position % 16) * headDim + d, false);
  }
};

/// Sessions whose tokens arrive in pieces; one attention layer, not the first in the cache.
struct Case {
  std::string format;
  uint32_t headDim, heads, kvHeads, layerOffset;
  std::vector<uint32_t> map; // query head to KV head
  std::vector<uint64_t> capacities;
  std::vector<uint32_t> lengths; // tokens per session
  std::vector<std::vector<float>> query, key, value;
  std::vector<std::unique_ptr<Guarded>> caches; // of the last run
  Weights weights;
  uint32_t mapWord = 0;
  float scale = 0.3f;
  uint32_t attendFrom = 0; // chunks before it are only written

  Case(const std::string &format, uint32_t headDim, uint32_t heads, uint32_t kvHeads,
       Random &random, uint32_t longest = 150)
      : format(format), headDim(headDim), heads(heads), kvHeads(kvHeads),
        layerOffset(2 * random.below(5)) {
    std::vector<std::vector<uint32_t>> readers(kvHeads);
    for (uint32_t h = 0; h < heads; ++h) {
      map.push_back(random.below(kvHeads));
      auto &mine = readers[map[h]];
      mine.insert(mine.begin() + random.below(mine.size() + 1), h); // in any order
    }
    std::vector<uint32_t> words = {0}, list;
    for (const auto &mine : readers) {
      list.insert(list.end(), mine.begin(), mine.end());
      words.push_back(list.size());
    }
    words.insert(words.end(), list.begin(), list.end());
    mapWord = weights.add(words);
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

  size_t headBytes() const { // a position's
    return format == "f32" ? 8 * headDim : format == "bf16" ? 4 * headDim : 2 * headDim + 8;
  }
  CacheReader reader(int s, uint32_t kvHead) const {
    return {caches[s]->data() + (layerOffset + kvHead * headBytes()) * capacities[s], headDim,
            format};
  }

  /// All rows of both sessions, `chunk` positions of each a step; rows in the order of positions.
  std::vector<std::vector<float>> run(const std::string &target, Flush flush, uint32_t chunk,
                                      bool cut) {
    caches.clear(); // they are filled with NaN
    for (int s = 0; s < 2; ++s)
      caches.push_back(
          std::make_unique<Guarded>(capacities[s] * (layerOffset + headBytes() * kvHeads), flush));
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
      auto runItems = [&](const std::string &name, std::vector<uint32_t> words, uint64_t items) {
        coppice_kernel kernel = codeFor(target).kernel(name);
        uint64_t middle = cut ? items / 3 : 0;
        step.run(kernel, words, middle, items);
        step.run(kernel, words, 0, middle);
      };
      runItems("kv_write_" + format,
               {COPPICE_ROWS_ALL, step.word(Key), step.word(Value), layerOffset, kvHeads, headDim},
               rows.size() * kvHeads);
      if (from >= attendFrom)
        runItems("attention_" + format,
                 {COPPICE_ROWS_ALL, step.word(Query), step.word(Out), layerOffset, heads, kvHeads,
                  headDim, mapWord, bits(scale)},
                 rows.size() * kvHeads);
      for (size_t r = 0; r < rows.size(); ++r) {
        float *row = step.row(Out, r);
        out[owner[r]].insert(out[owner[r]].end(), row, row + width);
      }
    }
    return out;
  }

  double reference(int s, uint32_t position, uint32_t head, uint32_t d) const {
    const float *q = &query[s][(size_t(position) * heads + head) * headDim];
    CacheReader cache = reader(s, map[head]);
    std::vector<double> score(position + 1);
    double top = -INFINITY, sum = 0, result = 0;
    for (uint32_t p = 0; p <= position; ++p) {
      for (uint32_t i = 0; i < headDim; ++i)
        score[p] += double(q[i]) * cache.key(p, i) * scale;
      top = std::max(top, score[p]);
    }
    for (uint32_t p = 0; p <= position; ++p) {
      double share = std::exp(score[p] - top);
      sum += share;
      result += share * cache.value(p, d);
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

// What kv_write stores, read by the layout: f32 as it is; bf16 within 2^-8 of each value, which is
// rounding to nearest and more; i8 within half a step of max / 127 of the position and head, but
// for the roundings of float32.
TEST(KvWrite, HoldsWhatTheLayoutSays) {
  Random random(24);
  for (const std::string &format : kFormats)
    for (uint32_t headDim : {1u, 2u, 7u, 16u, 33u, 64u, 130u})
      for (const std::string &target : runnableTargets()) {
        Case c(format, headDim, 2, 1 + random.below(3), random, 60);
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
      Case c(format, headDim, 1 + random.below(9), 1 + random.below(3), random);
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
      Case c(kFormats[(headDim + turn) % 3], headDim, 1 + random.below(9), 1 + random.below(2),
             random, 40);
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
  Case c("bf16", 5, 71, 1, random, 80);
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
      Case c(format, headDim, 1 + random.below(9), 2, random);
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
    Case c(format, 16, 3, 1, random, 150);
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
  Case c("f32", 16, 2, 1, random);
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
    Case c(format, 2, 2, 1, random, 16);
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
