// A model family: how its config.json is read and what graph follows. One file of families/ each,
// which alone names it.
#pragma once
#include "compiler/import/Config.h"
#include "compiler/import/GraphBuilder.h"
#include "compiler/import/Import.h"
#include "llvm/ADT/ArrayRef.h"

namespace coppice {

/// A model type that is near to a family and another architecture, and what its owner can do: the
/// rest of a sentence about it.
struct Relative {
  llvm::StringLiteral modelType, wanted;
};

struct Family {
  llvm::StringLiteral modelType; // config.json's model_type
  /// What Hugging Face assumes where neither config.json nor generation_config.json says it.
  std::optional<int32_t> defaultBos, defaultEos;
  /// Reads every field that matters, then config.finish(), then builds the graph up to
  /// graph.finish(). Fills `model`'s context and positionLimit.
  llvm::Error (*build)(ConfigReader &config, GraphBuilder &graph, ImportedModel &model);
  llvm::ArrayRef<Relative> relatives = {};
};

/// families/NAME.cpp defines families::NAME.
namespace families {
#define COPPICE_FAMILY(NAME) extern const Family NAME;
#include "compiler/import/Families.inc"
#undef COPPICE_FAMILY
} // namespace families

} // namespace coppice
