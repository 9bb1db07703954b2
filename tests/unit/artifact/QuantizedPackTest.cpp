// Quantized weights in the stream, against a reader of the layout written apart from the packer.
#include "Decode.h"
#include "compiler/artifact/FloatFormats.h"
#include <cmath>
#include <random>

using namespace coppice;
using namespace coppice::test;

namespace {
std::string listText(llvm::ArrayRef<int32_t> list) {
  std::string result;
  for (int32_t i : list)
    result += (result.empty() ? "" : ", ") + std::to_string(i);
  return "<" + result + ">";
}

/// Checks every element of a packed weight against `value(row, col)`.
template <typename Value>
void checkElements(const std::vector<uint8_t> &bytes, const PackedWeight &weight, Value value,
                   const std::string &what) {
  bool i8 = weight.format == WeightFormat::I8;
  for (int64_t r = 0; r < weight.rows; ++r)
    for (int64_t c = 0; c < weight.cols; ++c) {
      Decoded got = decode(bytes, weight.format, weight.layout, weight.rows, weight.cols, r, c);
      double w = value(r, c), step = std::fabs(got.scale);
      ASSERT_LE(got.highest, i8 ? 127 : 7) << what;
      ASSERT_GE(got.lowest, i8 ? -127 : -8) << what;
      if (i8)
        ASSERT_FALSE(std::signbit(got.scale)) << what;
      bool clipped = i8 ? std::abs(got.code) == 127 : got.code == 7 || got.code == -8;
      double off = std::fabs(w - got.code * got.scale);
      if (clipped) // towards 0 at most, and by less than a quarter of the code
        ASSERT_LE(off, std::max(step * 0.51, std::fabs(w) * 0.3)) << what << r << "," << c;
      else
        ASSERT_LE(off, step * 0.5001 + 1e-12) << what << " at " << r << ", " << c;
    }
}

std::vector<float> normal(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> distribution(0, 0.05f);
  std::vector<float> values(count);
  for (float &value : values)
    value = distribution(random);
  return values;
}

// Every count of rows up to 70 by columns about the bounds of words and groups: the bytes that the
// format says, and each element within half a step of its value.
TEST(QuantizedPack, OddShapesMatchTheLayout) {
  for (WeightFormat format : {WeightFormat::I8, WeightFormat::I4})
    for (WeightLayout layout : {WeightLayout::Panels, WeightLayout::Rows})
      for (int64_t cols = 1; cols <= 100; cols += cols % 32 < 2 || cols % 32 > 30 ? 1 : 3)
        for (int64_t rows = 1 + cols % 3; rows <= 70; rows += 3) {
          MemoryCheckpoint checkpoint;
          std::vector<float> values = normal(size_t(rows * cols), unsigned(rows * 101 + cols));
          checkpoint.addFloats("w", {rows, cols}, values);
          Graph graph(checkpoint, "%w = lm.weight @w : tensor<" + std::to_string(rows) + "x" +
                                      std::to_string(cols) + "xf32>");
          PackedWeight weight = packed(graph.last(), rows, cols, format, layout);
          Streamed got = stream(weight, checkpoint);
          ASSERT_EQ(got.error, "");
          ASSERT_EQ(got.bytes.size(), weight.bytes);
          checkElements(
              got.bytes, weight, [&](int64_t r, int64_t c) { return values[size_t(r * cols + c)]; },
              std::to_string(rows) + "x" + std::to_string(cols));
          if (HasFatalFailure())
            return;
        }
}

// Kept rows and columns in any order, transposed tensors, each checkpoint type: groups are of the
// columns that are kept; 1, 2 and 3 threads give the same bytes.
TEST(QuantizedPack, SelectsFirst) {
  const int64_t storedRows = 131, storedCols = 157;
  std::mt19937 random(5);
  auto list = [&](int64_t extent, size_t count) {
    std::vector<int32_t> all(extent);
    for (int64_t i = 0; i < extent; ++i)
      all[i] = int32_t(i);
    std::shuffle(all.begin(), all.end(), random);
    all.resize(count);
    return all;
  };
  std::vector<float> values = normal(size_t(storedRows * storedCols), 3);
  for (DType from : {DType::F32, DType::F16, DType::BF16})
    for (WeightFormat format : {WeightFormat::I8, WeightFormat::I4})
      for (WeightLayout layout : {WeightLayout::Rows, WeightLayout::Panels})
        for (bool transposed : {false, true})
          for (int lists = 0; lists < 4; ++lists) {
            auto bitsOf = [&](size_t i) {
              uint32_t bits = formats::asBits(values[i]);
              return from == DType::F32   ? bits
                     : from == DType::F16 ? formats::narrowHalf(bits)
                                          : formats::narrowBrain(bits);
            };
            MemoryCheckpoint checkpoint;
            checkpoint.add("w", from, {storedRows, storedCols}, bitsOf);
            int64_t outs = transposed ? storedCols : storedRows;
            int64_t ins = transposed ? storedRows : storedCols;
            std::vector<int32_t> rows = list(outs, lists & 1 ? 67 : outs);
            std::vector<int32_t> cols = list(ins, lists & 2 ? 83 : ins);
            std::string body = "%w = lm.weight @w";
            if (lists & 1)
              body += " rows " + listText(rows);
            else
              std::sort(rows.begin(), rows.end());
            if (lists & 2)
              body += " cols " + listText(cols);
            else
              std::sort(cols.begin(), cols.end());
            int64_t n = int64_t(rows.size()), k = int64_t(cols.size());
            body += std::string(transposed ? " transposed" : "") + " : tensor<" +
                    std::to_string(n) + "x" + std::to_string(k) + "x" +
                    llvm::StringRef(dtypeName(from)).lower() + ">";
            Graph graph(checkpoint, body);
            PackedWeight weight = packed(graph.last(), n, k, format, layout);
            Streamed got = stream(weight, checkpoint, 1);
            ASSERT_EQ(got.error, "") << body;
            ASSERT_EQ(got.bytes.size(), weight.bytes);
            checkElements(
                got.bytes, weight,
                [&](int64_t r, int64_t c) {
                  uint32_t bits = bitsOf(size_t(transposed ? cols[c] * storedCols + rows[r]
                                                           : rows[r] * storedCols + cols[c]));
                  return formats::asFloat(from == DType::F32 ? bits
                                          : from == DType::F16
                                              ? formats::widenHalf(uint16_t(bits))
                                              : formats::widenBrain(uint16_t(bits)));
                },
                body);
            if (HasFatalFailure())
              return;
            for (unsigned threads : {2u, 3u})
              ASSERT_TRUE(stream(weight, checkpoint, threads).bytes == got.bytes) << body;
          }
}

// Large weights: pieces are cut at whole groups, chunks stay small, and what one thread writes
// three write too. A row alone is longer than a piece.
TEST(QuantizedPack, LargeWeightsComeInChunks) {
  const int64_t rows = 37, cols = 70001;
  std::vector<float> values = normal(size_t(rows * cols), 9);
  MemoryCheckpoint checkpoint;
  checkpoint.addFloats("w", {rows, cols}, values);
  Graph graph(checkpoint, "%w = lm.weight @w : tensor<37x70001xf32>");
  for (WeightFormat format : {WeightFormat::I8, WeightFormat::I4})
    for (WeightLayout layout : {WeightLayout::Rows, WeightLayout::Panels}) {
      PackedWeight weight = packed(graph.last(), rows, cols, format, layout);
      Streamed one = stream(weight, checkpoint, 1), three = stream(weight, checkpoint, 3);
      ASSERT_EQ(one.error, "");
      ASSERT_EQ(one.bytes.size(), weight.bytes);
      EXPECT_TRUE(one.bytes == three.bytes);
      EXPECT_LE(one.largestChunk, size_t(2) << 20);
      std::mt19937 random(1);
      for (int i = 0; i < 3000; ++i) {
        int64_t r = random() % rows, c = i % 7 ? int64_t(random() % cols) : cols - 1 - i % 90;
        Decoded got = decode(one.bytes, format, layout, rows, cols, r, c);
        ASSERT_LE(std::fabs(values[size_t(r * cols + c)] - got.code * got.scale),
                  std::fabs(got.scale) * 1.5);
      }
    }
}

// The importance of a column counts in its group: with all weight on one column, that column is
// exact to float16. What cannot be an importance is refused.
TEST(QuantizedPack, Importance) {
  const int64_t rows = 9, cols = 45;
  std::vector<float> values = normal(size_t(rows * cols), 11);
  MemoryCheckpoint checkpoint;
  checkpoint.addFloats("w", {rows, cols}, values);
  Graph graph(checkpoint, "%w = lm.weight @w : tensor<9x45xf32>");
  PackedWeight weight = packed(graph.last(), rows, cols, WeightFormat::I4);
  weight.importance.assign(size_t(cols), 0.0f);
  weight.importance[3] = 1e-30f;
  weight.importance[40] = 1e30f;
  std::vector<uint8_t> bytes = stream(weight, checkpoint).bytes;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c : {3, 40}) {
      Decoded got = decode(bytes, weight.format, weight.layout, rows, cols, r, c);
      double w = values[size_t(r * cols + c)];
      EXPECT_LE(std::fabs(got.code * got.scale - w), std::fabs(w) * 0x1p-11);
    }
  // None, and all 0, are all alike.
  PackedWeight plain = packed(graph.last(), rows, cols, WeightFormat::I4);
  std::fill(weight.importance.begin(), weight.importance.end(), 0.0f);
  EXPECT_EQ(stream(weight, checkpoint).bytes, stream(plain, checkpoint).bytes);
  weight.importance[4] = -1;
  EXPECT_NE(stream(weight, checkpoint).error.find("the importance of column 4 is not a finite"),
            std::string::npos);
  weight.importance[4] = std::nanf("");
  EXPECT_NE(stream(weight, checkpoint).error, "");
  weight.importance.pop_back();
  EXPECT_EQ(stream(weight, checkpoint).error, "weight 'test' of layer 3: 44 columns have an "
                                              "importance, the weight has 45");
}

// NaN, infinity and what no scale reaches are refused by tensor, row and column in the checkpoint's
// numbers, with the way out; the largest value that fits passes.
TEST(QuantizedPack, Refuses) {
  auto error = [](float value, WeightFormat format, bool transposed) {
    MemoryCheckpoint checkpoint;
    std::vector<float> values(90 * 40, 0.5f);
    values[70 * 40 + 33] = value;
    checkpoint.addFloats("w", {90, 40}, values);
    Graph graph(checkpoint, transposed
                                ? "%w = lm.weight @w rows <33, 2> transposed : tensor<2x90xf32>"
                                : "%w = lm.weight @w cols <2, 33> : tensor<90x2xf32>");
    std::string one, three;
    PackedWeight weight = packed(graph.last(), transposed ? 2 : 90, transposed ? 90 : 2, format);
    one = stream(weight, checkpoint, 1).error;
    EXPECT_EQ(one, stream(weight, checkpoint, 3).error);
    return one;
  };
  for (bool transposed : {false, true})
    for (WeightFormat format : {WeightFormat::I8, WeightFormat::I4}) {
      float most = format == WeightFormat::I8 ? 8319008.0f : 524032.0f;
      EXPECT_NE(error(std::nanf(""), format, transposed)
                    .find("tensor 'w': row 70, column 33 is not a number; weights must be finite"),
                std::string::npos);
      EXPECT_NE(error(-HUGE_VALF, format, transposed).find("row 70, column 33 is minus infinity"),
                std::string::npos);
      EXPECT_EQ(error(most, format, transposed), "");
      EXPECT_EQ(error(-most, format, transposed), "");
      std::string text = error(std::nextafterf(most, HUGE_VALF), format, transposed);
      EXPECT_NE(text.find("row 70, column 33 is "), std::string::npos) << text;
      EXPECT_NE(text.find(format == WeightFormat::I8
                              ? "beyond i8's largest value 8319008, 127 times"
                              : "beyond i4's largest value 524032, 8 times"),
                std::string::npos)
          << text;
      EXPECT_NE(text.find("=f32"), std::string::npos) << text;
    }
  // Words and constants have no quantized form.
  MemoryCheckpoint checkpoint;
  checkpoint.addFloats("b", {4}, {1, 2, 3, 4});
  Graph graph(checkpoint, R"(%b = lm.weight @b : tensor<4xf32>
      %c = lm.add %b, %b : tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>)");
  EXPECT_NE(stream(packed(graph.last(), 1, 4, WeightFormat::I8), checkpoint)
                .error.find("1 rows of 4 i8 cannot be packed from a constant row of 4"),
            std::string::npos);
  PackedWeight words = packed({}, 1, 4, WeightFormat::I8);
  words.words = {1, 2};
  EXPECT_NE(stream(words, checkpoint).error.find("given as 2 words"), std::string::npos);
  // Sizes that do not fit 64 bits are no sizes.
  EXPECT_FALSE(weightBytes(WeightFormat::I8, INT64_MAX, INT64_MAX));
  EXPECT_FALSE(weightBytes(WeightFormat::I4, int64_t(1) << 40, int64_t(1) << 40));
  EXPECT_FALSE(weightBytes(WeightFormat::F32, -1, 4));
}

// Bytes over all matrices of a 1.1B Llama, whole and with 10 to 70 % of the heads and neurons cut,
// to widths as they come and to primes: at most 1 % above 4.5 and 8.5 bits a weight.
TEST(QuantizedPack, BitsAWeight) {
  auto prime = [](int64_t n) {
    for (;; --n) {
      bool divided = false;
      for (int64_t d = 2; d * d <= n; ++d)
        divided |= n % d == 0;
      if (!divided)
        return n;
    }
  };
  for (int cut : {0, 10, 30, 50, 70})
    for (bool primes : {false, true}) {
      // 32 query heads of 64 on 4 KV heads, 5632 neurons.
      int64_t heads = 32 - 32 * cut / 100, kvHeads = std::max(1, 4 - 4 * cut / 100);
      int64_t neurons = 5632 - 5632 * cut / 100;
      if (primes)
        heads = prime(heads), neurons = prime(neurons);
      const std::pair<int64_t, int64_t> layer[] = {
          {heads * 64, 2048}, {kvHeads * 64, 2048}, {kvHeads * 64, 2048}, {2048, heads * 64},
          {neurons, 2048},    {neurons, 2048},      {2048, neurons}};
      for (WeightFormat format : {WeightFormat::I4, WeightFormat::I8}) {
        double bits = format == WeightFormat::I4 ? 4.5 : 8.5, all = 0, weights = 0;
        auto count = [&](int64_t rows, int64_t cols, int64_t times) {
          uint64_t bytes = *weightBytes(format, rows, cols);
          EXPECT_LE(8.0 * double(bytes), 1.01 * bits * double(rows * cols)) << rows << "x" << cols;
          // As the segment has them: each from a multiple of 64 on.
          all += 8.0 * double((bytes + 63) / 64 * 64) * double(times);
          weights += double(rows * cols * times);
        };
        for (auto [rows, cols] : layer)
          count(rows, cols, 22);
        count(32000, 2048, 2);
        EXPECT_LE(all, 1.01 * bits * weights) << cut << " " << primes;
        EXPECT_GE(all, bits * weights);
      }
    }
}
} // namespace
