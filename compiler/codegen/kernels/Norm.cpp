// layer_norm and rms_norm, quantized or not, a row per item. Sums run in 16 partial lanes, element
// i in lane i % 16, and end in a fixed tree.
#include "compiler/codegen/kernels/Kernels.h"
#include "compiler/codegen/kernels/Quantize.h"

using namespace coppice;
using namespace mlir;
using Values = KernelBuilder::Values;

namespace {
/// The sum of term(x) over a row. Rows lie in the arena padded to whole vectors, so the last
/// vector may be loaded whole; its dead lanes are kept out of the sum.
Value sumRow(KernelBuilder &k, Value row, Value width,
             llvm::function_ref<Value(Value x, Value sum)> accumulate) {
  Type lanes = k.lanesOf(k.f32, kLanes);
  Value whole = k.sub(width, k.urem(width, kLanes));
  auto load = [&](Value i) { return k.load(lanes, k.element(row, i, k.f32), 64); };
  Values sum = k.forRange(
      k.i64c(0), whole, kLanes, Values{k.f32c(0, kLanes)},
      [&](Value i, ValueRange carried) { return Values{accumulate(load(i), carried[0])}; });
  Value live = k.firstLanes(k.urem(width, kLanes));
  sum = k.forRange(whole, width, kLanes, sum, [&](Value i, ValueRange carried) {
    return Values{k.select(live, accumulate(load(i), carried[0]), carried[0])};
  });
  return k.sum16(sum[0]);
}
} // namespace

void kernels::norm(KernelBuilder &k, NormKind kind, bool quantized) {
  using A = args::Norm;
  Value in = k.buffer(k.arg(A::in)), out = k.buffer(k.arg(A::out)), width = k.arg(A::width);
  Value scale = k.weights(k.arg(A::scale)), hasScale = k.notNone(k.arg(A::scale));
  Value bias = k.weights(k.arg(A::bias)), hasBias = k.notNone(k.arg(A::bias));
  Value eps = k.argFloat(A::eps), zero = k.arg(A::zero);
  Value stride = k.rowBytes(width), outStride = quantized ? k.quantizedBytes(width) : stride;
  Value count = k.create<arith::SIToFPOp>(k.f32, width);

  k.forRange(k.begin, k.end, 1, [&](Value item) {
    Value from = k.at(in, k.mul(item, stride)), to = k.at(out, k.mul(item, outStride));
    Value mean;
    if (kind == NormKind::Layer) {
      Value sum = sumRow(k, from, width, [&](Value x, Value sum) { return k.add(sum, x); });
      mean = k.broadcast(k.div(sum, count));
    }
    auto centred = [&](Value x) { return mean ? k.sub(x, mean) : x; };
    Value squares = sumRow(k, from, width, [&](Value x, Value sum) {
      Value d = centred(x);
      return k.fma(d, d, sum);
    });
    Value deviation = k.sqrt(k.add(k.div(squares, count), eps));
    Value factor = k.broadcast(k.div(k.f32c(1), deviation));
    auto normal = [&](Value i, Value x, Value live) {
      // Absent scale and bias are 1 and 0, which change nothing.
      auto optional = [&](Value there, Value base, double otherwise) {
        return k.ifElse(
            there, [&] { return Values{k.loadWeightRow(base, i, live)}; },
            [&] { return Values{k.f32c(otherwise, kLanes)}; })[0];
      };
      Value y = k.mul(k.mul(centred(x), factor), optional(hasScale, scale, 1));
      return kind == NormKind::Layer ? k.add(y, optional(hasBias, bias, 0)) : y;
    };
    if (quantized)
      quantizeRow(k, width, zero, to, [&](Value i, Value live) {
        return normal(i, loadRowChunk(k, from, i, live), live);
      });
    else
      k.forRowChunks(width, [&](Value i, Value live) {
        // Rows lie padded to whole vectors.
        k.store(normal(i, loadRowChunk(k, from, i, Value()), live), k.element(to, i, k.f32), 64);
      });
  });
}
