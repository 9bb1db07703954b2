// What subcommands that take long show on a terminal, and how they write sizes.
#pragma once
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <string>

namespace coppice {

/// Redraws one line of standard error, and clears it when done.
class ProgressLine {
public:
  void show(llvm::StringRef what, double done) {
    int percent = int(done * 100);
    if (what == phase && percent == shown)
      return;
    phase = what.str();
    shown = percent;
    llvm::errs() << "\r\033[K" << what << ' ' << percent << '%';
  }
  ~ProgressLine() {
    if (shown >= 0)
      llvm::errs() << "\r\033[K";
  }

private:
  std::string phase;
  int shown = -1;
};

inline std::string humanBytes(uint64_t bytes) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (bytes < 10000)
    stream << bytes << " bytes";
  else if (bytes < 10000000)
    stream << llvm::format("%.1f KB", bytes / 1e3);
  else if (bytes < 10000000000)
    stream << llvm::format("%.1f MB", bytes / 1e6);
  else
    stream << llvm::format("%.1f GB", bytes / 1e9);
  return text;
}

} // namespace coppice
