// See LinearOutput.h. Outputs are sum, then + bias, then + residual: every linear kernel's last two
// roundings.
#include "compiler/codegen/kernels/LinearOutput.h"
#include "coppice/kernel_abi.h"

using namespace coppice;
using namespace coppice::kernels;
using namespace mlir;
using Values = KernelBuilder::Values;

LinearOutput::LinearOutput(KernelBuilder &k, bool addends) : k(k) {
  using A = args::Linear;
  rows = k.rowCount(k.arg(A::set));
  ins = k.arg(A::ins);
  outs = k.arg(A::outs);
  Value outWord = k.arg(A::out), toBuffer = k.notNone(outWord);
  Value logits = k.load(k.ptr, k.at(k.frame, int64_t(offsetof(coppice_frame, logits))), 8);
  begin = out = k.select(toBuffer, k.buffer(outWord), logits);
  residualStride = k.rowBytes(outs);
  outStride = k.select(toBuffer, residualStride, k.mul(outs, k.i64c(4)));
  if (!addends)
    return;
  hasBias = k.notNone(k.arg(A::bias));
  bias = k.weights(k.arg(A::bias));
  hasResidual = k.notNone(k.arg(A::residual));
  residual = k.buffer(k.arg(A::residual));
}

void LinearOutput::setRows(Value first, Value count) {
  rows = count;
  out = k.at(begin, k.mul(first, outStride));
}

void LinearOutput::store(ArrayRef<Value> tile, unsigned vectors, Value row, Value column,
                         Value live) {
  Values sums(tile);
  Type type = sums.front().getType();
  unsigned rows = sums.size() / vectors;
  auto addressOf = [&](Value base, Value stride, unsigned i) {
    return k.element(k.at(base, k.mul(k.add(row, k.i64c(i)), stride)), column, k.f32);
  };
  auto loadRow = [&](Value address, Values &into) {
    for (unsigned v = 0; v < vectors; ++v)
      into.push_back(live ? k.loadTail(address, live)
                          : k.load(type, k.at(address, v * kLanes * 4)));
  };
  Values biases;
  if (hasBias)
    biases = k.ifElse(
        hasBias,
        [&] {
          Values loaded;
          loadRow(k.element(bias, column, k.f32), loaded);
          return loaded;
        },
        [&] { return Values(vectors, k.f32c(0, kLanes)); });
  for (unsigned i = 0; i < sums.size() && hasBias; ++i)
    sums[i] = k.add(sums[i], biases[i % vectors]);
  if (hasResidual)
    sums = k.ifElse(
        hasResidual,
        [&] {
          Values loaded;
          for (unsigned i = 0; i < rows; ++i)
            loadRow(addressOf(residual, residualStride, i), loaded);
          for (unsigned i = 0; i < sums.size(); ++i)
            loaded[i] = k.add(sums[i], loaded[i]);
          return loaded;
        },
        [&] { return sums; });
  for (unsigned i = 0; i < rows; ++i)
    for (unsigned v = 0; v < vectors; ++v)
      k.storeLanes(sums[i * vectors + v], k.at(addressOf(out, outStride, i), v * kLanes * 4), live);
}

void kernels::forTailPanels(KernelBuilder &k, Value outs,
                            llvm::function_ref<void(Value, Value)> body) {
  Value first = k.udiv(outs, args::kPanelRows), two = k.i64c(2);
  k.forRange(k.i64c(1), k.i64c(6), 1, {first}, [&](Value halvings, ValueRange items) {
    Value height = k.create<arith::ShRUIOp>(k.i64c(args::kPanelRows), halvings);
    Value there = k.equal(k.create<arith::AndIOp>(outs, height), height);
    Value mine = k.create<arith::AndIOp>(
        there, k.create<arith::XOrIOp>(k.less(items[0], k.begin), k.less(items[0], k.end)));
    // Taller panels come first: they are the bits of the extent above this one's.
    k.ifThen(mine, [&] {
      Value below = k.create<arith::AndIOp>(outs, k.sub(k.mul(height, two), k.i64c(1)));
      body(height, k.sub(outs, below));
    });
    return Values{k.add(items[0], k.create<arith::ExtUIOp>(k.i64, there))};
  });
}
