// kv_write{,_ring}_{f32,bf16,i8}: a token's keys and values into its session's cache, a row and KV
// head per item. Keys go to one lane of their block, values to one row of it. The rounding is done
// in integers and with the addition that rounds, so that every target stores the same bytes.
#include "compiler/codegen/kernels/Kernels.h"
#include "coppice/kernel_abi.h"

using namespace coppice;
using namespace mlir;

namespace {
/// The bits of the nearest bfloat16, ties to even; NaN stays NaN.
Value toBfloat(KernelBuilder &k, Value x) {
  Type ints = k.like(k.i32, x), halves = k.like(k.getI16Type(), x);
  Value bits = k.bitcast(ints, x), sixteen = k.intConstant(ints, 16);
  Value odd =
      k.create<arith::AndIOp>(k.create<arith::ShRUIOp>(bits, sixteen), k.intConstant(ints, 1));
  Value rounded = k.add(k.add(bits, k.intConstant(ints, 0x7fff)), odd);
  Value isNan = k.create<arith::CmpFOp>(arith::CmpFPredicate::UNO, x, x);
  rounded = k.select(isNan, k.intConstant(ints, 0x7fc00000), rounded);
  return k.create<arith::TruncIOp>(halves, k.create<arith::ShRUIOp>(rounded, sixteen));
}

/// The code of x times `inverse`: adding 1.5 * 2^23 leaves the rounded integer in the low bits.
Value toCode(KernelBuilder &k, Value x, Value inverse) {
  Type type = x.getType(), ints = k.like(k.i32, x);
  Value scaled = k.mul(x, k.broadcast(inverse, k.laneCount(type)));
  Value shifted = k.add(scaled, k.constant(type, 12582912.0));
  return k.create<arith::TruncIOp>(k.like(k.getI8Type(), x), k.bitcast(ints, shifted));
}

/// The scale of a head's int8 codes, and its inverse.
std::pair<Value, Value> scaleOf(KernelBuilder &k, Value from, Value headDim) {
  // x * 0 is NaN where x is not finite, and the sum keeps it.
  auto state =
      k.forRange(k.i64c(0), headDim, 1, {k.f32c(0), k.f32c(0)}, [&](Value d, ValueRange carried) {
        Value x = k.load(k.f32, k.element(from, d, k.f32));
        Value bits = k.create<arith::AndIOp>(k.bitcast(k.i32, x), k.intConstant(k.i32, 0x7fffffff));
        Value size = k.bitcast(k.f32, bits);
        Value higher = k.create<arith::CmpFOp>(arith::CmpFPredicate::OGT, size, carried[0]);
        return KernelBuilder::Values{k.select(higher, size, carried[0]),
                                     k.fma(x, k.f32c(0), carried[1])};
      });
  Value tiny = k.create<arith::CmpFOp>(arith::CmpFPredicate::OLT, state[0], k.f32c(0x1p-100));
  Value scale = k.select(tiny, k.f32c(0), k.div(state[0], k.f32c(127)));
  Value inverse = k.select(tiny, k.f32c(0), k.div(k.f32c(127), state[0]));
  return {k.add(scale, state[1]), inverse};
}
} // namespace

void kernels::kvWrite(KernelBuilder &k, KvFormat format, bool ring) {
  using A = args::KvWrite;
  Value set = k.arg(A::set), kvHeads = k.arg(A::kvHeads), headDim = k.arg(A::headDim);
  Value key = k.buffer(k.arg(A::key)), value = k.buffer(k.arg(A::value));
  Value offset = k.arg(A::kvOffset), stride = k.rowBytes(k.mul(kvHeads, headDim));
  Type element = kvElement(k, format);
  Value inRing = ring ? k.intConstant(k.getI1Type(), 1) : Value();
  k.forRange(k.begin, k.end, 1, [&](Value item) {
    Value row = k.div(item, kvHeads), head = k.sub(item, k.mul(row, kvHeads));
    KvPlace place(k, format, set, row, offset, head, headDim, inRing);
    Value lane = k.urem(place.position, COPPICE_KV_BLOCK);
    Value block = place.blockOf(k, place.position);
    Value from = k.add(k.mul(row, stride), k.mul(k.mul(head, headDim), k.i64c(4)));
    Value keyFrom = k.at(key, from), valueFrom = k.at(value, from);
    Value keyTo = k.element(k.at(block, place.keys), lane, element);
    Value valueTo = k.element(block, k.mul(lane, headDim), element);
    Value keyInverse, valueInverse;
    if (format == KvFormat::I8) {
      Value keyScale, valueScale, to = k.element(k.at(block, place.scales), lane, k.f32);
      std::tie(keyScale, keyInverse) = scaleOf(k, keyFrom, headDim);
      std::tie(valueScale, valueInverse) = scaleOf(k, valueFrom, headDim);
      k.store(keyScale, to);
      k.store(valueScale, k.at(to, COPPICE_KV_BLOCK * 4));
    }
    auto stored = [&](Value x, Value inverse) -> Value {
      return format == KvFormat::F32    ? x
             : format == KvFormat::BF16 ? toBfloat(k, x)
                                        : toCode(k, x, inverse);
    };
    k.forRange(k.i64c(0), headDim, 1, [&](Value d) {
      Value x = k.load(k.f32, k.element(keyFrom, d, k.f32));
      k.store(stored(x, keyInverse), k.element(keyTo, k.mul(d, k.i64c(COPPICE_KV_BLOCK)), element),
              kvBytes(format));
    });
    k.forChunks(headDim, [&](Value d, unsigned lanes) {
      Value x = k.load(k.lanesOf(k.f32, lanes), k.element(valueFrom, d, k.f32));
      k.store(stored(x, valueInverse), k.element(valueTo, d, element), kvBytes(format));
    });
  });
}
