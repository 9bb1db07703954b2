// coppice-run: run a compiled model on a prompt.
#include "tools/Signals.h"
#include "tools/coppice-run/Run.h"
#include <cstdio>

int main(int argc, char **argv) {
  coppice::tools::keepStandardNumbers();
  coppice::tools::handleLostFiles(removePartialFile);
  coppice::tools::cleanUpOnInterrupt(removePartialFile);
  Run run;
  if (int code = parseArguments(argc, argv, run.arguments); code >= 0) {
    if (std::fflush(stdout) == 0 && !std::ferror(stdout))
      return code;
    report("cannot write to standard output");
    return code ? code : 1;
  }
  bool done = prepare(run) && (run.arguments.logits.empty() ? prefill(run) : prefillToFile(run)) &&
              generate(run);
  return done ? 0 : 1;
}
