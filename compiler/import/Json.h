// JSON from outside: checked for everything that LLVM's parser lets through, then parsed by it.
#pragma once
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

namespace coppice {

/// Objects and lists may be nested this deep; LLVM's parser recurses and has no limit of its own.
constexpr unsigned maxJsonDepth = 64;

/// Parses one JSON value (RFC 8259) that fills `text`. Refuses, beside broken syntax: nesting
/// deeper than maxJsonDepth, a key that stands twice in one object, text that is not UTF-8, numbers
/// that no double holds, and escapes that are half of a surrogate pair. Takes time and memory
/// linear in `text`. Errors read "FILE:LINE:COLUMN: what", columns counted in bytes from 1.
llvm::Expected<llvm::json::Value> parseJson(llvm::StringRef text, llvm::StringRef fileName);

/// `value` as an error message quotes it: JSON on one line, long ones cut.
std::string quoteJson(const llvm::json::Value &value);

} // namespace coppice
