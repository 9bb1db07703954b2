// coppice inspect: arguments to inspectArtifact.
#include "compiler/artifact/Inspect.h"
#include "tools/coppice/Commands.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

static const char kHelp[] =
    R"(coppice inspect - what is inside an artifact

usage: coppice inspect FILE [--json]

Verifies the whole file, then prints its model, target, memory plan, hashes, bytes by part, and what
each layer keeps. The artifact need not be for this machine.

  --json    for programs, one object; docs/inspect-json.md says what is in it

example:
  coppice inspect opt.coppice
)";

static int wrongCall(const llvm::Twine &message) {
  llvm::errs() << "error: " << message << "\nsee coppice inspect --help\n";
  return 2;
}

int coppice::inspectMain(llvm::ArrayRef<const char *> arguments) {
  bool json = false, options = true;
  const char *path = nullptr;
  for (llvm::StringRef argument : arguments) {
    if (options && (argument == "--help" || argument == "-h")) {
      llvm::outs() << kHelp;
      return 0;
    }
    if (options && argument == "--") {
      options = false;
    } else if (options && argument == "--json") {
      json = true;
    } else if (options && argument.starts_with("-") && argument.size() > 1) {
      return wrongCall("there is no option '" + argument + "'");
    } else if (path) {
      return wrongCall("one artifact at a time: '" + llvm::Twine(path) + "' and '" + argument +
                       "' were given");
    } else {
      path = argument.data();
    }
  }
  if (!path)
    return wrongCall("name an artifact: coppice inspect FILE");
  if (llvm::Error error = inspectArtifact(path, json, llvm::outs())) {
    llvm::errs() << "error: " << llvm::toString(std::move(error)) << '\n';
    return 1;
  }
  return 0;
}
