// Preloaded into a program under test: makes one call of the C library fail, write little, or wait
// to be killed. COPPICE_SHIM is "CALL ACTION", with CALL pwrite, ftruncate, fsync, close or rename
// and ACTION an errno as a number, "short" (pwrite writes one byte to seven), or a path: the file
// is made, and the call does not return. close and rename count for files in COPPICE_SHIM_FOLDER
// only.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

// True if the call must not be made: errno is set. Does not return if the call shall wait.
static int stopped(const char *call, int *shortened) {
  const char *wish = getenv("COPPICE_SHIM");
  size_t length = strlen(call);
  if (!wish || strncmp(wish, call, length) != 0 || wish[length] != ' ')
    return 0;
  const char *action = wish + length + 1;
  if (strcmp(action, "short") == 0) {
    *shortened = 1;
    return 0;
  }
  if (*action == '/') {
    int marker = open(action, O_WRONLY | O_CREAT, 0600);
    (void)marker;
    for (;;)
      pause();
  }
  errno = atoi(action);
  return 1;
}

static int inFolder(const char *path) {
  const char *folder = getenv("COPPICE_SHIM_FOLDER");
  return folder && strncmp(path, folder, strlen(folder)) == 0;
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset) {
  static unsigned calls;
  int shortened = 0;
  if (stopped("pwrite", &shortened))
    return -1;
  if (shortened) {
    if (++calls % 5 == 0) {
      errno = EINTR;
      return -1;
    }
    // Small pieces where they are cheap to count, and some large ones.
    size_t piece = calls % 3 ? 1 + calls % 7 : 4099;
    bytes = bytes < piece ? bytes : piece;
  }
  ssize_t (*real)(int, const void *, size_t, off_t) =
      (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");
  return real(fd, data, bytes, offset);
}
ssize_t pwrite64(int fd, const void *data, size_t bytes, off_t offset) {
  return pwrite(fd, data, bytes, offset);
}

int ftruncate(int fd, off_t length) {
  int ignored;
  if (stopped("ftruncate", &ignored))
    return -1;
  return ((int (*)(int, off_t))dlsym(RTLD_NEXT, "ftruncate"))(fd, length);
}
int ftruncate64(int fd, off_t length) { return ftruncate(fd, length); }

int fsync(int fd) {
  int ignored;
  if (stopped("fsync", &ignored))
    return -1;
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int close(int fd) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  path[length > 0 ? length : 0] = 0;
  int ignored, fails = inFolder(path) && stopped("close", &ignored);
  int error = errno;
  int result = ((int (*)(int))dlsym(RTLD_NEXT, "close"))(fd);
  if (!fails)
    return result;
  errno = error; // the number is free all the same, as Linux has it
  return -1;
}

int rename(const char *from, const char *to) {
  int ignored;
  if (inFolder(to) && stopped("rename", &ignored))
    return -1;
  return ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename"))(from, to);
}
