// What partial groups add to the weights of a whole model of 1.1 billion parameters, whose cuts can
// be any: docs/artifact-format.md promises less than 1 % of a file for the groups that cuts leave
// partial. Sizes are computed by the rule that the page states, whole groups of 34 or 18 bytes, and
// held against what the packer takes.
#include "compiler/artifact/WeightStream.h"
#include <algorithm>
#include <gtest/gtest.h>

using namespace coppice;

namespace {

// The llama-1.1b of coppice synth.
constexpr int64_t kLayers = 22, kWidth = 2048, kVocabulary = 32000, kHeadDim = 64, kHeads = 32,
                  kGroups = 4, kNeurons = 5632;

struct Bytes {
  double taken = 0, ideal = 0; // ideal: 8.5 or 4.5 bits for each weight
  void add(WeightFormat format, int64_t rows, int64_t cols) {
    taken += double(*weightBytes(format, rows, cols));
    ideal += double(rows * cols) * (format == WeightFormat::I8 ? 34 : 18) / 32;
  }
};

/// All layers with this many heads, KV heads and neurons.
Bytes model(WeightFormat format, int64_t heads, int64_t kvHeads, int64_t neurons) {
  Bytes bytes;
  for (int64_t layer = 0; layer < kLayers; ++layer) {
    for (int64_t rows :
         {heads * kHeadDim, kvHeads * kHeadDim, kvHeads * kHeadDim, neurons, neurons})
      bytes.add(format, rows, kWidth);
    bytes.add(format, kWidth, heads * kHeadDim);
    bytes.add(format, kWidth, neurons);
  }
  bytes.add(WeightFormat::I8, kVocabulary, kWidth); // the table and the head
  bytes.add(WeightFormat::I8, kVocabulary, kWidth);
  return bytes;
}

// Every number of neurons, beside all heads and beside one: partial groups cost less than 1 % of
// all.
TEST(QuantizedSize, PartialGroupsCostLessThanOnePercentOfAModel) {
  for (WeightFormat format : {WeightFormat::I8, WeightFormat::I4}) {
    double most = 0;
    int64_t at = 0;
    for (int64_t neurons = 1; neurons <= kNeurons; ++neurons)
      for (auto [heads, kvHeads] :
           {std::pair(kHeads, kGroups), std::pair<int64_t, int64_t>(1, 1)}) {
        Bytes bytes = model(format, heads, kvHeads, neurons);
        double more = bytes.taken / bytes.ideal - 1;
        EXPECT_GE(more, 0);
        if (more > most)
          most = more, at = neurons;
      }
    RecordProperty(format == WeightFormat::I8 ? "i8" : "i4", std::to_string(most));
    std::printf("%s: at most %.3f %%, with %d neurons\n", formatName(format).data(), 100 * most,
                int(at));
    EXPECT_LT(most, 0.01);
    EXPECT_GT(most, 0); // some groups are partial
  }
}

// Of a single narrow matrix they cost more: the promise is of a whole file.
TEST(QuantizedSize, ANarrowMatrixCostsMore) {
  Bytes bytes;
  bytes.add(WeightFormat::I4, kWidth, 33);
  EXPECT_GT(bytes.taken / bytes.ideal, 1.01);
}

} // namespace
