// A reader of quantized weights, written from the layout's description apart from the packer.
#pragma once
#include "Fixture.h"
#include "compiler/artifact/FloatFormats.h"

namespace coppice::test {

/// An element as the layout's description has it: panels of 32, 16, 8, 4, 2, 1 rows (row layout: of
/// one), groups of 32 columns, in a group its words, each for all rows, then its scales.
struct Decoded {
  int code;
  double scale;
  int lowest, highest; // of the codes of the words, those of columns that do not exist included
};
inline Decoded decode(const std::vector<uint8_t> &bytes, WeightFormat format, WeightLayout layout,
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

} // namespace coppice::test
