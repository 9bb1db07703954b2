// See NewFile.h. POSIX calls only.
#include "runtime/files/NewFile.h"
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

std::string textOf(int error) {
  char buffer[256];
  const char *text = strerror_r(error, buffer, sizeof buffer);
  return text;
}

std::string failure(const char *what, int error) {
  const char *hint = error == ENOSPC || error == EDQUOT ? "; free space there, or write elsewhere"
                     : error == EFBIG ? "; the file system or a limit (ulimit -f) forbids files of "
                                        "this size: write elsewhere"
                                      : "";
  return std::string(what) + " failed: " + textOf(error) + hint;
}

/// `path` without links and dots; empty if it does not exist.
std::string resolve(const std::string &path) {
  char *resolved = realpath(path.c_str(), nullptr);
  std::string result = resolved ? resolved : "";
  std::free(resolved);
  return result;
}

std::string folderOf(const std::string &path) {
  size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

std::string cannotMake(const std::string &folder, int error) {
  struct stat status;
  std::string why = "no file can be made in '" + folder + "': " + textOf(error);
  if (error == ENOENT && stat(folder.c_str(), &status) != 0)
    why += "; create the folder first: mkdir -p '" + folder + "'";
  return why;
}

} // namespace

std::string coppice::NewFile::create(const std::string &path) {
  target = path;
  mode_t mode = 0;
  struct stat status;
  if (stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode))
      return "it is a folder; name a file in it";
    if (!S_ISREG(status.st_mode))
      return "it is not a regular file; results are written beside their place and renamed";
    target = resolve(path);
    if (target.empty())
      return textOf(errno);
    mode = status.st_mode & 0777;
  } else if (lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode)) {
    return "it is a symbolic link to a file that is not there; remove the link, or name the file";
  }
  // Another process's leftover may lie there: the next number is as good.
  static std::atomic<unsigned> count{0};
  for (int attempt = 0; attempt < 100; ++attempt) {
    temporary = target + ".tmp-" + std::to_string(getpid()) + "-" + std::to_string(count++);
    if (watch.begin)
      watch.begin(temporary.c_str());
    descriptor = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (descriptor >= 0) {
      if (mode)
        (void)fchmod(descriptor, mode); // some file systems have no modes
      return "";
    }
    int error = errno;
    if (watch.end)
      watch.end(temporary.c_str());
    temporary.clear();
    if (error != EEXIST)
      return cannotMake(folderOf(target), error);
  }
  return cannotMake(folderOf(target), EEXIST);
}

coppice::NewFile::~NewFile() {
  if (descriptor >= 0)
    close(descriptor);
  if (temporary.empty())
    return;
  unlink(temporary.c_str());
  if (watch.end)
    watch.end(temporary.c_str());
}

std::string coppice::NewFile::write(const void *data, size_t bytes, uint64_t offset) {
  auto *next = static_cast<const char *>(data);
  while (bytes) {
    ssize_t wrote = pwrite(descriptor, next, bytes, off_t(offset));
    if (wrote < 0 && errno == EINTR)
      continue;
    if (wrote <= 0)
      return failure("writing", wrote ? errno : ENOSPC);
    next += wrote;
    bytes -= size_t(wrote);
    offset += uint64_t(wrote);
  }
  return "";
}

std::string coppice::NewFile::resize(uint64_t bytes) {
  return ftruncate(descriptor, off_t(bytes)) ? failure("growing the file", errno) : "";
}

std::string coppice::NewFile::commit() {
  // EINVAL: a file system that has nothing to sync to.
  if (fsync(descriptor) && errno != EINVAL)
    return failure("syncing", errno);
  int closed = close(descriptor);
  descriptor = -1;
  if (closed)
    return failure("closing", errno);
  if (rename(temporary.c_str(), target.c_str()))
    return failure("renaming", errno);
  if (watch.end)
    watch.end(temporary.c_str());
  temporary.clear();
  return "";
}

std::string coppice::NewFile::commitAs(const std::string &place) {
  target = place;
  return commit();
}

bool coppice::isSameFile(const std::string &a, const std::string &b) {
  struct stat first, second;
  bool hasFirst = stat(a.c_str(), &first) == 0, hasSecond = stat(b.c_str(), &second) == 0;
  if (hasFirst && hasSecond)
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
  if (hasFirst || hasSecond)
    return false;
  auto place = [](const std::string &path) {
    std::string folder = resolve(folderOf(path));
    return folder.empty() ? path : folder + "/" + path.substr(path.rfind('/') + 1);
  };
  return place(a) == place(b);
}
