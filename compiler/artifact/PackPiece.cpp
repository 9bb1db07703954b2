// A piece is packed in blocks that fit the first-level cache: load (select, widen), check, narrow,
// all over contiguous words, then one copy into place. Equal formats skip widening and narrowing.
#include "compiler/artifact/PackPiece.h"
#include "compiler/artifact/FloatFormats.h"
#include "compiler/artifact/WeightStream.h"
#include "compiler/codegen/KernelArgs.h"
#include <algorithm>

using namespace coppice;
using namespace coppice::formats;

/// Elements of a block: 32 rows of 64 columns.
constexpr int64_t kBlock = 2048;

llvm::SmallVector<int64_t> coppice::panelWidths(int64_t rows) {
  llvm::SmallVector<int64_t> widths(rows / args::kPanelRows, args::kPanelRows);
  for (int64_t width = args::kPanelRows / 2; width; width /= 2)
    if (rows & width)
      widths.push_back(width);
  return widths;
}

std::vector<Piece> coppice::cutPieces(const PackedWeight &weight, uint64_t targetBytes) {
  std::vector<Piece> pieces;
  if (weight.cols == 0)
    return pieces;
  // About: a group's scale is counted as if each of its elements had a share.
  int64_t elements = targetBytes * args::kGroup / weightRowBytes(weight.format, args::kGroup);
  auto cut = [&](int64_t row, int64_t rows) {
    int64_t step = std::max<int64_t>(elements / rows, 64) / args::kGroup * args::kGroup;
    for (int64_t col = 0; col < weight.cols; col += step)
      pieces.push_back({row, rows, col, std::min(step, weight.cols - col)});
  };
  if (weight.layout == WeightLayout::Panels) {
    int64_t row = 0;
    for (int64_t width : panelWidths(weight.rows)) {
      cut(row, width);
      row += width;
    }
  } else {
    // Several whole rows, or stretches of one.
    int64_t rows = std::max<int64_t>(elements / weight.cols, 1);
    for (int64_t row = 0; row < weight.rows; row += rows) {
      int64_t count = std::min(rows, weight.rows - row);
      if (count == 1)
        cut(row, 1);
      else
        pieces.push_back({row, count, 0, weight.cols});
    }
  }
  return pieces;
}

namespace {
/// Float32 bits to those of a format, in place.
void narrow(WeightFormat format, uint32_t *bits, int64_t count) {
  if (format == WeightFormat::F16)
    for (int64_t i = 0; i < count; ++i)
      bits[i] = narrowHalf(bits[i]);
  else if (format == WeightFormat::BF16)
    for (int64_t i = 0; i < count; ++i)
      bits[i] = narrowBrain(bits[i]);
}

/// Copies a block of `outer` runs of `inner` words to elements of T: word (o, i) goes to
/// to[o * outerStride + i * innerStride].
template <typename T>
void place(const uint32_t *words, int64_t outer, int64_t inner, uint8_t *to, int64_t outerStride,
           int64_t innerStride) {
  auto put = [&](int64_t at, uint32_t word) {
    T value = T(word);
    std::memcpy(to + at * sizeof(T), &value, sizeof(T));
  };
  if (innerStride == 1) {
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t i = 0; i < inner; ++i)
        put(o * outerStride + i, words[o * inner + i]);
    return;
  }
  for (int64_t i = 0; i < inner; ++i)
    for (int64_t o = 0; o < outer; ++o)
      put(i * innerStride + o * outerStride, words[o * inner + i]);
}
} // namespace

UnfitPlace coppice::packPiece(const WeightView &view, WeightFormat format, WeightLayout layout,
                              const Piece &piece, uint8_t *to) {
  BlockLoader loader(view, format);
  int64_t elementBytes = formatBytes(format);
  bool panels = layout == WeightLayout::Panels;
  // Where element (r, c) of the piece goes, in elements.
  int64_t rowStride = panels ? 1 : piece.cols, colStride = panels ? piece.rows : 1;

  int64_t rowsPer = std::min<int64_t>(piece.rows, panels || view.transposed ? 32 : 1);
  int64_t colsPer = kBlock / rowsPer;
  uint32_t words[kBlock];
  for (int64_t row = 0; row < piece.rows; row += rowsPer)
    for (int64_t col = 0; col < piece.cols; col += colsPer) {
      int64_t rows = std::min(rowsPer, piece.rows - row);
      int64_t cols = std::min(colsPer, piece.cols - col);
      if (UnfitPlace unfit = loader.load(piece.row + row, rows, piece.col + col, cols, words))
        return unfit;
      if (!loader.copies())
        narrow(format, words, rows * cols);
      uint8_t *at = to + (row * rowStride + col * colStride) * elementBytes;
      int64_t outer = view.transposed ? cols : rows, inner = view.transposed ? rows : cols;
      int64_t outerStride = view.transposed ? colStride : rowStride;
      int64_t innerStride = view.transposed ? rowStride : colStride;
      if (elementBytes == 4)
        place<uint32_t>(words, outer, inner, at, outerStride, innerStride);
      else
        place<uint16_t>(words, outer, inner, at, outerStride, innerStride);
    }
  return std::nullopt;
}
