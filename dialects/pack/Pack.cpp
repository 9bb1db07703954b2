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

LogicalResult BufferType::verify(function_ref<InFlightDiagnostic()> emitError, int64_t width,
                                 RowSet set) {
  if (width < 0)
    return emitError() << "a buffer cannot be " << width << " wide";
  return success();
}

LogicalResult WeightType::verify(function_ref<InFlightDiagnostic()> emitError, int64_t rows,
                                 int64_t cols, Type element, Layout layout) {
  if (rows < 0 || cols < 0)
    return emitError() << "a weight cannot be " << rows << " by " << cols;
  if (!element.isF32() && !element.isF16() && !element.isBF16() && !element.isInteger(32))
    return emitError() << "a weight's elements are f32, f16, bf16 or i32, not " << element;
  return success();
}

LogicalResult CacheType::verify(function_ref<InFlightDiagnostic()> emitError, int64_t heads,
                                int64_t headDim) {
  if (heads < 0 || headDim <= 0)
    return emitError() << "a cache cannot have " << heads << " heads of " << headDim;
  return success();
}

} // namespace coppice::pack
