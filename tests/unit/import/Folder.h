// A model's folder that a test writes: safetensors files, well-formed or not, and text files.
#pragma once
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <string>
#include <vector>

namespace coppice::test {

/// A fresh temporary folder, removed with everything in it.
class Folder {
public:
  Folder();
  ~Folder();
  Folder(const Folder &) = delete;

  std::string path() const { return std::string(directory); }
  std::string path(llvm::StringRef name) const;
  void write(llvm::StringRef name, llvm::StringRef contents) const;

private:
  llvm::SmallString<128> directory;
};

/// Builds a well-formed safetensors file of zeros, tensor by tensor.
class SafetensorsWriter {
public:
  /// Bytes of the data follow from shape and `bytesPerElement`; `fill` is each of them.
  SafetensorsWriter &add(llvm::StringRef name, llvm::ArrayRef<int64_t> shape,
                         llvm::StringRef dtype = "F32", unsigned bytesPerElement = 4,
                         char fill = 0);
  std::string bytes() const;

private:
  std::string header, data;
};

/// 8 bytes of length, header, data: as they are, right or wrong.
std::string safetensorsFile(llvm::StringRef header, llvm::StringRef data);

/// The message of a failed Expected or Error, "" on success.
template <typename T> std::string messageOf(llvm::Expected<T> result) {
  return result ? "" : llvm::toString(result.takeError());
}
inline std::string messageOf(llvm::Error error) { return llvm::toString(std::move(error)); }

} // namespace coppice::test

/// `text` holds `part`; both are shown if not.
#define EXPECT_HOLDS(text, part) EXPECT_PRED2(::coppice::test::holds, text, part)

namespace coppice::test {
inline bool holds(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}
} // namespace coppice::test
