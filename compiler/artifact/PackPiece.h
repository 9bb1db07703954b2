// The inner loop of packing: a rectangle of a weight that is contiguous in the packed weight.
#pragma once
#include "compiler/artifact/WeightView.h"
#include <optional>
#include <utility>

namespace coppice {

/// Output rows [row, row + rows) and columns [col, col + cols) of a weight: a stretch of a panel,
/// or whole rows, or a stretch of one row.
struct Piece {
  int64_t row, rows, col, cols;
};

/// Cuts a packed weight into pieces in the order of its bytes, each of at most about `targetBytes`.
std::vector<Piece> cutPieces(const PackedWeight &weight, uint64_t targetBytes);

/// Writes a piece in the weight's format and layout to `to`: rows * cols elements. Returns row and
/// column of an element that the format cannot hold, if there is one; always the same.
std::optional<std::pair<int64_t, int64_t>> packPiece(const WeightView &view, WeightFormat format,
                                                     WeightLayout layout, const Piece &piece,
                                                     uint8_t *to);

} // namespace coppice
