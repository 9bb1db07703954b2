// What is common to all families: which one it is, end tokens, the module's attributes.
#include "compiler/import/Import.h"
#include "compiler/import/Family.h"
#include "compiler/import/Files.h"
#include "compiler/import/Json.h"
#include "coppice/limits.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace coppice {
namespace {

const Family *const all[] = {
#define COPPICE_FAMILY(NAME) &families::NAME,
#include "compiler/import/Families.inc"
#undef COPPICE_FAMILY
};

llvm::Expected<const llvm::json::Object *> asObject(const llvm::json::Value &value,
                                                    llvm::StringRef path) {
  if (const llvm::json::Object *object = value.getAsObject())
    return object;
  return llvm::createStringError(llvm::Twine(path) + ": an object is wanted, and this is " +
                                 quoteJson(value));
}

/// A file of the model's folder, as JSON; nothing if there is none.
using ReadFile = llvm::function_ref<llvm::Expected<std::optional<llvm::json::Value>>(
    llvm::StringRef name, llvm::StringRef path)>;

/// The end tokens of generation_config.json, if the folder has one and it names any. The rest of
/// that file is about sampling, and not read.
llvm::Expected<std::optional<std::vector<int32_t>>>
readGenerationConfig(llvm::StringRef directory, ReadFile readFile, int64_t vocab) {
  constexpr llvm::StringLiteral name = "generation_config.json";
  std::string path = joinPath(directory, name);
  auto value = readFile(name, path);
  if (!value)
    return value.takeError();
  if (!*value)
    return std::nullopt;
  auto object = asObject(**value, path);
  if (!object)
    return object.takeError();
  llvm::json::Object tokens;
  if (const llvm::json::Value *eos = (*object)->get("eos_token_id"))
    tokens["eos_token_id"] = *eos;
  ConfigReader reader(tokens, path);
  std::optional<std::vector<int32_t>> ids = reader.tokenIds("eos_token_id", vocab);
  if (llvm::Error error = reader.finish())
    return std::move(error);
  return ids;
}

/// "; did you mean ..." for the supported model type that is spelt most like `name`, if any is.
std::string nearestModelType(llvm::StringRef name) {
  for (const Family *family : all)
    for (const Relative &relative : family->relatives)
      if (name.equals_insensitive(relative.modelType))
        return "; it " + relative.wanted.str();
  std::pair<unsigned, llvm::StringRef> best = {0, ""};
  for (llvm::StringRef known : supportedModelTypes()) {
    // Up to a third of the letters may differ; a distance as long as a name is no likeness.
    unsigned furthest = std::max<size_t>(2, known.size() / 3);
    unsigned distance = name.trim().edit_distance_insensitive(known, true, furthest);
    if (distance <= furthest && distance + 1 < known.size() &&
        (best.second.empty() || distance < best.first))
      best = {distance, known};
  }
  return best.second.empty() ? "" : "; did you mean \"" + best.second.str() + "\"?";
}

/// How the config says that the weights are stored; float32 if it does not.
DType describedType(const llvm::json::Object &config) {
  for (llvm::StringRef field : {"dtype", "torch_dtype"})
    if (std::optional<llvm::StringRef> type = config.getString(field))
      return *type == "float16" ? DType::F16 : *type == "bfloat16" ? DType::BF16 : DType::F32;
  return DType::F32;
}

void setAttributes(ImportedModel &model) {
  Builder builder(model.module->getContext());
  ModuleOp module = *model.module;
  module->setAttr("lm.model_type", builder.getStringAttr(model.modelType));
  module->setAttr("lm.context", builder.getI32IntegerAttr(model.context));
  module->setAttr("lm.vocab", builder.getI32IntegerAttr(model.vocab));
  module->setAttr("lm.stop_tokens", builder.getDenseI32ArrayAttr(model.stopTokens));
  if (model.bos)
    module->setAttr("lm.bos", builder.getI32IntegerAttr(*model.bos));
  if (model.positionLimit)
    module->setAttr("lm.position_limit", builder.getI32IntegerAttr(*model.positionLimit));
}

/// `path` is config.json's; `checkpoint` may be null, as GraphBuilder says.
llvm::Expected<ImportedModel> importFrom(llvm::StringRef directory, llvm::StringRef path,
                                         ReadFile readFile, const Checkpoint *checkpoint,
                                         MLIRContext &context,
                                         std::optional<int64_t> positions = std::nullopt) {
  context.loadDialect<func::FuncDialect, lm::LMDialect>();
  auto value = readFile("config.json", path);
  if (!value)
    return value.takeError();
  auto object = asObject(**value, path);
  if (!object)
    return object.takeError();

  ConfigReader config(**object, path);
  ImportedModel model;
  model.wantedContext = positions;
  model.modelType = config.text("model_type", "");
  const Family *const *family = llvm::find_if(
      all, [&](const Family *family) { return family->modelType == model.modelType; });
  if (family == std::end(all)) {
    std::string known = "; supported are: " + llvm::join(supportedModelTypes(), ", ") +
                        nearestModelType(model.modelType);
    if (config.has("model_type"))
      config.fail("model_type", "is not supported" + known);
    else
      config.failMissing("model_type", known);
    return config.finish();
  }

  // Ids are checked against the vocabulary, which the family reads too; errors about it are its.
  int64_t vocab = config.size("vocab_size").size;
  model.vocab = vocab;
  static_assert(ConfigReader::kMostSize <= COPPICE_MAX_ID, "every id fits an artifact");
  auto eos = config.tokenIds("eos_token_id", vocab);
  auto bos = config.tokenIds("bos_token_id", vocab);
  if (bos && bos->size() > 1)
    config.fail("bos_token_id", "is not a single token id");
  GraphBuilder graph(context, checkpoint, model.modelType, path, describedType(**object));
  if (llvm::Error error = (*family)->build(config, graph, model))
    return std::move(error);
  if (!graph.firstDiffering().empty())
    model.warnings.push_back(graph.firstDiffering());

  auto more = readGenerationConfig(directory, readFile, vocab);
  if (!more)
    return more.takeError();
  // A default beyond a small vocabulary is no token of this model.
  auto known = [&](std::optional<int32_t> id) { return id && *id < vocab ? id : std::nullopt; };
  if (auto end = known((*family)->defaultEos); end && !eos && !*more)
    eos = std::vector<int32_t>{*end};
  for (const auto &ids : {eos, *more})
    if (ids)
      for (int32_t id : *ids)
        if (!llvm::is_contained(model.stopTokens, id))
          model.stopTokens.push_back(id);
  if (!bos)
    model.bos = known((*family)->defaultBos);
  else if (!bos->empty())
    model.bos = bos->front();

  setAttributes(model);
  if (failed(verify(*model.module)))
    return llvm::createStringError(llvm::Twine(path) +
                                   ": the imported graph is not valid; this is an error in "
                                   "coppice, please report it");
  return model;
}

} // namespace

std::vector<llvm::StringRef> supportedModelTypes() {
  std::vector<llvm::StringRef> names;
  for (const Family *family : all)
    names.push_back(family->modelType);
  llvm::sort(names);
  return names;
}

llvm::Expected<ImportedModel> importModel(llvm::StringRef directory, const Checkpoint *checkpoint,
                                          MLIRContext &context, std::optional<int64_t> positions) {
  return importFrom(
      directory, joinPath(directory, "config.json"),
      [](llvm::StringRef name,
         llvm::StringRef path) -> llvm::Expected<std::optional<llvm::json::Value>> {
        if (!fileExists(path)) {
          if (name != "config.json") // the other file may be missing
            return std::nullopt;
          return llvm::createStringError(
              llvm::Twine(path) + ": there is no such file beside the weights; it says what model "
                                  "they are of: download the model's whole folder");
        }
        return readJsonFile(path);
      },
      checkpoint, context, positions);
}

llvm::Expected<ImportedModel> importModelText(llvm::StringRef directory, llvm::StringRef config,
                                              std::optional<llvm::StringRef> generationConfig,
                                              const Checkpoint &checkpoint, MLIRContext &context) {
  return importFrom(
      directory, joinPath(directory, "config.json"),
      [&](llvm::StringRef name,
          llvm::StringRef path) -> llvm::Expected<std::optional<llvm::json::Value>> {
        std::optional<llvm::StringRef> text =
            name == "config.json" ? std::optional(config) : generationConfig;
        if (!text)
          return std::nullopt;
        return parseJson(*text, path);
      },
      &checkpoint, context);
}

llvm::Expected<ImportedModel> importShape(llvm::StringRef path, llvm::StringRef config,
                                          MLIRContext &context) {
  return importFrom(
      "", path,
      [&](llvm::StringRef name,
          llvm::StringRef) -> llvm::Expected<std::optional<llvm::json::Value>> {
        if (name != "config.json")
          return std::nullopt;
        return parseJson(config, path);
      },
      /*checkpoint=*/nullptr, context);
}

} // namespace coppice
