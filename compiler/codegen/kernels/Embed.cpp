// embed_{rows,panel}_{f32,f16,bf16}: a row of the table per token, widened to f32.
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

void kernels::embedPanel(KernelBuilder &k, WeightType type) {
  Value extent = k.arg(args::Embed::extent);
  Value tail = k.urem(extent, args::kPanelRows);
  Value whole = k.sub(extent, tail);
  EmbedFrame(k, [&](EmbedFrame &e, Value id, Value out) {
    // The panel that holds the row: its first row and its height.
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
    Value bytes = k.i64c(weightBytes(type));
    Value offset = k.add(k.mul(first, e.width), k.sub(id, first));
    Value from = k.at(e.table, k.mul(offset, bytes)), stride = k.mul(height, bytes);
    k.forRange(k.i64c(0), e.width, 1, [&](Value i) {
      Value value = loadWeights(k, type, k.at(from, k.mul(i, stride)), 1, /*aligned=*/true);
      k.store(value, k.element(out, i, k.f32));
    });
  });
}
