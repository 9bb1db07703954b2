// See Compile.h.
#include "compiler/pipeline/Compile.h"
#include "compiler/artifact/OutputFile.h"
#include "compiler/artifact/Writer.h"
#include "compiler/artifact/tokenizer/Tokenizer.h"
#include "compiler/calibration/Statistics.h"
#include "compiler/codegen/CodeImage.h"
#include "compiler/codegen/Stages.h"
#include "compiler/import/Files.h"
#include "compiler/import/Import.h"
#include "compiler/pipeline/PassList.h"
#include "compiler/pipeline/Report.h"
#include "coppice/limits.h"
#include "dialects/pack/Pack.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/ScopedPrinter.h"

using namespace mlir;

namespace coppice {
namespace {

llvm::Error fail(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

/// Runs a phase's passes; what they report becomes one error.
llvm::Error runPhase(ModuleOp module, bool verify,
                     llvm::function_ref<void(OpPassManager &)> addPasses) {
  std::string messages;
  ScopedDiagnosticHandler handler(module.getContext(), [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Error && messages.empty())
      messages = diagnostic.str();
    return success();
  });
  PassManager pm(module.getContext());
  pm.enableVerifier(verify);
  addPasses(pm);
  if (succeeded(pm.run(module)))
    return llvm::Error::success();
  return fail(messages.empty() ? "a pass failed without saying why" : messages);
}

llvm::Error writeWhole(OutputFile &file, llvm::StringRef text) {
  if (llvm::Error error = file.write(llvm::arrayRefFromStringRef(text), 0))
    return error;
  return file.commit();
}

/// Writes to a file, or to standard output for "-".
llvm::Error writeText(llvm::StringRef path, llvm::StringRef text) {
  if (path != "-") {
    auto file = OutputFile::create(path);
    return file ? writeWhole(**file, text) : file.takeError();
  }
  llvm::outs() << text;
  llvm::outs().flush();
  if (!llvm::outs().has_error())
    return llvm::Error::success();
  std::error_code code = llvm::outs().error();
  llvm::outs().clear_error();
  return fail("cannot write to standard output: " + code.message());
}

class Compilation {
public:
  explicit Compilation(const CompileOptions &options) : options(options) {
    DialectRegistry registry;
    registry.insert<lm::LMDialect, pack::PackDialect, func::FuncDialect>();
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    if (options.threads == 1)
      context.disableMultithreading();
  }

  std::vector<std::string> warnings;

  llvm::Expected<CompileResult> run() {
    if (llvm::Error error = readInputs())
      return std::move(error);
    progress("import", 0);
    if (llvm::Error error = import())
      return std::move(error);
    if (stopped(Phase::Import))
      return print();
    if (llvm::Error error = runPhase(*module, options.verifyEach, [&](OpPassManager &pm) {
          addMaskPasses(pm, plan ? &*plan : nullptr, options.findDead ? checkpoint.get() : nullptr);
        }))
      return std::move(error);
    if (stopped(Phase::Mask))
      return print();
    progress("shrink", 0);
    if (!options.keepMasks)
      if (llvm::Error error = runPhase(*module, options.verifyEach, addShrinkPasses))
        return std::move(error);
    if (stopped(Phase::Shrink))
      return print();
    program.summary = summarize(*imported, *module);
    program.parametersBefore = countParameters(*imported);
    imported = {};
    if (llvm::Error error = runPhase(*module, options.verifyEach, [&](OpPassManager &pm) {
          addPackPasses(pm, options.weights, options.kv, program.context, options.keepMasks,
                        options.observe);
        }))
      return std::move(error);
    if (stopped(Phase::Pack))
      return print();
    if (llvm::Error error = runPhase(*module, options.verifyEach, [&](OpPassManager &pm) {
          addMemoryPasses(pm, program.context);
        }))
      return std::move(error);
    if (stopped(Phase::Memory))
      return print();
    return emitCode();
  }

private:
  void progress(llvm::StringRef what, double done) {
    if (options.progress)
      options.progress(what, done);
  }
  bool stopped(Phase phase) const {
    return options.emit == Emit::Mlir && options.stopAfter == phase;
  }

  llvm::Error readInputs() {
    auto resolved = resolveTargets(options.target);
    if (!resolved)
      return resolved.takeError();
    targets = std::move(*resolved);
    if (targets.size() > 1 && (options.emit == Emit::Llvm || options.emit == Emit::Asm))
      return fail("--target " + options.target + " names " + llvm::Twine(targets.size()) +
                  " targets, and code is printed for one; name one of them");
    // A folder that is not there at all is for open() to tell.
    bool described = options.dryRun && !Checkpoint::exists(options.modelDir) &&
                     fileExists(joinPath(options.modelDir, "config.json"));
    if (described && (options.findDead || !options.calibration.empty()))
      return fail(options.modelDir + ": there are no weights here, and " +
                  (options.findDead ? "--find-dead" : "--calibration") +
                  " wants them; leave it out, or give a folder with weights");
    if (!described) {
      auto opened = Checkpoint::open(options.modelDir);
      if (!opened)
        return opened.takeError();
      checkpoint = std::move(*opened);
    }
    if (!options.calibration.empty()) {
      auto read = readStatistics(options.calibration);
      if (!read)
        return read.takeError();
      statistics = std::move(*read);
    }
    if (options.plan.empty())
      return llvm::Error::success();
    auto text = readTextFile(options.plan, maxPlanBytes);
    if (!text)
      return text.takeError();
    auto parsed = parsePlan(*text, options.plan);
    if (!parsed)
      return parsed.takeError();
    plan = std::move(*parsed);
    hashOfPlan = planHash(*text);
    return llvm::Error::success();
  }

  llvm::Error import() {
    auto model = importModel(options.modelDir, checkpoint.get(), context, options.context);
    if (!model)
      return model.takeError();
    module = std::move(model->module);
    imported = OwningOpRef<ModuleOp>(module->clone());
    program.modelType = model->modelType;
    program.stopTokens.assign(model->stopTokens.begin(), model->stopTokens.end());
    program.context = options.context.value_or(model->context);
    vocabulary = model->vocab;
    for (const std::string &warning : model->warnings)
      warnings.push_back(joinPath(options.modelDir, "config.json") + ": " + warning);
    if (program.context > COPPICE_MAX_ID) {
      std::string says =
          options.context ? "--context"
                          : joinPath(options.modelDir, "config.json") + ": max_position_embeddings";
      return fail(says + " " + llvm::Twine(program.context) + " is beyond the " +
                  llvm::Twine(COPPICE_MAX_ID) +
                  " positions that an artifact can have; give --context with at most that many");
    }
    if (model->positionLimit && program.context > *model->positionLimit)
      return fail("--context " + llvm::Twine(program.context) + " is beyond the " +
                  llvm::Twine(*model->positionLimit) +
                  " positions that this model has learned; give at most that many");
    return llvm::Error::success();
  }

  llvm::Expected<CompileResult> print() {
    std::string text;
    llvm::raw_string_ostream stream(text);
    module->print(stream);
    stream << '\n';
    if (llvm::Error error = writeText(options.output, text))
      return std::move(error);
    return CompileResult();
  }

  llvm::Expected<CompileResult> emitCode() {
    progress("code", 0);
    auto step = *module->getOps<pack::StepOp>().begin();
    auto list = buildStages(step);
    if (!list)
      return list.takeError();
    if (options.emit != Emit::Artifact) {
      auto text = generateText(list->kernels, targets.front(),
                               options.emit == Emit::Llvm ? CodeForm::LLVM : CodeForm::Assembly);
      if (!text)
        return text.takeError();
      if (llvm::Error error = writeText(options.output, *text))
        return std::move(error);
      return CompileResult();
    }
    for (size_t i = 0; i < targets.size(); ++i) {
      if (i)
        progress("code", double(i) / double(targets.size()));
      auto code = generateCode(list->kernels, targets[i]);
      if (!code)
        return code.takeError();
      assert(code->kernels.size() == list->kernels.size() && "every kernel is in the image");
      program.code.push_back({targets[i].name, targets[i].features, std::move(*code)});
    }
    program.stages = std::move(list->stages);
    program.weights = std::move(list->weights);
    program.memory = list->memory;
    observations = std::move(list->observations);
    program.vocabulary = list->vocabulary;
    program.tokenLimit = list->tokenLimit;
    program.picks = list->picks;
    return write();
  }

  /// What writeArtifact would, but for the file.
  llvm::Error measure(const ArtifactInputs &inputs) {
    llvm::Expected<uint64_t> bytes = artifactBytes(program, inputs);
    return bytes ? inputs.beforeCommit(*bytes) : bytes.takeError();
  }

  llvm::Expected<CompileResult> write() {
    std::vector<uint8_t> tables;
    if (!options.noTokenizer) {
      auto tokenizer = compileTokenizer(options.modelDir, vocabulary);
      if (!tokenizer)
        return tokenizer.takeError();
      if (*tokenizer)
        tables = buildTokenizer(**tokenizer);
    }
    progress("hash", 0);
    ArtifactInputs inputs;
    inputs.plan = hashOfPlan;
    inputs.source.emplace();
    if (!options.dryRun || statistics)
      llvm::copy(checkpoint->hash(), inputs.source->begin());
    if (statistics)
      if (llvm::Error error = applyStatistics(*statistics, *inputs.source, hashOfPlan, *checkpoint,
                                              program.weights))
        return std::move(error);
    inputs.calibrated = statistics.has_value();
    inputs.tokenizer = tables;
    inputs.threads = options.threads;
    inputs.progress = [this](uint64_t done, uint64_t total) {
      progress("weights", total ? double(done) / total : 1);
    };
    CompileResult result;
    result.observations = std::move(observations);
    for (const Target &target : targets)
      result.target += (result.target.empty() ? "" : ", ") + target.name;
    result.parametersBefore = program.parametersBefore;
    result.parametersAfter = program.summary.parameters;
    result.activeParameters = program.summary.activeParameters;
    if (checkpoint)
      for (const TensorInfo &tensor : checkpoint->tensors())
        result.checkpointBytes += tensor.data.size();

    // The report is opened first and written before the artifact gets its name, so that either both
    // appear or neither.
    std::unique_ptr<OutputFile> report;
    if (!options.report.empty() && options.report != "-") {
      auto file = OutputFile::create(options.report);
      if (!file)
        return file.takeError();
      report = std::move(*file);
    }
    inputs.beforeCommit = [&](uint64_t bytes) -> llvm::Error {
      result.artifactBytes = bytes;
      if (options.report.empty())
        return llvm::Error::success();
      std::string text =
          llvm::formatv("{0:2}\n", makeReport(program, result.checkpointBytes, bytes));
      return report ? report->write(llvm::arrayRefFromStringRef(text), 0) : writeText("-", text);
    };
    if (llvm::Error error = options.dryRun
                                ? measure(inputs)
                                : writeArtifact(program, *checkpoint, inputs, options.output))
      return std::move(error);
    if (report)
      if (llvm::Error error = report->commit())
        return std::move(error);
    return result;
  }

  const CompileOptions &options;
  MLIRContext context;
  std::vector<Target> targets;
  std::unique_ptr<Checkpoint> checkpoint;
  std::optional<Plan> plan;
  std::optional<Digest> hashOfPlan;
  std::optional<Statistics> statistics;
  std::vector<Observation> observations;
  OwningOpRef<ModuleOp> module, imported;
  int64_t vocabulary = 0;
  Program program;
};

} // namespace

llvm::Expected<CompileResult> compile(const CompileOptions &options) {
  Compilation compilation(options);
  llvm::Expected<CompileResult> result = compilation.run();
  if (result)
    result->warnings = std::move(compilation.warnings);
  return result;
}

} // namespace coppice
