// layer_norm and rms_norm, quantized or not, a row per item, and head_norm, a head of a row per
// item. Sums run in 16 partial lanes, element i in lane i % 16, and end in a fixed tree.
#include "compiler/codegen/kernels/Kernels.h"
#include "compiler/codegen/kernels/Quantize.h"

using namespace coppice;
using namespace mlir;
using Values = KernelBuilder::Values;

namespace {
/// The sum of accumulate(x, sum) over `width` values; load(i, live) gives 16 of them, of which
/// `live` exist (null: all). Dead lanes are kept out of the sum.
Value sumOver(KernelBuilder &k, Value width, llvm::function_ref<Value(Value i, Value live)> load,
              llvm::function_ref<Value(Value x, Value sum)> accumulate) {
  Value whole = k.sub(width, k.urem(width, kLanes));
  Values sum = k.forRange(k.i64c(0), whole, kLanes, Values{k.f32c(0, kLanes)},
                          [&](Value i, ValueRange carried) {
                            return Values{accumulate(load(i, Value()), carried[0])};
                          });
  Value live = k.firstLanes(k.urem(width, kLanes));
  sum = k.forRange(whole, width, kLanes, sum, [&](Value i, ValueRange carried) {
    return Values{k.select(live, accumulate(load(i, live), carried[0]), carried[0])};
  });
  return k.sum16(sum[0]);
}

/// Over a row, which lies in the arena padded to whole vectors: the last one may be loaded whole.
Value sumRow(KernelBuilder &k, Value row, Value width,
             llvm::function_ref<Value(Value x, Value sum)> accumulate) {
  Type lanes = k.lanesOf(k.f32, kLanes);
  auto load = [&](Value i, Value) { return k.load(lanes, k.element(row, i, k.f32), 64); };
  return sumOver(k, width, load, accumulate);
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

void kernels::headNorm(KernelBuilder &k) {
  using A = args::HeadNorm;
  Value heads = k.arg(A::heads), headDim = k.arg(A::headDim), eps = k.argFloat(A::eps);
  Value in = k.buffer(k.arg(A::in)), out = k.buffer(k.arg(A::out));
  Value scale = k.weights(k.arg(A::scale));
  Value stride = k.rowBytes(k.mul(heads, headDim));
  Value count = k.create<arith::SIToFPOp>(k.f32, headDim);
  k.forRange(k.begin, k.end, 1, [&](Value item) {
    Value row = k.create<arith::DivUIOp>(item, heads);
    Value head = k.sub(item, k.mul(row, heads));
    Value offset = k.add(k.mul(row, stride), k.mul(k.mul(head, headDim), k.i64c(4)));
    Value from = k.at(in, offset), to = k.at(out, offset);
    // The next head follows directly: neither may be read or written beyond its end.
    auto load = [&](Value i, Value live) { return k.loadWeightRow(from, i, live); };
    Value squares = sumOver(k, headDim, load, [&](Value x, Value sum) { return k.fma(x, x, sum); });
    Value deviation = k.sqrt(k.add(k.div(squares, count), eps));
    Value factor = k.broadcast(k.div(k.f32c(1), deviation));
    k.forRowChunks(headDim, [&](Value i, Value live) {
      Value y = k.mul(k.mul(load(i, live), factor), k.loadWeightRow(scale, i, live));
      k.storeLanes(y, k.element(to, i, k.f32), live);
    });
  });
}
