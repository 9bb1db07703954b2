// rope_table: cosines and sines of a token's angles, times a factor. rope: rotates the halves of
// each head.
#include "compiler/codegen/Math.h"
#include "compiler/codegen/kernels/Kernels.h"
#include "coppice/kernel_abi.h"

using namespace coppice;
using namespace mlir;

void kernels::ropeTable(KernelBuilder &k) {
  using A = args::RopeTable;
  Value set = k.arg(A::set), out = k.buffer(k.arg(A::out)), pairs = k.arg(A::pairs);
  Value magnitude = k.broadcast(k.argFloat(A::magnitude));
  Value frequencies = k.weights(k.arg(A::invFreq));
  Value stride = k.rowBytes(k.mul(pairs, k.i64c(2)));
  k.forRange(k.begin, k.end, 1, [&](Value row) {
    Value cosines = k.at(out, k.mul(row, stride)), sines = k.element(cosines, pairs, k.f32);
    Value entry = k.rowEntry(set, row);
    Value position = k.load(k.i32, k.at(entry, int64_t(offsetof(coppice_row, position))));
    // Below 2^24 the position is exact in f32, and so is what other implementations multiply by.
    Value factor = k.broadcast(k.create<arith::SIToFPOp>(k.f32, position));
    k.forRowChunks(pairs, [&](Value i, Value live) {
      Value angle = k.mul(factor, k.loadWeightRow(frequencies, i, live));
      math::SinCos values = math::sinCos(k, angle);
      // The sines follow the cosines directly: neither may be written beyond its end.
      for (auto [value, base] : {std::pair(values.cos, cosines), std::pair(values.sin, sines)}) {
        k.storeLanes(k.mul(value, magnitude), k.element(base, i, k.f32), live);
      }
    });
  });
}

void kernels::rope(KernelBuilder &k) {
  using A = args::Rope;
  Value heads = k.arg(A::heads), headDim = k.arg(A::headDim), pairs = k.arg(A::pairs);
  Value in = k.buffer(k.arg(A::in)), out = k.buffer(k.arg(A::out));
  Value table = k.buffer(k.arg(A::table));
  Value stride = k.rowBytes(k.mul(heads, headDim));
  Value turned = k.mul(pairs, k.i64c(2)), tableStride = k.rowBytes(turned);
  k.forRange(k.begin, k.end, 1, [&](Value row) {
    Value cosines = k.at(table, k.mul(row, tableStride));
    Value sines = k.element(cosines, pairs, k.f32);
    k.forRange(k.i64c(0), heads, 1, [&](Value head) {
      Value offset = k.add(k.mul(row, stride), k.mul(k.mul(head, headDim), k.i64c(4)));
      Value from = k.at(in, offset), to = k.at(out, offset);
      k.forChunks(pairs, [&](Value i, unsigned lanes) {
        Type type = k.lanesOf(k.f32, lanes);
        auto load = [&](Value base, Value index) {
          return k.load(type, k.element(base, index, k.f32));
        };
        Value j = k.add(i, pairs);
        Value a = load(from, i), b = load(from, j), c = load(cosines, i), s = load(sines, i);
        k.store(k.sub(k.mul(a, c), k.mul(b, s)), k.element(to, i, k.f32));
        k.store(k.add(k.mul(b, c), k.mul(a, s)), k.element(to, j, k.f32));
      });
      // What lies beyond the rotated part is passed on.
      k.forRange(turned, headDim, 1, [&](Value i) {
        k.store(k.load(k.f32, k.element(from, i, k.f32)), k.element(to, i, k.f32));
      });
    });
  });
}
