// The inner loop of packing: a rectangle of a weight that is contiguous in the packed weight.
#pragma once
#include "compiler/artifact/LoadBlock.h"

namespace coppice {

/// Output rows [row, row + rows) and columns [col, col + cols) of a weight: a stretch of a panel,
/// or whole rows, or a stretch of one row.
struct Piece {
  int64_t row, rows, col, cols;
};

/// Cuts a packed weight into pieces in the order of its bytes, each of at most about `targetBytes`.
/// Rows are cut at multiples of the quantizer's group.
std::vector<Piece> cutPieces(const PackedWeight &weight, uint64_t targetBytes);

/// Writes a piece in the weight's format, one that is not quantized, and layout to `to`: rows *
/// cols elements. Returns an element that the format cannot hold, if there is one; always the same.
UnfitPlace packPiece(const WeightView &view, WeightFormat format, WeightLayout layout,
                     const Piece &piece, uint8_t *to);

} // namespace coppice
