// See LoadBlock.h. Loops run over contiguous words, so that they vectorise.
#include "compiler/artifact/LoadBlock.h"
#include "compiler/artifact/FloatFormats.h"

using namespace coppice;
using namespace coppice::formats;

namespace {
template <typename T> T read(const uint8_t *from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// Reads `count` elements of a stored row from `first` on, through `list` if there is one.
template <typename T, typename Widen>
void loadAs(const uint8_t *row, const int32_t *list, int64_t first, int64_t count, uint32_t *to,
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

/// The smallest magnitude, as float32 bits, that does not fit.
uint32_t limitOf(WeightFormat format) {
  switch (format) {
  case WeightFormat::F16:
    return kHalfLimit;
  case WeightFormat::BF16:
    return kBrainLimit;
  case WeightFormat::I8:
    return kByteLimit;
  case WeightFormat::I4:
    return kNibbleLimit;
  default:
    return kFloatLimit;
  }
}
} // namespace

BlockLoader::BlockLoader(const WeightView &view, WeightFormat format) : view(view) {
  DType from = view.tensor->dtype;
  copy = (from == DType::F32 && format == WeightFormat::F32) ||
         (from == DType::F16 && format == WeightFormat::F16) ||
         (from == DType::BF16 && format == WeightFormat::BF16);
  bool shortCopy = copy && from != DType::F32;
  mask = shortCopy ? 0x7fffu : 0x7fffffffu;
  limit = !shortCopy ? limitOf(format) : from == DType::F16 ? kHalfInfinity : kBrainInfinity;
}

void BlockLoader::loadRun(const uint8_t *stored, const int32_t *list, int64_t first, int64_t count,
                          uint32_t *to) const {
  DType from = view.tensor->dtype;
  if (from == DType::F32)
    loadAs<uint32_t>(stored, list, first, count, to, [](uint32_t bits) { return bits; });
  else if (copy)
    loadAs<uint16_t>(stored, list, first, count, to, [](uint16_t bits) { return uint32_t(bits); });
  else if (from == DType::F16)
    loadAs<uint16_t>(stored, list, first, count, to, widenHalf);
  else
    loadAs<uint16_t>(stored, list, first, count, to, widenBrain);
}

bool BlockLoader::fits(const uint32_t *bits, int64_t count) const {
  uint32_t bad = 0;
  for (int64_t i = 0; i < count; ++i)
    bad |= (bits[i] & mask) >= limit;
  return !bad;
}

UnfitPlace BlockLoader::load(int64_t row, int64_t rows, int64_t col, int64_t cols,
                             uint32_t *words) const {
  int64_t storedRowBytes = view.storedCols * dtypeBytes(view.tensor->dtype);
  const int32_t *rowList = view.hasRowList ? view.rowList.data() : nullptr;
  const int32_t *colList = view.hasColList ? view.colList.data() : nullptr;
  bool transposed = view.transposed;
  int64_t outer = transposed ? cols : rows, inner = transposed ? rows : cols;
  for (int64_t o = 0; o < outer; ++o) {
    int64_t stored = transposed ? view.sourceCol(col + o) : view.sourceRow(row + o);
    loadRun(view.tensor->data.data() + stored * storedRowBytes, transposed ? rowList : colList,
            transposed ? row : col, inner, words + o * inner);
  }
  if (!fits(words, outer * inner))
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t i = 0; i < inner; ++i)
        if (!fits(words + o * inner + i, 1))
          return std::make_pair(row + (transposed ? i : o), col + (transposed ? o : i));
  return std::nullopt;
}
