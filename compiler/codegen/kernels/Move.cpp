// select, mask and gather: values of a row moved, overwritten, or whole rows picked.
#include "compiler/codegen/kernels/Kernels.h"
#include "coppice/kernel_abi.h"

using namespace coppice;
using namespace mlir;
using Values = KernelBuilder::Values;

/// Copies a row of an arena buffer, padding included.
static void copyRow(KernelBuilder &k, Value from, Value to, Value width) {
  k.forRange(k.i64c(0), width, kLanes, [&](Value i) {
    Value x = k.load(k.lanesOf(k.f32, kLanes), k.element(from, i, k.f32), 64);
    k.store(x, k.element(to, i, k.f32), 64);
  });
}

static Value indexAt(KernelBuilder &k, Value base, Value i) {
  return k.create<arith::ExtUIOp>(k.i64, k.load(k.i32, k.element(base, i, k.i32)));
}

void kernels::select(KernelBuilder &k) {
  using A = args::Select;
  // The rows of the input are as wide as the index's values need, which the stride does not tell:
  // it is an argument of its own.
  Value in = k.buffer(k.arg(A::in)), out = k.buffer(k.arg(A::out)), width = k.arg(A::width);
  Value index = k.weights(k.arg(A::index));
  Value inStride = k.rowBytes(k.arg(A::inWidth)), outStride = k.rowBytes(width);
  k.forRange(k.begin, k.end, 1, [&](Value row) {
    Value from = k.at(in, k.mul(row, inStride)), to = k.at(out, k.mul(row, outStride));
    k.forRange(k.i64c(0), width, 1, [&](Value i) {
      Value x = k.load(k.f32, k.element(from, indexAt(k, index, i), k.f32));
      k.store(x, k.element(to, i, k.f32));
    });
  });
}

void kernels::mask(KernelBuilder &k) {
  using A = args::Mask;
  Value in = k.buffer(k.arg(A::in)), out = k.buffer(k.arg(A::out)), width = k.arg(A::width);
  Value index = k.weights(k.arg(A::index)), dead = k.arg(A::dead);
  Value fill = k.weights(k.arg(A::fill)), hasFill = k.notNone(k.arg(A::fill));
  Value stride = k.rowBytes(width);
  k.forRange(k.begin, k.end, 1, [&](Value row) {
    Value offset = k.mul(row, stride);
    Value from = k.at(in, offset), to = k.at(out, offset);
    copyRow(k, from, to, width);
    k.forRange(k.i64c(0), dead, 1, [&](Value i) {
      Value x = k.ifElse(
          hasFill, [&] { return Values{k.load(k.f32, k.element(fill, i, k.f32))}; },
          [&] { return Values{k.f32c(0)}; })[0];
      k.store(x, k.element(to, indexAt(k, index, i), k.f32));
    });
  });
}

void kernels::gather(KernelBuilder &k) {
  using A = args::Gather;
  Value in = k.buffer(k.arg(A::in)), out = k.buffer(k.arg(A::out)), width = k.arg(A::width);
  Value stride = k.rowBytes(width);
  Value set = k.rowSet(COPPICE_ROWS_LOGITS);
  Value source = k.load(k.ptr, k.at(set, int64_t(offsetof(coppice_row_set, source))), 8);
  Value null = k.create<LLVM::ZeroOp>(k.ptr);
  Value all = k.create<LLVM::ICmpOp>(LLVM::ICmpPredicate::eq, source, null);
  k.forRange(k.begin, k.end, 1, [&](Value row) {
    Value from = k.ifElse(
        all, [&] { return Values{row}; }, [&] { return Values{indexAt(k, source, row)}; })[0];
    copyRow(k, k.at(in, k.mul(from, stride)), k.at(out, k.mul(row, stride)), width);
  });
}
