// activation_*, quantized or not, softcap, add, mul: a row per item, whole vectors. Rows lie in the
// arena padded to whole vectors, so the padding is computed along; only constants, which lie exact,
// have a tail.
#include "compiler/codegen/Math.h"
#include "compiler/codegen/kernels/Kernels.h"
#include "compiler/codegen/kernels/Quantize.h"
#include "coppice/kernel_abi.h"

using namespace coppice;
using namespace mlir;
using Values = KernelBuilder::Values;

/// A vector of a row that may be absent; an absent one counts as `otherwise`.
static Value optional(KernelBuilder &k, Value there, double otherwise,
                      llvm::function_ref<Value()> load) {
  return k.ifElse(
      there, [&] { return Values{load()}; }, [&] { return Values{k.f32c(otherwise, kLanes)}; })[0];
}

static Value apply(KernelBuilder &k, kernels::ActivationKind kind, Value x) {
  switch (kind) {
  case kernels::ActivationKind::Relu:
    return math::relu(k, x);
  case kernels::ActivationKind::Gelu:
    return math::gelu(k, x);
  case kernels::ActivationKind::GeluTanh:
    return math::geluTanh(k, x);
  case kernels::ActivationKind::Silu:
    return math::silu(k, x);
  }
  llvm_unreachable("an activation without a formula");
}

void kernels::activation(KernelBuilder &k, ActivationKind kind, bool quantized) {
  using A = args::Activation;
  Value in = k.buffer(k.arg(A::in)), out = k.buffer(k.arg(A::out)), width = k.arg(A::width);
  Value other = k.buffer(k.arg(A::other)), hasOther = k.notNone(k.arg(A::other));
  Value stride = k.rowBytes(width), outStride = quantized ? k.quantizedBytes(width) : stride;
  Value zero = k.arg(A::zero);
  k.forRange(k.begin, k.end, 1, [&](Value row) {
    Value offset = k.mul(row, stride);
    Value from = k.at(in, offset), with = k.at(other, offset);
    Value to = k.at(out, k.mul(row, outStride));
    auto activated = [&](Value i, Value live) {
      Value y = apply(k, kind, loadRowChunk(k, from, i, live));
      return k.mul(y, optional(k, hasOther, 1, [&] { return loadRowChunk(k, with, i, live); }));
    };
    if (quantized)
      return quantizeRow(k, width, zero, to, activated);
    k.forRange(k.i64c(0), width, kLanes,
               [&](Value i) { k.store(activated(i, Value()), k.element(to, i, k.f32), 64); });
  });
}

void kernels::binary(KernelBuilder &k, BinaryKind kind) {
  using A = args::Binary;
  Value in = k.buffer(k.arg(A::in)), out = k.buffer(k.arg(A::out)), width = k.arg(A::width);
  Value other = k.buffer(k.arg(A::other)), hasOther = k.notNone(k.arg(A::other));
  Value constant = k.weights(k.arg(A::constant)), hasConstant = k.notNone(k.arg(A::constant));
  Value stride = k.rowBytes(width);
  Type lanes = k.lanesOf(k.f32, kLanes);
  bool adds = kind == BinaryKind::Add;
  auto combine = [&](Value a, Value b) { return adds ? k.add(a, b) : k.mul(a, b); };
  k.forRange(k.begin, k.end, 1, [&](Value row) {
    Value offset = k.mul(row, stride);
    Value from = k.at(in, offset), with = k.at(other, offset), to = k.at(out, offset);
    k.forRowChunks(width, [&](Value i, Value live) {
      auto load = [&](Value base) { return k.load(lanes, k.element(base, i, k.f32), 64); };
      double neutral = adds ? 0 : 1;
      Value y = combine(load(from), optional(k, hasOther, neutral, [&] { return load(with); }));
      y = combine(
          y, optional(k, hasConstant, neutral, [&] { return k.loadWeightRow(constant, i, live); }));
      k.store(y, k.element(to, i, k.f32), 64);
    });
  });
}

void kernels::softcap(KernelBuilder &k) {
  using A = args::Softcap;
  Value width = k.arg(A::width), cap = k.broadcast(k.argFloat(A::cap));
  // Rows of the caller's logits are not padded, and lie at any multiple of 4 bytes.
  Value logits = k.load(k.ptr, k.at(k.frame, int64_t(offsetof(coppice_frame, logits))), 8);
  auto rows = [&](unsigned word) {
    return k.select(k.notNone(k.arg(word)), k.buffer(k.arg(word)), logits);
  };
  auto stride = [&](unsigned word) {
    return k.select(k.notNone(k.arg(word)), k.rowBytes(width), k.mul(width, k.i64c(4)));
  };
  Value in = rows(A::in), out = rows(A::out);
  Value inStride = stride(A::in), outStride = stride(A::out);
  k.forRange(k.begin, k.end, 1, [&](Value row) {
    Value from = k.at(in, k.mul(row, inStride)), to = k.at(out, k.mul(row, outStride));
    k.forRowChunks(width, [&](Value i, Value live) {
      Value x = k.loadWeightRow(from, i, live);
      Value y = k.mul(cap, math::tanh(k, k.div(x, cap)));
      k.storeLanes(y, k.element(to, i, k.f32), live);
    });
  });
}
