// kv_write: a token's keys and values into its session's cache, a row and KV head per item.
#include "compiler/codegen/kernels/Kernels.h"
#include "coppice/kernel_abi.h"

using namespace coppice;
using namespace mlir;

void kernels::kvWrite(KernelBuilder &k) {
  using A = args::KvWrite;
  Value set = k.arg(A::set), kvHeads = k.arg(A::kvHeads), headDim = k.arg(A::headDim);
  Value key = k.buffer(k.arg(A::key)), value = k.buffer(k.arg(A::value));
  Value offset = k.arg(A::kvOffset), stride = k.rowBytes(k.mul(kvHeads, headDim));
  k.forRange(k.begin, k.end, 1, [&](Value item) {
    Value row = k.div(item, kvHeads), head = k.sub(item, k.mul(row, kvHeads));
    KvPlace place(k, set, row, offset, head, headDim);
    Value from = k.add(k.mul(row, stride), k.mul(k.mul(head, headDim), k.i64c(4)));
    Value keyFrom = k.at(key, from), valueFrom = k.at(value, from);
    // Keys [C/16][headDim][16]: one lane of a block.
    Value lane = k.urem(place.position, COPPICE_KV_BLOCK);
    Value block = k.mul(k.sub(place.position, lane), headDim);
    Value keyTo = k.element(place.keys, k.add(block, lane), k.f32);
    k.forRange(k.i64c(0), headDim, 1, [&](Value d) {
      k.store(k.load(k.f32, k.element(keyFrom, d, k.f32)),
              k.element(keyTo, k.mul(d, k.i64c(COPPICE_KV_BLOCK)), k.f32));
    });
    // Values [C][headDim].
    Value valueTo = k.element(place.values, k.mul(place.position, headDim), k.f32);
    k.forChunks(headDim, [&](Value d, unsigned lanes) {
      k.store(k.load(k.lanesOf(k.f32, lanes), k.element(valueFrom, d, k.f32)),
              k.element(valueTo, d, k.f32));
    });
  });
}
