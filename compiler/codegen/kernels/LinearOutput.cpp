// See LinearOutput.h. Outputs are sum, then + bias, then + residual: every linear kernel's last two
// roundings.
#include "compiler/codegen/kernels/LinearOutput.h"
#include "coppice/kernel_abi.h"

using namespace coppice;
using namespace coppice::kernels;
using namespace mlir;
using Values = KernelBuilder::Values;

LinearOutput::LinearOutput(KernelBuilder &k) : k(k) {
  using A = args::Linear;
  rows = k.rowCount(k.arg(A::set));
  ins = k.arg(A::ins);
  outs = k.arg(A::outs);
  Value outWord = k.arg(A::out), toBuffer = k.notNone(outWord);
  Value logits = k.load(k.ptr, k.at(k.frame, int64_t(offsetof(coppice_frame, logits))), 8);
  out = k.select(toBuffer, k.buffer(outWord), logits);
  residualStride = k.rowBytes(outs);
  outStride = k.select(toBuffer, residualStride, k.mul(outs, k.i64c(4)));
  hasBias = k.notNone(k.arg(A::bias));
  bias = k.weights(k.arg(A::bias));
  hasResidual = k.notNone(k.arg(A::residual));
  residual = k.buffer(k.arg(A::residual));
}

void LinearOutput::store(ArrayRef<Value> tile, unsigned vectors, Value row, Value column) {
  Values sums(tile);
  Type type = sums.front().getType();
  unsigned rows = sums.size() / vectors, lanes = k.laneCount(type);
  auto addressOf = [&](Value base, Value stride, unsigned i) {
    return k.element(k.at(base, k.mul(k.add(row, k.i64c(i)), stride)), column, k.f32);
  };
  auto loadRow = [&](Value address, Values &into) {
    for (unsigned v = 0; v < vectors; ++v)
      into.push_back(k.load(type, k.at(address, v * lanes * 4)));
  };
  Values biases = k.ifElse(
      hasBias,
      [&] {
        Values loaded;
        loadRow(k.element(bias, column, k.f32), loaded);
        return loaded;
      },
      [&] { return Values(vectors, k.f32c(0, lanes)); });
  for (unsigned i = 0; i < sums.size(); ++i)
    sums[i] = k.add(sums[i], biases[i % vectors]);
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
      k.store(sums[i * vectors + v], k.at(addressOf(out, outStride, i), v * lanes * 4));
}

void kernels::forTailPanels(KernelBuilder &k, Value outs,
                            llvm::function_ref<void(unsigned, Value)> body) {
  Value item = k.udiv(outs, args::kPanelRows);
  Value column = k.mul(item, k.i64c(args::kPanelRows));
  for (unsigned lanes = args::kPanelRows / 2; lanes; lanes /= 2) {
    Value bit = k.create<arith::AndIOp>(outs, k.i64c(lanes));
    Value there = k.equal(bit, k.i64c(lanes));
    Value mine = k.create<arith::AndIOp>(
        there, k.create<arith::XOrIOp>(k.less(item, k.begin), k.less(item, k.end)));
    k.ifThen(mine, [&] { body(lanes, column); });
    column = k.add(column, bit);
    item = k.add(item, k.udiv(bit, lanes));
  }
}
