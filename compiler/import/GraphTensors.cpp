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
    return elementType(context, described);
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

void GraphBuilder::note(llvm::StringRef name, llvm::ArrayRef<Dim> shape) {
  checkTensor(name, shape);
  used.insert(name);
}

/// The list of rows, or none where it would be too long for any model.
static lm::IndexListAttr listRows(MLIRContext *context, const Runs &rows) {
  constexpr int64_t most = 1 << 24;
  if (rows.length * rows.count > most)
    return {};
  llvm::SmallVector<int32_t> numbers;
  for (int64_t run = 0; run < rows.count; ++run)
    for (int64_t i = 0; i < rows.length; ++i)
      numbers.push_back(int32_t(rows.start + run * rows.stride + i));
  return lm::IndexListAttr::get(context, numbers);
}

void GraphBuilder::describe(int64_t &sum, int64_t more, int64_t most, llvm::StringRef what,
                            llvm::StringRef at) {
  if (checkpoint)
    return;
  if (more <= most - sum) {
    sum += more;
    return;
  }
  fail(configPath + ": describes a model of more than " + llvm::Twine(most) + " " + what + ": " +
       llvm::Twine(sum) + " before " + at + ", and " + llvm::Twine(more) +
       " there; no model is as large: correct the number of layers or experts, or their widths");
}

Value GraphBuilder::declare(llvm::StringRef name, llvm::ArrayRef<Dim> shape, bool transposed,
                            std::optional<Runs> rows) {
  llvm::SmallVector<int64_t> sizes;
  for (const Dim &dim : shape)
    sizes.push_back(dim.size);
  Location loc = NameLoc::get(builder.getStringAttr(name));
  Type element = checkTensor(name, shape);
  used.insert(name);
  if (declared.insert(name).second) {
    int64_t elements = 1, tensors = int64_t(declared.size()) - 1;
    for (int64_t size : sizes)
      elements = llvm::MulOverflow(elements, size, elements) ? INT64_MAX : elements;
    describe(tensors, 1, MostDescribed::tensors, "tensors", name);
    describe(parameters, elements, MostDescribed::parameters, "parameters", name);
    declarations.create<lm::TensorOp>(loc, name, builder.getStringAttr("private"),
                                      RankedTensorType::get(sizes, element));
  }
  if (transposed)
    std::swap(sizes[0], sizes[1]);
  lm::IndexListAttr kept;
  if (rows) {
    sizes[0] = rows->length * rows->count;
    if (ok())
      kept = listRows(builder.getContext(), *rows);
    if (ok() && !kept)
      fail(configPath + ": a part of \"" + name + "\" would have " + llvm::Twine(sizes[0]) +
           " rows; no model is as wide");
  }
  auto weight = builder.create<lm::WeightOp>(loc, RankedTensorType::get(sizes, element), name, kept,
                                             lm::IndexListAttr());
  weight.setTransposed(transposed);
  return weight;
}

Value GraphBuilder::absoluteWeight(llvm::StringRef name, llvm::ArrayRef<Dim> shape) {
  return declare(name, shape, /*transposed=*/false, /*rows=*/std::nullopt);
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
  if (!tensor) {
    if (checkpoint)
      checkTensor(name, shape); // says that it is missing
    return shape[axis];
  }
  bool agrees = tensor->shape.size() == shape.size();
  for (unsigned other = 0; agrees && other < shape.size(); ++other)
    agrees = other == axis || tensor->shape[other] == shape[other].size;
  // A row list holds numbers of 32 bits.
  if (!agrees || tensor->shape[axis] > std::numeric_limits<int32_t>::max()) {
    fail(misshapen(*tensor, configPath, shape));
    return shape[axis];
  }
  if (differing.empty() && !shape[axis].ofTensor && tensor->shape[axis] != shape[axis].size)
    differing = "\"" + name.str() + "\" has " + std::to_string(tensor->shape[axis]) +
                (axis ? " columns" : " rows") + ", and config.json says " +
                std::to_string(shape[axis].size) + " (" + shape[axis].field +
                "): it is taken as cut by another tool; if it was not, correct config.json";
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
  for (const Dim &width : {queries, keys})
    if (width.size % config.headDim != 0) {
      fail(configPath + ": " + llvm::Twine(width.size) + " (" + width.field +
           ") is no whole number of heads of " + llvm::Twine(config.headDim) +
           "; correct the fields that make heads so wide, or the tensors");
      return config;
    }
  int64_t heads = queries.size / config.headDim, kvHeads = keys.size / config.headDim;
  if (heads != 0 && (kvHeads == 0 || heads % kvHeads != 0)) {
    fail(configPath + ": " + llvm::Twine(heads) + " query heads (" + queries.field +
         ") do not share " + llvm::Twine(kvHeads) + " KV heads (" + keys.field +
         ") evenly, at heads of " + llvm::Twine(config.headDim));
    return config;
  }
  return refuseMore({queries, keys, config.headDim}, config);
}

/// Twice the columns may be twice the heads or heads of twice the width.
HeadWidths GraphBuilder::refuseMore(const HeadWidths &found, const HeadWidths &config) {
  for (const auto &[width, said] :
       {std::pair(found.queries, config.queries), {found.keys, config.keys}})
    if (!config.stated && width.size > said.size) {
      fail(configPath + ": " + llvm::Twine(width.size) + " (" + width.field + ") is more than " +
           llvm::Twine(said.size) + " (" + said.field +
           "), and both more heads and wider ones could be meant; correct the fields that say how "
           "many heads there are and how wide they are");
      return config;
    }
  return found;
}

HeadWidths GraphBuilder::fusedHeads(const Dim &fused, int64_t group, const HeadWidths &config) {
  if (fused.size == 0)
    return {fused, fused, config.headDim};
  int64_t unit = (std::max<int64_t>(group, 0) + 2) * config.headDim;
  if (group < 0 || fused.size % unit != 0) {
    fail(configPath + ": " + llvm::Twine(fused.size) + " (" + fused.field +
         ") is no whole number of query, key and value heads of " + llvm::Twine(config.headDim) +
         " in groups of " + llvm::Twine(std::max<int64_t>(group, 1)) + ", 1 and 1");
    return config;
  }
  int64_t keys = fused.size / unit * config.headDim;
  return refuseMore({{keys * group, "queries in the " + fused.field, fused.ofTensor},
                     {keys, "keys in the " + fused.field, fused.ofTensor},
                     config.headDim},
                    config);
}

HeadWidths GraphBuilder::fusedHeads(const Dim &fused, const Dim &queries,
                                    const HeadWidths &config) {
  int64_t rest = fused.size - queries.size;
  if (rest < 0 || rest % (2 * config.headDim) != 0) {
    fail(configPath + ": of " + llvm::Twine(fused.size) + " (" + fused.field + ") the " +
         llvm::Twine(queries.size) + " queries (" + queries.field +
         ") leave no whole number of key and value heads of " + llvm::Twine(config.headDim));
    return config;
  }
  return wholeHeads(queries, {rest / 2, "keys in the " + fused.field, fused.ofTensor}, config);
}

Dim GraphBuilder::half(const Dim &fused) {
  if (fused.size % 2 != 0)
    fail(configPath + ": " + llvm::Twine(fused.size) + " (" + fused.field +
         ") are not two equal parts");
  return {fused.size / 2, "half the " + fused.field, fused.ofTensor};
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
