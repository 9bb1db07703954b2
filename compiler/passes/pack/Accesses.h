// What a stage with a memory plan reads and writes, for those who place barriers and those who
// check them. Weights and constants are left out: nothing writes them.
#pragma once
#include "dialects/pack/Pack.h"

namespace coppice {

struct Access {
  enum class Space { Arena, Cache, Ring, Logits };
  /// How the stage's items share the bytes: Item: each has its own part of every row (whole rows,
  /// or columns), the same part in all accesses of that kind; All: each may touch everything.
  enum class Share { Item, All };
  Space space;
  int64_t begin, end; // bytes per row of capacity, or per position of a cache or ring
  bool write;
  Share share;

  bool overlaps(const Access &other) const {
    return space == other.space && begin < other.end && other.begin < end;
  }
  bool sameBytes(const Access &other) const {
    return space == other.space && begin == other.begin && end == other.end;
  }
};

/// Empty for what is no stage. Every buffer and cache must have its place.
llvm::SmallVector<Access> accessesOf(mlir::Operation *stage);

/// On a stage that needs no barrier between the stage before it and itself.
constexpr llvm::StringLiteral kPackJoined = "pack.joined";

} // namespace coppice
