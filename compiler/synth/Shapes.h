// The shapes that have a name: configs of published models, and nothing else of them.
#pragma once
#include "llvm/ADT/StringRef.h"
#include <optional>
#include <string>

namespace coppice {

/// The config.json of a shape that has a name; nullopt for other names.
std::optional<llvm::StringRef> namedShape(llvm::StringRef name);

/// The names, as a message lists them.
std::string namedShapes();

} // namespace coppice
