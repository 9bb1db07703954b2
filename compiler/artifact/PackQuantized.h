// Packing of a rectangle of a quantized weight, i8 or i4.
#pragma once
#include "compiler/artifact/PackPiece.h"

namespace coppice {

/// Writes a piece that begins at a whole group in the weight's format and layout to `to`: rows *
/// weightRowBytes(format, cols) bytes. Returns an element that the format cannot hold, if there is
/// one; always the same.
UnfitPlace packQuantized(const WeightView &view, const PackedWeight &weight, const Piece &piece,
                         uint8_t *to);

} // namespace coppice
