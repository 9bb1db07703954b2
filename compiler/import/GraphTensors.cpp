// The tensor side of the graph's words: what the checkpoint holds, with which widths, and what of
// it has no place in the graph.
#include "compiler/import/GraphBuilder.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"
#include <limits>

using namespace mlir;

namespace coppice {
namespace {

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

/// "[512, 64] (vocab_size, hidden_size)", each extent with what says it.
std::string spellDims(llvm::ArrayRef<Dim> dims) {
  llvm::SmallVector<int64_t> sizes;
  std::string fields;
  for (const Dim &dim : dims) {
    sizes.push_back(dim.size);
    fields += (fields.empty() ? "" : ", ") + dim.field;
  }
  return spellShape(sizes) + " (" + fields + ")";
}

std::string misshapen(const TensorInfo &tensor, llvm::StringRef configPath,
                      llvm::ArrayRef<Dim> wanted) {
  bool ofTensors = llvm::any_of(wanted, [](const Dim &dim) { return dim.ofTensor; });
  return (tensor.file + ": tensor \"" + tensor.name + "\" has shape " + spellShape(tensor.shape) +
          ", and " + configPath + (ofTensors ? " with the other tensors" : "") + " makes it " +
          spellDims(wanted))
      .str();
}

} // namespace

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
    fail(misshapen(*tensor, configPath, shape));
  return elementType(context, tensor->dtype);
}

Value GraphBuilder::declare(llvm::StringRef name, llvm::ArrayRef<Dim> shape, bool transposed,
                            llvm::ArrayRef<int32_t> rows) {
  llvm::SmallVector<int64_t> sizes;
  for (const Dim &dim : shape)
    sizes.push_back(dim.size);
  Location loc = NameLoc::get(builder.getStringAttr(name));
  Type element = checkTensor(name, shape);
  if (used.insert(name).second)
    declarations.create<lm::TensorOp>(loc, name, builder.getStringAttr("private"),
                                      RankedTensorType::get(sizes, element));
  if (transposed)
    std::swap(sizes[0], sizes[1]);
  lm::IndexListAttr kept;
  if (!rows.empty()) {
    kept = lm::IndexListAttr::get(builder.getContext(), rows);
    sizes[0] = rows.size();
  }
  auto weight = builder.create<lm::WeightOp>(loc, RankedTensorType::get(sizes, element), name, kept,
                                             lm::IndexListAttr());
  weight.setTransposed(transposed);
  return weight;
}

Value GraphBuilder::absoluteWeight(llvm::StringRef name, llvm::ArrayRef<Dim> shape) {
  return declare(name, shape, /*transposed=*/false, /*rows=*/{});
}

Value GraphBuilder::weight(const llvm::Twine &name, llvm::ArrayRef<Dim> shape) {
  return absoluteWeight((prefix + name).str(), shape);
}

Value GraphBuilder::head(bool tied, const llvm::Twine &embed, llvm::ArrayRef<Dim> shape,
                         llvm::StringRef name) {
  headName = name.str();
  std::string matrix = headName + ".weight";
  if (!tied)
    return absoluteWeight(matrix, shape);
  // Some files hold a copy beside the embedding, which is not read. One of another shape is none.
  if (checkpoint && checkpoint->find(matrix))
    checkTensor(matrix, shape);
  return weight(embed + ".weight", shape);
}

void GraphBuilder::passOver(llvm::ArrayRef<llvm::StringRef> endings) {
  for (llvm::StringRef ending : endings)
    passedOver.push_back(ending.str());
}

//===----------------------------------------------------------------------===//
// Widths that the tensors say
//===----------------------------------------------------------------------===//

/// The extent along `axis` of the tensor that else has this shape.
Dim GraphBuilder::extent(llvm::StringRef name, unsigned axis, llvm::ArrayRef<Dim> shape) {
  const TensorInfo *tensor = checkpoint ? checkpoint->find(name) : nullptr;
  if (!tensor)
    return shape[axis]; // declare() finds fault with a tensor that is missing
  bool agrees = tensor->shape.size() == shape.size() && tensor->shape[axis] > 0;
  for (unsigned other = 0; agrees && other < shape.size(); ++other)
    agrees = other == axis || tensor->shape[other] == shape[other].size;
  // A row list holds numbers of 32 bits.
  if (!agrees || tensor->shape[axis] > std::numeric_limits<int32_t>::max()) {
    fail(misshapen(*tensor, configPath, shape));
    return shape[axis];
  }
  return {tensor->shape[axis],
          std::string(axis ? "columns" : "rows") + " of \"" + name.str() + "\" of shape " +
              spellShape(tensor->shape),
          /*ofTensor=*/true};
}

Dim GraphBuilder::outputs(const llvm::Twine &name, const Dim &config, const Dim &in,
                          bool transposed) {
  std::string matrix = (prefix + name + ".weight").str();
  return transposed ? extent(matrix, 1, {in, config}) : extent(matrix, 0, {config, in});
}

Dim GraphBuilder::inputs(const llvm::Twine &name, const Dim &out, const Dim &config) {
  return extent((prefix + name + ".weight").str(), 1, {out, config});
}

HeadWidths GraphBuilder::wholeHeads(const Dim &queries, const Dim &keys, const HeadWidths &config) {
  std::string size = std::to_string(config.headDim);
  for (const Dim &width : {queries, keys})
    if (width.size % config.headDim != 0) {
      fail(configPath + ": the " + std::to_string(width.size) + " " + width.field +
           " are no whole number of heads of " + size + "; head_dim, or what it follows from, is " +
           "that of other tensors");
      return config;
    }
  int64_t heads = queries.size / config.headDim, kvHeads = keys.size / config.headDim;
  if (heads % kvHeads != 0) {
    fail(configPath + ": " + llvm::Twine(heads) + " query heads (" + queries.field + ") do not " +
         "share " + llvm::Twine(kvHeads) + " KV heads (" + keys.field + ") evenly");
    return config;
  }
  return {queries, keys, config.headDim};
}

HeadWidths GraphBuilder::heads(const llvm::Twine &query, const llvm::Twine &key, const Dim &in,
                               const HeadWidths &config) {
  return wholeHeads(outputs(query, config.queries, in), outputs(key, config.keys, in), config);
}

//===----------------------------------------------------------------------===//
// Tensors without a place
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
  if (name == headName + ".weight") // tied: head() has looked at it
    return "";
  // Buffers that older libraries saved: frequencies, which follow from the config, and a version.
  if (name.ends_with("rotary_emb.inv_freq") || name == prefix + "version")
    return "";
  if (name.starts_with(prefix) &&
      llvm::any_of(passedOver, [&](llvm::StringRef ending) { return name.ends_with(ending); }))
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
  if (name.starts_with(prefix) || name.starts_with(headName + "."))
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

} // namespace coppice
