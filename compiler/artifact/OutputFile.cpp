// See OutputFile.h.
#include "compiler/artifact/OutputFile.h"
#include "llvm/Support/Signals.h"

using namespace coppice;

// LLVM's handlers remove the files that they know.
static void watch(const char *temporary) { llvm::sys::RemoveFileOnSignal(temporary); }
static void forget(const char *temporary) { llvm::sys::DontRemoveFileOnSignal(temporary); }

OutputFile::OutputFile(llvm::StringRef path) : path(path), file({watch, forget}) {}

llvm::Error OutputFile::check(const std::string &why) const {
  if (why.empty())
    return llvm::Error::success();
  return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                 "cannot write '" + path + "': " + why);
}

llvm::Expected<std::unique_ptr<OutputFile>> OutputFile::create(llvm::StringRef path) {
  std::unique_ptr<OutputFile> output(new OutputFile(path));
  if (llvm::Error error = output->check(output->file.create(output->path)))
    return std::move(error);
  return std::move(output);
}

llvm::Error OutputFile::write(llvm::ArrayRef<uint8_t> bytes, uint64_t offset) {
  return check(file.write(bytes.data(), bytes.size(), offset));
}

llvm::Error OutputFile::resize(uint64_t bytes) { return check(file.resize(bytes)); }

llvm::Error OutputFile::commit() { return check(file.commit()); }

llvm::Error OutputFile::commitAs(llvm::StringRef place) {
  path = place.str();
  return check(file.commitAs(path));
}
