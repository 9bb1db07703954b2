// Quantized weights in the stream, against a reader of the layout written apart from the packer.
#include "Fixture.h"
#include "compiler/artifact/FloatFormats.h"
#include <cmath>
#include <random>

using namespace coppice;
using namespace coppice::test;

namespace {
/// An element as the layout's description has it: panels of 32, 16, 8, 4, 2, 1 rows (row layout: of
/// one), groups of 32 columns, in a group its words, each for all rows, then its scales.
struct Decoded {
  int code;
  double scale;
  int lowest, highest; // of the codes of the words, those of columns that do not exist included
};
Decoded decode(const std::vector<uint8_t> &bytes, WeightFormat format, WeightLayout layout,
               int64_t rows, int64_t cols, int64_t row, int64_t col) {
  bool i8 = format == WeightFormat::I8;
  auto groupSize = [&](int64_t columns, int64_t panel) { // bytes
    int64_t words = i8 ? (columns + 3) / 4 : (columns + 7) / 8;
    return panel * (4 * words + 2);
  };
  int64_t panel = 1, start = 0, at = 0;
  while (true) {
    if (layout == WeightLayout::Panels)
      for (panel = 32; rows - start < panel;)
        panel /= 2;
    if (row < start + panel)
      break;
    start += panel;
    for (int64_t c = 0; c < cols; c += 32)
      at += groupSize(std::min<int64_t>(32, cols - c), panel);
  }
  int64_t first = 0;
  for (; first + 32 <= col; first += 32)
    at += groupSize(32, panel);
  int64_t columns = std::min<int64_t>(32, cols - first),
          words = i8 ? (columns + 3) / 4 : (columns + 7) / 8;
  Decoded result{0, 0, 1000, -1000};
  for (int64_t k = 0; k < words * (i8 ? 4 : 8); ++k) {
    int64_t word = i8 ? k / 4 : k / 8, byte = k % 4;
    uint8_t b = bytes.at(size_t(at + (word * panel + row - start) * 4 + byte));
    int code = i8 ? int(b) - 128 : (k % 8 < 4 ? int(b & 15) : int(b >> 4)) - 8;
    if (first + k == col)
      result.code = code;
    if (first + k >= cols)
      EXPECT_EQ(code, 0);
    result.lowest = std::min(result.lowest, code);
    result.highest = std::max(result.highest, code);
  }
  size_t scaleAt = size_t(at + words * panel * 4 + (row - start) * 2);
  uint16_t half = uint16_t(bytes.at(scaleAt) | bytes.at(scaleAt + 1) << 8);
  result.scale = formats::asFloat(formats::widenHalf(half));
  return result;
}

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
} // namespace
