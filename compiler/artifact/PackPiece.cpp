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
  int64_t elements = targetBytes / formatBytes(weight.format);
  auto cut = [&](int64_t row, int64_t rows) {
    int64_t step = std::max<int64_t>(elements / rows, 64);
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
template <typename T> T read(const uint8_t *from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// Reads `count` elements of a stored row from `first` on, through `list` if there is one.
template <typename T, typename Widen>
void load(const uint8_t *row, const int32_t *list, int64_t first, int64_t count, uint32_t *to,
          Widen widen) {
  if (list) {
    for (int64_t i = 0; i < count; ++i)
      to[i] = widen(read<T>(row + int64_t(list[first + i]) * sizeof(T)));
    return;
  }
  row += first * sizeof(T);
  for (int64_t i = 0; i < count; ++i)
    to[i] = widen(read<T>(row + i * sizeof(T)));
}

/// How one checkpoint type becomes one format.
struct Conversion {
  DType from;
  WeightFormat format;
  bool copy;            // the same format: bits pass as they are
  uint32_t mask, limit; // an element whose loaded bits & mask >= limit does not fit

  Conversion(DType from, WeightFormat format) : from(from), format(format) {
    copy = (from == DType::F32 && format == WeightFormat::F32) ||
           (from == DType::F16 && format == WeightFormat::F16) ||
           (from == DType::BF16 && format == WeightFormat::BF16);
    bool shortCopy = copy && from != DType::F32;
    mask = shortCopy ? 0x7fffu : 0x7fffffffu;
    if (shortCopy)
      limit = from == DType::F16 ? kHalfInfinity : kBrainInfinity;
    else
      limit = format == WeightFormat::F16    ? kHalfLimit
              : format == WeightFormat::BF16 ? kBrainLimit
                                             : kFloatLimit;
  }

  void loadRow(const uint8_t *row, const int32_t *list, int64_t first, int64_t count,
               uint32_t *to) const {
    if (from == DType::F32)
      load<uint32_t>(row, list, first, count, to, [](uint32_t bits) { return bits; });
    else if (copy)
      load<uint16_t>(row, list, first, count, to, [](uint16_t bits) { return uint32_t(bits); });
    else if (from == DType::F16)
      load<uint16_t>(row, list, first, count, to, widenHalf);
    else
      load<uint16_t>(row, list, first, count, to, widenBrain);
  }

  void narrow(uint32_t *bits, int64_t count) const {
    if (copy || format == WeightFormat::F32)
      return;
    if (format == WeightFormat::F16)
      for (int64_t i = 0; i < count; ++i)
        bits[i] = narrowHalf(bits[i]);
    else
      for (int64_t i = 0; i < count; ++i)
        bits[i] = narrowBrain(bits[i]);
  }

  bool fits(const uint32_t *bits, int64_t count) const {
    uint32_t bad = 0;
    for (int64_t i = 0; i < count; ++i)
      bad |= (bits[i] & mask) >= limit;
    return !bad;
  }
};

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

std::optional<std::pair<int64_t, int64_t>> coppice::packPiece(const WeightView &view,
                                                              WeightFormat format,
                                                              WeightLayout layout,
                                                              const Piece &piece, uint8_t *to) {
  Conversion conversion(view.tensor->dtype, format);
  int64_t elementBytes = formatBytes(format);
  int64_t storedRowBytes = view.storedCols * dtypeBytes(view.tensor->dtype);
  bool panels = layout == WeightLayout::Panels;
  const int32_t *rowList = view.hasRowList ? view.rowList.data() : nullptr;
  const int32_t *colList = view.hasColList ? view.colList.data() : nullptr;
  // Where element (r, c) of the piece goes, in elements.
  int64_t rowStride = panels ? 1 : piece.cols, colStride = panels ? piece.rows : 1;

  int64_t rowsPer = std::min<int64_t>(piece.rows, panels || view.transposed ? 32 : 1);
  int64_t colsPer = kBlock / rowsPer;
  uint32_t words[kBlock];
  for (int64_t row = 0; row < piece.rows; row += rowsPer)
    for (int64_t col = 0; col < piece.cols; col += colsPer) {
      int64_t rows = std::min(rowsPer, piece.rows - row);
      int64_t cols = std::min(colsPer, piece.cols - col);
      int64_t firstRow = piece.row + row, firstCol = piece.col + col;
      // A run of the block is a stretch of a stored row: an output row, or an input if transposed.
      int64_t outer = view.transposed ? cols : rows, inner = view.transposed ? rows : cols;
      for (int64_t o = 0; o < outer; ++o) {
        int64_t stored =
            view.transposed ? view.sourceCol(firstCol + o) : view.sourceRow(firstRow + o);
        conversion.loadRow(view.tensor->data.data() + stored * storedRowBytes,
                           view.transposed ? rowList : colList,
                           view.transposed ? firstRow : firstCol, inner, words + o * inner);
      }
      if (!conversion.fits(words, outer * inner))
        for (int64_t o = 0; o < outer; ++o)
          for (int64_t i = 0; i < inner; ++i)
            if (!conversion.fits(words + o * inner + i, 1))
              return std::make_pair(firstRow + (view.transposed ? i : o),
                                    firstCol + (view.transposed ? o : i));
      conversion.narrow(words, outer * inner);
      uint8_t *at = to + (row * rowStride + col * colStride) * elementBytes;
      int64_t outerStride = view.transposed ? colStride : rowStride;
      int64_t innerStride = view.transposed ? rowStride : colStride;
      if (elementBytes == 4)
        place<uint32_t>(words, outer, inner, at, outerStride, innerStride);
      else
        place<uint16_t>(words, outer, inner, at, outerStride, innerStride);
    }
  return std::nullopt;
}
