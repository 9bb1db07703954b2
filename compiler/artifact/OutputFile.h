// runtime/files/NewFile.h in LLVM's words: a file that appears whole or not at all, and whose
// errors name it. Destroyed without commit, or on a fatal signal, it leaves nothing.
#pragma once
#include "runtime/files/NewFile.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <string>

namespace coppice {

class OutputFile {
public:
  /// `path` must not exist, or be a regular file, which commit replaces; see NewFile::create.
  static llvm::Expected<std::unique_ptr<OutputFile>> create(llvm::StringRef path);

  /// Writes all of `bytes` at `offset`, growing the file with zeros as needed.
  llvm::Error write(llvm::ArrayRef<uint8_t> bytes, uint64_t offset);
  /// Sets the file's length.
  llvm::Error resize(uint64_t bytes);
  /// Puts the file on disk and in its place. Nothing may be called after it.
  llvm::Error commit();
  /// The same, but in another place of the same file system, where nothing is.
  llvm::Error commitAs(llvm::StringRef place);

private:
  explicit OutputFile(llvm::StringRef path);
  llvm::Error check(const std::string &why) const;

  std::string path; // as the user named it
  NewFile file;
};

} // namespace coppice
