// See Support.h.
#include "tests/unit/hostile/Support.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/ConvertUTF.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>

namespace coppice::hostile {

size_t strideOr(size_t stride) {
  const char *wanted = getenv("COPPICE_HOSTILE"); // NOLINT(concurrency-mt-unsafe)
  return wanted && llvm::StringRef(wanted) == "all" ? 1 : stride;
}

Bytes readTestFile(const std::string &name) {
  auto buffer = llvm::MemoryBuffer::getFile(std::string(COPPICE_TESTS "/") + name);
  if (!buffer) {
    ADD_FAILURE() << name << ": " << buffer.getError().message();
    abort();
  }
  return Bytes((*buffer)->getBuffer().bytes_begin(), (*buffer)->getBuffer().bytes_end());
}

Fenced::Fenced(llvm::ArrayRef<uint8_t> bytes) : size(bytes.size()) {
  constexpr size_t page = 4096;
  size_t body = (size + page - 1) / page * page;
  mapped = body + page;
  mapping =
      static_cast<uint8_t *>(mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (mapping == MAP_FAILED || (body && mprotect(mapping, body, PROT_READ | PROT_WRITE) != 0))
    abort();
  start = mapping + body - size;
  if (size)
    memcpy(start, bytes.data(), size);
}

Fenced::~Fenced() { munmap(mapping, mapped); }

Folder::Folder() {
  llvm::SmallString<128> made;
  if (llvm::sys::fs::createUniqueDirectory("coppice-hostile", made))
    abort();
  root = std::string(made);
}

Folder::~Folder() { (void)llvm::sys::fs::remove_directories(root); }

std::string Folder::path(const std::string &name) const {
  return name.empty() ? root : root + "/" + name;
}

void Folder::write(const std::string &name, llvm::ArrayRef<uint8_t> bytes) const {
  std::error_code code;
  llvm::raw_fd_ostream stream(path(name), code);
  ASSERT_FALSE(code) << code.message();
  stream << llvm::toStringRef(bytes);
}

testing::AssertionResult isOneSentence(const std::string &message) {
  if (message.size() < 10 || message.size() > 3000)
    return testing::AssertionFailure()
           << "a message of " << message.size() << " bytes: " << message;
  const auto *begin = reinterpret_cast<const llvm::UTF8 *>(message.data());
  if (!llvm::isLegalUTF8String(&begin, begin + message.size()))
    return testing::AssertionFailure() << "not UTF-8: " << message;
  for (const char *part : {"assert", "Stack dump", "this is an error in coppice", "<unknown>"})
    if (message.find(part) != std::string::npos)
      return testing::AssertionFailure() << "'" << part << "' in: " << message;
  return testing::AssertionSuccess();
}

Tally::~Tally() {
  testing::Test::RecordProperty("kind", kind);
  testing::Test::RecordProperty("tried", std::to_string(tried));
  testing::Test::RecordProperty("refused", std::to_string(errors));
}

void Tally::refused(const std::string &message, llvm::StringRef part) {
  ++tried;
  ++errors;
  EXPECT_TRUE(isOneSentence(message));
  EXPECT_NE(message.find(part), std::string::npos) << message << " does not hold " << part.str();
}

bool Tally::either(llvm::Error error, llvm::StringRef part) {
  if (!error) {
    taken();
    return true;
  }
  refused(llvm::toString(std::move(error)), part);
  return false;
}

void Tally::mustRefuse(llvm::Error error, const std::string &what, llvm::StringRef part) {
  if (!error) {
    ++tried;
    ADD_FAILURE() << what << " was not refused";
    return;
  }
  refused(llvm::toString(std::move(error)), part);
}

std::string replaced(llvm::StringRef text, llvm::StringRef from, const std::string &to) {
  size_t at = text.find(from);
  EXPECT_NE(at, llvm::StringRef::npos) << from.str() << " is not there";
  return at == llvm::StringRef::npos
             ? text.str()
             : text.take_front(at).str() + to + text.drop_front(at + from.size()).str();
}

} // namespace coppice::hostile
