// A file that appears whole or not at all: written under a temporary name beside its place, synced,
// renamed. Every tool writes its results so; no LLVM, because coppice-run has none. Errors are ends
// of sentences ("it is a folder; name a file in it"), and an empty string is success.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace coppice {

class NewFile {
public:
  /// What is told of temporary names, so that a signal's handler can remove the file. `begin` comes
  /// before the file exists. Either may be null.
  struct Watch {
    void (*begin)(const char *temporary);
    void (*end)(const char *temporary);
  };

  explicit NewFile(Watch watch = {nullptr, nullptr}) : watch(watch) {}
  /// Leaves nothing behind if there was no commit.
  ~NewFile();
  NewFile(const NewFile &) = delete;
  NewFile &operator=(const NewFile &) = delete;

  /// `path` must not exist, or be a regular file, or a link to one, which commit replaces: never a
  /// device, a pipe or the link itself. Mode 0644 less the umask, or that of the file replaced.
  std::string create(const std::string &path);
  /// Writes all of `bytes` at `offset`, growing the file with zeros as needed.
  std::string write(const void *data, size_t bytes, uint64_t offset);
  /// Sets the file's length.
  std::string resize(uint64_t bytes);
  /// Puts the file on disk and in its place. Nothing may be called after it.
  std::string commit();
  /// The same, but in another place of the same file system, where nothing is.
  std::string commitAs(const std::string &place);

private:
  Watch watch;
  std::string target;    // the place without symbolic links
  std::string temporary; // empty once the file is in its place
  int descriptor = -1;
};

/// True if both paths lead to one file, or would once it is made: links, "./" and other spellings
/// do not matter.
bool isSameFile(const std::string &a, const std::string &b);

} // namespace coppice
