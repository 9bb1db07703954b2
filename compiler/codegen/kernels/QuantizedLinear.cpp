// linear_{i8,i4}: out = in x W^T (+ bias) (+ residual), item = one panel of output rows.
//
// Every output element is one accumulator over the groups of 32 columns in rising order from +0:
// fma(float(dot), scale of the activations * scale of the weights, sum), then + bias, then
// + residual. The dot of a group is an exact integer, below 2^24 as a float. Lanes are outputs, so
// neither tiles nor chunks of rows, splits of items or instructions change a bit.
//
// One row streams its panels from memory and prefetches its own stream. Many rows go through in
// chunks whose activations stay in the second-level cache; there each panel meets tiles of rows:
// the first streams it too, the others together fetch the next panel.
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
  QuantizedLinearEmitter(KernelBuilder &k, CodeType type);
  void emit();

private:
  // A register tile: `rows` input rows against `vectors` times 16 output rows of a panel that is
  // `height` rows high; below 16 the other lanes idle.
  struct Tile {
    unsigned rows, vectors, height;
    bool stream; // prefetch the tile's own weights
    bool unroll; // the words of a group one after the other, not in a loop: where time goes
  };
  // Where a tile's weights lie. next: what it shall fetch for others, or null.
  struct Place {
    Value codes, scales, next;
  };

  void oneRow();
  void manyRows();
  void chunk(Value firstRow, Value lastRow);
  void tailPanels();
  void tile(const Tile &shape, Value row, Value column, const Place &place);
  void group(const Tile &shape, ArrayRef<Value> inputs, const Place &place, Value index,
             Values &sums, Value lastWords);
  void word(const Tile &shape, ArrayRef<Value> inputs, Value codes, Value index, Values &dots);
  Value loadLanes(Type element, Value address, const Tile &shape);
  Value panelAt(Value firstRow) { return k.at(weight, k.mul(firstRow, rowBytes)); }
  Place within(Value panel, unsigned height, Value lane);

  KernelBuilder &k;
  CodeType type;
  kernels::LinearOutput output;
  Value in, inStride, weight, rowBytes;
  Value wholeGroups, rest; // of the columns
};

QuantizedLinearEmitter::QuantizedLinearEmitter(KernelBuilder &k, CodeType type)
    : k(k), type(type), output(k) {
  in = k.buffer(k.arg(args::Linear::in));
  inStride = k.quantizedBytes(output.ins);
  weight = k.weights(k.arg(args::Linear::weight));
  rowBytes = codeRowBytes(k, type, output.ins);
  wholeGroups = k.udiv(output.ins, args::kGroup);
  rest = k.urem(output.ins, args::kGroup);
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

/// The part of a panel that begins `lane` output rows in.
QuantizedLinearEmitter::Place QuantizedLinearEmitter::within(Value panel, unsigned height,
                                                             Value lane) {
  int64_t codes = (groupBytes(type) - 2) * height;
  return {k.at(panel, k.mul(lane, k.i64c(4))),
          k.at(panel, k.add(k.mul(lane, k.i64c(2)), k.i64c(codes))), Value()};
}

void QuantizedLinearEmitter::oneRow() {
  constexpr unsigned height = args::kPanelRows;
  k.forRange(k.begin, k.min(k.end, k.udiv(output.outs, height)), 1, [&](Value panel) {
    Value column = k.mul(panel, k.i64c(height));
    tile({1, height / kLanes, height, true, true}, k.i64c(0), column,
         within(panelAt(column), height, k.i64c(0)));
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

void QuantizedLinearEmitter::chunk(Value firstRow, Value lastRow) {
  constexpr unsigned height = args::kPanelRows;
  const unsigned most = k.target.dotRows, vectors = k.target.dotVectors;
  Value count = k.sub(lastRow, firstRow);
  Value left = k.create<arith::RemUIOp>(k.sub(count, k.i64c(1)), k.i64c(most));
  left = k.add(left, k.i64c(1));
  Value firstTile = k.add(firstRow, left);
  Value groups = k.groups(output.ins);
  Value panelBytes = k.mul(rowBytes, k.i64c(height));
  Value tileLines = k.mul(groups, k.i64c(linesPerGroup(type) * 64));
  k.forRange(k.begin, k.min(k.end, k.udiv(output.outs, height)), 1, [&](Value panel) {
    Value first = k.mul(panel, k.i64c(height)), start = panelAt(first);
    Value next = k.at(start, panelBytes);
    k.forRange(k.i64c(0), k.i64c(height), vectors * kLanes, [&](Value lane) {
      Place place = within(start, height, lane);
      Value column = k.add(first, lane);
      // The first tile, whole or what is left over, takes the panel from memory as a stream.
      for (unsigned rows = 1; rows <= most; ++rows)
        k.ifThen(k.equal(left, k.i64c(rows)),
                 [&] { tile({rows, vectors, height, true, false}, firstRow, column, place); });
      k.forRange(firstTile, lastRow, most, [&](Value row) {
        Value done = k.mul(k.div(k.sub(row, firstTile), k.i64c(most)), tileLines);
        Place mine = place;
        mine.next = k.select(k.less(done, panelBytes), k.at(next, done), start);
        tile({most, vectors, height, false, true}, row, column, mine);
      });
    });
  });
}

void QuantizedLinearEmitter::tailPanels() {
  kernels::forTailPanels(k, output.outs, [&](unsigned height, Value column) {
    Value row = k.i64c(0);
    Place place = within(panelAt(column), height, row);
    for (unsigned rows : {4u, 1u}) {
      Value whole = k.udiv(k.sub(output.rows, row), rows);
      Value next = k.add(row, k.mul(whole, k.i64c(rows)));
      k.forRange(row, next, rows,
                 [&](Value r) { tile({rows, 1, height, false, false}, r, column, place); });
      row = next;
    }
  });
}

void QuantizedLinearEmitter::tile(const Tile &shape, Value row, Value column, const Place &place) {
  Values inputs;
  for (unsigned i = 0; i < shape.rows; ++i)
    inputs.push_back(k.at(in, k.mul(k.add(row, k.i64c(i)), inStride)));
  Values sums(shape.rows * shape.vectors, k.f32c(0, kLanes));
  auto groups = [&](Value from, Value to, Value words) {
    sums = k.forRange(from, to, 1, sums, [&](Value index, ValueRange carried) {
      Values next(carried);
      group(shape, inputs, place, index, next, words);
      return next;
    });
  };
  Value all = k.groups(output.ins);
  if (shape.unroll)
    groups(k.i64c(0), wholeGroups, Value());
  groups(shape.unroll ? wholeGroups : k.i64c(0), all, groupWords(k, type, rest));
  for (Value &sum : sums)
    sum = k.narrow(sum, std::min(kLanes, shape.height));
  output.store(sums, shape.vectors, row, column);
}

/// Adds one group's products to the sums: a whole group, or where lastWords is given any group, of
/// which the last, if partial, has so many words.
void QuantizedLinearEmitter::group(const Tile &shape, ArrayRef<Value> inputs, const Place &place,
                                   Value index, Values &sums, Value lastWords) {
  const int64_t bytes = groupBytes(type) * shape.height, words = args::kGroup / codesPerWord(type);
  Value codes = k.at(place.codes, k.mul(index, k.i64c(bytes)));
  Value scales = k.at(place.scales, k.mul(index, k.i64c(bytes)));
  if (shape.stream)
    for (int64_t line = 0; line < bytes; line += 64 * (shape.vectors == 1 ? 2 : 1))
      k.prefetch(k.at(codes, groupsAhead(type) * bytes + line));
  if (place.next)
    for (int64_t line = 0; line < linesPerGroup(type); ++line)
      k.prefetch(k.at(place.next,
                      k.add(k.mul(index, k.i64c(linesPerGroup(type) * 64)), k.i64c(line * 64))));

  Values groups, dots;
  for (Value input : inputs) {
    groups.push_back(k.at(input, k.mul(index, k.i64c(args::kQuantizedGroup))));
    Value start = k.load(k.i32, k.at(groups.back(), int64_t(args::kGroup) + 4));
    dots.append(shape.vectors, k.broadcast(start));
  }
  if (lastWords) {
    Value count = k.select(k.less(index, wholeGroups), k.i64c(words), lastWords);
    dots = k.forRange(k.i64c(0), count, 1, dots, [&](Value j, ValueRange carried) {
      Values next(carried);
      word(shape, groups, codes, j, next);
      return next;
    });
    Value missing = k.sub(k.i64c(words), count);
    scales = k.at(scales, k.mul(missing, k.i64c(-4 * int64_t(shape.height))));
  } else {
    for (int64_t j = 0; j < words; ++j)
      word(shape, groups, codes, k.i64c(j), dots);
  }

  Type floats = k.lanesOf(k.f32, kLanes);
  Values factors;
  for (unsigned v = 0; v < shape.vectors; ++v) {
    Value half = loadLanes(k.getF16Type(), k.at(scales, v * kLanes * 2), shape);
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
  Value line = k.at(codes, k.mul(index, k.i64c(4 * int64_t(shape.height))));
  Values words;
  for (unsigned v = 0; v < shape.vectors; ++v)
    words.push_back(loadLanes(k.i32, k.at(line, v * kLanes * 4), shape));
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

/// 16 lanes of a panel, of which those beyond its height hold anything.
Value QuantizedLinearEmitter::loadLanes(Type element, Value address, const Tile &shape) {
  unsigned lanes = std::min(kLanes, shape.height);
  unsigned bytes = element.getIntOrFloatBitWidth() / 8;
  // A panel of one row begins wherever the row before it ends, at an even address.
  unsigned align = shape.height == args::kPanelRows ? bytes * lanes : 2;
  return k.widen(k.load(k.lanesOf(element, lanes), address, align));
}
} // namespace

void coppice::kernels::quantizedLinear(KernelBuilder &k, CodeType type) {
  QuantizedLinearEmitter(k, type).emit();
}
