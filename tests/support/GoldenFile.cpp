// A reader of its own, so that golden files do not pass through the compiler's.
#include "tests/support/GoldenFile.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cstring>

namespace coppice::test {

template <typename T>
static llvm::Error copyTensor(const llvm::json::Object &header, llvm::StringRef data,
                              llvm::StringRef name, std::vector<T> &out) {
  const llvm::json::Object *entry = header.getObject(name);
  const llvm::json::Array *offsets = entry ? entry->getArray("data_offsets") : nullptr;
  if (!offsets || offsets->size() != 2)
    return llvm::createStringError("the golden file has no tensor '" + name + "'");
  uint64_t begin = *(*offsets)[0].getAsUINT64(), end = *(*offsets)[1].getAsUINT64();
  if (begin > end || end > data.size())
    return llvm::createStringError("the golden file ends before its tensor '" + name + "'");
  out.resize((end - begin) / sizeof(T));
  std::memcpy(out.data(), data.data() + begin, out.size() * sizeof(T));
  return llvm::Error::success();
}

llvm::Expected<GoldenLogits> readGolden(const llvm::Twine &path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer)
    return llvm::createStringError(buffer.getError(), "cannot read " + path);
  llvm::StringRef bytes = (*buffer)->getBuffer();
  uint64_t length = bytes.size() < 8 ? 0 : llvm::support::endian::read64le(bytes.data());
  if (bytes.size() < 8 || length > bytes.size() - 8)
    return llvm::createStringError(path + " is cut short");
  llvm::Expected<llvm::json::Value> header = llvm::json::parse(bytes.substr(8, length));
  if (!header)
    return header.takeError();
  GoldenLogits golden;
  const llvm::json::Object &object = *header->getAsObject();
  llvm::StringRef data = bytes.drop_front(8 + length);
  if (llvm::Error error = copyTensor(object, data, "logits", golden.logits))
    return error;
  if (llvm::Error error = copyTensor(object, data, "tokens", golden.tokens))
    return error;
  golden.vocab = golden.logits.size() / golden.tokens.size();
  return golden;
}

} // namespace coppice::test
