// coppice: finds the subcommand and hands over.
#include "tools/Message.h"
#include "tools/Signals.h"
#include "tools/Suggest.h"
#include "tools/coppice/Commands.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

static const char kHelp[] =
    R"(coppice - compile a pruned language model into a small native artifact

usage: coppice COMMAND ...

commands:
  compile MODEL_DIR -o FILE    from a Hugging Face folder, and a plan, to an artifact
  inspect FILE                 what is inside an artifact: shapes, bytes, targets, hashes
  calibrate MODEL_DIR --text FILE -o STATS
                               from text, what of a matrix matters, for i8 and i4 weights
  synth --shape SHAPE -o DIR   a checkpoint of any shape with random weights, to measure with

  coppice COMMAND --help       more about one command
  coppice --version            the version

examples:
  coppice compile opt-125m --plan cut.json -o opt.coppice
  coppice inspect opt.coppice
  coppice-run opt.coppice -p "Once upon a time" -n 50
      opt-125m stands for a folder as Hugging Face has it; tests/models/opt-icl is one to try.
      coppice-run and coppice-bench run what was compiled, and need no compiler
)";

static int run(llvm::ArrayRef<const char *> arguments) {
  if (arguments.empty()) {
    llvm::errs() << kHelp;
    return 2;
  }
  llvm::StringRef command = arguments.front();
  if (command == "compile")
    return coppice::compileMain(arguments.drop_front());
  if (command == "inspect")
    return coppice::inspectMain(arguments.drop_front());
  if (command == "calibrate")
    return coppice::calibrateMain(arguments.drop_front());
  if (command == "synth")
    return coppice::synthMain(arguments.drop_front());
  if (command == "--help" || command == "-h" || command == "help") {
    llvm::outs() << kHelp;
    return 0;
  }
  if (command == "--version") {
    llvm::outs() << "coppice " COPPICE_VERSION "\n";
    return 0;
  }
  if (command == "run" || command == "bench") {
    llvm::errs() << "error: there is no command '" << command << "'; it is a program of its own: "
                 << "coppice-" << command << " --help\n";
    return 2;
  }
  std::string near =
      coppice::tools::didYouMean(command.str(), {"compile", "inspect", "calibrate", "synth"});
  llvm::errs() << "error: there is no command '"
               << coppice::tools::visible(coppice::tools::abridged(command.str())) << "'"
               << (near.empty() ? "; use compile, inspect, calibrate or synth" : near)
               << "\nsee coppice --help\n";
  return 2;
}

int main(int argc, char **argv) {
  coppice::tools::keepStandardNumbers();
  llvm::InitLLVM init(argc, argv);
  // LLVM's own handlers remove what is half-written on SIGINT and the like; this one comes after
  // them, because theirs for SIGBUS prints a stack trace.
  coppice::tools::handleLostFiles(llvm::sys::RunInterruptHandlers);
  int code = run(llvm::ArrayRef<const char *>(argv + 1, argv + argc));
  llvm::outs().flush();
  if (llvm::outs().has_error()) {
    llvm::errs() << "error: cannot write to standard output: " << llvm::outs().error().message()
                 << '\n';
    llvm::outs().clear_error();
    code = code ? code : 1;
  }
  return code;
}
