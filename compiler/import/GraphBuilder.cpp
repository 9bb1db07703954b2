// The words of a model's description. Types follow from the operands, so that a family file says
// nothing twice.
#include "compiler/import/GraphBuilder.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"
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
  const llvm::StringRef *chosen = llvm::find_if(candidates, [&](llvm::StringRef candidate) {
    return checkpoint && checkpoint->find((candidate + probe).str());
  });
  if (chosen == candidates.end())
    chosen = candidates.begin();
  prefix = chosen->str();
  for (const llvm::StringRef &candidate : candidates)
    if (&candidate != chosen)
      otherPrefixes.push_back(candidate.str());
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
    // A checkpoint without tensors has no file to name; its folder is the config's.
    llvm::StringRef file = checkpoint->tensors().empty() ? llvm::sys::path::parent_path(configPath)
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

Value GraphBuilder::head(bool tied, const llvm::Twine &embed, llvm::ArrayRef<Dim> shape) {
  constexpr llvm::StringLiteral name = "lm_head.weight";
  if (!tied)
    return absoluteWeight(name, shape);
  // Some files hold a copy beside the embedding, which is not read. One of another shape is none.
  if (checkpoint && checkpoint->find(name))
    checkTensor(name, shape);
  return weight(embed + ".weight", shape);
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

/// Names that the PEFT and adapters libraries give to what is added to a model's weights.
static bool isOfAdapter(llvm::StringRef name) {
  constexpr llvm::StringLiteral parts[] = {"lora_", "ia3_",        "hada_",  "lokr_",
                                           "oft_",  "vera_lambda", "adapter"};
  if (name.starts_with("base_model.model."))
    return true;
  for (llvm::StringRef rest = name; !rest.empty(); rest = rest.split('.').second)
    if (llvm::any_of(parts, [&](llvm::StringRef part) { return rest.starts_with(part); }))
      return true;
  return false;
}

std::string GraphBuilder::whyNotIgnored(llvm::StringRef name) const {
  if (name == "lm_head.weight") // tied: head() has looked at it
    return "";
  // Buffers that older libraries saved: frequencies, which follow from the config, and a version.
  if (name.ends_with("rotary_emb.inv_freq") || name == prefix + "version")
    return "";
  if (isOfAdapter(name))
    return "belongs to an adapter, which changes what the model computes, and only plain weights "
           "are read; merge the adapter into the weights (merge_and_unload in the PEFT library), "
           "or "
           "remove its tensors";
  auto twin = [&](llvm::StringRef other) {
    return "stands beside \"" + other.str() +
           "\", and both could be meant; remove the one that is not";
  };
  for (llvm::StringRef other : otherPrefixes)
    if (name.starts_with(other))
      if (std::string inUse = prefix + name.substr(other.size()).str(); used.contains(inUse))
        return twin(inUse);
  // "module." and the like: what frameworks put before the names of the model that they wrap.
  for (llvm::StringRef rest = name.split('.').second; !rest.empty(); rest = rest.split('.').second)
    if (!prefix.empty() && rest.starts_with(prefix) && used.contains(rest))
      return twin(rest);
  if (name.starts_with(prefix) || name.starts_with("lm_head."))
    return "has no place in the " + modelType + " model that " + configPath +
           " describes; correct the config, or remove the tensor";
  return "";
}

void GraphBuilder::refuseUnused() {
  auto check = [&](llvm::StringRef name, llvm::StringRef file) {
    if (used.contains(name))
      return;
    if (std::string why = whyNotIgnored(name); !why.empty())
      fail(file + ": tensor \"" + name + "\" " + why);
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
