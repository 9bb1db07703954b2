// Helpers of the kernel builders; see the header for what they promise.
#include "compiler/codegen/KernelBuilder.h"
#include "coppice/kernel_abi.h"
#include "dialects/pack/Pack.h"

using namespace coppice;
using namespace mlir;

KernelBuilder::KernelBuilder(ModuleOp module, StringRef name, const Target &target)
    : ImplicitLocOpBuilder(UnknownLoc::get(module.getContext()), module.getContext()),
      target(target) {
  f32 = getF32Type();
  f64 = getF64Type();
  i32 = getI32Type();
  i64 = getI64Type();
  ptr = LLVM::LLVMPointerType::get(getContext());
  auto type =
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(getContext()), {ptr, ptr, i64, i64});
  setInsertionPointToEnd(module.getBody());
  function = create<LLVM::LLVMFuncOp>((kSymbolPrefix + name).str(), type);
  Block *entry = function.addEntryBlock(*this);
  setInsertionPointToStart(entry);
  frame = entry->getArgument(0);
  args = entry->getArgument(1);
  begin = entry->getArgument(2);
  end = entry->getArgument(3);
}

void KernelBuilder::finish() { create<LLVM::ReturnOp>(ValueRange()); }

//===-- Constants and types ----------------------------------------------------------------===//

Value KernelBuilder::i64c(int64_t value) {
  return create<arith::ConstantOp>(getI64IntegerAttr(value));
}

Value KernelBuilder::constant(Type type, double value) {
  TypedAttr attr = getFloatAttr(getElementTypeOrSelf(type), value);
  if (auto vector = dyn_cast<VectorType>(type))
    attr = DenseElementsAttr::get(vector, cast<FloatAttr>(attr).getValue());
  return create<arith::ConstantOp>(attr);
}

Value KernelBuilder::intConstant(Type type, int64_t value) {
  TypedAttr attr = getIntegerAttr(getElementTypeOrSelf(type), value);
  if (auto vector = dyn_cast<VectorType>(type))
    attr = DenseElementsAttr::get(vector, cast<IntegerAttr>(attr).getValue());
  return create<arith::ConstantOp>(attr);
}

Value KernelBuilder::iota() {
  SmallVector<int32_t> lanes;
  for (unsigned i = 0; i < kLanes; ++i)
    lanes.push_back(i);
  return create<arith::ConstantOp>(getI32VectorAttr(lanes));
}

Type KernelBuilder::lanesOf(Type element, unsigned lanes) {
  return lanes == 1 ? element : VectorType::get({lanes}, element);
}

Type KernelBuilder::like(Type element, Value lanes) {
  return lanesOf(element, laneCount(lanes.getType()));
}

unsigned KernelBuilder::laneCount(Type type) {
  auto vector = dyn_cast<VectorType>(type);
  return vector ? vector.getNumElements() : 1;
}

//===-- Arithmetic -------------------------------------------------------------------------===//

static bool isFloat(Value value) { return isa<FloatType>(getElementTypeOrSelf(value.getType())); }

Value KernelBuilder::add(Value a, Value b) {
  return isFloat(a) ? Value(create<arith::AddFOp>(a, b)) : Value(create<arith::AddIOp>(a, b));
}
Value KernelBuilder::sub(Value a, Value b) {
  return isFloat(a) ? Value(create<arith::SubFOp>(a, b)) : Value(create<arith::SubIOp>(a, b));
}
Value KernelBuilder::mul(Value a, Value b) {
  return isFloat(a) ? Value(create<arith::MulFOp>(a, b)) : Value(create<arith::MulIOp>(a, b));
}
Value KernelBuilder::div(Value a, Value b) {
  return isFloat(a) ? Value(create<arith::DivFOp>(a, b)) : Value(create<arith::DivUIOp>(a, b));
}
// vector.fma becomes llvm.fmuladd, which a target may leave unfused; llvm.fma may not be.
Value KernelBuilder::fma(Value a, Value b, Value c) { return create<LLVM::FMAOp>(a, b, c); }
Value KernelBuilder::sqrt(Value a) { return create<LLVM::SqrtOp>(a); }

Value KernelBuilder::udiv(Value a, int64_t by) { return create<arith::DivUIOp>(a, i64c(by)); }
Value KernelBuilder::urem(Value a, int64_t by) { return create<arith::RemUIOp>(a, i64c(by)); }
Value KernelBuilder::roundUp16(Value a) {
  return create<arith::AndIOp>(add(a, i64c(15)), i64c(~int64_t(15)));
}
Value KernelBuilder::min(Value a, Value b) { return create<arith::MinSIOp>(a, b); }
Value KernelBuilder::max(Value a, Value b) { return create<arith::MaxSIOp>(a, b); }
Value KernelBuilder::equal(Value a, Value b) {
  return create<arith::CmpIOp>(arith::CmpIPredicate::eq, a, b);
}
Value KernelBuilder::less(Value a, Value b) {
  return create<arith::CmpIOp>(arith::CmpIPredicate::slt, a, b);
}
Value KernelBuilder::notNone(Value word) {
  return create<arith::CmpIOp>(arith::CmpIPredicate::ne, word, i64c(args::kNone));
}
Value KernelBuilder::select(Value condition, Value a, Value b) {
  return create<arith::SelectOp>(condition, a, b);
}

Value KernelBuilder::broadcast(Value scalar, unsigned lanes) {
  return lanes == 1 ? scalar
                    : create<vector::BroadcastOp>(lanesOf(scalar.getType(), lanes), scalar);
}

Value KernelBuilder::bitcast(Type type, Value value) {
  return create<arith::BitcastOp>(type, value);
}

Value KernelBuilder::extract(Value vector, unsigned lane) {
  return create<vector::ExtractOp>(vector, int64_t(lane));
}

/// Folds the upper half onto the lower until one lane is left.
static Value foldHalves(KernelBuilder &k, Value vector,
                        llvm::function_ref<Value(Value, Value)> combine) {
  for (unsigned half = kLanes / 2; half; half /= 2) {
    SmallVector<int64_t> low, high;
    for (unsigned i = 0; i < half; ++i) {
      low.push_back(i);
      high.push_back(i + half);
    }
    Value a = k.create<vector::ShuffleOp>(vector, vector, low);
    Value b = k.create<vector::ShuffleOp>(vector, vector, high);
    vector = combine(a, b);
  }
  return k.extract(vector, 0);
}

Value KernelBuilder::sum16(Value vector) {
  return foldHalves(*this, vector, [&](Value a, Value b) { return add(a, b); });
}

Value KernelBuilder::max16(Value vector) {
  return foldHalves(*this, vector, [&](Value a, Value b) {
    return select(create<arith::CmpFOp>(arith::CmpFPredicate::OGT, a, b), a, b);
  });
}

Value KernelBuilder::maxInt16(Value vector) {
  return foldHalves(*this, vector, [&](Value a, Value b) { return max(a, b); });
}

Value KernelBuilder::firstLanes(Value count) {
  Value limit = broadcast(create<arith::TruncIOp>(i32, count));
  return create<arith::CmpIOp>(arith::CmpIPredicate::slt, iota(), limit);
}

Value KernelBuilder::widen(Value lanes) {
  unsigned count = laneCount(lanes.getType());
  if (count == kLanes)
    return lanes;
  if (count == 1)
    return broadcast(lanes);
  SmallVector<int64_t> order;
  for (unsigned i = 0; i < kLanes; ++i)
    order.push_back(i % count);
  return create<vector::ShuffleOp>(lanes, lanes, order);
}

Value KernelBuilder::narrow(Value vector, unsigned lanes) {
  if (lanes == kLanes)
    return vector;
  if (lanes == 1)
    return extract(vector, 0);
  return create<vector::ShuffleOp>(vector, vector, llvm::to_vector(llvm::seq<int64_t>(0, lanes)));
}

Value KernelBuilder::dot4(Value acc, Value codes, Value values, unsigned bits) {
  Type bytes = lanesOf(getI8Type(), kLanes * 4);
  return create<pack::Dot4Op>(acc.getType(), acc, create<vector::BitCastOp>(bytes, codes),
                              create<vector::BitCastOp>(bytes, values), bits);
}

static Value bf16Intrinsic(KernelBuilder &k, Type result, StringRef name, ValueRange operands) {
  return k
      .create<LLVM::CallIntrinsicOp>(result, k.getStringAttr(name), operands,
                                     LLVM::FastmathFlagsAttr())
      .getResults();
}

Value KernelBuilder::dotBf16(Value acc, Value a, Value b) {
  Type numbers = lanesOf(getBF16Type(), kLanes * 2);
  return bf16Intrinsic(
      *this, acc.getType(), "llvm.x86.avx512bf16.dpbf16ps.512",
      {acc, create<vector::BitCastOp>(numbers, a), create<vector::BitCastOp>(numbers, b)});
}

Value KernelBuilder::roundBf16(Value low, Value high) {
  Type numbers = lanesOf(getBF16Type(), kLanes * 2);
  return bf16Intrinsic(*this, numbers, "llvm.x86.avx512bf16.cvtne2ps2bf16.512", {high, low});
}

//===-- Memory -----------------------------------------------------------------------------===//

Value KernelBuilder::at(Value base, Value bytes) {
  return create<LLVM::GEPOp>(ptr, getI8Type(), base, ValueRange(bytes));
}
Value KernelBuilder::at(Value base, int64_t bytes) { return at(base, i64c(bytes)); }
Value KernelBuilder::element(Value base, Value index, Type type) {
  return create<LLVM::GEPOp>(ptr, type, base, ValueRange(index));
}
Value KernelBuilder::load(Type type, Value address, unsigned align) {
  return create<LLVM::LoadOp>(type, address, align);
}
void KernelBuilder::store(Value value, Value address, unsigned align) {
  create<LLVM::StoreOp>(value, address, align);
}
Value KernelBuilder::loadTail(Value address, Value mask) {
  Type type = lanesOf(f32, kLanes);
  return create<LLVM::MaskedLoadOp>(type, address, mask, ValueRange(constant(type, 0)), 4);
}
Value KernelBuilder::loadTailWords(Value address, Value mask) {
  Type type = like(i32, mask);
  return create<LLVM::MaskedLoadOp>(type, address, mask, ValueRange(intConstant(type, 0)), 2);
}
// Not every target has masks of 16-bit lanes: pairs are taken as words, and a single one apart.
Value KernelBuilder::loadTailHalves(Type element, Value address, Value count) {
  Value pairs = broadcast(create<arith::TruncIOp>(i32, udiv(count, 2)), kLanes / 2);
  Value order = create<arith::ConstantOp>(getI32VectorAttr({0, 1, 2, 3, 4, 5, 6, 7}));
  Value mask = create<arith::CmpIOp>(arith::CmpIPredicate::slt, order, pairs);
  Value several = create<vector::BitCastOp>(lanesOf(element, kLanes), loadTailWords(address, mask));
  Value single = broadcast(load(element, address, 2));
  return select(equal(count, i64c(1)), single, several);
}
void KernelBuilder::storeLanes(Value value, Value address, Value mask) {
  if (mask)
    create<LLVM::MaskedStoreOp>(value, address, mask, 4);
  else
    store(value, address);
}
void KernelBuilder::prefetch(Value address) {
  create<LLVM::Prefetch>(address, /*rw=*/0, /*hint=*/3, /*cache=*/1);
}

//===-- The ABI ----------------------------------------------------------------------------===//

Value KernelBuilder::arg(unsigned word) {
  return create<arith::ExtUIOp>(i64, load(i32, at(args, int64_t(word) * 4)));
}
Value KernelBuilder::argFloat(unsigned word) { return load(f32, at(args, int64_t(word) * 4)); }

Value KernelBuilder::weights(Value word) {
  Value base = load(ptr, at(frame, int64_t(offsetof(coppice_frame, weights))), 8);
  return at(base, mul(word, i64c(64)));
}

Value KernelBuilder::buffer(Value word) {
  Value base = load(ptr, at(frame, int64_t(offsetof(coppice_frame, arena))), 8);
  Value rows = load(i64, at(frame, int64_t(offsetof(coppice_frame, row_capacity))), 8);
  return at(base, mul(mul(word, i64c(64)), rows));
}

Value KernelBuilder::rowBytes(Value width) { return mul(roundUp16(width), i64c(4)); }

Value KernelBuilder::groups(Value width) {
  return udiv(add(width, i64c(args::kGroup - 1)), args::kGroup);
}

Value KernelBuilder::quantizedBytes(Value width) {
  Value bytes = mul(groups(width), i64c(args::kQuantizedGroup));
  return create<arith::AndIOp>(add(bytes, i64c(63)), i64c(~int64_t(63)));
}

Value KernelBuilder::rowSet(Value set) {
  return at(at(frame, int64_t(offsetof(coppice_frame, sets))),
            mul(set, i64c(sizeof(coppice_row_set))));
}
Value KernelBuilder::rowSet(unsigned set) { return rowSet(i64c(set)); }

Value KernelBuilder::rowCount(Value set) {
  return load(i64, at(rowSet(set), int64_t(offsetof(coppice_row_set, count))), 8);
}

Value KernelBuilder::rowEntry(Value set, Value row) {
  Value rows = load(ptr, at(rowSet(set), int64_t(offsetof(coppice_row_set, rows))), 8);
  return at(rows, mul(row, i64c(sizeof(coppice_row))));
}

//===-- Control flow -----------------------------------------------------------------------===//

void KernelBuilder::forRange(Value from, Value to, int64_t step,
                             llvm::function_ref<void(Value)> body) {
  auto loop = create<scf::ForOp>(from, to, i64c(step));
  InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

KernelBuilder::Values KernelBuilder::forRange(Value from, Value to, int64_t step, ValueRange inits,
                                              llvm::function_ref<Values(Value, ValueRange)> body) {
  auto loop = create<scf::ForOp>(from, to, i64c(step), inits);
  InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  create<scf::YieldOp>(body(loop.getInductionVar(), loop.getRegionIterArgs()));
  return Values(loop.getResults());
}

void KernelBuilder::ifThen(Value condition, llvm::function_ref<void()> then) {
  auto op = create<scf::IfOp>(condition, /*withElseRegion=*/false);
  InsertionGuard guard(*this);
  setInsertionPointToStart(op.thenBlock());
  then();
}

KernelBuilder::Values KernelBuilder::ifElse(Value condition, llvm::function_ref<Values()> then,
                                            llvm::function_ref<Values()> otherwise) {
  // The result types are known only once the first branch is built: build both in blocks of their
  // own, then give them to the op.
  InsertPoint here = saveInsertionPoint();
  Block thenBlock, elseBlock;
  setInsertionPointToStart(&thenBlock);
  Values results = then();
  create<scf::YieldOp>(results);
  setInsertionPointToStart(&elseBlock);
  create<scf::YieldOp>(otherwise());
  restoreInsertionPoint(here);
  auto op = create<scf::IfOp>(TypeRange(ValueRange(results)), condition, true);
  auto &thenOps = op.thenBlock()->getOperations(), &elseOps = op.elseBlock()->getOperations();
  op.thenBlock()->clear();
  op.elseBlock()->clear();
  thenOps.splice(thenOps.end(), thenBlock.getOperations());
  elseOps.splice(elseOps.end(), elseBlock.getOperations());
  return Values(op.getResults());
}

void KernelBuilder::forChunks(Value width, llvm::function_ref<void(Value, unsigned)> body) {
  Value whole = create<arith::AndIOp>(width, i64c(~int64_t(kLanes - 1)));
  forRange(i64c(0), whole, kLanes, [&](Value i) { body(i, kLanes); });
  forRange(whole, width, 1, [&](Value i) { body(i, 1); });
}

void KernelBuilder::forRowChunks(Value width, llvm::function_ref<void(Value, Value)> body) {
  Value rest = urem(width, kLanes), whole = sub(width, rest);
  forRange(i64c(0), whole, kLanes, [&](Value i) { body(i, Value()); });
  ifThen(less(whole, width), [&] { body(whole, firstLanes(rest)); });
}

Value KernelBuilder::loadWeightRow(Value base, Value index, Value live) {
  Value address = element(base, index, f32);
  return live ? loadTail(address, live) : load(lanesOf(f32, kLanes), address);
}

//===-- KV cache ---------------------------------------------------------------------------===//

unsigned coppice::kvBytes(KvFormat format) {
  return format == KvFormat::F32 ? 4 : format == KvFormat::BF16 ? 2 : 1;
}

Type coppice::kvElement(KernelBuilder &k, KvFormat format) {
  return format == KvFormat::F32 ? k.f32 : k.getIntegerType(8 * kvBytes(format));
}

Value coppice::loadKv(KernelBuilder &k, KvFormat format, Value address, unsigned lanes) {
  if (format == KvFormat::F32)
    return loadWeights(k, WeightType::F32, address, lanes, /*aligned=*/false);
  if (format == KvFormat::BF16)
    return loadWeights(k, WeightType::BF16, address, lanes, /*aligned=*/false);
  Value codes = k.load(k.lanesOf(k.getI8Type(), lanes), address, 1);
  Value wide = k.create<arith::ExtSIOp>(k.lanesOf(k.i32, lanes), codes);
  return k.create<arith::SIToFPOp>(k.lanesOf(k.f32, lanes), wide);
}

KvPlace::KvPlace(KernelBuilder &k, KvFormat format, Value set, Value row, Value kvOffset,
                 Value kvHead, Value headDim, Value inRing)
    : mayWrap(bool(inRing)) {
  Value entry = k.rowEntry(set, row);
  Value cache = k.load(k.ptr, k.at(entry, int64_t(offsetof(coppice_row, kv))), 8);
  capacity = k.load(k.i64, k.at(entry, int64_t(offsetof(coppice_row, kv_capacity))), 8);
  if (inRing) {
    Value ring = k.load(k.ptr, k.at(entry, int64_t(offsetof(coppice_row, kv_ring))), 8);
    Value holds = k.load(k.i64, k.at(entry, int64_t(offsetof(coppice_row, kv_ring_capacity))), 8);
    cache = k.select(inRing, ring, cache);
    capacity = k.select(inRing, holds, capacity);
  }
  Value at = k.load(k.i32, k.at(entry, int64_t(offsetof(coppice_row, position))));
  position = k.create<arith::ExtSIOp>(k.i64, at);
  keys = k.mul(headDim, k.i64c(COPPICE_KV_BLOCK * kvBytes(format)));
  scales = k.mul(keys, k.i64c(2));
  blockBytes = format == KvFormat::I8 ? k.add(scales, k.i64c(2 * COPPICE_KV_BLOCK * 4)) : scales;
  Value perPosition = k.udiv(blockBytes, COPPICE_KV_BLOCK);
  blocks = k.at(cache, k.mul(k.add(kvOffset, k.mul(kvHead, perPosition)), capacity));
}

Value KvPlace::blockOf(KernelBuilder &k, Value position) const {
  if (mayWrap)
    position = k.create<arith::RemUIOp>(position, capacity);
  return k.at(blocks, k.mul(k.udiv(position, COPPICE_KV_BLOCK), blockBytes));
}

//===-- Weights ----------------------------------------------------------------------------===//

Type coppice::weightElement(KernelBuilder &k, WeightType type) {
  switch (type) {
  case WeightType::F32:
    return k.f32;
  case WeightType::F16:
    return k.getF16Type();
  case WeightType::BF16:
    return k.getI16Type();
  }
  llvm_unreachable("a weight type without an element");
}

unsigned coppice::weightBytes(WeightType type) { return type == WeightType::F32 ? 4 : 2; }

Value coppice::loadWeights(KernelBuilder &k, WeightType type, Value address, unsigned lanes,
                           bool aligned) {
  unsigned bytes = weightBytes(type);
  Type stored = k.lanesOf(weightElement(k, type), lanes);
  return widenWeights(k, type, k.load(stored, address, aligned ? bytes * lanes : bytes));
}

Value coppice::widenWeights(KernelBuilder &k, WeightType type, Value value) {
  Type f32 = k.like(k.f32, value);
  switch (type) {
  case WeightType::F32:
    return value;
  case WeightType::F16:
    return k.create<arith::ExtFOp>(f32, value);
  case WeightType::BF16: { // bfloat16 is the upper half of a float
    Type i32 = k.like(k.i32, value);
    Value wide = k.create<arith::ExtUIOp>(i32, value);
    return k.bitcast(f32, k.create<arith::ShLIOp>(wide, k.intConstant(i32, 16)));
  }
  }
  llvm_unreachable("a weight type without a load");
}

Value coppice::groupWords(KernelBuilder &k, CodeType type, Value columns) {
  return k.udiv(k.add(columns, k.i64c(codesPerWord(type) - 1)), codesPerWord(type));
}

Value coppice::codeRowBytes(KernelBuilder &k, CodeType type, Value columns) {
  Value whole = k.mul(k.udiv(columns, args::kGroup), k.i64c(groupBytes(type)));
  Value rest = k.urem(columns, args::kGroup);
  Value last = k.add(k.mul(groupWords(k, type, rest), k.i64c(4)), k.i64c(2));
  return k.add(whole, k.select(k.equal(rest, k.i64c(0)), k.i64c(0), last));
}
