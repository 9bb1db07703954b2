// What every kernel builder needs: the function with the ABI's signature, its argument words and
// frame, buffers and rows, loops, and loads and stores of exact width through plain pointers.
//
// Kernels are scf, arith and vector ops inside an llvm.func, with i64 for every size and index and
// !llvm.ptr for every address, so that lowering needs no type conversion. "Lanes" are either one
// scalar or a vector of it: most helpers take both. Floating point is exactly as written: fma()
// is always fused, nothing else ever is, so that all targets give the same bits.
#pragma once
#include "compiler/codegen/KernelArgs.h"
#include "compiler/codegen/Target.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace coppice {

enum class WeightType { F32, F16, BF16 };
enum class CodeType { I8, I4 }; // quantized weights
constexpr unsigned kLanes = 16; // floats per vector, on every target

/// Prefix of kernels' symbols in objects, so that none is taken for a C library function.
constexpr llvm::StringLiteral kSymbolPrefix = "coppice_";

class KernelBuilder : public mlir::ImplicitLocOpBuilder {
public:
  using Value = mlir::Value;
  using Type = mlir::Type;
  using Values = llvm::SmallVector<Value>;

  /// Opens the function `name` in `module`; finish() closes it.
  KernelBuilder(mlir::ModuleOp module, llvm::StringRef name, const Target &target);
  void finish();

  const Target &target;
  Value frame, args, begin, end;
  Type f32, f64, i32, i64, ptr;

  // Constants. Numbers of a vector type are splats.
  Value i64c(int64_t value);
  Value constant(Type type, double value);     // float or vector of floats
  Value intConstant(Type type, int64_t value); // integer or vector of integers
  Value f32c(double value, unsigned lanes = 1) { return constant(lanesOf(f32, lanes), value); }
  Value iota(); // vector<16xi32> 0..15

  Type lanesOf(Type element, unsigned lanes); // the scalar itself for 1
  Type like(Type element, Value lanes);       // element with the lane count of a value
  static unsigned laneCount(Type type);

  // Arithmetic on scalars and vectors alike.
  Value add(Value a, Value b);
  Value sub(Value a, Value b);
  Value mul(Value a, Value b);
  Value div(Value a, Value b);
  Value fma(Value a, Value b, Value c); // one rounding, on every target
  Value sqrt(Value a);
  Value udiv(Value a, int64_t by); // by a power of two
  Value urem(Value a, int64_t by);
  Value roundUp16(Value a);
  Value min(Value a, Value b); // integers, signed
  Value max(Value a, Value b);
  Value equal(Value a, Value b);
  Value less(Value a, Value b); // i64, signed
  Value notNone(Value word);    // an argument word is not kNone
  Value select(Value condition, Value a, Value b);
  Value broadcast(Value scalar, unsigned lanes = kLanes);
  Value bitcast(Type type, Value value);
  Value extract(Value vector, unsigned lane);
  Value sum16(Value vector); // fixed tree: halves of 8, 4, 2, 1
  Value max16(Value vector);
  Value maxInt16(Value vector);  // of i32, signed
  Value firstLanes(Value count); // vector<16xi1>: lane < count
  Value widen(Value lanes);      // to 16 lanes, those beyond the given ones unspecified
  Value narrow(Value vector, unsigned lanes); // the first lanes of 16

  /// acc + unsigned codes below 2^bits times signed values, four bytes in each of 16 i32 lanes.
  Value dot4(Value acc, Value codes, Value values, unsigned bits);

  /// acc + products of pairs: vectors of 16 i32, each two numbers in bfloat16. On targets with
  /// bf16Dots only; denormals count as zeros.
  Value dotBf16(Value acc, Value a, Value b);
  /// Two vectors of 16 floats as 32 numbers in bfloat16 in the order of memory, rounded to nearest
  /// even, denormals to zero. Likewise.
  Value roundBf16(Value low, Value high);

  // Memory. Alignment is in bytes, of the whole access.
  Value at(Value base, Value bytes);
  Value at(Value base, int64_t bytes);
  Value element(Value base, Value index, Type type); // base + index * size
  Value load(Type type, Value address, unsigned align = 4);
  void store(Value value, Value address, unsigned align = 4);
  Value loadTail(Value address, Value mask); // 16 floats, lanes off read nothing and are 0
  void storeLanes(Value value, Value address, Value mask); // without a mask, all
  Value loadTailWords(Value address, Value mask);          // the same of i32, at an even address
  /// 16 elements of 16 bits, of which the first `count`, 1, 2, 4, 8 or 16, are read.
  Value loadTailHalves(Type element, Value address, Value count);
  void prefetch(Value address);

  // The ABI.
  Value arg(unsigned word); // zero-extended to i64
  Value argFloat(unsigned word);
  Value weights(Value word);         // address in the weight segment
  Value buffer(Value word);          // address of an arena buffer
  Value rowBytes(Value width);       // distance of an arena buffer's rows
  Value groups(Value width);         // groups of kGroup columns, the last one perhaps shorter
  Value quantizedBytes(Value width); // distance of an arena buffer's quantized rows
  Value rowSet(Value set);           // address of a coppice_row_set
  Value rowSet(unsigned set);
  Value rowCount(Value set);
  Value rowEntry(Value set, Value row); // address of a coppice_row

  // Control flow.
  void forRange(Value from, Value to, int64_t step, llvm::function_ref<void(Value)> body);
  Values forRange(Value from, Value to, int64_t step, mlir::ValueRange inits,
                  llvm::function_ref<Values(Value, mlir::ValueRange)> body);
  void ifThen(Value condition, llvm::function_ref<void()> then);
  Values ifElse(Value condition, llvm::function_ref<Values()> then,
                llvm::function_ref<Values()> otherwise);

  /// body(offset, lanes) over [0, width) in steps of 16 floats, then one by one.
  void forChunks(Value width, llvm::function_ref<void(Value, unsigned)> body);

  /// body(offset, live) over [0, width) in vectors of 16; live is null, or for the last vector of
  /// an odd width a mask of its lanes that exist.
  void forRowChunks(Value width, llvm::function_ref<void(Value, Value)> body);

  /// 16 floats of a weight row at an element index, of which `live` exist (null: all).
  Value loadWeightRow(Value base, Value index, Value live);

private:
  mlir::LLVM::LLVMFuncOp function;
};

enum class KvFormat { F32, BF16, I8 };

/// Where a row's token and one KV head of one layer lie in the session's cache (KernelArgs.h).
struct KvPlace {
  /// `inRing`: i1, whether the layer's cache is a ring; null: it is not.
  KvPlace(KernelBuilder &k, KvFormat format, mlir::Value set, mlir::Value row, mlir::Value kvOffset,
          mlir::Value kvHead, mlir::Value headDim, mlir::Value inRing = {});
  /// Address of the block that holds a position.
  mlir::Value blockOf(KernelBuilder &k, mlir::Value position) const;
  mlir::Value position;   // i64
  mlir::Value capacity;   // positions that the cache holds, i64
  mlir::Value blocks;     // address of the head's first block
  mlir::Value blockBytes; // of a block of 16 positions, i64
  mlir::Value keys;       // where keys start in a block, in bytes; values start at 0
  mlir::Value scales;     // i8: where the scales of 16 keys start in a block; values' follow
  bool mayWrap;           // positions lie at their rest modulo the capacity
};

/// Bytes of an element of the cache, its type in kernels, and `lanes` of them as f32 (exact).
unsigned kvBytes(KvFormat format);
mlir::Type kvElement(KernelBuilder &k, KvFormat format);
mlir::Value loadKv(KernelBuilder &k, KvFormat format, mlir::Value address, unsigned lanes);

/// Sizes of quantized weights: codes per word of 32 bits, what is added to a stored code, and bytes
/// of one row's share of a whole group.
constexpr unsigned codesPerWord(CodeType type) { return type == CodeType::I8 ? 4 : 8; }
constexpr int64_t zeroPoint(CodeType type) { return type == CodeType::I8 ? 128 : 8; }
constexpr int64_t groupBytes(CodeType type) { return args::kGroup / codesPerWord(type) * 4 + 2; }
/// Words of a group of `columns`, and bytes of a row of `columns`.
mlir::Value groupWords(KernelBuilder &k, CodeType type, mlir::Value columns);
mlir::Value codeRowBytes(KernelBuilder &k, CodeType type, mlir::Value columns);

/// Elements of a weight format, and `lanes` of them as f32 (exact for every format).
mlir::Type weightElement(KernelBuilder &k, WeightType type);
unsigned weightBytes(WeightType type);
mlir::Value loadWeights(KernelBuilder &k, WeightType type, mlir::Value address, unsigned lanes,
                        bool aligned);
/// What loadWeights does after loading.
mlir::Value widenWeights(KernelBuilder &k, WeightType type, mlir::Value stored);

} // namespace coppice
