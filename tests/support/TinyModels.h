// The tiny checkpoints of tests/models, found by looking, so that a test which goes through them
// leaves none out. That each family has one is held by tests/unit/theorem/FamiliesTest.cpp.
#pragma once
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coppice::test {

struct TinyModel {
  std::string name, modelType;          // the folder's, and its config.json's
  std::optional<int64_t> positionLimit; // where positions are learned
  bool windowed = false;                // a layer attends to a window

  std::string folder() const;
  std::string golden(llvm::StringRef file) const; // in tests/golden/models/NAME
};

/// All but the trained model, which is a hundred times as large; by name.
const std::vector<TinyModel> &tinyModels();

/// A text with what may stand in the name of a test's parameter.
std::string asTestName(std::string text);

} // namespace coppice::test
