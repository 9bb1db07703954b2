// See PackQuantized.h. Rows and columns are selected as they are loaded, so groups are of what is
// kept. Eight rows are quantized side by side, a group of each; a panel of fewer has idle lanes.
#include "compiler/artifact/PackQuantized.h"
#include "compiler/artifact/FloatFormats.h"
#include "compiler/artifact/Quantize.h"
#include "compiler/artifact/WeightStream.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>

using namespace coppice;
using llvm::support::endian::write16le;
using llvm::support::endian::write32le;

constexpr int64_t kGroup = args::kGroup;
/// Rows and columns that are loaded at once: 16 KB.
constexpr int64_t kRowsPer = 32, kColsPer = 4 * kGroup;

namespace {
/// Where the words and scales of a group of some rows go.
struct GroupPlace {
  uint8_t *words, *scales;
  int64_t rowStride, wordStride, scaleStride; // bytes: to the next row, word, row's scale
};
} // namespace

/// Word j of the row in lane l, as KernelArgs.h lays its codes out.
static uint32_t wordOf(const QuantizeBlock &block, bool bytes, int64_t j, int64_t l) {
  uint32_t word = 0;
  for (int64_t b = 0; b < 4; ++b) {
    if (bytes)
      word |= uint32_t(block.codes[4 * j + b][l] + 128) << (8 * b);
    else
      word |= uint32_t((block.codes[8 * j + b][l] + 8) | (block.codes[8 * j + 4 + b][l] + 8) << 4)
              << (8 * b);
  }
  return word;
}

static void put(const QuantizeBlock &block, WeightFormat format, int64_t rows, int64_t cols,
                const GroupPlace &place) {
  bool bytes = format == WeightFormat::I8;
  int64_t words = llvm::divideCeil(cols, bytes ? 4 : 8);
  for (int64_t j = 0; j < words; ++j)
    for (int64_t l = 0; l < rows; ++l)
      write32le(place.words + j * place.wordStride + l * place.rowStride,
                wordOf(block, bytes, j, l));
  for (int64_t l = 0; l < rows; ++l)
    write16le(place.scales + l * place.scaleStride, block.scales[l]);
}

/// The factors of a group's columns, so scaled that the largest is 1; null where nothing tells the
/// columns apart.
static const float *groupImportance(const PackedWeight &weight, int64_t col, int64_t cols,
                                    float *to) {
  if (weight.importance.empty())
    return nullptr;
  const float *from = weight.importance.data() + col;
  auto [least, largest] = std::minmax_element(from, from + cols);
  float most = *largest;
  if (*least == most)
    return nullptr;
  std::fill(to, to + kGroup, 0.0f);
  for (int64_t c = 0; c < cols; ++c)
    to[c] = from[c] / most;
  return to;
}

UnfitPlace coppice::packQuantized(const WeightView &view, const PackedWeight &weight,
                                  const Piece &piece, uint8_t *to) {
  WeightFormat format = weight.format;
  BlockLoader loader(view, format);
  bool panels = weight.layout == WeightLayout::Panels;
  int64_t groupBytes = weightRowBytes(format, kGroup);
  int64_t rowBytes = weightRowBytes(format, piece.cols);
  uint32_t words[kRowsPer * kColsPer];
  QuantizeBlock block;
  for (int64_t row = 0; row < piece.rows; row += kRowsPer)
    for (int64_t col = 0; col < piece.cols; col += kColsPer) {
      int64_t rows = std::min(kRowsPer, piece.rows - row);
      int64_t cols = std::min(kColsPer, piece.cols - col);
      if (UnfitPlace unfit = loader.load(piece.row + row, rows, piece.col + col, cols, words))
        return unfit;
      // Of element (r, c) in `words`.
      int64_t rowStep = view.transposed ? 1 : cols, colStep = view.transposed ? rows : 1;
      for (int64_t g = 0; g < cols; g += kGroup) {
        int64_t width = std::min(kGroup, cols - g), at = (col + g) / kGroup * groupBytes;
        int64_t wordCount = llvm::divideCeil(width, format == WeightFormat::I8 ? 4 : 8);
        float factors[kGroup];
        const float *importance = groupImportance(weight, piece.col + col + g, width, factors);
        for (int64_t r = 0; r < rows; r += kQuantizeLanes) {
          int64_t lanes = std::min(kQuantizeLanes, rows - r);
          if (width < kGroup || lanes < kQuantizeLanes)
            std::memset(block.values, 0, sizeof block.values);
          const uint32_t *from = words + r * rowStep + g * colStep;
          for (int64_t l = 0; l < lanes; ++l)
            for (int64_t c = 0; c < width; ++c)
              block.values[c][l] = formats::asFloat(from[l * rowStep + c * colStep]);
          quantizeBlock(format, importance, block);
          GroupPlace place;
          if (panels) {
            uint8_t *group = to + at * piece.rows;
            place = {group + r * 4, group + wordCount * 4 * piece.rows + r * 2, 4, piece.rows * 4,
                     2};
          } else {
            uint8_t *group = to + (row + r) * rowBytes + at;
            place = {group, group + wordCount * 4, rowBytes, 4, rowBytes};
          }
          put(block, format, lanes, width, place);
        }
      }
    }
  return std::nullopt;
}
