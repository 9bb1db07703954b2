// A file that appears whole or not at all: written under a temporary name in the same folder,
// synced, renamed. Destroyed without commit, or on a fatal signal, it leaves nothing.
#pragma once
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <string>

namespace coppice {

class OutputFile {
public:
  /// `path` must not exist, or be a regular file, which commit replaces. Mode 0644 less the umask.
  static llvm::Expected<std::unique_ptr<OutputFile>> create(llvm::StringRef path);
  ~OutputFile();

  /// Writes all of `bytes` at `offset`, growing the file with zeros as needed.
  llvm::Error write(llvm::ArrayRef<uint8_t> bytes, uint64_t offset);
  /// Sets the file's length.
  llvm::Error resize(uint64_t bytes);
  /// Puts the file on disk and in its place. Nothing may be called after it.
  llvm::Error commit();
  /// The same, but in another place of the same file system, where nothing is.
  llvm::Error commitAs(llvm::StringRef place);

private:
  OutputFile(llvm::StringRef path, llvm::StringRef target) : path(path), target(target) {}
  llvm::Error failure(const char *what, int error) const;

  std::string path;                 // as the user named it
  std::string target;               // the same without symbolic links
  llvm::SmallString<128> temporary; // empty once the file is in its place
  int fd = -1;
};

} // namespace coppice
