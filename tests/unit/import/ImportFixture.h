// What the tests of whole imports share: a folder, a context, and a tiny Llama to put there.
#pragma once
#include "Folder.h"
#include "compiler/import/Import.h"
#include "dialects/lm/LM.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include <gtest/gtest.h>
#include <map>

namespace coppice::test {

class Import : public ::testing::Test {
protected:
  llvm::Expected<ImportedModel> import() { return importFrom(folder.path()); }
  llvm::Expected<ImportedModel> importFrom(llvm::StringRef directory) {
    auto checkpoint = Checkpoint::open(directory);
    if (!checkpoint)
      return checkpoint.takeError();
    return importModel(directory, checkpoint->get(), context);
  }
  std::string errorOf() { return messageOf(import()); }

  /// Shapes by tensor name, an empty one for a tensor that is left out.
  using Changes = std::map<std::string, std::vector<int64_t>>;
  /// Writes config.json and every tensor that a checkpoint of its shape holds, in F32, but for
  /// `changes`, which may name others too.
  void writeModel(llvm::StringRef config, const Changes &changes = {});
  /// The imported function, or what is wrong with the model.
  std::string function();
  std::string print(mlir::ModuleOp module) {
    std::string text;
    llvm::raw_string_ostream(text) << module;
    return text;
  }
  /// `text` as the printer would write it, so that names and spaces do not matter.
  std::string normalise(llvm::StringRef text) {
    context.loadDialect<mlir::func::FuncDialect, lm::LMDialect>();
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    return module ? print(*module) : "the expected text does not parse";
  }
  void writeWeights(const SafetensorsWriter &weights) {
    folder.write("model.safetensors", weights.bytes());
  }

  Folder folder;
  mlir::MLIRContext context;
};

/// A Llama of one layer with 4 query and 2 KV heads, without the closing brace.
inline const char *const llamaConfig =
    R"({"model_type": "llama", "vocab_size": 11, "hidden_size": 8,
  "intermediate_size": 6, "num_hidden_layers": 1, "num_attention_heads": 4,
  "num_key_value_heads": 2, "max_position_embeddings": 32, "rms_norm_eps": 0.5,
  "rope_theta": 10000.0)";

/// Its tensors but for a head: embedding in F16, values in BF16, the rest in F32.
SafetensorsWriter llamaWeights(llvm::StringRef prefix = "model.", bool biases = false);

} // namespace coppice::test
