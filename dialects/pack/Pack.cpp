// Registration of the pack dialect and the verifiers of its types.
#include "dialects/pack/Pack.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

#include "dialects/pack/PackDialect.cpp.inc"
#include "dialects/pack/PackEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/pack/PackAttrs.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/pack/PackTypes.cpp.inc"

namespace coppice::pack {

void PackDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/pack/PackAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/pack/PackTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/pack/PackOps.cpp.inc"
      >();
}

int64_t widthOf(Type rows) {
  if (auto quantized = dyn_cast<QuantizedType>(rows))
    return quantized.getWidth();
  return cast<BufferType>(rows).getWidth();
}

RowSet setOf(Type rows) {
  if (auto quantized = dyn_cast<QuantizedType>(rows))
    return quantized.getSet();
  return cast<BufferType>(rows).getSet();
}

int64_t rowBytesOf(Type type) {
  if (auto quantized = dyn_cast<QuantizedType>(type))
    return quantized.rowBytes();
  if (auto choices = dyn_cast<ChoicesType>(type))
    return choices.rowBytes();
  if (auto groups = dyn_cast<GroupsType>(type))
    return groups.rowBytes();
  auto buffer = dyn_cast<BufferType>(type);
  return buffer ? buffer.rowBytes() : -1;
}

LogicalResult BufferType::verify(function_ref<InFlightDiagnostic()> emitError, int64_t width,
                                 RowSet set) {
  if (width < 0)
    return emitError() << "a buffer cannot be " << width << " wide";
  return success();
}

LogicalResult QuantizedType::verify(function_ref<InFlightDiagnostic()> emitError, int64_t width,
                                    int64_t zero, RowSet set) {
  if (width < 0)
    return emitError() << "a row cannot be " << width << " wide";
  if (zero != 8 && zero != 128)
    return emitError() << "quantized weights have the zero point 8 (i4) or 128 (i8), not " << zero;
  return success();
}

LogicalResult WeightType::verify(function_ref<InFlightDiagnostic()> emitError, int64_t rows,
                                 int64_t cols, Type element, Layout layout, int64_t experts) {
  if (rows < 0 || cols < 0)
    return emitError() << "a weight cannot be " << rows << " by " << cols;
  if (experts < 1)
    return emitError() << "a weight cannot be of " << experts << " experts";
  if (!element.isF32() && !element.isF16() && !element.isBF16() && !element.isInteger(32) &&
      !element.isInteger(8) && !element.isInteger(4))
    return emitError() << "a weight's elements are f32, f16, bf16, i8, i4 or i32, not " << element;
  return success();
}

static LogicalResult verifyChoice(function_ref<InFlightDiagnostic()> emitError, int64_t picks,
                                  int64_t experts, RowSet set) {
  if (picks < 1 || picks > experts)
    return emitError() << "a row cannot choose " << picks << " of " << experts << " experts";
  if (isRouted(set))
    return emitError() << "rows are routed once";
  return success();
}

LogicalResult ChoicesType::verify(function_ref<InFlightDiagnostic()> emitError, int64_t picks,
                                  int64_t experts, RowSet set) {
  return verifyChoice(emitError, picks, experts, set);
}

LogicalResult GroupsType::verify(function_ref<InFlightDiagnostic()> emitError, int64_t picks,
                                 int64_t experts, RowSet set) {
  return verifyChoice(emitError, picks, experts, set);
}

LogicalResult CacheType::verify(function_ref<InFlightDiagnostic()> emitError, int64_t heads,
                                int64_t headDim, Type element) {
  if (heads < 0 || headDim <= 0)
    return emitError() << "a cache cannot have " << heads << " heads of " << headDim;
  if (!element.isF32() && !element.isBF16() && !element.isSignlessInteger(8))
    return emitError() << "a cache's elements are f32, bf16 or i8, not " << element;
  return success();
}

} // namespace coppice::pack
