// embed_{rows,panel}_{f32,f16,bf16,i8,i4}: a row of the table per token, widened to f32.
#include "compiler/codegen/kernels/Kernels.h"
#include "coppice/kernel_abi.h"

using namespace coppice;
using namespace mlir;

namespace {
/// What both layouts share: for each row its index into the table and where it goes.
struct EmbedFrame {
  Value table, width;

  EmbedFrame(KernelBuilder &k, llvm::function_ref<void(EmbedFrame &, Value id, Value out)> body) {
    using A = args::Embed;
    Value set = k.arg(A::set), offset = k.arg(A::offset), out = k.buffer(k.arg(A::out));
    Value usePosition =
        k.create<arith::CmpIOp>(arith::CmpIPredicate::ne, k.arg(A::usePosition), k.i64c(0));
    table = k.weights(k.arg(A::table));
    width = k.arg(A::width);
    Value stride = k.rowBytes(width);
    k.forRange(k.begin, k.end, 1, [&](Value row) {
      Value entry = k.rowEntry(set, row);
      Value token = k.load(k.i32, k.at(entry, int64_t(offsetof(coppice_row, token))));
      Value position = k.load(k.i32, k.at(entry, int64_t(offsetof(coppice_row, position))));
      Value id = k.create<arith::ExtSIOp>(k.i64, k.select(usePosition, position, token));
      body(*this, k.add(id, offset), k.at(out, k.mul(row, stride)));
    });
  }
};
} // namespace

void kernels::embedRows(KernelBuilder &k, WeightType type) {
  EmbedFrame(k, [&](EmbedFrame &e, Value id, Value out) {
    Value bytes = k.i64c(weightBytes(type));
    Value from = k.at(e.table, k.mul(k.mul(id, e.width), bytes));
    k.forChunks(e.width, [&](Value i, unsigned lanes) {
      Value address = k.at(from, k.mul(i, bytes));
      k.store(loadWeights(k, type, address, lanes, /*aligned=*/false), k.element(out, i, k.f32));
    });
  });
}

/// The panel that holds row `id` of `extent`: its first row and its height.
static std::pair<Value, Value> panelOf(KernelBuilder &k, Value extent, Value id) {
  Value tail = k.urem(extent, args::kPanelRows), whole = k.sub(extent, tail);
  Value first = k.sub(id, k.urem(id, args::kPanelRows)), height = k.i64c(args::kPanelRows);
  Value inTail = k.less(k.sub(whole, k.i64c(1)), id), start = whole;
  for (unsigned rows = args::kPanelRows / 2; rows; rows /= 2) {
    Value bit = k.create<arith::AndIOp>(tail, k.i64c(rows)), next = k.add(start, bit);
    Value reached = k.create<arith::XOrIOp>(k.less(id, start), k.less(id, next));
    Value here = k.create<arith::AndIOp>(inTail, reached);
    first = k.select(here, start, first);
    height = k.select(here, k.i64c(rows), height);
    start = next;
  }
  return {first, height};
}

void kernels::embedPanel(KernelBuilder &k, WeightType type) {
  Value extent = k.arg(args::Embed::extent);
  EmbedFrame(k, [&](EmbedFrame &e, Value id, Value out) {
    auto [first, height] = panelOf(k, extent, id);
    Value bytes = k.i64c(weightBytes(type));
    Value offset = k.add(k.mul(first, e.width), k.sub(id, first));
    Value from = k.at(e.table, k.mul(offset, bytes)), stride = k.mul(height, bytes);
    k.forRange(k.i64c(0), e.width, 1, [&](Value i) {
      Value value = loadWeights(k, type, k.at(from, k.mul(i, stride)), 1, /*aligned=*/true);
      k.store(value, k.element(out, i, k.f32));
    });
  });
}

/// Row `row` of a quantized panel, `height` rows high, as floats. Whole words are written: the last
/// one may reach into the padding of the row, never beyond it.
static void expandRow(KernelBuilder &k, CodeType type, Value panel, Value height, Value row,
                      Value width, Value out) {
  const unsigned codes = codesPerWord(type);
  Type ints = k.lanesOf(k.i32, codes);
  SmallVector<int32_t> shifts;
  for (unsigned i = 0; i < codes; ++i)
    shifts.push_back(int32_t(i % 4 * 8 + i / 4 * 4));
  Value amounts = k.create<arith::ConstantOp>(k.getI32VectorAttr(shifts));
  Value mask = k.intConstant(ints, type == CodeType::I8 ? 0xff : 0xf);
  k.forRange(k.i64c(0), width, args::kGroup, [&](Value first) {
    Value bytes = k.mul(height, k.i64c(groupBytes(type)));
    Value group = k.at(panel, k.mul(k.udiv(first, args::kGroup), bytes));
    Value words = groupWords(k, type, k.min(k.sub(width, first), k.i64c(args::kGroup)));
    Value line = k.mul(height, k.i64c(4));
    Value scales = k.at(group, k.mul(words, line));
    Value stored = k.load(k.getF16Type(), k.element(scales, row, k.getF16Type()), 2);
    Value scale = k.broadcast(k.create<arith::ExtFOp>(k.f32, stored), codes);
    k.forRange(k.i64c(0), words, 1, [&](Value j) {
      Value address = k.at(group, k.add(k.mul(j, line), k.mul(row, k.i64c(4))));
      Value word = k.broadcast(k.load(k.i32, address, 2), codes);
      Value code = k.create<arith::AndIOp>(k.create<arith::ShRUIOp>(word, amounts), mask);
      code = k.sub(code, k.intConstant(ints, zeroPoint(type)));
      Value value = k.create<arith::SIToFPOp>(k.lanesOf(k.f32, codes), code);
      Value index = k.add(first, k.mul(j, k.i64c(codes)));
      k.store(k.mul(value, scale), k.element(out, index, k.f32));
    });
  });
}

void kernels::quantizedEmbedRows(KernelBuilder &k, CodeType type) {
  EmbedFrame(k, [&](EmbedFrame &e, Value id, Value out) {
    Value panel = k.at(e.table, k.mul(id, codeRowBytes(k, type, e.width)));
    expandRow(k, type, panel, k.i64c(1), k.i64c(0), e.width, out);
  });
}

void kernels::quantizedEmbedPanel(KernelBuilder &k, CodeType type) {
  Value extent = k.arg(args::Embed::extent);
  EmbedFrame(k, [&](EmbedFrame &e, Value id, Value out) {
    auto [first, height] = panelOf(k, extent, id);
    Value panel = k.at(e.table, k.mul(first, codeRowBytes(k, type, e.width)));
    expandRow(k, type, panel, height, k.sub(id, first), e.width, out);
  });
}
