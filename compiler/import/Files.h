// Input files: opened only if they are regular files, mapped, and dropped from memory by range.
#pragma once
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include <cstdint>
#include <string>

namespace coppice {

/// Larger JSON files are refused; a tokenizer of 256,000 tokens has about 35 MB.
constexpr uint64_t maxJsonFileBytes = uint64_t(256) << 20;

/// True if something is at `path`, whatever it is, a link that leads nowhere too, or if the system
/// does not let us know (a folder that may not be entered): who opens it then gets the reason.
bool fileExists(const llvm::Twine &path);

/// DIRECTORY/NAME.
std::string joinPath(llvm::StringRef directory, llvm::StringRef name);

/// A whole file, mapped read-only and private. Empty files have empty `bytes`.
class MappedFile {
public:
  /// Errors name the path: missing, a directory, not a regular file, unreadable.
  static llvm::Expected<MappedFile> open(llvm::StringRef path);

  llvm::StringRef path() const { return name; }
  /// Valid as long as this object or one it is moved to.
  llvm::ArrayRef<uint8_t> bytes() const;
  /// Tells the system that the pages which `range`, a part of bytes(), touches are not needed soon.
  /// They are read again from the file when they are touched.
  void drop(llvm::ArrayRef<uint8_t> range) const;

private:
  std::string name;
  llvm::sys::fs::mapped_file_region region;
};

/// The text of a file that may be a pipe, and that has at most `limit` bytes: larger ones, and
/// those that never end, are refused. Errors name the path.
llvm::Expected<std::string> readTextFile(llvm::StringRef path, uint64_t limit);

/// Reads and parses a JSON file of at most maxJsonFileBytes, guarded as in Json.h.
llvm::Expected<llvm::json::Value> readJsonFile(llvm::StringRef path);

} // namespace coppice
