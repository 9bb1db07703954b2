// linear_{f32,f16,bf16}, expert_linear_{f32,f16,bf16}: out = in x W^T (+ bias) (+ residual), item =
// one panel of output rows.
//
// Every output element is one accumulator: fma over K in rising order from +0, then + bias, then
// + residual. Lanes are outputs, so register tiles (rows by panels) only choose what is computed
// side by side: no tile shape, split of items or vector width changes a bit.
#include "compiler/codegen/kernels/Experts.h"
#include "compiler/codegen/kernels/Kernels.h"
#include "compiler/codegen/kernels/LinearOutput.h"

using namespace coppice;
using namespace mlir;
using Values = KernelBuilder::Values;

namespace {
// Distance of the software prefetch, in bytes of one panel's stream. Half-width weights want more:
// they are behind by more conversions. Both were measured against a plain read of memory.
int64_t prefetchBytes(WeightType type) { return type == WeightType::F32 ? 2048 : 4096; }
// Panels up to so long, which are those of small models that lie in cache, are read without it: for
// one input row it would take as many instructions as the arithmetic.
constexpr int64_t kShortPanel = 32 << 10;
// K steps per iteration when there is one input row: four hide the loop's own instructions, and
// let more of what follows be in flight beside the sums' chains.
constexpr unsigned kDecodeUnroll = 4;

class LinearEmitter {
public:
  LinearEmitter(KernelBuilder &k, WeightType type, bool experts = false);
  void emit();
  void emitExperts();

private:
  // A register tile: `rows` input rows against `vectors` of 16 output rows of each of `panels`
  // whole panels; or, where `height` is given, all of a panel that is so many output rows high.
  struct Tile {
    unsigned rows, vectors, panels;
    Value height = {}, live = {};
  };

  void wholePanels();
  void tailPanels();
  void tile(const Tile &shape, Value row, Value column, Value panel);
  Values accumulate(const Tile &shape, ArrayRef<Value> inputs, Value panel, Value panelBytes);
  void step(const Tile &shape, ArrayRef<Value> inputs, ArrayRef<Value> panels, Value depth,
            bool prefetch, Values &sums);
  Value panelAt(Value firstRow);
  Value stepBytes(const Tile &shape);
  Value loadVector(const Tile &shape, Value address);

  KernelBuilder &k;
  WeightType type;
  kernels::LinearOutput output;
  Value rows, ins, outs, in, inStride, weight;
};

LinearEmitter::LinearEmitter(KernelBuilder &k, WeightType type, bool experts)
    : k(k), type(type), output(k, /*addends=*/!experts), rows(output.rows), ins(output.ins),
      outs(output.outs) {
  in = k.buffer(k.arg(args::Linear::in));
  inStride = k.rowBytes(ins);
  weight = k.weights(k.arg(args::Linear::weight));
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

/// Panels lie without padding, so the panel that starts at output row r starts r * K elements in.
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
    Values sums(shape.rows * shape.vectors * shape.panels, k.f32c(0, kLanes));
    auto steps = [&](Value depth, ValueRange carried, unsigned count) {
      Values next(carried);
      for (unsigned u = 0; u < count; ++u)
        step(shape, inputs, panels, u ? k.add(depth, k.i64c(u)) : depth, prefetch, next);
      return next;
    };
    Value depth = k.i64c(0);
    if (decode) {
      Value unrolled = k.create<arith::AndIOp>(ins, k.i64c(-int64_t(kDecodeUnroll)));
      sums = k.forRange(depth, unrolled, kDecodeUnroll, sums, [&](Value at, ValueRange carried) {
        return steps(at, carried, kDecodeUnroll);
      });
      depth = unrolled;
    }
    return k.forRange(depth, ins, 1, sums,
                      [&](Value at, ValueRange carried) { return steps(at, carried, 1); });
  };
  if (!decode || !whole)
    return loop(whole);
  return k.ifElse(
      k.less(k.i64c(kShortPanel), panelBytes), [&] { return loop(true); },
      [&] { return loop(false); });
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
} // namespace

void coppice::kernels::linear(KernelBuilder &k, WeightType type) { LinearEmitter(k, type).emit(); }

void coppice::kernels::expertLinear(KernelBuilder &k, WeightType type) {
  LinearEmitter(k, type, /*experts=*/true).emitExperts();
}
