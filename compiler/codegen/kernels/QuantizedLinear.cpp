// linear_{i8,i4}, expert_linear_{i8,i4}: out = in x W^T (+ bias) (+ residual), item = one panel of
// output rows.
//
// Every output element is one accumulator over the groups of 32 columns in rising order from +0:
// fma(float(dot), scale of the activations * scale of the weights, sum), then + bias, then
// + residual. The dot of a group is an exact integer, below 2^24 as a float. Lanes are outputs, so
// neither tiles nor chunks of rows, splits of items or instructions change a bit.
//
// One row streams its panels from memory and prefetches its own stream. Many rows go through in
// chunks whose activations stay in the second-level cache; there each panel meets tiles of rows:
// the first streams it too, the others together fetch the next panel. Both are the same code: a
// chunk whose rows leave one over, as one row alone does, begins with the tile for it.
#include "compiler/codegen/kernels/Experts.h"
#include "compiler/codegen/kernels/Kernels.h"
#include "compiler/codegen/kernels/LinearOutput.h"

using namespace coppice;
using namespace mlir;
using Values = KernelBuilder::Values;

namespace {
// Activations of a chunk of rows, in bytes. What it shares the cache with are two panels.
constexpr int64_t kChunkBytes = 512 << 10;
// Distance of the software prefetch in one row's stream, in whole groups of a panel.
int64_t groupsAhead(CodeType type) { return type == CodeType::I8 ? 2 : 8; }
// Cache lines of the next panel that a tile fetches while it works on one group.
int64_t linesPerGroup(CodeType type) { return type == CodeType::I8 ? 3 : 2; }

class QuantizedLinearEmitter {
public:
  QuantizedLinearEmitter(KernelBuilder &k, CodeType type, bool experts = false);
  void emit();
  void emitExperts();

private:
  // A register tile: `rows` input rows against `vectors` times 16 output rows of a whole panel; or,
  // where `height` is given, all of a panel that is so many output rows high.
  struct Tile {
    unsigned rows, vectors;
    bool unroll = false; // the words of a group one after the other, not in a loop
    Value height = {}, live = {};
  };
  // Where a tile's weights lie. stream: whether to prefetch them, or null: no. next: what it shall
  // fetch for others otherwise, or null.
  struct Place {
    Value codes, scales, stream, next;
  };

  void oneRow();
  void manyRows();
  void chunk(Value firstRow, Value lastRow);
  void tiles(Value firstRow, Value lastRow, Value left, Value panel, Value lane);
  void finish(Value row, Value count, Value column, const Place &place);
  void tailPanels();
  Values accumulate(const Tile &shape, ArrayRef<Value> inputs, const Place &place);
  void whole(const Tile &shape, Value row, Value column, const Place &place);
  void prefetch(const Tile &shape, const Place &place, Value codes, Value index);
  void group(const Tile &shape, ArrayRef<Value> inputs, const Place &place, Value index,
             Values &sums, Value lastWords);
  void word(const Tile &shape, ArrayRef<Value> inputs, Value codes, Value index, Values &dots);
  Values inputRows(unsigned rows, Value row, Value lastRow);
  Value heightOf(const Tile &shape) { return shape.height ? shape.height : k.i64c(kHeight); }
  Value panelAt(Value firstRow) { return k.at(weight, k.mul(firstRow, rowBytes)); }
  Place within(Value panel, Value height, Value lane);

  static constexpr int64_t kHeight = args::kPanelRows;
  KernelBuilder &k;
  CodeType type;
  kernels::LinearOutput output;
  Value in, inStride, weight, rowBytes;
  Value wholeGroups, rest, lastWords; // of the columns
  Value scratch;                      // sums of a tile, on the stack
};

QuantizedLinearEmitter::QuantizedLinearEmitter(KernelBuilder &k, CodeType type, bool experts)
    : k(k), type(type), output(k, /*addends=*/!experts) {
  in = k.buffer(k.arg(args::Linear::in));
  inStride = k.quantizedBytes(output.ins);
  weight = k.weights(k.arg(args::Linear::weight));
  rowBytes = codeRowBytes(k, type, output.ins);
  wholeGroups = k.udiv(output.ins, args::kGroup);
  rest = k.urem(output.ins, args::kGroup);
  lastWords = groupWords(k, type, rest);
  scratch = k.create<LLVM::AllocaOp>(
      k.ptr, k.f32, k.i64c(int64_t(k.target.dotRows) * k.target.dotVectors * kLanes), 64);
}

void QuantizedLinearEmitter::emit() {
  k.ifElse(
      k.equal(output.rows, k.i64c(1)),
      [&] {
        oneRow();
        return Values();
      },
      [&] {
        manyRows();
        return Values();
      });
  tailPanels();
}

void QuantizedLinearEmitter::emitExperts() {
  Value all = in;
  kernels::forExperts(k, output, [&](Value first, Value expert) {
    in = k.at(all, k.mul(first, inStride));
    weight = kernels::expertWeight(k, expert);
    emit();
  });
}

void QuantizedLinearEmitter::oneRow() {
  k.forRange(k.begin, k.min(k.end, k.udiv(output.outs, kHeight)), 1, [&](Value panel) {
    Value column = k.mul(panel, k.i64c(kHeight));
    Place place = within(panelAt(column), k.i64c(kHeight), k.i64c(0));
    place.stream = k.intConstant(k.getI1Type(), 1);
    whole({1, kHeight / kLanes, true}, k.i64c(0), column, place);
  });
}

void QuantizedLinearEmitter::manyRows() {
  int64_t most = k.target.dotRows;
  Value rowsOfChunk = k.div(k.i64c(kChunkBytes / most), k.max(inStride, k.i64c(64)));
  rowsOfChunk = k.mul(k.max(rowsOfChunk, k.i64c(1)), k.i64c(most));
  Value rows = output.rows;
  Value chunks = k.div(k.sub(k.add(rows, rowsOfChunk), k.i64c(1)), rowsOfChunk);
  k.forRange(k.i64c(0), chunks, 1, [&](Value index) {
    Value first = k.mul(index, rowsOfChunk);
    chunk(first, k.min(k.add(first, rowsOfChunk), rows));
  });
}

/// The part of a panel that begins `lane` output rows in.
QuantizedLinearEmitter::Place QuantizedLinearEmitter::within(Value panel, Value height,
                                                             Value lane) {
  Value codes = k.mul(height, k.i64c(groupBytes(type) - 2));
  return {k.at(panel, k.mul(lane, k.i64c(4))), k.at(panel, k.add(k.mul(lane, k.i64c(2)), codes)),
          Value(), Value()};
}

void QuantizedLinearEmitter::chunk(Value firstRow, Value lastRow) {
  const int64_t most = k.target.dotRows, vectors = k.target.dotVectors;
  // The first tile has the rows that are left over, 1 to `most`.
  Value left = k.create<arith::RemUIOp>(k.sub(k.sub(lastRow, firstRow), k.i64c(1)), k.i64c(most));
  left = k.add(left, k.i64c(1));
  k.forRange(k.begin, k.min(k.end, k.udiv(output.outs, kHeight)), 1, [&](Value panel) {
    k.forRange(k.i64c(0), k.i64c(kHeight), vectors * kLanes,
               [&](Value lane) { tiles(firstRow, lastRow, left, panel, lane); });
  });
}

/// The tiles of a chunk, against the part of a panel that begins at `lane`.
/// There is one for each even number of rows: in one for an odd number a row counts twice.
void QuantizedLinearEmitter::tiles(Value firstRow, Value lastRow, Value left, Value panel,
                                   Value lane) {
  const unsigned most = k.target.dotRows, vectors = k.target.dotVectors;
  Value zero = k.i64c(0), one = k.i64c(1);
  Value first = k.mul(panel, k.i64c(kHeight)), start = panelAt(first), column = k.add(first, lane);
  Value panelBytes = k.mul(rowBytes, k.i64c(kHeight)), next = k.at(start, panelBytes);
  Value tileLines = k.mul(k.groups(output.ins), k.i64c(linesPerGroup(type) * 64));
  Place place = within(start, k.i64c(kHeight), lane);
  Value afterFirst = k.add(firstRow, left);
  Value count = k.add(k.div(k.sub(lastRow, afterFirst), k.i64c(most)), one);
  k.forRange(zero, count, 1, [&](Value index) {
    Value isFirst = k.equal(index, zero), others = k.sub(index, one);
    Value row = k.select(isFirst, firstRow, k.add(afterFirst, k.mul(others, k.i64c(most))));
    Value rows = k.select(isFirst, left, k.i64c(most));
    // The first tile takes the panel from memory as a stream, the others fetch the next panel.
    Value done = k.mul(others, tileLines);
    Place mine = place;
    for (unsigned size = 2; size <= most; size += 2) {
      bool full = size == most;
      mine.stream = full ? isFirst : k.intConstant(k.getI1Type(), 1);
      mine.next = full ? k.select(k.less(done, panelBytes), k.at(next, done), start) : Value();
      Value fits = k.equal(k.create<arith::AndIOp>(k.add(rows, one), k.i64c(~1)), k.i64c(size));
      k.ifThen(fits, [&] {
        Values sums =
            accumulate({size, vectors, full}, inputRows(size, row, k.add(row, rows)), mine);
        for (unsigned i = 0; i < sums.size(); ++i)
          k.store(sums[i], k.at(scratch, int64_t(i) * kLanes * 4), 64);
      });
    }
    finish(row, rows, column, place);
  });
}

/// Takes a tile's sums from the scratch over the last, partial group and to the output.
void QuantizedLinearEmitter::finish(Value row, Value count, Value column, const Place &place) {
  const unsigned vectors = k.target.dotVectors;
  Value partial = k.less(k.i64c(0), rest);
  k.forRange(k.i64c(0), count, 1, [&](Value i) {
    Value from = k.at(scratch, k.mul(i, k.i64c(vectors * kLanes * 4))), mine = k.add(row, i);
    Values sums;
    for (unsigned v = 0; v < vectors; ++v)
      sums.push_back(k.load(k.lanesOf(k.f32, kLanes), k.at(from, int64_t(v) * kLanes * 4), 64));
    sums = k.ifElse(
        partial,
        [&] {
          Values more(sums);
          group({1, vectors}, inputRows(1, mine, Value()), place, wholeGroups, more, lastWords);
          return more;
        },
        [&] { return sums; });
    output.store(sums, vectors, mine, column, Value());
  });
}

void QuantizedLinearEmitter::tailPanels() {
  kernels::forTailPanels(k, output.outs, [&](Value height, Value column) {
    Value row = k.i64c(0), live = k.firstLanes(height);
    Place place = within(panelAt(column), height, row);
    for (unsigned rows : {4u, 1u}) {
      Value all = k.udiv(k.sub(output.rows, row), rows);
      Value next = k.add(row, k.mul(all, k.i64c(rows)));
      k.forRange(row, next, rows,
                 [&](Value r) { whole({rows, 1, false, height, live}, r, column, place); });
      row = next;
    }
  });
}

/// Addresses of rows from `row` on; lastRow: they end before it, and the last one repeats.
Values QuantizedLinearEmitter::inputRows(unsigned rows, Value row, Value lastRow) {
  Values inputs;
  for (unsigned i = 0; i < rows; ++i) {
    Value index = k.add(row, k.i64c(i));
    if (i && lastRow)
      index = k.min(index, k.sub(lastRow, k.i64c(1)));
    inputs.push_back(k.at(in, k.mul(index, inStride)));
  }
  return inputs;
}

/// A tile's sums over the whole groups.
Values QuantizedLinearEmitter::accumulate(const Tile &shape, ArrayRef<Value> inputs,
                                          const Place &place) {
  return k.forRange(k.i64c(0), wholeGroups, 1,
                    Values(shape.rows * shape.vectors, k.f32c(0, kLanes)),
                    [&](Value index, ValueRange carried) {
                      Values next(carried);
                      group(shape, inputs, place, index, next, Value());
                      return next;
                    });
}

/// A tile from its first group to the output.
void QuantizedLinearEmitter::whole(const Tile &shape, Value row, Value column, const Place &place) {
  Values inputs = inputRows(shape.rows, row, Value());
  Values sums(shape.rows * shape.vectors, k.f32c(0, kLanes));
  if (shape.unroll)
    sums = accumulate(shape, inputs, place);
  Tile looped = shape;
  looped.unroll = false;
  sums = k.forRange(shape.unroll ? wholeGroups : k.i64c(0), k.groups(output.ins), 1, sums,
                    [&](Value index, ValueRange carried) {
                      Values next(carried);
                      group(looped, inputs, place, index, next, lastWords);
                      return next;
                    });
  output.store(sums, shape.vectors, row, column, shape.live);
}

void QuantizedLinearEmitter::prefetch(const Tile &shape, const Place &place, Value codes,
                                      Value index) {
  const int64_t bytes = groupBytes(type) * kHeight, lines = linesPerGroup(type);
  auto stream = [&] {
    for (int64_t line = 0; line < bytes; line += 64 * (shape.vectors == 1 ? 2 : 1))
      k.prefetch(k.at(codes, groupsAhead(type) * bytes + line));
    return Values();
  };
  auto next = [&] {
    for (int64_t line = 0; line < lines; ++line)
      k.prefetch(k.at(place.next, k.add(k.mul(index, k.i64c(lines * 64)), k.i64c(line * 64))));
    return Values();
  };
  if (place.next)
    k.ifElse(place.stream, stream, next);
  else
    stream();
}

/// Adds one group's products to the sums: a whole group, or where lastWords is given any group, of
/// which the last, if partial, has so many words.
void QuantizedLinearEmitter::group(const Tile &shape, ArrayRef<Value> inputs, const Place &place,
                                   Value index, Values &sums, Value lastWords) {
  const int64_t words = args::kGroup / codesPerWord(type);
  Value offset = k.mul(index, k.mul(heightOf(shape), k.i64c(groupBytes(type))));
  Value codes = k.at(place.codes, offset), scales = k.at(place.scales, offset);
  if (place.stream && !lastWords)
    prefetch(shape, place, codes, index);

  Values groups, dots;
  for (Value input : inputs) {
    groups.push_back(k.at(input, k.mul(index, k.i64c(args::kQuantizedGroup))));
    Value start = k.load(k.i32, k.at(groups.back(), int64_t(args::kGroup) + 4));
    dots.append(shape.vectors, k.broadcast(start));
  }
  if (shape.unroll) {
    for (int64_t j = 0; j < words; ++j)
      word(shape, groups, codes, k.i64c(j), dots);
  } else {
    Value count = k.i64c(words);
    if (lastWords)
      count = k.select(k.less(index, wholeGroups), count, lastWords);
    dots = k.forRange(k.i64c(0), count, 1, dots, [&](Value j, ValueRange carried) {
      Values next(carried);
      word(shape, groups, codes, j, next);
      return next;
    });
    Value missing = k.sub(count, k.i64c(words));
    scales = k.at(scales, k.mul(missing, k.mul(heightOf(shape), k.i64c(4))));
  }

  Type floats = k.lanesOf(k.f32, kLanes), halves = k.lanesOf(k.getF16Type(), kLanes);
  Values factors;
  for (unsigned v = 0; v < shape.vectors; ++v) {
    Value half = shape.height ? k.loadTailHalves(k.getF16Type(), scales, shape.height)
                              : k.load(halves, k.at(scales, int64_t(v) * kLanes * 2), kLanes * 2);
    factors.push_back(k.create<arith::ExtFOp>(floats, half));
  }
  for (unsigned i = 0; i < shape.rows; ++i) {
    Value scale = k.broadcast(k.load(k.f32, k.at(groups[i], int64_t(args::kGroup))));
    for (unsigned v = 0; v < shape.vectors; ++v) {
      Value &sum = sums[i * shape.vectors + v];
      Value dot = k.create<arith::SIToFPOp>(floats, dots[i * shape.vectors + v]);
      sum = k.fma(dot, k.mul(scale, factors[v]), sum);
    }
  }
}

/// Adds the products of word `index` of a group: one dot4 for i8, one for each half byte for i4.
void QuantizedLinearEmitter::word(const Tile &shape, ArrayRef<Value> inputs, Value codes,
                                  Value index, Values &dots) {
  Value line = k.at(codes, k.mul(index, k.mul(heightOf(shape), k.i64c(4))));
  Values words;
  for (unsigned v = 0; v < shape.vectors; ++v)
    words.push_back(shape.height ? k.loadTailWords(line, shape.live)
                                 : k.load(k.lanesOf(k.i32, kLanes),
                                          k.at(line, int64_t(v) * kLanes * 4), kLanes * 4));
  Value inputOffset = k.mul(index, k.i64c(codesPerWord(type)));
  auto multiply = [&](ArrayRef<Value> operands, int64_t offset, unsigned bits) {
    for (unsigned i = 0; i < shape.rows; ++i) {
      Value four = k.load(k.i32, k.at(k.at(inputs[i], inputOffset), offset));
      Value values = k.broadcast(four);
      for (unsigned v = 0; v < shape.vectors; ++v) {
        Value &dot = dots[i * shape.vectors + v];
        dot = k.dot4(dot, operands[v], values, bits);
      }
    }
  };
  if (type == CodeType::I8)
    return multiply(words, 0, 8);
  Type ints = k.lanesOf(k.i32, kLanes);
  Value mask = k.intConstant(ints, 0x0f0f0f0f), four = k.intConstant(ints, 4);
  Values low, high;
  for (Value word : words) {
    low.push_back(k.create<arith::AndIOp>(word, mask));
    high.push_back(k.create<arith::AndIOp>(k.create<arith::ShRUIOp>(word, four), mask));
  }
  multiply(low, 0, 4);
  multiply(high, 4, 4);
}
} // namespace

void coppice::kernels::quantizedLinear(KernelBuilder &k, CodeType type) {
  QuantizedLinearEmitter(k, type).emit();
}

void coppice::kernels::quantizedExpertLinear(KernelBuilder &k, CodeType type) {
  QuantizedLinearEmitter(k, type, /*experts=*/true).emitExperts();
}
