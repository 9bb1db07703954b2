// Which fields of config.json may stay unread.
#pragma once
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/JSON.h"
#include <optional>
#include <string>

namespace coppice {

/// Why a field that no family asked for is refused: "which ..."; nullopt if it is known not to
/// change what inference computes, at all or with this value. `nested` fields, those of an object
/// inside the config, are all refused.
std::optional<std::string> whyRefused(llvm::StringRef name, const llvm::json::Value &value,
                                      bool nested);

} // namespace coppice
