// lower-dot4: pack.dot4 to the instructions of a target, exact on each. See KernelPasses.td.
//
// 256-bit targets take a dot4 as two halves. The vectors that join and part them vanish in LLVM,
// which holds 16 lanes in two registers anyway.
#include "compiler/codegen/KernelPasses.h"
#include "compiler/codegen/Target.h"
#include "dialects/pack/Pack.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;

namespace coppice {
#define GEN_PASS_DEF_LOWERDOT4
#include "compiler/codegen/KernelPasses.h.inc"
} // namespace coppice

using namespace coppice;

namespace {
class Dot4Lowering {
public:
  Dot4Lowering(pack::Dot4Op op, DotKind kind)
      : b(op.getLoc(), op), op(op), kind(kind),
        wide(kind == DotKind::Avx512 || kind == DotKind::Avx512Vnni) {}
  void lower();

private:
  Value lanes(Value acc, Value codes, Value values); // one register wide, in lanes of 32 bits
  Value narrowCodes(Value acc, Value codes, Value values);
  Value byteCodes(Value acc, Value codes, Value values);
  Value intrinsic(Type result, StringRef name, ValueRange operands) {
    return b
        .create<LLVM::CallIntrinsicOp>(result, b.getStringAttr(name), operands,
                                       LLVM::FastmathFlagsAttr())
        .getResults();
  }
  Value as(unsigned elementBits, Value value) {
    unsigned total = cast<VectorType>(value.getType()).getNumElements() * 32;
    Type type = VectorType::get({total / elementBits}, b.getIntegerType(elementBits));
    return b.create<vector::BitCastOp>(type, value);
  }
  Value splat(Value like, int64_t value) {
    auto type = cast<VectorType>(like.getType());
    return b.create<arith::ConstantOp>(
        DenseElementsAttr::get(type, b.getIntegerAttr(type.getElementType(), value)));
  }

  ImplicitLocOpBuilder b;
  pack::Dot4Op op;
  DotKind kind;
  bool wide;
};

void Dot4Lowering::lower() {
  Type words = op.getAcc().getType();
  Value codes = b.create<vector::BitCastOp>(words, op.getCodes());
  Value values = b.create<vector::BitCastOp>(words, op.getValues());
  Value result;
  if (wide) {
    result = lanes(op.getAcc(), codes, values);
  } else {
    Value halves[2];
    for (int64_t half : {0, 1}) {
      auto part = [&](Value whole) -> Value {
        return b.create<vector::ShuffleOp>(
            whole, whole, llvm::to_vector(llvm::seq<int64_t>(half * 8, half * 8 + 8)));
      };
      halves[half] = lanes(part(op.getAcc()), part(codes), part(values));
    }
    SmallVector<int64_t> order = llvm::to_vector(llvm::seq<int64_t>(0, 16));
    result = b.create<vector::ShuffleOp>(halves[0], halves[1], order);
  }
  op.replaceAllUsesWith(result);
  op.erase();
}

Value Dot4Lowering::lanes(Value acc, Value codes, Value values) {
  if (kind == DotKind::AvxVnni || kind == DotKind::Avx512Vnni)
    return intrinsic(acc.getType(),
                     wide ? "llvm.x86.avx512.vpdpbusd.512" : "llvm.x86.avx512.vpdpbusd.256",
                     {acc, codes, values});
  return op.getBits() <= 7 ? narrowCodes(acc, codes, values) : byteCodes(acc, codes, values);
}

Value Dot4Lowering::narrowCodes(Value acc, Value codes, Value values) {
  Value bytes = as(8, codes), signedBytes = as(8, values);
  Type halfWords =
      VectorType::get({cast<VectorType>(acc.getType()).getNumElements() * 2}, b.getI16Type());
  Value pairs =
      intrinsic(halfWords, wide ? "llvm.x86.avx512.pmaddubs.w.512" : "llvm.x86.avx2.pmadd.ub.sw",
                {bytes, signedBytes});
  Value sums =
      intrinsic(acc.getType(), wide ? "llvm.x86.avx512.pmaddw.d.512" : "llvm.x86.avx2.pmadd.wd",
                {pairs, splat(pairs, 1)});
  return b.create<arith::AddIOp>(acc, sums);
}

Value Dot4Lowering::byteCodes(Value acc, Value codes, Value values) {
  codes = as(16, codes);
  values = as(16, values);
  Value eight = splat(codes, 8);
  auto multiply = [&](Value u, Value s) {
    return intrinsic(acc.getType(),
                     wide ? "llvm.x86.avx512.pmaddw.d.512" : "llvm.x86.avx2.pmadd.wd", {u, s});
  };
  Value evenCodes = b.create<arith::AndIOp>(codes, splat(codes, 0xff));
  Value evenValues = b.create<arith::ShRSIOp>(b.create<arith::ShLIOp>(values, eight), eight);
  Value low = multiply(evenCodes, evenValues);
  Value oddCodes = b.create<arith::ShRUIOp>(codes, eight);
  Value oddValues = b.create<arith::ShRSIOp>(values, eight);
  Value high = multiply(oddCodes, oddValues);
  return b.create<arith::AddIOp>(acc, b.create<arith::AddIOp>(low, high));
}

struct LowerDot4 : coppice::impl::LowerDot4Base<LowerDot4> {
  using LowerDot4Base::LowerDot4Base;

  void runOnOperation() override {
    llvm::Expected<Target> found = resolveTarget(target);
    if (!found) {
      emitError(getOperation()->getLoc()) << llvm::toString(found.takeError());
      return signalPassFailure();
    }
    getOperation()->walk([&](pack::Dot4Op op) { Dot4Lowering(op, found->dot).lower(); });
  }
};
} // namespace
