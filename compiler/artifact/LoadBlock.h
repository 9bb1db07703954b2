// Reading a rectangle of a weight out of the checkpoint: selected, widened to float32 bits unless
// the format stores what the checkpoint does, and checked to fit the format.
#pragma once
#include "compiler/artifact/WeightView.h"
#include <optional>
#include <utility>

namespace coppice {

/// Row and column of an element of a weight that its format cannot hold.
using UnfitPlace = std::optional<std::pair<int64_t, int64_t>>;

class BlockLoader {
public:
  BlockLoader(const WeightView &view, WeightFormat format);

  /// Output rows [row, row + rows), columns [col, col + cols). A run of the block is a stretch of a
  /// stored row: words + o * inner is output row o, or column o if the view is transposed, and
  /// inner the extent of the other. Returns the first element of the block that does not fit.
  UnfitPlace load(int64_t row, int64_t rows, int64_t col, int64_t cols, uint32_t *words) const;

  /// Loaded words are the format's bits already.
  bool copies() const { return copy; }

private:
  void loadRun(const uint8_t *stored, const int32_t *list, int64_t first, int64_t count,
               uint32_t *to) const;
  bool fits(const uint32_t *bits, int64_t count) const;

  const WeightView &view;
  bool copy;
  uint32_t mask, limit; // an element whose loaded bits & mask >= limit does not fit
};

} // namespace coppice
