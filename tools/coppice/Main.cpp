// coppice: finds the subcommand and hands over.
#include "tools/coppice/Commands.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/raw_ostream.h"
#include <csignal>

static const char kHelp[] =
    R"(coppice - compile a pruned language model into a small native artifact

usage: coppice COMMAND ...

commands:
  compile MODEL_DIR -o FILE    from a Hugging Face folder, and a plan, to an artifact
  inspect FILE                 what is inside an artifact: shapes, bytes, targets, hashes

  coppice COMMAND --help       more about one command
  coppice --version            the version

Run what comes out with coppice-run:
  coppice compile opt-125m --plan cut.json -o opt.coppice
  coppice-run opt.coppice -p "Once upon a time" -n 50
)";

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  // A file-size limit is a write that fails, with a message and nothing left behind.
  std::signal(SIGXFSZ, SIG_IGN);
  llvm::ArrayRef<const char *> arguments(argv + 1, argv + argc);
  if (arguments.empty()) {
    llvm::errs() << kHelp;
    return 2;
  }
  llvm::StringRef command = arguments.front();
  if (command == "compile")
    return coppice::compileMain(arguments.drop_front());
  if (command == "inspect")
    return coppice::inspectMain(arguments.drop_front());
  if (command == "--help" || command == "-h" || command == "help") {
    llvm::outs() << kHelp;
    return 0;
  }
  if (command == "--version") {
    llvm::outs() << "coppice " COPPICE_VERSION "\n";
    return 0;
  }
  llvm::errs() << "error: there is no command '" << command
               << "'; use compile or inspect, or see coppice --help\n";
  return 2;
}
