// A model family: how its config.json is read and what graph follows. One file per family.
#pragma once
#include "compiler/import/Config.h"
#include "compiler/import/GraphBuilder.h"
#include "compiler/import/Import.h"
#include "llvm/ADT/ArrayRef.h"

namespace coppice {

struct Family {
  llvm::StringLiteral modelType; // config.json's model_type
  /// What Hugging Face assumes where neither config.json nor generation_config.json says it.
  std::optional<int32_t> defaultBos, defaultEos;
  /// Reads every field that matters, then config.finish(), then builds the graph up to
  /// graph.finish(). Fills `model`'s context, positionLimit and vocab.
  llvm::Error (*build)(ConfigReader &config, GraphBuilder &graph, ImportedModel &model);
};

extern const Family falconFamily, gemmaFamily, gemma2Family, gemma3Family, gpt2Family, llamaFamily,
    mistralFamily, mixtralFamily, neoxFamily, optFamily, phiFamily, phi3Family, qwen2Family,
    qwen3Family, qwen3MoeFamily, starCoder2Family;

/// All families.
llvm::ArrayRef<const Family *> families();

} // namespace coppice
