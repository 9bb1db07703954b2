// coppice synth: arguments to synthesize, progress on a terminal, one line at the end.
#include "compiler/synth/Synth.h"
#include "tools/Message.h"
#include "tools/Suggest.h"
#include "tools/coppice/Commands.h"
#include "tools/coppice/Progress.h"
#include "llvm/Support/Process.h"

static const char kHelp[] =
    R"(coppice synth - a checkpoint of any shape with random weights, to measure with

usage: coppice synth --shape SHAPE -o DIR [options]

Writes DIR/config.json and DIR/model.safetensors, which coppice compile takes as it takes a trained
model. How fast a model runs depends on its shape and not on its weights, so none need be fetched.
The same call gives the same bytes, on any machine.

options:
  --shape SHAPE  llama-1.1b, opt-1.3b, or the path of any config.json that coppice compile reads
  -o DIR         the folder to make; it must not be there yet
  --dtype TYPE   how the weights are stored: f32, f16 (default) or bf16
  --seed N       other weights for other numbers (default 0)
  --quiet        no summary, no progress

examples (opt-125m stands for a folder as Hugging Face has it; tests/models/opt-icl is one):
  coppice synth --shape opt-125m/config.json -o random --seed 7 --dtype bf16
      random weights in the shape of a model at hand
  coppice compile random -o random.coppice
      compiled as any other
  coppice-bench random.coppice --prompt 16 --decode 8
      and measured; for a large model: coppice synth --shape llama-1.1b -o llama (2.2 GB)

exit code: 0 success, 1 an error in the input (nothing is left then), 2 a wrong call
)";

static int wrongCall(const llvm::Twine &message) {
  llvm::errs() << "error: " << coppice::tools::visible(message.str())
               << "\nsee coppice synth --help\n";
  return 2;
}

int coppice::synthMain(llvm::ArrayRef<const char *> arguments) {
  SynthOptions options;
  std::string dtype, seed;
  bool quiet = false;
  struct {
    llvm::StringRef name, joined;
    std::string *value;
  } values[] = {{"--shape", "--shape=", &options.shape},
                {"-o", "", &options.output},
                {"--dtype", "--dtype=", &dtype},
                {"--seed", "--seed=", &seed}};
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
    if (option == std::end(values))
      return wrongCall(argument.starts_with("-")
                           ? "there is no option " + tools::abridged(argument.str()) +
                                 tools::didYouMean(argument.str(), {"--shape", "--dtype", "--seed",
                                                                    "--quiet", "--help"})
                           : "'" + tools::abridged(argument.str()) +
                                 "' belongs to no option; the shape is named by --shape");
    if (!option->value->empty())
      return wrongCall(option->name + " is given twice");
    if (argument != option->name)
      *option->value = argument.drop_front(option->joined.size()).str();
    else if (i + 1 < arguments.size())
      *option->value = arguments[++i];
    if (option->value->empty())
      return wrongCall(option->name + " needs a value");
  }
  if (options.shape.empty())
    return wrongCall("say with --shape what to make: llama-1.1b, opt-1.3b, or a config.json");
  if (options.output.empty())
    return wrongCall("say with -o DIR where the checkpoint goes");
  if (options.output == "-")
    return wrongCall(
        "a checkpoint is a folder and does not go to standard output; name one with -o");
  if (dtype == "f32")
    options.dtype = DType::F32;
  else if (dtype == "bf16")
    options.dtype = DType::BF16;
  else if (!dtype.empty() && dtype != "f16")
    return wrongCall("--dtype takes f32, f16 or bf16, not '" + tools::abridged(dtype) + "'");
  if (!seed.empty() && llvm::StringRef(seed).getAsInteger(10, options.seed))
    return wrongCall("--seed takes a number from 0 to 2^64 - 1, not '" + tools::abridged(seed) +
                     "'");

  llvm::Expected<SynthResult> result = [&] {
    ProgressLine line;
    if (!quiet && llvm::sys::Process::StandardErrIsDisplayed())
      options.progress = [&](double done) { line.show("weights", done); };
    return synthesize(options);
  }();
  if (!result) {
    llvm::errs() << "error: " << tools::visible(llvm::toString(result.takeError())) << '\n';
    return 1;
  }
  if (!quiet)
    llvm::errs() << options.output << ": " << humanBytes(result->bytes) << ", "
                 << result->parameters << " parameters of random weights\n";
  return 0;
}
