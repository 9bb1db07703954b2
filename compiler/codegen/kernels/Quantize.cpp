// quantize: rows of floats to codes with a scale a group, a row per item; and what norms and
// activations that quantize share with it.
//
// scale = max |x| / 127, code = round_half_even(x * (127 / max |x|)), each operation rounded once.
// Below 2^-120 the quotient would overflow: such a group counts as zeros. A NaN or an infinity in a
// group makes its scale one, so that every output it enters shows it.
#include "compiler/codegen/kernels/Quantize.h"
#include "compiler/codegen/kernels/Kernels.h"

using namespace coppice;
using namespace mlir;
using Values = KernelBuilder::Values;

/// Quantizes 32 values, `chunks` of 16, to `out`.
static void quantizeGroup(KernelBuilder &k, ArrayRef<Value> chunks, Value zero, Value out) {
  Type ints = k.lanesOf(k.i32, kLanes);
  // Magnitudes order like their bits as integers, NaN above everything.
  Values magnitudes;
  for (Value chunk : chunks)
    magnitudes.push_back(
        k.create<arith::AndIOp>(k.bitcast(ints, chunk), k.intConstant(ints, 0x7fffffff)));
  Value bits = k.maxInt16(k.max(magnitudes[0], magnitudes[1]));
  Value largest = k.bitcast(k.f32, bits);
  Value tiny = k.create<arith::CmpFOp>(arith::CmpFPredicate::OLT, largest, k.f32c(0x1p-120));
  Value scale = k.select(tiny, k.f32c(0), k.div(largest, k.f32c(127)));
  Value factor = k.broadcast(k.select(tiny, k.f32c(0), k.div(k.f32c(127), largest)));
  Value sum;
  for (unsigned i = 0; i < chunks.size(); ++i) {
    // Adding 1.5 * 2^23 leaves the rounded number in the low bits, whatever the value.
    Value shifted = k.add(k.mul(chunks[i], factor), k.f32c(12582912.0, kLanes));
    Value codes =
        k.create<arith::TruncIOp>(k.lanesOf(k.getI8Type(), kLanes), k.bitcast(ints, shifted));
    k.store(codes, k.at(out, i * kLanes), 8);
    Value wide = k.create<arith::ExtSIOp>(ints, codes);
    sum = sum ? k.add(sum, wide) : wide;
  }
  k.store(scale, k.at(out, int64_t(args::kGroup)));
  Value start = k.mul(k.sum16(sum), k.sub(k.intConstant(k.i32, 0), zero));
  k.store(start, k.at(out, int64_t(args::kGroup) + 4));
}

void kernels::quantizeRow(KernelBuilder &k, Value width, Value zero, Value out,
                          llvm::function_ref<Value(Value, Value)> value) {
  Value point = k.create<arith::TruncIOp>(k.i32, zero), group = k.i64c(args::kGroup);
  k.forRange(k.i64c(0), width, args::kGroup, [&](Value first) {
    Value left = k.sub(width, first);
    // The last group may be shorter: rare, so its halves share one code.
    Values chunks = k.ifElse(
        k.less(left, group),
        [&] {
          Value none = k.f32c(0, kLanes);
          return k.forRange(k.i64c(0), group, kLanes, {none, none},
                            [&](Value before, ValueRange halves) {
                              Value live = k.firstLanes(k.sub(left, before));
                              Value x = value(k.add(first, before), live);
                              return Values{halves[1], k.select(live, x, none)};
                            });
        },
        [&] {
          return Values{value(first, Value()), value(k.add(first, k.i64c(kLanes)), Value())};
        });
    Value place = k.mul(k.udiv(first, args::kGroup), k.i64c(args::kQuantizedGroup));
    quantizeGroup(k, chunks, point, k.at(out, place));
  });
}

Value kernels::loadRowChunk(KernelBuilder &k, Value row, Value index, Value live) {
  Value address = k.element(row, index, k.f32);
  return live ? k.loadTail(address, live) : k.load(k.lanesOf(k.f32, kLanes), address, 64);
}

void kernels::quantize(KernelBuilder &k) {
  using A = args::Quantize;
  Value in = k.buffer(k.arg(A::in)), out = k.buffer(k.arg(A::out)), width = k.arg(A::width);
  Value zero = k.arg(A::zero), stride = k.rowBytes(width), outStride = k.quantizedBytes(width);
  k.forRange(k.begin, k.end, 1, [&](Value row) {
    Value from = k.at(in, k.mul(row, stride));
    quantizeRow(k, width, zero, k.at(out, k.mul(row, outStride)),
                [&](Value i, Value live) { return loadRowChunk(k, from, i, live); });
  });
}
