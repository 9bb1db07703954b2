// linear_{f32,f16,bf16}, expert_linear_{f32,f16,bf16}: out = in x W^T (+ bias)
// (+ residual), item = one panel of output rows.
//
// Every output element is one accumulator: fma over K in rising order from +0,
// then + bias, then
// + residual. Lanes are outputs, so register tiles (rows by panels) only choose
// what is computed side by side: no tile shape, split of items or vector width
// changes a bit.
//
// In bf16 on targets with dot products of bfloat16 it is otherwise: inputs are
// rounded to bfloat16, whatever the number of rows, and the accumulator takes
// them in pairs of columns, in rising order, the last one with a zero where K
// is odd. The panels are the same as everywhere: two rows of K are interleaved
// when they are read. Rounding costs as much as a quarter of one panel's
// products, so many rows meet several panels for each time that they are
// rounded.
#include "compiler/codegen/kernels/Experts.h"
#include "compiler/codegen/kernels/Kernels.h"
#include "compiler/codegen/kernels/LinearOutput.h"

using namespace coppice;
using namespace mlir;
using Values = KernelBuilder::Values;

namespace {
// Distance of the software prefetch, in bytes of one panel's stream. Half-width
// weights want more: they are behind by more conversions. Both were measured
// against a plain read of memory.
int64_t prefetchBytes(WeightType type) { return type == WeightType::F32 ? 2048 : 4096; }
// Panels up to so long, which are those of small models that lie in cache, are
// read without it: for one input row it would take as many instructions as the
// arithmetic.
constexpr int64_t kShortPanel = 32 << 10;
// K steps per iteration when there is one input row: four hide the loop's own
// instructions, and let more of what follows be in flight beside the sums'
// chains.
constexpr unsigned kDecodeUnroll = 4;
// Columns of the input that a tile rounds to bfloat16 at a time, on the stack,
// and how many panels they meet: the sums of those lie there meanwhile, their
// weights in the second-level cache.
constexpr int64_t kRoundedColumns = 512, kRoundedPanels = 4;

class LinearEmitter {
public:
  LinearEmitter(KernelBuilder &k, WeightType type, bool experts = false);
  void emit();
  void emitExperts();

private:
  // A register tile: `rows` input rows against `vectors` of 16 output rows of
  // each of `panels` whole panels; or, where `height` is given, all of a panel
  // that is so many output rows high.
  struct Tile {
    unsigned rows, vectors, panels;
    Value height = {}, live = {};
  };

  void wholePanels();
  void tailPanels();
  void tile(const Tile &shape, Value row, Value column, Value panel);
  Values accumulate(const Tile &shape, ArrayRef<Value> inputs, Value panel, Value panelBytes);
  Values sumColumns(const Tile &shape, ArrayRef<Value> inputs, ArrayRef<Value> panels,
                    bool prefetch);
  void step(const Tile &shape, ArrayRef<Value> inputs, ArrayRef<Value> panels, Value depth,
            bool prefetch, Values &sums);
  void roundedPanels(Value limit);
  void roundedTile(Value row, Value live, Value panel, Value panels);
  void finishTile(Value row, Value live, Value panel, Value panels);
  Values sumPairs(const Tile &shape, Value input, ArrayRef<Value> panels, bool prefetch);
  void roundInputs(Value input, Value live, Value first, Value count);
  Values addPairs(const Tile &shape, ArrayRef<Value> panels, Value first, Value count,
                  bool prefetch, ValueRange sums);
  void pairStep(const Tile &shape, ArrayRef<Value> panels, Value depth, Value column, Value last,
                bool prefetch, Values &sums);
  void appendPairs(const Tile &shape, Value at, Value next, Values &weights);
  void restoreOrder(unsigned vectors, Values &sums);
  Value panelAt(Value firstRow);
  Value stepBytes(const Tile &shape);
  Value loadVector(const Tile &shape, Value address);

  KernelBuilder &k;
  WeightType type;
  kernels::LinearOutput output;
  Value rows, ins, outs, in, inStride, weight;
  // A tile's inputs in bfloat16, or null where they are taken as they are; its
  // sums, panel by panel.
  Value rounded, partial;
};

LinearEmitter::LinearEmitter(KernelBuilder &k, WeightType type, bool experts)
    : k(k), type(type), output(k, /*addends=*/!experts), rows(output.rows), ins(output.ins),
      outs(output.outs) {
  in = k.buffer(k.arg(args::Linear::in));
  inStride = k.rowBytes(ins);
  weight = k.weights(k.arg(args::Linear::weight));
  if (type != WeightType::BF16 || !k.target.bf16Dots)
    return;
  const int64_t most = k.target.rowTiles.front();
  rounded = k.create<LLVM::AllocaOp>(k.ptr, k.getI16Type(), k.i64c(most * kRoundedColumns), 64);
  partial =
      k.create<LLVM::AllocaOp>(k.ptr, k.f32, k.i64c(kRoundedPanels * most * args::kPanelRows), 64);
}

void LinearEmitter::emit() {
  wholePanels();
  tailPanels();
}

void LinearEmitter::emitExperts() {
  Value all = in;
  kernels::forExperts(k, output, [&](Value first, Value expert) {
    rows = output.rows;
    in = k.at(all, k.mul(first, inStride));
    weight = kernels::expertWeight(k, expert);
    emit();
  });
}

/// Panels lie without padding, so the panel that starts at output row r starts
/// r * K elements in.
Value LinearEmitter::panelAt(Value firstRow) {
  return k.at(weight, k.mul(k.mul(firstRow, ins), k.i64c(weightBytes(type))));
}

/// Bytes of a panel for each step of K.
Value LinearEmitter::stepBytes(const Tile &shape) {
  Value height = shape.height ? shape.height : k.i64c(args::kPanelRows);
  return k.mul(height, k.i64c(weightBytes(type)));
}

/// 16 weights as floats, or those that a short panel has.
Value LinearEmitter::loadVector(const Tile &shape, Value address) {
  if (!shape.height)
    return loadWeights(k, type, address, kLanes, /*aligned=*/true);
  if (type == WeightType::F32)
    return k.loadTail(address, shape.live);
  return widenWeights(k, type, k.loadTailHalves(weightElement(k, type), address, shape.height));
}

void LinearEmitter::wholePanels() {
  constexpr unsigned height = args::kPanelRows;
  Value limit = k.min(k.end, k.udiv(outs, args::kPanelRows));
  auto oneRow = [&](Value panel, unsigned panels) {
    Value column = k.mul(panel, k.i64c(height));
    tile({1, height / kLanes, panels}, k.i64c(0), column, panelAt(column));
  };
  auto decode = [&] {
    int64_t group = k.target.decodePanels;
    Value groups = k.div(k.max(k.sub(limit, k.begin), k.i64c(0)), k.i64c(group));
    Value rest = k.add(k.begin, k.mul(groups, k.i64c(group)));
    if (group > 1)
      k.forRange(k.begin, rest, group, [&](Value panel) { oneRow(panel, group); });
    else
      rest = k.begin;
    k.forRange(rest, limit, 1, [&](Value panel) { oneRow(panel, 1); });
    return Values();
  };
  auto many = [&] {
    if (rounded) {
      roundedPanels(limit);
      return Values();
    }
    unsigned vectors = k.target.tileVectors;
    k.forRange(k.begin, limit, 1, [&](Value panel) {
      Value first = k.mul(panel, k.i64c(height)), start = panelAt(first);
      k.forRange(k.i64c(0), k.i64c(height), vectors * kLanes, [&](Value within) {
        Value part = k.at(start, k.mul(within, k.i64c(weightBytes(type))));
        Value column = k.add(first, within), row = k.i64c(0);
        for (unsigned count : k.target.rowTiles) {
          Value whole = k.div(k.sub(rows, row), k.i64c(count));
          Value next = k.add(row, k.mul(whole, k.i64c(count)));
          k.forRange(row, next, count,
                     [&](Value r) { tile({count, vectors, 1}, r, column, part); });
          row = next;
        }
      });
    });
    return Values();
  };
  k.ifElse(k.equal(rows, k.i64c(1)), decode, many);
}

void LinearEmitter::tailPanels() {
  kernels::forTailPanels(k, outs, [&](Value height, Value column) {
    Value panel = panelAt(column), row = k.i64c(0), live = k.firstLanes(height);
    for (unsigned count : {4u, 1u}) {
      Value whole = k.udiv(k.sub(rows, row), count);
      Value next = k.add(row, k.mul(whole, k.i64c(count)));
      k.forRange(row, next, count,
                 [&](Value r) { tile({count, 1, 1, height, live}, r, column, panel); });
      row = next;
    }
  });
}

void LinearEmitter::tile(const Tile &shape, Value row, Value column, Value panel) {
  Values inputs;
  for (unsigned i = 0; i < shape.rows; ++i)
    inputs.push_back(k.at(in, k.mul(k.add(row, k.i64c(i)), inStride)));
  Value panelBytes = k.mul(ins, stepBytes(shape));
  Values sums = accumulate(shape, inputs, panel, panelBytes);
  output.store(sums, shape.vectors * shape.panels, row, column, shape.live);
}

Values LinearEmitter::accumulate(const Tile &shape, ArrayRef<Value> inputs, Value panel,
                                 Value panelBytes) {
  bool decode = shape.rows == 1, whole = !shape.height;
  Values panels;
  for (unsigned p = 0; p < shape.panels; ++p)
    panels.push_back(k.at(panel, k.mul(panelBytes, k.i64c(p))));
  auto loop = [&](bool prefetch) {
    return rounded ? sumPairs(shape, inputs[0], panels, prefetch)
                   : sumColumns(shape, inputs, panels, prefetch);
  };
  if (!decode || !whole)
    return loop(whole);
  return k.ifElse(
      k.less(k.i64c(kShortPanel), panelBytes), [&] { return loop(true); },
      [&] { return loop(false); });
}

Values LinearEmitter::sumColumns(const Tile &shape, ArrayRef<Value> inputs, ArrayRef<Value> panels,
                                 bool prefetch) {
  Values sums(shape.rows * shape.vectors * shape.panels, k.f32c(0, kLanes));
  auto steps = [&](Value depth, ValueRange carried, unsigned count) {
    Values next(carried);
    for (unsigned u = 0; u < count; ++u)
      step(shape, inputs, panels, u ? k.add(depth, k.i64c(u)) : depth, prefetch, next);
    return next;
  };
  Value depth = k.i64c(0);
  if (shape.rows == 1) {
    Value unrolled = k.create<arith::AndIOp>(ins, k.i64c(-int64_t(kDecodeUnroll)));
    sums = k.forRange(depth, unrolled, kDecodeUnroll, sums, [&](Value at, ValueRange carried) {
      return steps(at, carried, kDecodeUnroll);
    });
    depth = unrolled;
  }
  return k.forRange(depth, ins, 1, sums,
                    [&](Value at, ValueRange carried) { return steps(at, carried, 1); });
}

/// One step of K: each panel's weights against each row's input.
void LinearEmitter::step(const Tile &shape, ArrayRef<Value> inputs, ArrayRef<Value> panels,
                         Value depth, bool prefetch, Values &sums) {
  const int64_t vectorBytes = int64_t(kLanes) * weightBytes(type);
  Values weights;
  for (Value panel : panels) {
    Value at = k.at(panel, k.mul(depth, stepBytes(shape)));
    for (unsigned v = 0; v < shape.vectors; ++v) {
      Value address = k.at(at, v * vectorBytes);
      weights.push_back(loadVector(shape, address));
      if (prefetch && v * vectorBytes % 64 == 0)
        k.prefetch(k.at(address, prefetchBytes(type)));
    }
  }
  for (unsigned i = 0; i < shape.rows; ++i) {
    Value x = k.broadcast(k.load(k.f32, k.element(inputs[i], depth, k.f32)));
    for (unsigned v = 0; v < weights.size(); ++v) {
      Value &sum = sums[i * weights.size() + v];
      sum = k.fma(x, weights[v], sum);
    }
  }
}

//===-- Dot products in bfloat16
//-----------------------------------------------------------===//

void LinearEmitter::roundedPanels(Value limit) {
  const int64_t most = k.target.rowTiles.front();
  k.forRange(k.begin, limit, kRoundedPanels, [&](Value panel) {
    Value panels = k.min(k.sub(limit, panel), k.i64c(kRoundedPanels));
    k.forRange(k.i64c(0), rows, most, [&](Value row) {
      Value live = k.min(k.sub(rows, row), k.i64c(most));
      roundedTile(row, live, panel, panels);
      finishTile(row, live, panel, panels);
    });
  });
}

/// The sums of `live` rows against whole panels, into `partial`. What tiles
/// compute beyond `live` is of whatever lies there, and nothing reads it.
void LinearEmitter::roundedTile(Value row, Value live, Value panel, Value panels) {
  constexpr unsigned vectors = args::kPanelRows / kLanes;
  const unsigned most = k.target.rowTiles.front();
  Type floats = k.lanesOf(k.f32, kLanes);
  Value zero = k.i64c(0), input = k.at(in, k.mul(row, inStride));
  auto sumsOf = [&](Value index) {
    return k.at(partial, k.mul(index, k.i64c(int64_t(most) * args::kPanelRows * 4)));
  };
  k.forRange(zero, k.mul(panels, k.i64c(most * vectors)), 1, [&](Value i) {
    k.store(k.f32c(0, kLanes), k.at(partial, k.mul(i, k.i64c(kLanes * 4))), 64);
  });
  k.forRange(zero, ins, kRoundedColumns, [&](Value first) {
    Value count = k.min(k.i64c(kRoundedColumns), k.sub(ins, first));
    roundInputs(input, live, first, count);
    k.forRange(zero, panels, 1, [&](Value index) {
      Value weights = panelAt(k.mul(k.add(panel, index), k.i64c(args::kPanelRows)));
      Value sums = sumsOf(index);
      unsigned below = 0;
      for (unsigned size : {most / 6, most / 3, most * 2 / 3, most}) {
        Value fits =
            k.create<arith::AndIOp>(k.less(k.i64c(below), live), k.less(live, k.i64c(size + 1)));
        below = size;
        k.ifThen(fits, [&] {
          Values tile;
          for (unsigned i = 0; i < size * vectors; ++i)
            tile.push_back(k.load(floats, k.at(sums, int64_t(i) * kLanes * 4), 64));
          tile = addPairs({size, vectors, 1}, weights, first, count, true, tile);
          for (auto [i, sum] : llvm::enumerate(tile))
            k.store(sum, k.at(sums, int64_t(i) * kLanes * 4), 64);
        });
      }
    });
  });
}

void LinearEmitter::finishTile(Value row, Value live, Value panel, Value panels) {
  constexpr unsigned vectors = args::kPanelRows / kLanes;
  const int64_t rowBytes = args::kPanelRows * 4, most = k.target.rowTiles.front();
  k.forRange(k.i64c(0), panels, 1, [&](Value index) {
    Value sums = k.at(partial, k.mul(index, k.i64c(most * rowBytes)));
    Value column = k.mul(k.add(panel, index), k.i64c(args::kPanelRows));
    k.forRange(k.i64c(0), live, 1, [&](Value i) {
      Value from = k.at(sums, k.mul(i, k.i64c(rowBytes)));
      Values mine;
      for (unsigned v = 0; v < vectors; ++v)
        mine.push_back(k.load(k.lanesOf(k.f32, kLanes), k.at(from, int64_t(v) * kLanes * 4), 64));
      restoreOrder(vectors, mine);
      output.store(mine, vectors, k.add(row, i), column, Value());
    });
  });
}

/// A tile's sums over all of K, of rows that lie one after the other from
/// `input` on.
Values LinearEmitter::sumPairs(const Tile &shape, Value input, ArrayRef<Value> panels,
                               bool prefetch) {
  Values sums(shape.rows * shape.vectors * shape.panels, k.f32c(0, kLanes));
  sums = k.forRange(k.i64c(0), ins, kRoundedColumns, sums, [&](Value first, ValueRange carried) {
    Value count = k.min(k.i64c(kRoundedColumns), k.sub(ins, first));
    roundInputs(input, k.i64c(shape.rows), first, count);
    return addPairs(shape, panels, first, count, prefetch, carried);
  });
  restoreOrder(shape.vectors, sums);
  return sums;
}

/// Puts so many columns of each row, from `first` on, into `rounded`, with
/// zeros to a whole 32.
void LinearEmitter::roundInputs(Value input, Value live, Value first, Value count) {
  Value start = k.element(input, first, k.f32);
  k.forRange(k.i64c(0), live, 1, [&](Value row) {
    Value from = k.at(start, k.mul(row, inStride));
    Value to = k.at(rounded, k.mul(row, k.i64c(kRoundedColumns * 2)));
    k.forRange(k.i64c(0), count, 2 * kLanes, [&](Value column) {
      Value left = k.sub(count, column), at = k.element(from, column, k.f32);
      Value low = k.firstLanes(left), high = k.firstLanes(k.sub(left, k.i64c(kLanes)));
      k.store(k.roundBf16(k.loadTail(at, low), k.loadTail(k.at(at, kLanes * 4), high)),
              k.at(to, k.mul(column, k.i64c(2))), 64);
    });
  });
}

/// Adds `count` columns from `first` on, which are those in `rounded`. Where an
/// odd K ends, the last step stands for the one beyond it, against zeros; a row
/// alone, which waits for memory, has a loop that need not look for the end.
Values LinearEmitter::addPairs(const Tile &shape, ArrayRef<Value> panels, Value first, Value count,
                               bool prefetch, ValueRange sums) {
  Value last = k.sub(ins, k.i64c(1)), zero = k.i64c(0), whole = zero;
  auto steps = [&](Value at, unsigned columns, ValueRange carried, Value last) {
    Values next(carried);
    for (unsigned u = 0; u < columns; u += 2) {
      Value column = u ? k.add(at, k.i64c(u)) : at;
      pairStep(shape, panels, k.add(first, column), column, last, prefetch, next);
    }
    return next;
  };
  Values next(sums);
  if (shape.rows == 1) {
    whole = k.create<arith::AndIOp>(count, k.i64c(-int64_t(kDecodeUnroll)));
    next = k.forRange(zero, whole, kDecodeUnroll, next, [&](Value at, ValueRange carried) {
      return steps(at, kDecodeUnroll, carried, Value());
    });
  }
  return k.forRange(whole, count, 2, next,
                    [&](Value at, ValueRange carried) { return steps(at, 2, carried, last); });
}

/// Two steps of K, none beyond `last` where it is given: each panel's weights
/// against two columns of each row.
void LinearEmitter::pairStep(const Tile &shape, ArrayRef<Value> panels, Value depth, Value column,
                             Value last, bool prefetch, Values &sums) {
  const int64_t bytes = 2 * int64_t(shape.vectors) * kLanes * 2;
  Values weights;
  Value after = k.add(depth, k.i64c(1));
  if (last)
    after = k.min(after, last);
  for (Value panel : panels) {
    Value at = k.at(panel, k.mul(depth, stepBytes(shape)));
    appendPairs(shape, at, k.at(panel, k.mul(after, stepBytes(shape))), weights);
    for (int64_t line = 0; prefetch && line < bytes; line += 64)
      k.prefetch(k.at(at, prefetchBytes(type) + line));
  }
  for (unsigned i = 0; i < shape.rows; ++i) {
    Value address = k.at(rounded, k.mul(column, k.i64c(2)));
    Value x = k.broadcast(k.load(k.i32, k.at(address, int64_t(i) * kRoundedColumns * 2)));
    for (unsigned v = 0; v < weights.size(); ++v) {
      Value &sum = sums[i * weights.size() + v];
      sum = k.dotBf16(sum, weights[v], x);
    }
  }
}

/// A panel's weights of two steps of K, which lie at these addresses, side by
/// side. Of two vectors they lie as unpacking within 128 bits leaves them,
/// which costs one instruction and no constant: restoreOrder() knows.
void LinearEmitter::appendPairs(const Tile &shape, Value at, Value next, Values &weights) {
  const unsigned lanes = shape.vectors * kLanes;
  auto load = [&](Value from) -> Value {
    return shape.height ? k.loadTailHalves(k.getI16Type(), from, shape.height)
                        : k.load(k.lanesOf(k.getI16Type(), lanes), from, 2 * lanes);
  };
  Value even = load(at), odd = load(next);
  for (unsigned v = 0; v < shape.vectors; ++v) {
    SmallVector<int64_t> order;
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      unsigned from = shape.vectors == 1 ? lane : lane / 4 * 8 + v * 4 + lane % 4;
      order.append({from, from + lanes});
    }
    Value pairs = k.create<vector::ShuffleOp>(even, odd, order);
    weights.push_back(k.create<vector::BitCastOp>(k.lanesOf(k.i32, kLanes), pairs));
  }
}

/// Puts sums of two vectors, which lie as appendPairs() left them, in the order
/// of outputs.
void LinearEmitter::restoreOrder(unsigned vectors, Values &sums) {
  for (unsigned i = 0; vectors == 2 && i < sums.size(); i += 2) {
    Values ordered;
    for (unsigned v = 0; v < 2; ++v) {
      SmallVector<int64_t> order;
      for (unsigned lane = 0; lane < kLanes; ++lane) {
        unsigned output = v * kLanes + lane, within = output % 8;
        order.push_back(output / 8 * 4 + within % 4 + (within < 4 ? 0 : kLanes));
      }
      ordered.push_back(k.create<vector::ShuffleOp>(sums[i], sums[i + 1], order));
    }
    sums[i] = ordered[0];
    sums[i + 1] = ordered[1];
  }
}
} // namespace

void coppice::kernels::linear(KernelBuilder &k, WeightType type) { LinearEmitter(k, type).emit(); }

void coppice::kernels::expertLinear(KernelBuilder &k, WeightType type) {
  LinearEmitter(k, type, /*experts=*/true).emitExperts();
}
