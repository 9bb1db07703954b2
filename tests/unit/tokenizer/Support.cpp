#include "tests/unit/tokenizer/Support.h"
#include "runtime/host/TokenizerTables.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include <cstring>
#include <gtest/gtest.h>

namespace coppice::tests {

LoadedTokenizer::LoadedTokenizer(const std::vector<uint8_t> &flatBuffer)
    : memory(flatBuffer.size() / 8 + 3) {
  auto *begin = reinterpret_cast<uint8_t *>(memory.data());
  begin += (16 - reinterpret_cast<uintptr_t>(begin) % 16) % 16;
  if (!flatBuffer.empty())
    memcpy(begin, flatBuffer.data(), flatBuffer.size());
  result = runtime::readTokenizer(begin, flatBuffer.size(), tokenizer);
}

std::vector<int32_t> LoadedTokenizer::encode(llvm::StringRef text, uint32_t flags) const {
  // Exactly as much scratch as promised, so that sanitizers see a byte too many.
  size_t bytes = coppice_tokenizer_scratch_bytes(&tokenizer, text.size());
  std::unique_ptr<uint8_t[]> scratch(new uint8_t[bytes]);
  size_t count = 0;
  coppice_status status = coppice_tokenizer_encode(&tokenizer, text.data(), text.size(), flags,
                                                   nullptr, 0, &count, scratch.get(), bytes);
  EXPECT_EQ(status, count ? COPPICE_TOO_SMALL : COPPICE_OK);
  std::vector<int32_t> ids(count);
  status = coppice_tokenizer_encode(&tokenizer, text.data(), text.size(), flags, ids.data(),
                                    ids.size(), &count, scratch.get(), bytes);
  EXPECT_EQ(status, COPPICE_OK);
  EXPECT_EQ(count, ids.size());
  return ids;
}

std::string LoadedTokenizer::decode(const std::vector<int32_t> &ids, uint32_t flags) const {
  size_t bytes = 0;
  coppice_status status =
      coppice_tokenizer_decode(&tokenizer, ids.data(), ids.size(), flags, nullptr, 0, &bytes);
  EXPECT_EQ(status, bytes ? COPPICE_TOO_SMALL : COPPICE_OK);
  std::string text(bytes, '\0');
  status = coppice_tokenizer_decode(&tokenizer, ids.data(), ids.size(), flags, text.data(),
                                    text.size(), &bytes);
  EXPECT_EQ(status, COPPICE_OK);
  EXPECT_EQ(bytes, text.size());
  return text;
}

std::string LoadedTokenizer::stream(const std::vector<int32_t> &ids, uint32_t flags) const {
  std::string text, part(coppice_text_stream_capacity(&tokenizer), '\0');
  coppice_text_stream stream;
  coppice_text_stream_begin(&stream, &tokenizer, flags);
  auto take = [&](coppice_status status, size_t bytes) {
    EXPECT_EQ(status, COPPICE_OK);
    EXPECT_TRUE(llvm::json::isUTF8(llvm::StringRef(part.data(), bytes)))
        << "a part is no UTF-8 by itself";
    text.append(part, 0, bytes);
  };
  size_t bytes = 0;
  for (int32_t id : ids) {
    coppice_status status = coppice_text_stream_next(&stream, id, part.data(), part.size(), &bytes);
    take(status, bytes);
  }
  coppice_status status = coppice_text_stream_end(&stream, part.data(), part.size(), &bytes);
  take(status, bytes);
  return text;
}

std::unique_ptr<LoadedTokenizer> load(llvm::StringRef folder, int64_t vocabulary) {
  auto tables = compileTokenizer(folder, vocabulary);
  if (!tables) {
    ADD_FAILURE() << llvm::toString(tables.takeError());
    return nullptr;
  }
  if (!*tables) {
    ADD_FAILURE() << folder.str() << " has no tokenizer";
    return nullptr;
  }
  auto loaded = std::make_unique<LoadedTokenizer>(buildTokenizer(**tables));
  EXPECT_EQ(loaded->status(), COPPICE_OK) << folder.str();
  return loaded->status() == COPPICE_OK ? std::move(loaded) : nullptr;
}

Folder::Folder() {
  llvm::SmallString<128> path;
  std::error_code error = llvm::sys::fs::createUniqueDirectory("coppice-tokenizer", path);
  EXPECT_FALSE(error) << error.message();
  name = path.str().str();
}

Folder::~Folder() { llvm::sys::fs::remove_directories(name); }

void Folder::write(llvm::StringRef file, llvm::StringRef text) const {
  std::error_code error;
  llvm::raw_fd_ostream out(name + "/" + file.str(), error);
  ASSERT_FALSE(error) << error.message();
  out << text;
}

std::string readFile(llvm::StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer) {
    ADD_FAILURE() << path.str() << ": " << buffer.getError().message();
    return "";
  }
  return (*buffer)->getBuffer().str();
}

std::string goldenModel(llvm::StringRef name) {
  return std::string(COPPICE_TESTS "/golden/tokenizer/models/") + name.str();
}

std::string testModel(llvm::StringRef name) {
  return std::string(COPPICE_TESTS "/models/") + name.str();
}

} // namespace coppice::tests
