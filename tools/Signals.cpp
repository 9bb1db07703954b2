// See Signals.h. Handlers call async-signal-safe functions only.
#include "tools/Signals.h"
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <initializer_list>
#include <unistd.h>

namespace {
void (*lostCleanUp)();
void (*interruptCleanUp)();
std::atomic_flag failing = ATOMIC_FLAG_INIT;

void say(const char *text, size_t bytes) {
  while (bytes) {
    ssize_t wrote = write(STDERR_FILENO, text, bytes);
    if (wrote <= 0)
      return;
    text += wrote;
    bytes -= size_t(wrote);
  }
}
void say(const char *text) { say(text, std::strlen(text)); }

/// The hexadecimal number at `text`, which is moved behind it.
uintptr_t parseHex(const char *&text) {
  uintptr_t value = 0;
  for (;; ++text) {
    int digit = *text >= '0' && *text <= '9'   ? *text - '0'
                : *text >= 'a' && *text <= 'f' ? *text - 'a' + 10
                                               : -1;
    if (digit < 0)
      return value;
    value = value * 16 + uintptr_t(digit);
  }
}

/// If `line` of /proc/self/maps, "BEGIN-END PERMISSIONS OFFSET DEVICE INODE PATH", covers
/// `address`, its path; else null. An empty path is anonymous memory.
const char *pathAt(const char *line, uintptr_t address) {
  uintptr_t begin = parseHex(line);
  if (*line != '-')
    return nullptr;
  ++line;
  uintptr_t end = parseHex(line);
  if (address < begin || address >= end)
    return nullptr;
  for (int field = 0; field < 4; ++field) {
    line += std::strspn(line, " ");
    line += std::strcspn(line, " ");
  }
  return line + std::strspn(line, " ");
}

/// Prints the path of the file that is mapped at `address`; false if there is none.
bool sayMappedFile(uintptr_t address) {
  int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (maps < 0)
    return false;
  static char line[8192]; // one handler runs at a time; longer lines are cut
  size_t length = 0;
  char c;
  while (read(maps, &c, 1) == 1) {
    if (c != '\n') {
      if (length < sizeof line - 1)
        line[length++] = c;
      continue;
    }
    line[length] = '\0';
    length = 0;
    if (const char *path = pathAt(line, address)) {
      say(path);
      return *path != '\0';
    }
  }
  return false;
}

[[noreturn]] void die(int signal) {
  std::signal(signal, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal);
  pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  raise(signal);
  _exit(128 + signal);
}

void onLostFile(int signal, siginfo_t *info, void *) {
  // Several threads may read the same lost page.
  if (failing.test_and_set())
    for (;;)
      pause();
  if (lostCleanUp)
    lostCleanUp();
  if (info->si_code != BUS_ADRERR)
    die(signal);
  say("error: ");
  if (!sayMappedFile(reinterpret_cast<uintptr_t>(info->si_addr)))
    say("a file");
  say(": bytes that it had when it was opened cannot be read any more: it was cut short meanwhile, "
      "or its disk fails; restore it and try again\n");
  _exit(1);
}

void onInterrupt(int signal) {
  int error = errno;
  interruptCleanUp();
  errno = error;
  die(signal);
}
} // namespace

void coppice::tools::keepStandardNumbers() {
  // The lowest free number is taken first.
  for (int number = 0; number <= STDERR_FILENO; ++number)
    if (fcntl(number, F_GETFD) < 0)
      (void)open("/dev/null", number == STDOUT_FILENO ? O_RDONLY : O_RDWR);
}

void coppice::tools::handleLostFiles(void (*cleanUp)()) {
  lostCleanUp = cleanUp;
  struct sigaction action = {};
  action.sa_sigaction = onLostFile;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, nullptr);
  std::signal(SIGXFSZ, SIG_IGN);
}

void coppice::tools::cleanUpOnInterrupt(void (*cleanUp)()) {
  interruptCleanUp = cleanUp;
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action = {}, before;
    if (sigaction(signal, nullptr, &before) != 0 || before.sa_handler == SIG_IGN)
      continue;
    action.sa_handler = onInterrupt;
    sigaction(signal, &action, nullptr);
  }
}
