// An attention layer's caches and tokens, run through kv_write and attention kernels, beside a
// plain reference in double that reads the cache by the layout that KernelArgs.h states.
#pragma once
#include "Harness.h"
#include <cmath>
#include <limits>

namespace coppice::test {

inline const std::vector<std::string> kFormats = {"f32", "bf16", "i8"};

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
struct AttentionCase {
  enum Buffer { Query, Key, Value, Out };

  std::string format;
  uint32_t headDim, heads, kvHeads, layerOffset;
  std::vector<uint32_t> map; // query head to KV head
  std::vector<uint64_t> capacities;
  std::vector<uint32_t> lengths; // tokens per session
  std::vector<std::vector<float>> query, key, value;
  std::vector<std::unique_ptr<Guarded>> caches, rings; // of the last run
  Weights weights;
  uint32_t mapWord = 0;
  float scale = 0.3f;
  uint32_t attendFrom = 0; // chunks before it are only written
  uint32_t window = 0;     // 0: none
  uint32_t ring = 0;       // positions of a ring that takes the cache's place; 0: none
  float cap = 0;           // 0: none

  AttentionCase(const std::string &format, uint32_t headDim, uint32_t heads, uint32_t kvHeads,
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

  uint64_t ringCapacity(int s) const { return std::min<uint64_t>(ring, capacities[s]); }
  std::string attentionName() const {
    return std::string("attention") + (window ? "_window" : "") + (cap ? "_softcap_" : "_") +
           format;
  }
  std::vector<uint32_t> attentionArgs(const Step &step) const {
    std::vector<uint32_t> words = {
        COPPICE_ROWS_ALL, step.word(Query), step.word(Out), layerOffset, heads,
        kvHeads,          headDim,          mapWord,        bits(scale)};
    if (window || cap)
      words.push_back(bits(cap));
    if (window)
      words.insert(words.end(), {window, ring != 0});
    return words;
  }

  /// All rows of both sessions, `chunk` positions of each a step; rows in the order of positions.
  std::vector<std::vector<float>> run(const std::string &target, Flush flush, uint32_t chunk,
                                      bool cut) {
    caches.clear(); // they are filled with NaN
    rings.clear();
    for (int s = 0; s < 2; ++s) {
      size_t perPosition = layerOffset + headBytes() * kvHeads;
      caches.push_back(std::make_unique<Guarded>(ring ? 64 : capacities[s] * perPosition, flush));
      rings.push_back(std::make_unique<Guarded>(ringCapacity(s) * perPosition, flush));
    }
    std::vector<std::vector<float>> out(2);
    for (uint32_t from = 0; from < std::max(lengths[0], lengths[1]); from += chunk) {
      std::vector<coppice_row> rows;
      std::vector<int> owner;
      for (int s = 0; s < 2; ++s)
        for (uint32_t p = from; p < std::min(from + chunk, lengths[s]); ++p) {
          rows.push_back(
              {caches[s]->data(), capacities[s], 0, int32_t(p), rings[s]->data(), ringCapacity(s)});
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
      runItems((ring ? "kv_write_ring_" : "kv_write_") + format,
               {COPPICE_ROWS_ALL, step.word(Key), step.word(Value), layerOffset, kvHeads, headDim},
               rows.size() * kvHeads);
      if (from >= attendFrom)
        runItems(attentionName(), attentionArgs(step), rows.size() * kvHeads);
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
    uint32_t first = window && position >= window ? position - window + 1 : 0;
    for (uint32_t p = first; p <= position; ++p) {
      for (uint32_t i = 0; i < headDim; ++i)
        score[p] += double(q[i]) * cache.key(p, i) * scale;
      if (cap)
        score[p] = cap * std::tanh(score[p] / cap);
      top = std::max(top, score[p]);
    }
    for (uint32_t p = first; p <= position; ++p) {
      double share = std::exp(score[p] - top);
      sum += share;
      result += share * cache.value(p, d);
    }
    return result / sum;
  }
};

inline void expectSame(const std::vector<std::vector<float>> &a,
                       const std::vector<std::vector<float>> &b, const std::string &how) {
  for (int s = 0; s < 2; ++s)
    for (size_t i = 0; i < a[s].size(); ++i)
      ASSERT_EQ(bits(a[s][i]), bits(b[s][i])) << how << " session " << s << " at " << i;
}

} // namespace coppice::test
