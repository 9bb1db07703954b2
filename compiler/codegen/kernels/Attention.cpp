// attention: softmax(q K^T * scale) V over a session's cache, a row and query head per item.
//
// One pass with a running maximum. Positions are taken in groups that start at multiples of 16 and
// whose sizes follow from the row's own position alone: 64 while four whole blocks are left, then
// 16. So a row's bits are a function of its session and position. Keys beyond the row's position
// are read (a block is whole in memory) but replaced before use, values beyond it are not read.
#include "compiler/codegen/Math.h"
#include "compiler/codegen/kernels/Kernels.h"
#include "coppice/kernel_abi.h"

using namespace coppice;
using namespace mlir;
using Values = KernelBuilder::Values;

namespace {
constexpr unsigned kBlock = COPPICE_KV_BLOCK;
constexpr unsigned kGroup = 4; // blocks taken together
static_assert(kBlock == kLanes, "a block of keys is one vector");

class AttentionEmitter {
public:
  explicit AttentionEmitter(KernelBuilder &k) : k(k) {}
  void emit();

private:
  Values group(unsigned blocks, Value base, ValueRange state);
  Values scores(unsigned blocks, Value base);
  void addValues(Value base, Value count, Value decay);
  void addValues(Value base, Value count, Value decay, Value column, unsigned vectors,
                 unsigned lanes);

  KernelBuilder &k;
  Value headDim, scale, shares; // shares: 64 softmax terms on the stack
  // Of the current item.
  Value query, out, keys, values, position;
};

void AttentionEmitter::emit() {
  using A = args::Attention;
  Value set = k.arg(A::set), heads = k.arg(A::heads), offset = k.arg(A::kvOffset);
  Value queries = k.buffer(k.arg(A::query)), outs = k.buffer(k.arg(A::out));
  Value map = k.weights(k.arg(A::kvMap));
  headDim = k.arg(A::headDim);
  scale = k.broadcast(k.argFloat(A::scale));
  shares = k.create<LLVM::AllocaOp>(k.ptr, k.f32, k.i64c(kGroup * kBlock), 64);
  Value stride = k.rowBytes(k.mul(heads, headDim)), zero = k.i64c(0);

  k.forRange(k.begin, k.end, 1, [&](Value item) {
    Value row = k.div(item, heads), head = k.sub(item, k.mul(row, heads));
    Value kvHead = k.create<arith::ExtUIOp>(k.i64, k.load(k.i32, k.element(map, head, k.i32)));
    KvPlace place(k, set, row, offset, kvHead, headDim);
    keys = place.keys;
    values = place.values;
    position = place.position;
    Value at = k.add(k.mul(row, stride), k.mul(k.mul(head, headDim), k.i64c(4)));
    query = k.at(queries, at);
    out = k.at(outs, at);
    k.forChunks(headDim, [&](Value d, unsigned lanes) {
      k.store(k.f32c(0, lanes), k.element(out, d, k.f32));
    });

    Value blocks = k.add(k.udiv(position, kBlock), k.i64c(1));
    Value grouped = k.mul(k.udiv(blocks, kGroup), k.i64c(kGroup * kBlock));
    Values state = {k.f32c(-INFINITY), k.f32c(0, kLanes)}; // maximum so far, sums per lane
    state = k.forRange(zero, grouped, kGroup * kBlock, state, [&](Value base, ValueRange carried) {
      return group(kGroup, base, carried);
    });
    Value limit = k.mul(blocks, k.i64c(kBlock));
    state = k.forRange(grouped, limit, kBlock, state,
                       [&](Value base, ValueRange carried) { return group(1, base, carried); });
    Value norm = k.div(k.f32c(1), k.sum16(state[1]));
    k.forChunks(headDim, [&](Value d, unsigned lanes) {
      Value address = k.element(out, d, k.f32);
      Value x = k.load(k.lanesOf(k.f32, lanes), address);
      k.store(k.mul(x, k.broadcast(norm, lanes)), address);
    });
  });
}

/// q . K for `blocks` blocks of positions, one vector each: lanes are positions.
Values AttentionEmitter::scores(unsigned blocks, Value base) {
  Value first = k.element(keys, k.mul(base, headDim), k.f32);
  Value blockBytes = k.mul(headDim, k.i64c(kBlock * 4));
  Values starts;
  for (unsigned b = 0; b < blocks; ++b)
    starts.push_back(k.at(first, k.mul(blockBytes, k.i64c(b))));
  Values sums(blocks, k.f32c(0, kLanes));
  return k.forRange(k.i64c(0), headDim, 1, sums, [&](Value d, ValueRange carried) {
    Value q = k.broadcast(k.load(k.f32, k.element(query, d, k.f32)));
    Value line = k.mul(d, k.i64c(kBlock * 4));
    Values next;
    for (unsigned b = 0; b < blocks; ++b) {
      Value key = k.load(k.lanesOf(k.f32, kLanes), k.at(starts[b], line), 64);
      next.push_back(k.fma(q, key, carried[b]));
    }
    return next;
  });
}

/// Takes positions [base, base + 16 * blocks) into the running softmax.
Values AttentionEmitter::group(unsigned blocks, Value base, ValueRange state) {
  Values raw = scores(blocks, base), masked;
  Value live = k.sub(k.add(position, k.i64c(1)), base); // positions of this group and beyond
  Value top = k.broadcast(state[0]);
  for (unsigned b = 0; b < blocks; ++b) {
    Value there = k.firstLanes(k.sub(live, k.i64c(b * kBlock)));
    masked.push_back(k.select(there, k.mul(raw[b], scale), k.f32c(-INFINITY, kLanes)));
    Value higher = k.create<arith::CmpFOp>(arith::CmpFPredicate::OGT, masked[b], top);
    top = k.select(higher, masked[b], top);
  }
  Value maximum = k.max16(top), level = k.broadcast(maximum);
  Value decay = math::exp(k, k.sub(k.broadcast(state[0]), level));
  Value sum = k.mul(state[1], decay);
  for (unsigned b = 0; b < blocks; ++b) {
    Value share = math::exp(k, k.sub(masked[b], level));
    k.store(share, k.at(shares, int64_t(b) * kBlock * 4), 64);
    sum = k.add(sum, share);
  }
  addValues(base, k.min(live, k.i64c(blocks * kBlock)), decay);
  return {maximum, sum};
}

/// out = out * decay + shares . V, columns in pieces that fit registers.
void AttentionEmitter::addValues(Value base, Value count, Value decay) {
  Value column = k.i64c(0);
  for (auto [vectors, lanes] : {std::pair(4u, kLanes), std::pair(1u, kLanes), std::pair(1u, 1u)}) {
    int64_t width = vectors * lanes;
    Value next = k.sub(headDim, k.urem(headDim, width));
    k.forRange(column, next, width, [&, vectors = vectors, lanes = lanes](Value c) {
      addValues(base, count, decay, c, vectors, lanes);
    });
    column = next;
  }
}

void AttentionEmitter::addValues(Value base, Value count, Value decay, Value column,
                                 unsigned vectors, unsigned lanes) {
  Type type = k.lanesOf(k.f32, lanes);
  Value to = k.element(out, column, k.f32);
  Value factor = lanes == 1 ? k.extract(decay, 0) : decay;
  Values sums;
  for (unsigned v = 0; v < vectors; ++v)
    sums.push_back(k.mul(k.load(type, k.at(to, v * lanes * 4)), factor));
  Value from = k.element(values, k.add(k.mul(base, headDim), column), k.f32);
  sums = k.forRange(k.i64c(0), count, 1, sums, [&](Value j, ValueRange carried) {
    Value share = k.broadcast(k.load(k.f32, k.element(shares, j, k.f32)), lanes);
    Value row = k.element(from, k.mul(j, headDim), k.f32);
    Values next;
    for (unsigned v = 0; v < vectors; ++v)
      next.push_back(k.fma(share, k.load(type, k.at(row, v * lanes * 4)), carried[v]));
    return next;
  });
  for (unsigned v = 0; v < vectors; ++v)
    k.store(sums[v], k.at(to, v * lanes * 4));
}
} // namespace

void kernels::attention(KernelBuilder &k) { AttentionEmitter(k).emit(); }
