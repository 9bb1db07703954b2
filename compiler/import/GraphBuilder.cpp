// The words of a model's description. Types follow from the operands, so that a family file says
// nothing twice.
#include "compiler/import/GraphBuilder.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>

using namespace mlir;

namespace coppice {
namespace {

RankedTensorType idsType(MLIRContext *context) {
  return RankedTensorType::get({ShapedType::kDynamic}, IntegerType::get(context, 32));
}

Type elementType(MLIRContext *context, DType dtype) {
  switch (dtype) {
  case DType::F32:
    return Float32Type::get(context);
  case DType::F16:
    return Float16Type::get(context);
  case DType::BF16:
    return BFloat16Type::get(context);
  }
  llvm_unreachable("all dtypes are mapped above");
}

std::string spellShape(llvm::ArrayRef<int64_t> shape) {
  std::string text = "[";
  for (int64_t extent : shape)
    text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + "]";
}

/// "[512, 64] (vocab_size, hidden_size)"
std::string spellDims(llvm::ArrayRef<Dim> dims) {
  llvm::SmallVector<int64_t> sizes;
  std::string fields;
  for (const Dim &dim : dims) {
    sizes.push_back(dim.size);
    fields += (fields.empty() ? "" : ", ") + dim.field;
  }
  return spellShape(sizes) + " (" + fields + ")";
}

} // namespace

GraphBuilder::GraphBuilder(MLIRContext &context, const Checkpoint *checkpoint,
                           llvm::StringRef modelType, llvm::StringRef configPath)
    : checkpoint(checkpoint), modelType(modelType), configPath(configPath),
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

void GraphBuilder::choosePrefix(llvm::ArrayRef<llvm::StringRef> candidates, llvm::StringRef probe) {
  prefix = candidates.front().str();
  for (llvm::StringRef candidate : candidates) {
    if (checkpoint && checkpoint->find((candidate + probe).str())) {
      prefix = candidate.str();
      return;
    }
  }
}

Type GraphBuilder::checkTensor(llvm::StringRef name, llvm::ArrayRef<Dim> shape) {
  MLIRContext *context = builder.getContext();
  if (!checkpoint)
    return Float32Type::get(context);
  const TensorInfo *tensor = checkpoint->find(name);
  if (!tensor) {
    for (const UnusableTensor &other : checkpoint->unusable()) {
      if (other.name == name) {
        fail(other.file + ": tensor \"" + name + "\" has dtype " + other.dtype +
             "; only F32, F16 and BF16 weights are supported");
        return Float32Type::get(context);
      }
    }
    llvm::StringRef file = checkpoint->tensors().empty() ? llvm::StringRef("the checkpoint")
                                                         : checkpoint->tensors().front().file;
    fail(file + ": tensor \"" + name + "\" is missing; the " + modelType + " model that " +
         configPath + " describes has it, with shape " + spellDims(shape));
    return Float32Type::get(context);
  }
  bool agrees = llvm::equal(tensor->shape, shape,
                            [](int64_t extent, const Dim &dim) { return extent == dim.size; });
  if (!agrees)
    fail(tensor->file + ": tensor \"" + name + "\" has shape " + spellShape(tensor->shape) +
         ", and " + configPath + " makes it " + spellDims(shape));
  return elementType(context, tensor->dtype);
}

Value GraphBuilder::absoluteWeight(llvm::StringRef name, llvm::ArrayRef<Dim> shape) {
  llvm::SmallVector<int64_t> sizes;
  for (const Dim &dim : shape)
    sizes.push_back(dim.size);
  Location loc = NameLoc::get(builder.getStringAttr(name));
  auto type = RankedTensorType::get(sizes, checkTensor(name, shape));
  if (used.insert(name).second)
    declarations.create<lm::TensorOp>(loc, name, builder.getStringAttr("private"), type);
  return builder.create<lm::WeightOp>(loc, type, name, lm::IndexListAttr(), lm::IndexListAttr());
}

Value GraphBuilder::weight(const llvm::Twine &name, llvm::ArrayRef<Dim> shape) {
  return absoluteWeight((prefix + name).str(), shape);
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

Value GraphBuilder::embed(Value ids, Value table, int32_t offset) {
  Type type = lm::tokenRowsType(builder.getContext(), lm::rowWidth(table.getType()));
  return builder.create<lm::EmbedOp>(table.getLoc(), type, ids, table, offset);
}

Value GraphBuilder::linear(Value x, Value matrix) {
  int64_t rows = cast<RankedTensorType>(matrix.getType()).getDimSize(0);
  return builder.create<lm::LinearOp>(matrix.getLoc(),
                                      lm::tokenRowsType(builder.getContext(), rows), x, matrix,
                                      /*bias=*/Value());
}

Value GraphBuilder::linear(Value x, const llvm::Twine &name, const Dim &out, const Dim &in,
                           bool bias) {
  std::string base = name.str();
  Value matrix = weight(base + ".weight", {out, in});
  Value row = bias ? weight(base + ".bias", {out}) : Value();
  return builder.create<lm::LinearOp>(
      matrix.getLoc(), lm::tokenRowsType(builder.getContext(), out.size), x, matrix, row);
}

Value GraphBuilder::layerNorm(Value x, const llvm::Twine &name, const Dim &width, bool affine,
                              double eps) {
  std::string base = name.str();
  Value scale = affine ? weight(base + ".weight", {width}) : Value();
  Value bias = affine ? weight(base + ".bias", {width}) : Value();
  return builder.create<lm::LayerNormOp>(builder.getUnknownLoc(), x.getType(), x, scale, bias,
                                         llvm::APFloat(eps));
}

Value GraphBuilder::rmsNorm(Value x, const llvm::Twine &name, const Dim &width, double eps) {
  Value scale = weight(name + ".weight", {width});
  return builder.create<lm::RmsNormOp>(scale.getLoc(), x.getType(), x, scale, llvm::APFloat(eps));
}

Value GraphBuilder::activation(lm::ActivationKind kind, Value x) {
  return builder.create<lm::ActivationOp>(x.getLoc(), x.getType(), kind, x);
}

Value GraphBuilder::add(Value a, Value b) {
  return builder.create<lm::AddOp>(b.getLoc(), a.getType(), a, b);
}

Value GraphBuilder::mul(Value a, Value b) {
  return builder.create<lm::MulOp>(b.getLoc(), a.getType(), a, b);
}

Value GraphBuilder::rope(Value x, int64_t headDim, llvm::ArrayRef<float> inverseFrequencies) {
  return builder.create<lm::RopeOp>(x.getLoc(), x.getType(), x, positions(), headDim,
                                    inverseFrequencies);
}

Value GraphBuilder::attention(Value q, Value k, Value v, int64_t headDim) {
  int64_t heads = lm::rowWidth(q.getType()) / headDim;
  int64_t kvHeads = lm::rowWidth(k.getType()) / headDim;
  llvm::SmallVector<int32_t> kvMap;
  for (int64_t head = 0; head < heads; ++head)
    kvMap.push_back(head / (heads / kvHeads));
  return builder.create<lm::AttentionOp>(q.getLoc(), q.getType(), q, k, v, headDim, kvMap,
                                         llvm::APFloat(1 / std::sqrt(double(headDim))));
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

void GraphBuilder::refuseUnused() {
  auto check = [&](llvm::StringRef name, llvm::StringRef file) {
    if (used.contains(name) || name == "lm_head.weight") // stored beside a tied head by some
      return;
    // Buffers that older libraries saved: frequencies, which follow from the config, and a version.
    if (name.ends_with("rotary_emb.inv_freq") || name == prefix + "version")
      return;
    if (name.starts_with(prefix) || name.starts_with("lm_head."))
      fail(file + ": tensor \"" + name + "\" has no place in the " + modelType + " model that " +
           configPath + " describes; correct the config, or remove the tensor");
  };
  for (const TensorInfo &tensor : checkpoint->tensors())
    check(tensor.name, tensor.file);
  for (const UnusableTensor &tensor : checkpoint->unusable())
    check(tensor.name, tensor.file);
}

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
