// See Progress.h.
#include "tools/coppice-bench/Progress.h"
#include "tools/Message.h"
#include <cstdarg>
#include <cstdio>
#include <unistd.h>

static std::string shown; // empty: no line is there

void showProgress(const char *format, ...) {
  static const bool terminal = isatty(STDERR_FILENO);
  if (!terminal)
    return;
  char text[512];
  va_list args;
  va_start(args, format);
  std::vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (shown == text)
    return;
  shown = text;
  std::fprintf(stderr, "\r\033[K%s", coppice::tools::visible(shown).c_str());
}

void clearProgress() {
  if (shown.empty())
    return;
  std::fputs("\r\033[K", stderr);
  shown.clear();
}
