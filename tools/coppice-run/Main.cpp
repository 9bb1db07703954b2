// coppice-run: run a compiled model on a prompt.
#include "tools/coppice-run/Run.h"

int main(int argc, char **argv) {
  Run run;
  if (int code = parseArguments(argc, argv, run.arguments); code >= 0)
    return code;
  bool done = prepare(run) && (run.arguments.logits.empty() ? prefill(run) : prefillToFile(run)) &&
              generate(run);
  return done ? 0 : 1;
}
