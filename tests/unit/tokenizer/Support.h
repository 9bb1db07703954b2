// What the tokenizer's tests share: a tokenizer from a folder, by way of the compiler, the
// FlatBuffer and the runtime's reader; texts and ids in and out.
#pragma once
#include "compiler/artifact/tokenizer/Tokenizer.h"
#include <memory>
#include <string>
#include <vector>

namespace coppice::tests {

/// The FlatBuffer at 16-byte alignment, as it lies in an artifact, and the tokenizer over it.
class LoadedTokenizer {
public:
  /// Stays without a tokenizer, status() says why, if the buffer is refused.
  explicit LoadedTokenizer(const std::vector<uint8_t> &flatBuffer);
  coppice_status status() const { return result; }
  const coppice_tokenizer &get() const { return tokenizer; }
  coppice_tokenizer &get() { return tokenizer; }

  std::vector<int32_t> encode(llvm::StringRef text,
                              uint32_t flags = COPPICE_ENCODE_ADD_SPECIAL |
                                               COPPICE_ENCODE_PARSE_SPECIAL) const;
  std::string decode(const std::vector<int32_t> &ids, uint32_t flags = 0) const;
  /// The same by a stream, one token a call. Each part must be UTF-8 by itself.
  std::string stream(const std::vector<int32_t> &ids, uint32_t flags = 0) const;

private:
  std::vector<uint64_t> memory;
  coppice_tokenizer tokenizer{};
  coppice_status result;
};

/// Compiles the tokenizer in `folder`; fails the test and returns null if that is an error.
std::unique_ptr<LoadedTokenizer> load(llvm::StringRef folder, int64_t vocabulary = 100000);

/// A new empty folder that goes away with the object.
class Folder {
public:
  Folder();
  ~Folder();
  const std::string &path() const { return name; }
  void write(llvm::StringRef file, llvm::StringRef text) const;

private:
  std::string name;
};

/// The contents of a file; fails the test if there is none.
std::string readFile(llvm::StringRef path);

/// tests/golden/tokenizer/models/NAME, and tests/models/NAME.
std::string goldenModel(llvm::StringRef name);
std::string testModel(llvm::StringRef name);

} // namespace coppice::tests
