// See Calibrate.h.
#include "compiler/calibration/Calibrate.h"
#include "compiler/artifact/OutputFile.h"
#include "compiler/calibration/Statistics.h"
#include "compiler/import/Files.h"
#include "compiler/pipeline/Compile.h"
#include "compiler/plan/Plan.h"
#include "runtime/host/Frame.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Signals.h"
#include <cmath>
#include <cstdlib>

namespace fs = llvm::sys::fs;

namespace coppice {
namespace {

/// Of text. Some hundred KB are already many tokens.
constexpr uint64_t kMaxTextBytes = uint64_t(256) << 20;
constexpr size_t kRowsPerStep = 64;
/// Texts are cut into windows of the model's context, and no longer than this.
constexpr uint32_t kMaxWindow = 2048;

llvm::Error fail(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

/// A checkpoint compiled to run here once. The file has no name any more when this exists.
class Model {
public:
  ~Model() {
    coppice_engine_destroy(engine);
    coppice_model_close(model);
    free(memory);
  }

  llvm::Error open(const CalibrateOptions &options) {
    llvm::SmallString<128> path;
    fs::createUniquePath(options.output + ".tmp-%%%%%%%%", path, /*MakeAbsolute=*/false);
    auto remove = llvm::make_scope_exit([&] {
      (void)fs::remove(path);
      llvm::sys::DontRemoveFileOnSignal(path);
    });
    llvm::sys::RemoveFileOnSignal(path);
    CompileOptions compilation;
    compilation.modelDir = options.modelDir;
    compilation.plan = options.plan;
    compilation.target = options.target;
    compilation.keepMasks = !options.plan.empty();
    compilation.observe = true;
    compilation.output = path.str().str();
    compilation.threads = options.threads;
    compilation.progress = options.progress;
    auto compiled = compile(compilation);
    if (!compiled) {
      std::string why = llvm::toString(compiled.takeError());
      // The user has not named that file.
      if (llvm::StringRef(why).starts_with("cannot write '" + compilation.output + "'"))
        why += "; this is the compiled copy of the checkpoint, which needs room beside '" +
               options.output + "' while calibration runs";
      return fail(why);
    }
    observations = std::move(compiled->observations);
    coppice_error error;
    coppice_open_options open{};
    open.skip_weight_check = true; // they were written a moment ago
    if (coppice_model_open(compilation.output.c_str(), &open, &model, &error))
      return fail(error.message);
    if (coppice_model_info(model, &info))
      return fail("the model says nothing of itself");
    return llvm::Error::success();
  }

  llvm::Error start(unsigned threads) {
    window = std::min(info.context, kMaxWindow);
    coppice_error error;
    if (coppice_engine_create(model, threads, kRowsPerStep, &engine, &error))
      return fail(error.message);
    size_t bytes = coppice_session_bytes(model, window);
    memory = aligned_alloc(COPPICE_SESSION_ALIGNMENT, bytes);
    if (!memory || coppice_session_init(model, window, memory, bytes, &session))
      return fail("no memory for a text of " + llvm::Twine(window) + " tokens");
    return llvm::Error::success();
  }

  coppice_model *model = nullptr;
  coppice_info info{};
  coppice_engine *engine = nullptr;
  coppice_session *session = nullptr;
  uint32_t window = 0; // tokens of the session
  std::vector<Observation> observations;

private:
  void *memory = nullptr;
};

llvm::Error cannotEncode(const CalibrateOptions &options, llvm::StringRef text,
                         coppice_status status) {
  if (status == COPPICE_NO_TOKENIZER)
    return fail(options.modelDir + ": has no tokenizer, which the text needs: put tokenizer.json "
                                   "(or vocab.json and merges.txt) into the folder");
  if (status == COPPICE_BAD_TEXT)
    return fail(options.text + ": is not UTF-8, or not a text; convert it, with iconv -t UTF-8");
  return fail(options.text + ": its " + llvm::Twine(text.size()) +
              " bytes cannot be made tokens: " + coppice_status_text(status));
}

llvm::Expected<std::vector<int32_t>> encode(const CalibrateOptions &options, const Model &model,
                                            llvm::StringRef text, uint32_t flags) {
  std::vector<int32_t> tokens(text.size() + 16);
  size_t count = 0;
  coppice_status status = coppice_encode(model.model, text.data(), text.size(), flags,
                                         tokens.data(), tokens.size(), &count);
  if (status == COPPICE_TOO_SMALL) {
    tokens.resize(count);
    status = coppice_encode(model.model, text.data(), text.size(), flags, tokens.data(),
                            tokens.size(), &count);
  }
  if (status)
    return cannotEncode(options, text, status);
  tokens.resize(count);
  return tokens;
}

/// The special tokens that begin a text: what encoding puts before the same tokens.
std::vector<int32_t> prefixOf(llvm::ArrayRef<int32_t> whole, llvm::ArrayRef<int32_t> bare) {
  for (size_t at = 0; at + bare.size() <= whole.size(); ++at)
    if (whole.slice(at, bare.size()) == bare)
      return whole.take_front(at).vec();
  return {};
}

/// Sums of squares by column of what one tensor is multiplied with.
struct Sum {
  std::vector<double> squares;
  uint64_t rows = 0;
};

class Collector {
public:
  Collector(const Model &model) : model(model) {
    for (const Observation &observation : model.observations)
      sums[observation.name].squares.resize(observation.width);
  }

  /// To be called when `stage` is done, stage after stage.
  void look(uint32_t stage) {
    llvm::ArrayRef<Observation> all = model.observations;
    for (; next < all.size() && all[next].stage == stage; ++next)
      add(all[next]);
    if (next == all.size())
      next = 0;
  }

  /// Mean squares; an error if one is beyond float32.
  llvm::Error finish(Statistics &result) const {
    for (const auto &[name, sum] : sums) {
      std::vector<float> &means = result.meanSquares[name];
      for (double squares : sum.squares) {
        // An expert that the text never chose: zeros, of which no column counts more than another.
        means.push_back(sum.rows ? float(squares / double(sum.rows)) : 0.0f);
        if (!std::isfinite(means.back()))
          return fail("the input of tensor '" + name + "' is not finite on this text (column " +
                      llvm::Twine(means.size() - 1) +
                      "): the checkpoint's weights overflow float32; take an intact copy");
      }
    }
    return llvm::Error::success();
  }

private:
  void add(const Observation &observation) {
    const coppice_frame &frame = runtime::frameOf(*model.engine);
    uint64_t rows = frame.sets[observation.set].count;
    size_t stride = llvm::alignTo(observation.width, 16);
    auto at = [&](uint32_t place) {
      return frame.arena + uint64_t(place) * 64 * frame.row_capacity;
    };
    const auto *row = reinterpret_cast<const float *>(at(observation.place));
    if (observation.set == COPPICE_ROWS_ROUTED || observation.set == COPPICE_ROWS_ROUTED_LOGITS) {
      const auto *bounds =
          reinterpret_cast<const uint32_t *>(at(observation.groups)) + observation.expert;
      rows = bounds[1] - bounds[0];
      row += bounds[0] * stride;
    }
    Sum &sum = sums[observation.name];
    for (uint64_t r = 0; r < rows; ++r, row += stride)
      for (uint32_t c = 0; c < observation.width; ++c)
        sum.squares[c] += double(row[c]) * double(row[c]); // exact before the addition
    sum.rows += rows;
  }

  const Model &model;
  std::map<std::string, Sum> sums;
  size_t next = 0; // observation
};

/// Runs windows of the prefix and as much text as fits, each a text of its own.
llvm::Error runText(const CalibrateOptions &options, Model &model, llvm::ArrayRef<int32_t> prefix,
                    llvm::ArrayRef<int32_t> tokens, Collector &collector) {
  std::vector<float> logits(kRowsPerStep * size_t(model.info.vocabulary));
  std::vector<coppice_token> step;
  size_t perWindow = model.window - prefix.size();
  for (size_t begin = 0; begin < tokens.size(); begin += perWindow) {
    std::vector<int32_t> window(prefix.begin(), prefix.end());
    llvm::append_range(window, tokens.drop_front(begin).take_front(perWindow));
    if (coppice_session_truncate(model.session, 0))
      return fail("the session cannot begin again");
    for (size_t at = 0; at < window.size(); at += kRowsPerStep) {
      if (options.progress)
        options.progress("text", double(begin + at) / double(tokens.size() + window.size()));
      step.clear();
      // All want logits: what the output head reads counts too.
      for (size_t i = at; i < std::min(at + kRowsPerStep, window.size()); ++i)
        step.push_back({model.session, window[i], true});
      auto watch = [](void *context, uint32_t stage) {
        static_cast<Collector *>(context)->look(stage);
      };
      if (coppice_status status = coppice_engine_step_watched(
              model.engine, step.data(), step.size(), logits.data(), watch, &collector))
        return fail(options.text + ": cannot be run: " + coppice_status_text(status));
    }
  }
  return llvm::Error::success();
}

} // namespace

llvm::Expected<CalibrateResult> calibrate(const CalibrateOptions &options) {
  auto text = readTextFile(options.text, kMaxTextBytes);
  if (!text)
    return text.takeError();
  // Blanks and zeros are tokens as well, and would be measured without complaint.
  if (llvm::all_of(*text, [](unsigned char c) { return c <= ' ' || c == 0x7F; }))
    return fail(options.text + ": has nothing but blanks and control characters: give a text such "
                               "as the model is meant for");
  auto file = OutputFile::create(options.output);
  if (!file)
    return file.takeError();
  Model model;
  if (llvm::Error error = model.open(options))
    return std::move(error);
  auto whole = encode(options, model, *text, 0);
  if (!whole)
    return whole.takeError();
  auto bare = encode(options, model, *text, COPPICE_ENCODE_BARE);
  if (!bare)
    return bare.takeError();
  CalibrateResult result;
  result.textTokens = bare->size();
  if (result.textTokens < kLeastCalibrationTokens)
    return fail(options.text + ": has " + llvm::Twine(result.textTokens) +
                " tokens, and calibration needs at least " + llvm::Twine(kLeastCalibrationTokens) +
                ": give a longer text");
  std::vector<int32_t> prefix = prefixOf(*whole, *bare);
  llvm::ArrayRef<int32_t> tokens = llvm::ArrayRef(*bare).take_front(options.tokens);
  if (llvm::Error error = model.start(options.threads))
    return std::move(error);
  if (prefix.size() >= model.window)
    return fail(options.modelDir + ": has a context of " + llvm::Twine(model.window) +
                " tokens, which the " + llvm::Twine(prefix.size()) +
                " special ones that begin a text fill");
  Collector collector(model);
  if (llvm::Error error = runText(options, model, prefix, tokens, collector))
    return std::move(error);

  Statistics statistics;
  result.tokens = statistics.tokens = tokens.size();
  if (llvm::Error error = collector.finish(statistics))
    return std::move(error);
  result.tensors = statistics.meanSquares.size();
  auto checkpoint = Checkpoint::open(options.modelDir);
  if (!checkpoint)
    return checkpoint.takeError();
  llvm::copy((*checkpoint)->hash(), statistics.checkpoint.begin());
  if (!options.plan.empty()) {
    auto plan = readTextFile(options.plan, maxPlanBytes);
    if (!plan)
      return plan.takeError();
    statistics.plan = planHash(*plan);
  }
  std::string bytes = statisticsFile(statistics);
  if (llvm::Error error =
          (*file)->write({reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()}, 0))
    return std::move(error);
  if (llvm::Error error = (*file)->commit())
    return std::move(error);
  return result;
}

} // namespace coppice
