// coppice compile: options to CompileOptions, progress on a terminal, one line at the end.
#include "compiler/pipeline/Compile.h"
#include "compiler/codegen/Target.h"
#include "compiler/passes/pack/WeightChoice.h"
#include "runtime/files/NewFile.h"
#include "tools/Message.h"
#include "tools/coppice/Commands.h"
#include "tools/coppice/Inputs.h"
#include "tools/coppice/Progress.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Option/ArgList.h"
#include "llvm/Option/OptTable.h"
#include "llvm/Option/Option.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

namespace coppice {
namespace {

using namespace llvm::opt; // what TableGen writes names them bare

#define OPTTABLE_STR_TABLE_CODE
#include "tools/coppice/CompileOpts.inc"
#undef OPTTABLE_STR_TABLE_CODE

enum ID {
  OPT_INVALID = 0,
#define OPTION(...) LLVM_MAKE_OPT_ID(__VA_ARGS__),
#include "tools/coppice/CompileOpts.inc"
#undef OPTION
};

#define PREFIX(NAME, VALUE)                                                                        \
  constexpr llvm::StringLiteral NAME##_init[] = VALUE;                                             \
  constexpr llvm::ArrayRef<llvm::StringLiteral> NAME(NAME##_init, std::size(NAME##_init) - 1);
#include "tools/coppice/CompileOpts.inc"
#undef PREFIX

constexpr llvm::opt::OptTable::Info kOptions[] = {
#define OPTION(...) LLVM_CONSTRUCT_OPT_INFO(__VA_ARGS__),
#include "tools/coppice/CompileOpts.inc"
#undef OPTION
};

class CompileOptTable : public llvm::opt::GenericOptTable {
public:
  CompileOptTable() : GenericOptTable(kOptions) {}
};

const char kIntroduction[] =
    R"(coppice compile - a checkpoint and a pruning plan into a native artifact

usage: coppice compile MODEL_DIR -o FILE [options]

MODEL_DIR is a Hugging Face folder: config.json, model.safetensors (or its shards and their index),
and tokenizer.json (or vocab.json and merges.txt) if text is to go in and out.

options:
)";

const char kExamples[] = R"(
examples (opt-125m stands for such a folder; tests/models/opt-icl is one):
  coppice compile opt-125m -o opt.coppice
      the whole model, in the checkpoint's own precision, for this machine
  coppice compile opt-125m --plan cut.json --weights f16 --target x86-64-v3 -o opt.coppice
      what the plan leaves, as float16, for any machine with AVX2
  coppice compile opt-125m --weights f16 --target x86-64-v3,x86-64-v4 -o opt.coppice
      for AVX2 and for AVX-512, in one file with the same weights
  coppice compile opt-125m --weights i4,head=f16,*.fc2.weight=i8 -o opt.coppice
      4-bit matrices with some better than that; patterns are of tensor names
  coppice compile opt-125m --weights i4 --calibration stats.safetensors -o opt.coppice
      4-bit matrices, exact where it matters for texts like the one of coppice calibrate
  coppice compile opt-125m --plan cut.json --keep-masks -o masked.coppice
      the masked original, to compare with
  coppice compile opt-125m --find-dead -o opt.coppice --report found.json
      without what a pruning tool left as zeros, and a list of what that was
  coppice compile opt-125m --plan cut.json --weights i8 --dry-run
      how large the artifact would be; config.json is enough
  coppice compile opt-125m --plan cut.json --emit=mlir --stop-after=shrink
      the graph after a phase, on standard output

exit code: 0 success, 1 an error in the input (nothing is written then), 2 a wrong call

phases (--stop-after):
)";

/// Lines of at most 100 columns: a longer text of LLVM's table goes on below itself.
std::string wrapped(llvm::StringRef lines) {
  constexpr size_t kWidth = 100;
  // All texts begin in one column: behind two spaces, and the longest name with its value.
  size_t column = lines.find("Show this help") - (lines.rfind('\n', lines.find("--help")) + 1);
  std::string result, indent;
  for (llvm::StringRef line : llvm::split(lines, '\n')) {
    for (; indent.size() + line.size() > kWidth; indent.assign(column, ' ')) {
      size_t end = line.rfind(' ', kWidth - indent.size() + 1);
      if (end == llvm::StringRef::npos)
        break; // one word
      result += indent + line.take_front(end).str() + '\n';
      line = line.drop_front(end + 1);
    }
    result += indent + line.str() + '\n';
    indent.clear();
  }
  return result;
}

void printHelp(const CompileOptTable &table) {
  // LLVM's table of options, under this project's own headings.
  std::string text;
  llvm::raw_string_ostream stream(text);
  table.printHelp(stream, "", "");
  llvm::StringRef options = llvm::StringRef(text).split("OPTIONS:\n").second.rtrim();
  llvm::outs() << kIntroduction << wrapped(options) << kExamples;
  for (const PhaseInfo &info : phases())
    llvm::outs() << "  " << llvm::left_justify(info.name, 8) << info.description << '\n';
}

int wrongCall(const llvm::Twine &message) {
  llvm::errs() << "error: " << tools::visible(message.str()) << "\nsee coppice compile --help\n";
  return 2;
}

/// Whether a text is the name of an option, or of one with a value behind `=`.
bool isOption(const CompileOptTable &table, llvm::StringRef text) {
  llvm::StringRef name = text.split('=').first;
  for (unsigned id = 1; id <= table.getNumOptions(); ++id) {
    llvm::opt::Option option = table.getOption(id);
    if (option.getKind() != llvm::opt::Option::InputClass &&
        option.getKind() != llvm::opt::Option::UnknownClass &&
        llvm::StringRef(option.getPrefixedName()).rtrim('=') == name)
      return true;
  }
  return false;
}

/// Names that users of other tools try.
std::string suggestion(const CompileOptTable &table, llvm::StringRef given) {
  if (given.starts_with("--output") || given == "--out")
    return "; did you mean -o?";
  std::string nearest;
  bool near = table.findNearest(given, nearest) < 3;
  return near ? "; did you mean " + nearest + "?" : "";
}

/// A result must not take the place of what it is made from, whatever name it has.
llvm::Error checkOutputs(const CompileOptions &options) {
  for (const std::string *output : {&options.output, &options.report}) {
    if (output->empty() || *output == "-")
      continue;
    if (llvm::Error error = checkOutput(*output, options.modelDir,
                                        {options.plan, options.calibration}, "compilation"))
      return error;
  }
  return llvm::Error::success();
}

} // namespace

int compileMain(llvm::ArrayRef<const char *> arguments) {
  CompileOptTable table;
  unsigned missingIndex = 0, missingCount = 0;
  llvm::opt::InputArgList args = table.ParseArgs(arguments, missingIndex, missingCount);
  if (args.hasArg(OPT_help)) {
    printHelp(table);
    return 0;
  }
  if (missingCount)
    return wrongCall(llvm::Twine(arguments[missingIndex]) + " needs a value");
  for (llvm::opt::Arg *arg : args.filtered(OPT_UNKNOWN)) {
    std::string given = arg->getAsString(args);
    llvm::StringRef name = llvm::StringRef(given).split('=').first;
    for (ID flag :
         {OPT_dry_run, OPT_keep_masks, OPT_find_dead, OPT_no_tokenizer, OPT_quiet, OPT_help})
      if (name == table.getOption(flag).getPrefixedName())
        return wrongCall(name + " takes no value");
    return wrongCall("there is no option " + tools::abridged(given) + suggestion(table, given));
  }
  llvm::DenseSet<unsigned> given;
  for (llvm::opt::Arg *arg : args) {
    if (arg->getOption().getKind() != llvm::opt::Option::SeparateClass)
      continue;
    llvm::StringRef name = arg->getOption().getPrefixedName();
    if (!given.insert(arg->getOption().getID()).second)
      return wrongCall(name + " is given twice");
    if (!*arg->getValue())
      return wrongCall(name + " needs a value, and this one is empty");
    // An option in a value's place: the value was forgotten. `--name=-x` means what it says.
    if (!arg->getAlias() && isOption(table, arg->getValue()))
      return wrongCall(name + " needs a value, and '" + arg->getValue() +
                       "' after it is an option; a file of that name is ./" + arg->getValue());
  }
  std::vector<std::string> inputs = args.getAllArgValues(OPT_INPUT);
  if (inputs.size() != 1)
    return wrongCall(inputs.empty() ? "name the folder of the model"
                                    : "one model folder at a time, not also '" + inputs[1] + "'");

  CompileOptions options;
  options.modelDir = inputs.front();
  options.output = args.getLastArgValue(OPT_output).str();
  options.plan = args.getLastArgValue(OPT_plan).str();
  options.weights = args.getLastArgValue(OPT_weights, "stored").str();
  options.calibration = args.getLastArgValue(OPT_calibration).str();
  options.target = args.getLastArgValue(OPT_target, "native").str();
  options.report = args.getLastArgValue(OPT_report).str();
  options.dryRun = args.hasArg(OPT_dry_run);
  options.keepMasks = args.hasArg(OPT_keep_masks);
  options.findDead = args.hasArg(OPT_find_dead);
  options.noTokenizer = args.hasArg(OPT_no_tokenizer);
  if (auto choice = WeightChoice::parse(options.weights); !choice)
    return wrongCall("--weights: " + llvm::toString(choice.takeError()));
  options.kv = args.getLastArgValue(OPT_kv, "f32").str();
  if (options.kv != "f32" && options.kv != "bf16" && options.kv != "i8")
    return wrongCall("--kv takes f32, bf16 or i8, not '" + tools::abridged(options.kv) + "'");
  // That this machine is not one for which code is generated is no wrong call.
  if (auto targets = resolveTargets(tools::abridged(options.target)); !targets) {
    std::string why = llvm::toString(targets.takeError());
    if (!llvm::is_contained(llvm::split(options.target, ','), "native"))
      return wrongCall(why);
    auto here = resolveTarget("native");
    if (here)
      return wrongCall(why);
    llvm::consumeError(here.takeError());
  }
  if (auto *arg = args.getLastArg(OPT_context)) {
    uint32_t context = 0;
    if (llvm::StringRef(arg->getValue()).getAsInteger(10, context) || context == 0)
      return wrongCall(llvm::Twine("--context takes a number of positions above 0, not '") +
                       tools::abridged(arg->getValue()) + "'");
    options.context = context;
  }
  if (auto *arg = args.getLastArg(OPT_threads))
    if (llvm::StringRef(arg->getValue()).getAsInteger(10, options.threads) ||
        options.threads == 0 || options.threads > 1024)
      return wrongCall(llvm::Twine("--threads takes 1 to 1024, not '") +
                       tools::abridged(arg->getValue()) + "'");
  llvm::StringRef emit = args.getLastArgValue(OPT_emit, "artifact");
  if (emit == "mlir")
    options.emit = Emit::Mlir;
  else if (emit == "llvm")
    options.emit = Emit::Llvm;
  else if (emit == "asm")
    options.emit = Emit::Asm;
  else if (emit != "artifact")
    return wrongCall("--emit takes artifact, mlir, llvm or asm, not '" +
                     tools::abridged(emit.str()) + "'");
  if (auto *arg = args.getLastArg(OPT_stop_after)) {
    std::optional<Phase> phase = findPhase(arg->getValue());
    if (!phase) {
      std::string names;
      for (const PhaseInfo &info : phases())
        names += (names.empty() ? "" : ", ") + info.name.str();
      return wrongCall(llvm::Twine("there is no phase '") + tools::abridged(arg->getValue()) +
                       "'; the phases are " + names);
    }
    if (options.emit != Emit::Mlir)
      return wrongCall("--stop-after prints the graph and needs --emit=mlir");
    options.stopAfter = *phase;
  }
  if (options.dryRun) {
    if (options.emit != Emit::Artifact)
      return wrongCall("--dry-run says what an artifact would be, and goes with no --emit=" + emit);
    options.output.clear();
  } else if (options.output.empty()) {
    if (options.emit == Emit::Artifact)
      return wrongCall("say with -o FILE where the artifact goes");
    options.output = "-";
  }
  if (options.emit == Emit::Artifact && options.output == "-")
    return wrongCall("an artifact does not go to standard output; name a file with -o");
  if (options.keepMasks && options.plan.empty() && !options.findDead)
    return wrongCall("--keep-masks keeps the masks of a plan; give --plan or --find-dead");
  if (!options.report.empty() && isSameFile(options.report, options.output))
    return wrongCall("--report and -o both name " + options.output + "; give them two names");
  if (!options.calibration.empty() && options.emit != Emit::Artifact)
    return wrongCall("--calibration goes with an artifact, not with --emit=" + emit);
  if (!options.report.empty() && options.emit != Emit::Artifact)
    return wrongCall("--report goes with an artifact, not with --emit=" + emit);

  bool quiet = args.hasArg(OPT_quiet);
  llvm::Expected<CompileResult> result = [&]() -> llvm::Expected<CompileResult> {
    if (llvm::Error error = checkOutputs(options))
      return std::move(error);
    ProgressLine line;
    if (!quiet && llvm::sys::Process::StandardErrIsDisplayed())
      options.progress = [&](llvm::StringRef what, double done) { line.show(what, done); };
    return compile(options);
  }();
  if (!result) {
    llvm::errs() << "error: " << tools::visible(llvm::toString(result.takeError())) << '\n';
    return 1;
  }
  if (!quiet)
    for (const std::string &warning : result->warnings)
      llvm::errs() << "warning: " << tools::visible(warning) << '\n';
  if (!quiet && options.emit == Emit::Artifact)
    llvm::errs() << (options.dryRun ? "nothing written; the artifact would have"
                                    : options.output + ":")
                 << ' ' << humanBytes(result->artifactBytes) << " for " << result->target << ", "
                 << result->parametersAfter << " of " << result->parametersBefore << " parameters"
                 << (result->activeParameters == result->parametersAfter
                         ? ""
                         : ", " + std::to_string(result->activeParameters) + " for a token")
                 << '\n';
  return 0;
}

} // namespace coppice
