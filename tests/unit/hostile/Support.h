// Input sweeps in one process: thousands of damaged inputs, each of which must be refused by one
// sentence, or be a sound input of its own.
//
// COPPICE_HOSTILE=all tries every case; without it, where all would take long, evenly spread ones.
// Counts go into the test's report (GoogleTest's JSON), where tests/hostile/run.py reads them.
#pragma once
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace coppice::hostile {

using Bytes = std::vector<uint8_t>;

/// Every case (COPPICE_HOSTILE=all), or every `stride`-th.
size_t strideOr(size_t stride);

/// A file of the tests folder, which must be there.
Bytes readTestFile(const std::string &name);

/// Read-only memory with exactly these bytes, which end at a page that may not be touched: a read
/// past the end ends the test program.
class Fenced {
public:
  explicit Fenced(llvm::ArrayRef<uint8_t> bytes);
  ~Fenced();
  Fenced(const Fenced &) = delete;
  Fenced &operator=(const Fenced &) = delete;
  llvm::ArrayRef<uint8_t> bytes() const { return {start, size}; }
  llvm::StringRef text() const { return {reinterpret_cast<const char *>(start), size}; }
  /// The bytes, for changes in place.
  uint8_t *data() { return start; }

private:
  uint8_t *mapping, *start;
  size_t mapped, size;
};

/// A folder that goes with the object.
class Folder {
public:
  Folder();
  ~Folder();
  Folder(const Folder &) = delete;
  Folder &operator=(const Folder &) = delete;
  std::string path(const std::string &name = "") const;
  void write(const std::string &name, llvm::ArrayRef<uint8_t> bytes) const;

private:
  std::string root;
};

/// Counts the cases of one test and checks what they say.
class Tally {
public:
  /// `kind`: what is tried, as the page says it: "bit flips", "lengths", "cuts".
  explicit Tally(const char *kind) : kind(kind) {}
  ~Tally();
  Tally(const Tally &) = delete;
  Tally &operator=(const Tally &) = delete;

  /// A case that was refused: `message` must be one sentence, and hold `part`.
  void refused(const std::string &message, llvm::StringRef part = "");
  /// A case that was taken, and may be.
  void taken() { ++tried; }
  /// A refusal if there is an error, else taken. True if taken.
  bool either(llvm::Error error, llvm::StringRef part = "");
  /// A refusal; a case without an error fails the test.
  void mustRefuse(llvm::Error error, const std::string &what, llvm::StringRef part = "");

  uint64_t count() const { return tried; }

private:
  const char *kind;
  uint64_t tried = 0, errors = 0;
};

/// One line of readable text that ends as a sentence may.
testing::AssertionResult isOneSentence(const std::string &message);

/// `text` with the first `from` replaced.
std::string replaced(llvm::StringRef text, llvm::StringRef from, const std::string &to);

inline llvm::ArrayRef<uint8_t> asBytes(llvm::StringRef text) {
  return {text.bytes_begin(), text.bytes_end()};
}

} // namespace coppice::hostile
