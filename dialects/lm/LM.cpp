// The lm dialect's registration and its type predicates.
#include "dialects/lm/LM.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace coppice::lm;

#include "dialects/lm/LMDialect.cpp.inc"
#include "dialects/lm/LMEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/lm/LMAttrs.cpp.inc"

void LMDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/lm/LMAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/lm/LMOps.cpp.inc"
      >();
}

static bool isWeightElement(Type type) { return type.isF32() || type.isF16() || type.isBF16(); }

bool coppice::lm::isTokenRows(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && !tensor.getEncoding() && tensor.getRank() == 2 && tensor.isDynamicDim(0) &&
         !tensor.isDynamicDim(1) && tensor.getElementType().isF32();
}

bool coppice::lm::isConstantRow(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && !tensor.getEncoding() && tensor.getRank() == 1 && tensor.hasStaticShape() &&
         isWeightElement(tensor.getElementType());
}

bool coppice::lm::isMatrix(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && !tensor.getEncoding() && tensor.getRank() == 2 && tensor.hasStaticShape() &&
         isWeightElement(tensor.getElementType());
}

bool coppice::lm::isIds(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && !tensor.getEncoding() && tensor.getRank() == 1 && tensor.isDynamicDim(0) &&
         tensor.getElementType().isInteger(32);
}

int64_t coppice::lm::rowWidth(Type type) { return cast<RankedTensorType>(type).getShape().back(); }

RankedTensorType coppice::lm::tokenRowsType(MLIRContext *context, int64_t width) {
  return RankedTensorType::get({ShapedType::kDynamic, width}, Float32Type::get(context));
}

RankedTensorType coppice::lm::constantRowType(MLIRContext *context, int64_t width) {
  return RankedTensorType::get({width}, Float32Type::get(context));
}
