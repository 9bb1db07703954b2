// The words of a model's description. Types follow from the operands, so that a family file says
// nothing twice.
#include "compiler/import/GraphBuilder.h"
#include <cmath>

using namespace mlir;

namespace coppice {
namespace {

RankedTensorType idsType(MLIRContext *context) {
  return RankedTensorType::get({ShapedType::kDynamic}, IntegerType::get(context, 32));
}

} // namespace

GraphBuilder::GraphBuilder(MLIRContext &context, const Checkpoint *checkpoint,
                           llvm::StringRef modelType, llvm::StringRef configPath, DType described)
    : checkpoint(checkpoint), described(described), modelType(modelType), configPath(configPath),
      module(ModuleOp::create(UnknownLoc::get(&context))), builder(&context),
      declarations(&context) {
  Type ids = idsType(&context);
  builder.setInsertionPointToEnd(module->getBody());
  // The result type is known when the logits are; finish() sets it.
  function = builder.create<func::FuncOp>(builder.getUnknownLoc(), "model",
                                          builder.getFunctionType({ids, ids}, {}));
  declarations.setInsertionPoint(function);
  builder.setInsertionPointToStart(function.addEntryBlock());
}

Value GraphBuilder::tokens() { return function.getArgument(0); }
Value GraphBuilder::positions() { return function.getArgument(1); }

void GraphBuilder::fail(const llvm::Twine &what) {
  if (error.empty())
    error = what.str();
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

Value GraphBuilder::embed(Value ids, Value table, int32_t offset) {
  Type type = lm::tokenRowsType(builder.getContext(), lm::rowWidth(table.getType()));
  return builder.create<lm::EmbedOp>(table.getLoc(), type, ids, table, offset);
}

Value GraphBuilder::linear(Value x, Value matrix, Value bias) {
  int64_t rows = cast<RankedTensorType>(matrix.getType()).getDimSize(0);
  return builder.create<lm::LinearOp>(
      matrix.getLoc(), lm::tokenRowsType(builder.getContext(), rows), x, matrix, bias);
}

Value GraphBuilder::linear(Value x, const llvm::Twine &name, const Dim &out, const Dim &in,
                           bool bias) {
  return linear(x, name, out, in, LinearForm{bias});
}

Value GraphBuilder::linear(Value x, const llvm::Twine &name, const Dim &out, const Dim &in,
                           const LinearForm &form) {
  std::string base = prefix + name.str();
  llvm::SmallVector<Dim, 2> shape = {out, in};
  if (form.transposed)
    std::swap(shape[0], shape[1]);
  bool noRows = out.size == 0 || (form.rows && form.rows->length * form.rows->count == 0);
  if (!x || noRows || in.size == 0) {
    note(base + ".weight", shape);
    if (form.bias && noRows)
      note(base + ".bias", {out});
    return form.bias && !noRows ? declare(base + ".bias", {out}, /*transposed=*/false, form.rows)
                                : Value();
  }
  Value matrix = declare(base + ".weight", shape, form.transposed, form.rows);
  Value row = form.bias ? declare(base + ".bias", {out}, /*transposed=*/false, form.rows) : Value();
  return linear(x, matrix, row);
}

Value GraphBuilder::layerNorm(Value x, const llvm::Twine &name, const Dim &width, bool affine,
                              double eps) {
  std::string base = name.str();
  if (!x) {
    if (affine)
      for (const char *part : {".weight", ".bias"})
        note(prefix + base + part, {width});
    return x;
  }
  Value scale = affine ? weight(base + ".weight", {width}) : Value();
  Value bias = affine ? weight(base + ".bias", {width}) : Value();
  return builder.create<lm::LayerNormOp>(builder.getUnknownLoc(), x.getType(), x, scale, bias,
                                         llvm::APFloat(eps));
}

Value GraphBuilder::normScale(const llvm::Twine &name, const Dim &width, NormScale scale) {
  Value stored = weight(name + ".weight", {width});
  if (scale == NormScale::Stored)
    return stored;
  Type row = lm::constantRowType(builder.getContext(), width.size);
  Value one = builder.create<lm::SplatOp>(stored.getLoc(), row, llvm::APFloat(1.0));
  return builder.create<lm::AddOp>(stored.getLoc(), row, stored, one);
}

Value GraphBuilder::rmsNormOf(Value x, const llvm::Twine &name, const Dim &width, IntegerAttr group,
                              double eps, NormScale form) {
  if (!x) {
    note(prefix + name.str() + ".weight", {width});
    return x;
  }
  Value scale = normScale(name, width, form);
  // The bias of a linear over nothing is a constant, in the checkpoint's type.
  Type type = lm::isTokenRows(x.getType())
                  ? x.getType()
                  : lm::constantRowType(builder.getContext(), lm::rowWidth(x.getType()));
  return builder.create<lm::RmsNormOp>(scale.getLoc(), type, x, scale, group,
                                       builder.getF64FloatAttr(eps));
}

Value GraphBuilder::rmsNorm(Value x, const llvm::Twine &name, const Dim &width, double eps,
                            NormScale form) {
  return rmsNormOf(x, name, width, IntegerAttr(), eps, form);
}

Value GraphBuilder::headNorm(Value x, const llvm::Twine &name, int64_t headDim, double eps,
                             NormScale form) {
  return rmsNormOf(x, name, {headDim, "head_dim"}, builder.getI32IntegerAttr(headDim), eps, form);
}

Value GraphBuilder::activation(lm::ActivationKind kind, Value x) {
  if (!x)
    return x;
  describe(units, lm::rowWidth(x.getType()), MostDescribed::units, "neurons and heads",
           "an activation");
  return builder.create<lm::ActivationOp>(x.getLoc(), x.getType(), kind, x);
}

Value GraphBuilder::add(Value a, Value b) {
  return b ? builder.create<lm::AddOp>(b.getLoc(), a.getType(), a, b) : a;
}

Value GraphBuilder::mul(Value a, Value b) {
  return a && b ? builder.create<lm::MulOp>(b.getLoc(), a.getType(), a, b) : Value();
}

/// The attribute of a number, and none where it is the usual one.
FloatAttr GraphBuilder::unless(double value, double usual) {
  return value == usual ? FloatAttr() : builder.getF64FloatAttr(value);
}

Value GraphBuilder::scale(Value x, double factor) {
  Type row = lm::constantRowType(builder.getContext(), lm::rowWidth(x.getType()));
  return mul(x, builder.create<lm::SplatOp>(x.getLoc(), row, llvm::APFloat(factor)));
}

Value GraphBuilder::softcap(Value x, double cap) {
  return builder.create<lm::SoftcapOp>(x.getLoc(), x.getType(), x, llvm::APFloat(cap));
}

Value GraphBuilder::rope(Value x, int64_t headDim, const Rotation &rotation) {
  if (!x)
    return x;
  return builder.create<lm::RopeOp>(x.getLoc(), x.getType(), x, positions(), headDim,
                                    rotation.inverseFrequencies,
                                    unless(rotation.magnitude, /*usual=*/1));
}

Value GraphBuilder::attention(Value q, Value k, Value v, int64_t headDim,
                              const AttentionForm &form) {
  if (!q || !k || !v) // nothing asks, whatever keys and values there are
    return Value();
  int64_t heads = lm::rowWidth(q.getType()) / headDim;
  int64_t kvHeads = lm::rowWidth(k.getType()) / headDim;
  describe(units, heads, MostDescribed::units, "neurons and heads", "an attention");
  llvm::SmallVector<int32_t> kvMap;
  for (int64_t head = 0; head < heads; ++head)
    kvMap.push_back(head / (heads / kvHeads));
  double scale = form.scale.value_or(1 / std::sqrt(double(headDim)));
  IntegerAttr window = form.window ? builder.getI32IntegerAttr(form.window) : IntegerAttr();
  return builder.create<lm::AttentionOp>(q.getLoc(), q.getType(), q, k, v, headDim, kvMap,
                                         llvm::APFloat(scale), window,
                                         unless(form.softcap, /*usual=*/0));
}

Value GraphBuilder::block(lm::BlockKind kind, int32_t layer, Value x,
                          llvm::function_ref<Value(Value)> body) {
  Location loc = NameLoc::get(
      builder.getStringAttr("layer " + llvm::Twine(layer) + " " + lm::stringifyBlockKind(kind)));
  auto op = builder.create<lm::BlockOp>(loc, x.getType(), kind, layer, x);
  OpBuilder::InsertionGuard guard(builder);
  Block *inside = builder.createBlock(&op.getBody(), {}, x.getType(), loc);
  builder.create<lm::YieldOp>(loc, body(inside->getArgument(0)));
  return op;
}

//===----------------------------------------------------------------------===//
// The end
//===----------------------------------------------------------------------===//

llvm::Expected<OwningOpRef<ModuleOp>> GraphBuilder::finish(Value logits) {
  builder.create<func::ReturnOp>(logits.getLoc(), logits);
  function.setFunctionType(builder.getFunctionType(function.getArgumentTypes(), logits.getType()));
  if (ok() && checkpoint)
    refuseUnused();
  if (!ok())
    return llvm::createStringError(error);
  return std::move(module);
}

} // namespace coppice
