// coppice calibrate: arguments to calibrate, progress on a terminal, one line at the end.
#include "compiler/calibration/Calibrate.h"
#include "tools/Message.h"
#include "tools/Suggest.h"
#include "tools/coppice/Commands.h"
#include "tools/coppice/Inputs.h"
#include "tools/coppice/Progress.h"
#include "llvm/Support/Process.h"

static const char kHelp[] =
    R"(coppice calibrate - from text, how much each input of each matrix matters

usage: coppice calibrate MODEL_DIR --text FILE -o STATS [options]

Runs the checkpoint, in its own precision and on this machine, over a text such as it is meant for,
and writes the mean square of what every matrix is multiplied with. coppice compile --calibration
weighs the errors of i8 and i4 weights by it. The text is UTF-8, at least 256 tokens; it is cut into
pieces of the model's context (2048 tokens at most), each begun as a text. The same call gives the
same bytes, on any machine and any number of threads. Needs room for a compiled copy of the
checkpoint beside STATS while it runs.

options:
  --text FILE    the text
  -o STATS       where the statistics go, a safetensors file
  --tokens N     take the first N tokens of the text at most (default 32768)
  --plan PLAN    measure the masked model, for artifacts that are cut by the same plan
  --threads T    threads to run with; never changes the result
  --quiet        no summary, no progress

examples (opt-125m stands for a folder as Hugging Face has it; tests/models/opt-icl is one):
  coppice calibrate opt-125m --text text.txt -o stats.safetensors
      all of a text that is no longer than 32768 tokens
  coppice compile opt-125m --weights i4 --calibration stats.safetensors -o opt.coppice
      4-bit weights that are exact where it matters
  coppice calibrate opt-125m --text text.txt --plan cut.json --tokens 1024 -o cut-stats.safetensors
      of what the plan leaves, and quickly

exit code: 0 success, 1 an error in the input (nothing is left then), 2 a wrong call
)";

static int wrongCall(const llvm::Twine &message) {
  llvm::errs() << "error: " << coppice::tools::visible(message.str())
               << "\nsee coppice calibrate --help\n";
  return 2;
}

int coppice::calibrateMain(llvm::ArrayRef<const char *> arguments) {
  CalibrateOptions options;
  std::string tokens, threads;
  bool quiet = false;
  struct {
    llvm::StringRef name, joined;
    std::string *value;
  } values[] = {{"--text", "--text=", &options.text},
                {"-o", "", &options.output},
                {"--tokens", "--tokens=", &tokens},
                {"--plan", "--plan=", &options.plan},
                {"--threads", "--threads=", &threads}};
  for (size_t i = 0; i < arguments.size(); ++i) {
    llvm::StringRef argument = arguments[i];
    if (argument == "--help" || argument == "-h") {
      llvm::outs() << kHelp;
      return 0;
    }
    if (argument == "--quiet") {
      quiet = true;
      continue;
    }
    if (argument.starts_with("--quiet="))
      return wrongCall("--quiet takes no value");
    auto *option = llvm::find_if(values, [&](const auto &value) {
      return argument == value.name ||
             (!value.joined.empty() && argument.starts_with(value.joined));
    });
    if (option == std::end(values)) {
      if (argument.starts_with("-") && argument.size() > 1)
        return wrongCall("there is no option " + tools::abridged(argument.str()) +
                         tools::didYouMean(argument.str(), {"--text", "--tokens", "--plan",
                                                            "--threads", "--quiet", "--help"}));
      if (!options.modelDir.empty())
        return wrongCall("one model folder at a time, not also '" +
                         tools::abridged(argument.str()) + "'");
      options.modelDir = argument.str();
      continue;
    }
    if (!option->value->empty())
      return wrongCall(option->name + " is given twice");
    if (argument != option->name)
      *option->value = argument.drop_front(option->joined.size()).str();
    else if (i + 1 < arguments.size())
      *option->value = arguments[++i];
    if (option->value->empty())
      return wrongCall(option->name + " needs a value");
  }
  if (options.modelDir.empty())
    return wrongCall("name the folder of the model");
  if (options.text.empty())
    return wrongCall("say with --text FILE what to run the model on");
  if (options.output.empty())
    return wrongCall("say with -o STATS where the statistics go");
  if (options.output == "-")
    return wrongCall("statistics do not go to standard output; name a file with -o");
  if (!tokens.empty() && (llvm::StringRef(tokens).getAsInteger(10, options.tokens) ||
                          options.tokens < kLeastCalibrationTokens))
    return wrongCall("--tokens takes a number from " + llvm::Twine(kLeastCalibrationTokens) +
                     " on, not '" + tools::abridged(tokens) + "'");
  if (!threads.empty() && (llvm::StringRef(threads).getAsInteger(10, options.threads) ||
                           options.threads == 0 || options.threads > 1024))
    return wrongCall("--threads takes 1 to 1024, not '" + tools::abridged(threads) + "'");

  llvm::Expected<CalibrateResult> result = [&]() -> llvm::Expected<CalibrateResult> {
    if (llvm::Error error = checkOutput(options.output, options.modelDir,
                                        {options.text, options.plan}, "calibration"))
      return std::move(error);
    ProgressLine line;
    if (!quiet && llvm::sys::Process::StandardErrIsDisplayed())
      options.progress = [&](llvm::StringRef what, double done) { line.show(what, done); };
    return calibrate(options);
  }();
  if (!result) {
    llvm::errs() << "error: " << tools::visible(llvm::toString(result.takeError())) << '\n';
    return 1;
  }
  if (!quiet)
    llvm::errs() << options.output << ": " << result->tensors << " tensors, over " << result->tokens
                 << " of " << result->textTokens << " tokens\n";
  return 0;
}
