// See TinyModels.h.
#include "tests/support/TinyModels.h"
#include "compiler/import/Import.h"
#include "dialects/lm/LM.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

namespace coppice::test {

std::string TinyModel::folder() const { return COPPICE_TESTS "/models/" + name; }

std::string TinyModel::golden(llvm::StringRef file) const {
  return (COPPICE_TESTS "/golden/models/" + name + "/" + file).str();
}

static std::vector<TinyModel> find() {
  std::vector<TinyModel> models;
  std::error_code error;
  using Iterator = llvm::sys::fs::directory_iterator;
  for (Iterator at(COPPICE_TESTS "/models", error), end; !error && at != end; at.increment(error)) {
    TinyModel model;
    model.name = llvm::sys::path::filename(at->path()).str();
    if (model.name == "opt-icl")
      continue;
    mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
    ImportedModel graph = llvm::cantFail(importModel(at->path(), /*checkpoint=*/nullptr, context));
    model.modelType = graph.modelType;
    model.positionLimit = graph.positionLimit;
    graph.module->walk(
        [&](lm::AttentionOp attention) { model.windowed |= attention.getWindow().has_value(); });
    models.push_back(std::move(model));
  }
  llvm::sort(models, [](const TinyModel &a, const TinyModel &b) { return a.name < b.name; });
  return models;
}

const std::vector<TinyModel> &tinyModels() {
  static const std::vector<TinyModel> models = find();
  return models;
}

std::string asTestName(std::string text) {
  for (char &c : text)
    if (!isalnum(static_cast<unsigned char>(c)))
      c = '_';
  return text;
}

} // namespace coppice::test
