// From a model's folder to lm: config.json and a checkpoint become one function in a module.
#pragma once
#include "compiler/import/Checkpoint.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coppice {

struct ImportedModel {
  /// What the caller asked for: set before the family builds, and not changed.
  std::optional<int64_t> wantedContext;
  /// `func.func @model(tokens, positions) -> logits` and the lm.tensor declarations it needs. The
  /// facts below stand on the module too: lm.model_type, lm.context (i32), lm.vocab (i32),
  /// lm.stop_tokens (array<i32>), lm.bos (i32, if there is one), lm.position_limit (i32, likewise).
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::string modelType;
  /// max_position_embeddings: the context unless the caller wants another.
  int64_t context = 0;
  /// Positions at most, where the model has a learned table of them; else none but the caller's.
  std::optional<int64_t> positionLimit;
  /// Token ids are below this, and logits have as many columns.
  int64_t vocab = 0;
  /// Ids that end a text, those of config.json first, then those of generation_config.json.
  std::vector<int32_t> stopTokens;
  std::optional<int32_t> bos;
  /// What a user should know of this model and this context, without the config's name.
  std::vector<std::string> warnings;

  /// The positions that will be compiled for. Some families compute otherwise beyond a length.
  int64_t positions() const { return wantedContext.value_or(context); }
  /// A sliding window as AttentionForm takes it: none if it never slides.
  int64_t window(int64_t width) const { return width < positions() ? width : 0; }
};

/// Reads DIRECTORY/config.json, and generation_config.json for its end tokens if there is one, and
/// builds the model over `checkpoint`, which is only looked at during the call; null stands for one
/// that holds what the config describes, stored as it says. Loads the dialects it needs into
/// `context`. `positions` is the context that will be compiled for, if it is not the
/// config's. Errors name the file and field, or the tensor with both shapes.
llvm::Expected<ImportedModel> importModel(llvm::StringRef directory, const Checkpoint *checkpoint,
                                          mlir::MLIRContext &context,
                                          std::optional<int64_t> positions = std::nullopt);

/// The same with the texts of config.json and generation_config.json (if there is one) at hand;
/// `directory` is only for messages.
llvm::Expected<ImportedModel> importModelText(llvm::StringRef directory, llvm::StringRef config,
                                              std::optional<llvm::StringRef> generationConfig,
                                              const Checkpoint &checkpoint,
                                              mlir::MLIRContext &context);

/// The graph that a config's text describes, over no checkpoint: it declares, in the order of use,
/// every tensor that a checkpoint of this shape holds. `path` names the text in
/// errors.
llvm::Expected<ImportedModel> importShape(llvm::StringRef path, llvm::StringRef config,
                                          mlir::MLIRContext &context);

/// The model types that importModel knows, for messages.
std::vector<llvm::StringRef> supportedModelTypes();

} // namespace coppice
