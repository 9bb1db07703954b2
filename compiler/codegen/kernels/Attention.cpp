// attention{,_window}{,_softcap}_{f32,bf16,i8}: softmax(q K^T * scale) V over a session's cache, a
// row and KV head per item. All query heads that read the KV head are taken together, and rows of
// one session that follow each other too, so that a key or value is loaded once for many queries.
//
// Online softmax over groups of 64 positions that start at multiples of 64. For each query a group
// is: scores, one fma chain over the head's elements each; their maximum with the one so far; the
// output times exp(old - new maximum); then the group's values added in rising order of positions.
// Nothing in it depends on which queries are taken together or how tiles are cut, so a row's bits
// are a function of its session and position. Keys beyond a row's position are computed with (their
// block is in memory) but replaced before use; values beyond it are not read. Likewise what lies
// before a window: groups that no query sees anything of are passed over, and in one that a query
// sees nothing of its state stays what it is. A ring's positions lie in groups as they do in a
// plain cache, for it holds whole groups.
#include "compiler/codegen/Math.h"
#include "compiler/codegen/kernels/Kernels.h"
#include "coppice/kernel_abi.h"

using namespace coppice;
using namespace mlir;
using Values = KernelBuilder::Values;

namespace {
constexpr unsigned kBlock = COPPICE_KV_BLOCK;
constexpr unsigned kGroupBlocks = 4, kGroup = kGroupBlocks * kBlock;
constexpr unsigned kQueries = 32; // taken together at most: a query is a row and a head
constexpr unsigned kRows = 8;     // of them rows
static_assert(kBlock == kLanes, "a block of keys is one vector");
static_assert(COPPICE_KV_RING % kGroup == 0, "a group does not reach over a ring's end");

class AttentionEmitter {
public:
  AttentionEmitter(KernelBuilder &k, KvFormat format, kernels::AttentionKind kind)
      : k(k), format(format), kind(kind) {}
  void emit();

private:
  Value rowsTogether(Value item, Value row, Value heads);
  void together(Value item, Value rows);
  void begin(Value row, Value rows, Value from, Value heads);
  void group(Value base);
  void finish();
  void forTiles(llvm::function_ref<void(unsigned, Value)> body);
  void scores(unsigned queries, Value first);
  void scores(unsigned queries, unsigned blocks, Value first, Value block);
  void softmax();
  Value highest(Value query);
  void share(Value query);
  Value forBlocks(Value state, llvm::function_ref<Value(Value, Value)> body);
  void addValues(unsigned queries, Value first, Value from, Value to, bool decays);
  void addValues(unsigned queries, Value first, Value from, Value to, bool decays, Value column,
                 unsigned vectors, Value live);
  Value sharesOf(Value query);
  Value scalesAt(Value block, int64_t part);
  /// Vectors that a tile of queries keeps beside each other, within the target's registers.
  unsigned width(unsigned queries) const {
    return std::max(1u, std::min(kGroupBlocks, (k.target.vectorBits == 512 ? 16u : 4u) / queries));
  }

  KernelBuilder &k;
  KvFormat format;
  kernels::AttentionKind kind;
  Value set, rowCount, kvOffset, headDim, scale, queries, outs, stride, map, kvHeads;
  Value window, inRing, cap, ofCap; // ofCap: 1 / cap
  // On the stack, for each query: raw scores, then shares of the softmax, of a group; the running
  // sum, lane by lane; the running maximum, the new one, and the factor that brings what was summed
  // by the former to the latter; its place; its position.
  Value shares, sums, maxima, tops, decays, offsets, positions;
  // Of what is taken together.
  std::optional<KvPlace> place;
  Value blockBytes, keys, scales, count, firstPosition, lastPosition;
  // Of the current group: its first block, and the blocks that any query sees.
  Value base, at, blocks;
};

void AttentionEmitter::emit() {
  using A = args::Attention;
  set = k.arg(A::set);
  rowCount = k.rowCount(set);
  kvOffset = k.arg(A::kvOffset);
  kvHeads = k.arg(A::kvHeads);
  headDim = k.arg(A::headDim);
  scale = k.broadcast(k.argFloat(A::scale));
  if (kind.window) {
    window = k.arg(A::window);
    inRing = k.create<arith::CmpIOp>(arith::CmpIPredicate::ne, k.arg(A::inRing), k.i64c(0));
  }
  if (kind.softcap) {
    Value value = k.argFloat(A::softcap);
    cap = k.broadcast(value);
    ofCap = k.broadcast(k.div(k.f32c(1), value));
  }
  queries = k.buffer(k.arg(A::query));
  outs = k.buffer(k.arg(A::out));
  stride = k.rowBytes(k.mul(k.arg(A::heads), headDim));
  map = k.weights(k.arg(A::kvMap));
  auto scratch = [&](unsigned each, Type type) -> Value {
    return k.create<LLVM::AllocaOp>(k.ptr, type, k.i64c(int64_t(kQueries) * each), 64);
  };
  shares = scratch(kGroup, k.f32);
  sums = scratch(kLanes, k.f32);
  maxima = scratch(1, k.f32);
  tops = scratch(1, k.f32);
  decays = scratch(1, k.f32);
  offsets = scratch(1, k.i64);
  positions = scratch(1, k.i64);

  // Items that were taken together with one before them are passed over.
  k.forRange(k.begin, k.end, 1, {k.begin}, [&](Value item, ValueRange next) {
    return k.ifElse(
        k.equal(item, next[0]),
        [&] {
          Value kvHead = k.div(item, rowCount), row = k.sub(item, k.mul(kvHead, rowCount));
          auto bound = [&](Value index) {
            return k.create<arith::ExtUIOp>(k.i64, k.load(k.i32, k.element(map, index, k.i32)));
          };
          Value from = bound(kvHead), to = bound(k.add(kvHead, k.i64c(1)));
          Value rows = rowsTogether(item, row, k.sub(to, from));
          place.emplace(k, format, set, row, kvOffset, kvHead, headDim, inRing);
          blockBytes = place->blockBytes;
          keys = place->keys;
          scales = place->scales;
          firstPosition = place->position;
          lastPosition = k.add(firstPosition, k.sub(rows, k.i64c(1)));
          Value groups = k.i64c(0);
          if (window) { // from the group of the first position that is seen
            groups = k.max(k.add(k.sub(firstPosition, window), k.i64c(1)), groups);
            groups = k.sub(groups, k.urem(groups, kGroup));
          }
          k.forRange(from, to, kQueries, [&](Value head) {
            begin(row, rows, head, k.min(k.sub(to, head), k.i64c(kQueries)));
            k.forRange(groups, k.add(lastPosition, k.i64c(1)), kGroup,
                       [&](Value first) { group(first); });
            finish();
          });
          return Values{k.add(item, rows)};
        },
        [&] { return Values{next[0]}; });
  });
}

/// Rows from `row` on, within the items, of one session and at positions that follow each other.
Value AttentionEmitter::rowsTogether(Value item, Value row, Value heads) {
  Value one = k.i64c(1);
  Value most = k.max(k.div(k.i64c(kQueries), k.max(heads, one)), one);
  most = k.min(k.min(most, k.i64c(kRows)), k.min(k.sub(k.end, item), k.sub(rowCount, row)));
  Value entry = k.rowEntry(set, row);
  auto session = [&](Value of) {
    return k.load(k.i64, k.at(of, int64_t(offsetof(coppice_row, kv))), 8);
  };
  auto position = [&](Value of) -> Value {
    Value word = k.load(k.i32, k.at(of, int64_t(offsetof(coppice_row, position))));
    return k.create<arith::ExtSIOp>(k.i64, word);
  };
  return k.forRange(one, most, 1, {one}, [&](Value more, ValueRange rows) {
    Value other = k.rowEntry(set, k.add(row, more));
    Value follows = k.equal(position(other), k.add(position(entry), more));
    Value same = k.create<arith::AndIOp>(k.equal(session(other), session(entry)), follows);
    same = k.create<arith::AndIOp>(same, k.equal(rows[0], more));
    return Values{k.select(same, k.add(more, one), rows[0])};
  })[0];
}

Value AttentionEmitter::sharesOf(Value query) {
  return k.at(shares, k.mul(query, k.i64c(kGroup * 4)));
}

/// int8: the scales of a block's keys (part 0) or values (1).
Value AttentionEmitter::scalesAt(Value block, int64_t part) {
  return k.at(k.at(k.at(at, k.mul(block, blockBytes)), scales), part * kBlock * 4);
}

/// Sets the queries up, rows by heads of the map from `from` on, and their outputs to zero.
void AttentionEmitter::begin(Value row, Value rows, Value from, Value heads) {
  count = k.mul(rows, heads);
  Value list = k.element(map, k.add(k.add(kvHeads, k.i64c(1)), from), k.i32);
  k.forRange(k.i64c(0), rows, 1, [&](Value r) {
    k.forRange(k.i64c(0), heads, 1, [&](Value h) {
      Value query = k.add(k.mul(r, heads), h);
      Value head = k.create<arith::ExtUIOp>(k.i64, k.load(k.i32, k.element(list, h, k.i32)));
      Value offset = k.add(k.mul(k.add(row, r), stride), k.mul(k.mul(head, headDim), k.i64c(4)));
      k.store(offset, k.element(offsets, query, k.i64), 8);
      k.store(k.add(firstPosition, r), k.element(positions, query, k.i64), 8);
      k.store(k.f32c(-INFINITY), k.element(maxima, query, k.f32));
      k.store(k.f32c(0, kLanes), k.at(sums, k.mul(query, k.i64c(kLanes * 4))), 64);
      Value out = k.at(outs, offset);
      k.forChunks(headDim, [&](Value d, unsigned lanes) {
        k.store(k.f32c(0, lanes), k.element(out, d, k.f32));
      });
    });
  });
}

void AttentionEmitter::finish() {
  k.forRange(k.i64c(0), count, 1, [&](Value query) {
    Value sum = k.load(k.lanesOf(k.f32, kLanes), k.at(sums, k.mul(query, k.i64c(kLanes * 4))), 64);
    Value norm = k.div(k.f32c(1), k.sum16(sum));
    Value out = k.at(outs, k.load(k.i64, k.element(offsets, query, k.i64), 8));
    k.forChunks(headDim, [&](Value d, unsigned lanes) {
      Value address = k.element(out, d, k.f32);
      Value x = k.load(k.lanesOf(k.f32, lanes), address);
      k.store(k.mul(x, k.broadcast(norm, lanes)), address);
    });
  });
}

/// body(queries, first) for the queries in tiles of falling size.
void AttentionEmitter::forTiles(llvm::function_ref<void(unsigned, Value)> body) {
  Value first = k.i64c(0);
  for (unsigned queries = k.target.vectorBits == 512 ? 8 : 4; queries; queries /= 2) {
    Value next = k.sub(count, k.urem(count, queries));
    k.forRange(first, next, queries, [&](Value query) { body(queries, query); });
    first = next;
  }
}

/// Takes the positions [base, base + 64) that queries see into their softmax.
void AttentionEmitter::group(Value first) {
  Value one = k.i64c(1), zero = k.i64c(0), whole = k.i64c(kGroup);
  base = first;
  at = place->blockOf(k, base);
  blocks = k.min(k.add(k.udiv(k.sub(lastPosition, base), kBlock), one), k.i64c(kGroupBlocks));
  forTiles([&](unsigned queries, Value query) { scores(queries, query); });
  softmax();
  // A query sees the group's positions from windowOf(its own) up to seen(its own).
  auto inGroup = [&](Value position) { return k.max(k.min(k.sub(position, base), whole), zero); };
  auto seen = [&](Value position) { return inGroup(k.add(position, one)); };
  auto windowOf = [&](Value position) { return inGroup(k.add(k.sub(position, window), one)); };
  auto positionOf = [&](Value query) {
    return k.load(k.i64, k.element(positions, query, k.i64), 8);
  };
  // For each query what it sees before all do, then what all see, then what it sees beyond that.
  Value from = zero, shared = seen(firstPosition);
  if (window) {
    from = windowOf(lastPosition);
    k.ifThen(k.less(windowOf(firstPosition), from), [&] {
      k.forRange(zero, count, 1, [&](Value query) {
        Value position = positionOf(query);
        addValues(1, query, windowOf(position), k.min(seen(position), from), true);
        k.store(k.f32c(1), k.element(decays, query, k.f32)); // it has been applied
      });
    });
    shared = k.max(shared, from);
  }
  forTiles([&](unsigned queries, Value query) { addValues(queries, query, from, shared, true); });
  k.ifThen(k.less(shared, seen(lastPosition)), [&] {
    k.forRange(zero, count, 1, [&](Value query) {
      Value mine = seen(positionOf(query));
      k.ifThen(k.less(shared, mine), [&] { addValues(1, query, shared, mine, false); });
    });
  });
}

void AttentionEmitter::scores(unsigned queries, Value first) {
  unsigned together = width(queries);
  Value whole = k.sub(blocks, k.urem(blocks, together));
  k.forRange(k.i64c(0), whole, together,
             [&](Value block) { scores(queries, together, first, block); });
  if (together > 1)
    k.forRange(whole, blocks, 1, [&](Value block) { scores(queries, 1, first, block); });
}

/// q . K for a tile of queries and blocks: lanes are positions.
void AttentionEmitter::scores(unsigned queries, unsigned blocks, Value first, Value block) {
  Values rows, starts;
  for (unsigned q = 0; q < queries; ++q) {
    Value offset = k.load(k.i64, k.element(offsets, k.add(first, k.i64c(q)), k.i64), 8);
    rows.push_back(k.at(this->queries, offset));
  }
  for (unsigned b = 0; b < blocks; ++b)
    starts.push_back(k.at(k.at(at, k.mul(k.add(block, k.i64c(b)), blockBytes)), keys));
  const int64_t line = kBlock * kvBytes(format);
  Value ahead = k.mul(blockBytes, k.i64c(kGroupBlocks));
  Values result = k.forRange(k.i64c(0), headDim, 1, Values(queries * blocks, k.f32c(0, kLanes)),
                             [&](Value d, ValueRange carried) {
                               Values loaded, next;
                               for (Value start : starts) {
                                 Value address = k.at(start, k.mul(d, k.i64c(line)));
                                 loaded.push_back(loadKv(k, format, address, kLanes));
                                 k.prefetch(k.at(address, ahead));
                               }
                               for (unsigned q = 0; q < queries; ++q) {
                                 Value x = k.broadcast(k.load(k.f32, k.element(rows[q], d, k.f32)));
                                 for (unsigned b = 0; b < blocks; ++b)
                                   next.push_back(k.fma(x, loaded[b], carried[q * blocks + b]));
                               }
                               return next;
                             });
  for (unsigned q = 0; q < queries; ++q) {
    Value to = k.at(sharesOf(k.add(first, k.i64c(q))), k.mul(block, k.i64c(kBlock * 4)));
    for (unsigned b = 0; b < blocks; ++b)
      k.store(result[q * blocks + b], k.at(to, int64_t(b) * kBlock * 4), 64);
  }
}

/// Over the group's blocks in order; a whole group's side by side, for their chains are long.
Value AttentionEmitter::forBlocks(Value state, llvm::function_ref<Value(Value, Value)> body) {
  return k.ifElse(
      k.equal(blocks, k.i64c(kGroupBlocks)),
      [&] {
        Value carried = state;
        for (unsigned b = 0; b < kGroupBlocks; ++b)
          carried = body(k.i64c(b), carried);
        return Values{carried};
      },
      [&] {
        return k.forRange(k.i64c(0), blocks, 1, {state},
                          [&](Value b, ValueRange carried) { return Values{body(b, carried[0])}; });
      })[0];
}

/// Raw scores of all queries to shares, relative to their new maxima. What follows from the maxima
/// is computed for many queries at once: one by one it would be a long chain for each.
void AttentionEmitter::softmax() {
  Value zero = k.i64c(0);
  Type vector = k.lanesOf(k.f32, kLanes);
  k.forRange(zero, count, 1,
             [&](Value query) { k.store(highest(query), k.element(tops, query, k.f32)); });
  k.forRange(zero, count, kLanes, [&](Value query) {
    auto at = [&](Value base) { return k.element(base, query, k.f32); };
    Value old = k.load(vector, at(maxima), 64), top = k.load(vector, at(tops), 64);
    k.store(top, at(maxima), 64);
    if (window) { // nothing is seen yet: differences of infinities are no numbers
      Value none = k.f32c(-INFINITY, kLanes);
      none = k.create<arith::CmpFOp>(arith::CmpFPredicate::OEQ, top, none);
      top = k.select(none, k.f32c(0, kLanes), top);
      k.store(top, at(tops), 64);
    }
    k.store(math::expOfNegative(k, k.sub(old, top)), at(decays), 64);
  });
  k.forRange(zero, count, 1, [&](Value query) { share(query); });
}

/// Scales and caps a query's scores, hides what it does not see, and gives its maximum so far.
Value AttentionEmitter::highest(Value query) {
  Value from = sharesOf(query);
  Value position = k.load(k.i64, k.element(positions, query, k.i64), 8);
  Value live = k.min(k.sub(k.add(position, k.i64c(1)), base), k.i64c(kGroup)), hidden;
  if (window)
    hidden = k.max(k.sub(k.add(position, k.i64c(1)), k.add(window, base)), k.i64c(0));
  Type vector = k.lanesOf(k.f32, kLanes);
  Value old = k.broadcast(k.load(k.f32, k.element(maxima, query, k.f32)));
  Value top = forBlocks(old, [&](Value b, Value carried) {
    Value start = k.mul(b, k.i64c(kBlock)), place = k.element(from, start, k.f32);
    Value score = k.mul(k.load(vector, place, 64), scale);
    if (format == KvFormat::I8)
      score = k.mul(score, k.load(vector, scalesAt(b, 0)));
    if (kind.softcap)
      score = k.mul(math::tanh(k, k.mul(score, ofCap)), cap);
    Value there = k.firstLanes(k.sub(live, start));
    if (window) {
      Value before = k.firstLanes(k.sub(hidden, start));
      there = k.select(before, k.intConstant(before.getType(), 0), there);
    }
    score = k.select(there, score, k.f32c(-INFINITY, kLanes));
    k.store(score, place, 64);
    Value higher = k.create<arith::CmpFOp>(arith::CmpFPredicate::OGT, score, carried);
    return k.select(higher, score, carried);
  });
  return k.max16(top);
}

/// A query's scores to shares, which are added to its sum.
void AttentionEmitter::share(Value query) {
  Value from = sharesOf(query), sumAt = k.at(sums, k.mul(query, k.i64c(kLanes * 4)));
  Type vector = k.lanesOf(k.f32, kLanes);
  Value level = k.broadcast(k.load(k.f32, k.element(tops, query, k.f32)));
  Value decay = k.broadcast(k.load(k.f32, k.element(decays, query, k.f32)));
  Value sum = forBlocks(k.mul(k.load(vector, sumAt, 64), decay), [&](Value b, Value carried) {
    Value place = k.element(from, k.mul(b, k.i64c(kBlock)), k.f32);
    Value share = math::expOfNegative(k, k.sub(k.load(vector, place, 64), level));
    Value weighted = share;
    if (format == KvFormat::I8)
      weighted = k.mul(share, k.load(vector, scalesAt(b, 1)));
    k.store(weighted, place, 64);
    return k.add(carried, share);
  });
  k.store(sum, sumAt, 64);
}

/// out = out * decay + shares . V of the group's positions [from, to), columns in pieces that fit
/// registers.
void AttentionEmitter::addValues(unsigned queries, Value first, Value from, Value to, bool decays) {
  Value column = k.i64c(0);
  for (unsigned vectors = width(queries); vectors; vectors = vectors > 1 ? 1 : 0) {
    int64_t lanes = vectors * kLanes;
    Value next = k.sub(headDim, k.urem(headDim, lanes));
    k.forRange(column, next, lanes,
               [&](Value c) { addValues(queries, first, from, to, decays, c, vectors, Value()); });
    column = next;
  }
  k.ifThen(k.less(column, headDim), [&] {
    Value live = k.firstLanes(k.sub(headDim, column));
    addValues(queries, first, from, to, decays, column, 1, live);
  });
}

void AttentionEmitter::addValues(unsigned queries, Value first, Value from, Value to, bool decays,
                                 Value column, unsigned vectors, Value live) {
  Type type = k.lanesOf(k.f32, kLanes);
  Values results, state;
  for (unsigned q = 0; q < queries; ++q) {
    Value query = k.add(first, k.i64c(q));
    Value offset = k.load(k.i64, k.element(offsets, query, k.i64), 8);
    results.push_back(k.element(k.at(outs, offset), column, k.f32));
    Value factor;
    if (decays)
      factor = k.broadcast(k.load(k.f32, k.element(this->decays, query, k.f32)));
    for (unsigned v = 0; v < vectors; ++v) {
      Value address = k.at(results[q], int64_t(v) * kLanes * 4);
      Value x = live ? k.loadTail(address, live) : k.load(type, address);
      state.push_back(decays ? k.mul(x, factor) : x);
    }
  }
  Value tile = sharesOf(first), zero = k.i64c(0), block = k.i64c(kBlock);
  Value bytes = k.i64c(kvBytes(format)), ahead = k.mul(blockBytes, k.i64c(kGroupBlocks));
  Value rowBytes = k.mul(headDim, bytes);
  Value last = k.udiv(k.add(to, k.i64c(kBlock - 1)), kBlock);
  state = k.forRange(k.udiv(from, kBlock), last, 1, state, [&](Value b, ValueRange outer) {
    Value start = k.mul(b, block), source = k.at(at, k.mul(b, blockBytes));
    source = k.at(source, k.mul(column, bytes));
    Value begin = k.max(k.sub(from, start), zero), end = k.min(k.sub(to, start), block);
    Value factors = k.element(tile, start, k.f32);
    return k.forRange(begin, end, 1, outer, [&](Value j, ValueRange carried) {
      Value row = k.at(source, k.mul(j, rowBytes));
      Values loaded, next;
      for (unsigned v = 0; v < vectors; ++v) {
        // A head's keys follow its values: the last vector of a row may read beyond it.
        Value address = k.at(row, int64_t(v) * kLanes * kvBytes(format));
        loaded.push_back(loadKv(k, format, address, kLanes));
        if (v * kLanes * kvBytes(format) % 64 == 0)
          k.prefetch(k.at(address, ahead));
      }
      for (unsigned q = 0; q < queries; ++q) {
        Value at = k.element(factors, k.add(j, k.i64c(int64_t(q) * kGroup)), k.f32);
        Value share = k.broadcast(k.load(k.f32, at));
        for (unsigned v = 0; v < vectors; ++v)
          next.push_back(k.fma(share, loaded[v], carried[q * vectors + v]));
      }
      return next;
    });
  });
  for (unsigned q = 0; q < queries; ++q)
    for (unsigned v = 0; v < vectors; ++v)
      k.storeLanes(state[q * vectors + v], k.at(results[q], int64_t(v) * kLanes * 4), live);
}
} // namespace

void kernels::attention(KernelBuilder &k, KvFormat format, AttentionKind kind) {
  AttentionEmitter(k, format, kind).emit();
}
