// See OutputFile.h.
#include "compiler/artifact/OutputFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Signals.h"
#include <cerrno>
#include <unistd.h>

using namespace coppice;
namespace fs = llvm::sys::fs;

static llvm::Error cannotWrite(llvm::StringRef path, const llvm::Twine &why) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                 "cannot write '" + path + "': " + why);
}

llvm::Error OutputFile::failure(const char *what, int error) const {
  const char *hint = error == ENOSPC || error == EDQUOT ? "; free space there, or write elsewhere"
                     : error == EFBIG ? "; the file system or a limit (ulimit -f) forbids files of "
                                        "this size: write elsewhere"
                                      : "";
  return cannotWrite(path, llvm::Twine(what) +
                               " failed: " + std::generic_category().message(error) + hint);
}

llvm::Expected<std::unique_ptr<OutputFile>> OutputFile::create(llvm::StringRef path) {
  // The rename must replace the file, not a link to it, and never a device or a pipe.
  llvm::SmallString<128> target(path);
  fs::file_status status;
  if (!fs::status(path, status)) {
    if (status.type() != fs::file_type::regular_file)
      return cannotWrite(path, fs::is_directory(status)
                                   ? "it is a folder; name a file in it"
                                   : "it is not a regular file; an artifact is written beside its "
                                     "place and renamed");
    if (std::error_code error = fs::real_path(path, target))
      return cannotWrite(path, error.message());
  }
  std::unique_ptr<OutputFile> file(new OutputFile(path, target));
  std::error_code error;
  for (int attempt = 0; attempt < 100; ++attempt) {
    fs::createUniquePath(target + ".tmp-%%%%%%%%", file->temporary, /*MakeAbsolute=*/false);
    // Before it exists, so that no signal finds it unknown.
    llvm::sys::RemoveFileOnSignal(file->temporary);
    error = fs::openFileForWrite(file->temporary, file->fd, fs::CD_CreateNew, fs::OF_None, 0644);
    if (!error)
      break;
    llvm::sys::DontRemoveFileOnSignal(file->temporary);
    file->fd = -1;
    if (error != std::errc::file_exists)
      break;
  }
  if (error) {
    file->temporary.clear();
    llvm::StringRef folder = llvm::sys::path::parent_path(target);
    return cannotWrite(path, "no file can be made in '" + (folder.empty() ? "." : folder) +
                                 "': " + error.message());
  }
  return std::move(file);
}

OutputFile::~OutputFile() {
  if (fd >= 0)
    ::close(fd);
  if (!temporary.empty()) {
    ::unlink(temporary.c_str());
    llvm::sys::DontRemoveFileOnSignal(temporary);
  }
}

llvm::Error OutputFile::write(llvm::ArrayRef<uint8_t> bytes, uint64_t offset) {
  while (!bytes.empty()) {
    ssize_t wrote = ::pwrite(fd, bytes.data(), bytes.size(), off_t(offset));
    if (wrote < 0 && errno == EINTR)
      continue;
    if (wrote <= 0)
      return failure("writing", wrote ? errno : ENOSPC);
    bytes = bytes.drop_front(size_t(wrote));
    offset += uint64_t(wrote);
  }
  return llvm::Error::success();
}

llvm::Error OutputFile::resize(uint64_t bytes) {
  if (::ftruncate(fd, off_t(bytes)))
    return failure("growing the file", errno);
  return llvm::Error::success();
}

llvm::Error OutputFile::commit() {
  // EINVAL: a file system that has nothing to sync to.
  if (::fsync(fd) && errno != EINVAL)
    return failure("syncing", errno);
  int closed = ::close(fd);
  fd = -1;
  if (closed)
    return failure("closing", errno);
  if (std::error_code error = fs::rename(temporary, target))
    return failure("renaming", error.value());
  llvm::sys::DontRemoveFileOnSignal(temporary);
  temporary.clear();
  return llvm::Error::success();
}

llvm::Error OutputFile::commitAs(llvm::StringRef place) {
  path = target = place.str();
  return commit();
}
