// From arguments to a session that is ready to run.
#include "tools/Message.h"
#include "tools/coppice-run/Run.h"
#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <ctime>
#include <sys/stat.h>

// Rows a step takes while the prompt runs: enough to read each weight rarely, few enough for
// caches.
static constexpr uint32_t kRows = 128;

bool report(const char *format, ...) {
  std::fflush(stdout);
  char text[4096]; // longer than any path with its message
  va_list args;
  va_start(args, format);
  std::vsnprintf(text, sizeof text, format, args);
  va_end(args);
  std::fprintf(stderr, "error: %s\n", coppice::tools::visible(text).c_str());
  return false;
}

double seconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

static bool encodePrompt(Run &run) {
  const std::string &prompt = run.arguments.prompt;
  const char *file = run.arguments.file.c_str();
  if (!run.info.has_tokenizer)
    return report("%s: the artifact has no tokenizer, so -p cannot be used; give --tokens, or "
                  "compile the model from a folder with tokenizer.json, and with no "
                  "--no-tokenizer",
                  file);
  size_t count = 0;
  run.tokens.resize(prompt.size() + 8);
  for (;;) {
    coppice_status status =
        coppice_encode(run.model.get(), prompt.data(), prompt.size(), COPPICE_ENCODE_SPELLED,
                       run.tokens.data(), run.tokens.size(), &count);
    if (status == COPPICE_TOO_SMALL && count > run.tokens.size()) {
      run.tokens.resize(count);
      continue;
    }
    if (status == COPPICE_BAD_TEXT) {
      size_t at = 0;
      while (at < prompt.size() && coppice::tools::utf8Length(prompt, at))
        at += coppice::tools::utf8Length(prompt, at);
      if (at == prompt.size())
        return report("the prompt is too long: %zu bytes; shorten it", at);
      return report("the prompt is not UTF-8: byte %zu of %zu, 0x%02X, belongs to no character; "
                    "convert it, with iconv -t UTF-8",
                    at + 1, prompt.size(), unsigned(static_cast<unsigned char>(prompt[at])));
    }
    if (status != COPPICE_OK)
      return report("cannot encode the prompt: %s", coppice_status_text(status));
    run.tokens.resize(count);
    return true;
  }
}

static bool checkPrompt(const Run &run, uint32_t context) {
  if (run.tokens.empty())
    return report("the prompt has no tokens; give at least one");
  for (size_t i = 0; i < run.tokens.size(); ++i)
    if (uint32_t(run.tokens[i]) >= run.info.token_limit)
      return report("token %d at position %zu: the model's ids are below %u", run.tokens[i], i,
                    run.info.token_limit);
  if (run.tokens.size() > context)
    return report("the prompt has %zu tokens, the context has %u positions; shorten the prompt%s",
                  run.tokens.size(), context,
                  context < run.info.context ? " or ask for more with --context" : "");
  return true;
}

static bool makeSession(Run &run, uint32_t context) {
  uint64_t wanted = std::min<uint64_t>(run.tokens.size() + run.arguments.count, context);
  size_t bytes = coppice_session_bytes(run.model.get(), uint32_t(wanted));
  run.memory.reset(bytes ? aligned_alloc(COPPICE_SESSION_ALIGNMENT, bytes) : nullptr);
  if (!run.memory)
    return report("no memory for a session of %u positions; ask for fewer with --context",
                  uint32_t(wanted));
  coppice_status status = coppice_session_init(run.model.get(), uint32_t(wanted), run.memory.get(),
                                               bytes, &run.session);
  return status == COPPICE_OK || report("cannot make a session: %s", coppice_status_text(status));
}

bool prepare(Run &run) {
  const Arguments &arguments = run.arguments;
  coppice_error error;
  coppice_open_options options = {};
  options.skip_weight_check = arguments.skipWeightCheck;
  options.target = arguments.target.empty() ? nullptr : arguments.target.c_str();
  struct stat status;
  if (stat(arguments.file.c_str(), &status) == 0 && S_ISDIR(status.st_mode))
    return report("%s: this is a folder, and an artifact is wanted; a model's folder is compiled "
                  "first: coppice compile %s -o model.coppice",
                  arguments.file.c_str(), arguments.file.c_str());
  coppice_model *model = nullptr;
  if (coppice_model_open(arguments.file.c_str(), &options, &model, &error) != COPPICE_OK)
    return report("%s", error.message);
  run.model.reset(model);
  if (coppice_status status = coppice_model_info(model, &run.info))
    return report("%s", coppice_status_text(status));
  if (arguments.context > run.info.context)
    return report("--context %u is more than the model's %u positions", arguments.context,
                  run.info.context);
  uint32_t context = arguments.context ? arguments.context : run.info.context;
  run.tokens = arguments.tokens;
  if (arguments.hasPrompt && !encodePrompt(run))
    return false;
  if (!checkPrompt(run, context) || !makeSession(run, context))
    return false;
  uint32_t rows = uint32_t(std::min<size_t>(run.tokens.size(), kRows));
  coppice_engine *engine = nullptr;
  if (coppice_engine_create(model, arguments.threads, rows, &engine, &error) != COPPICE_OK)
    return report("%s", error.message);
  run.engine.reset(engine);
  if (arguments.pin && coppice_engine_pin(engine) != COPPICE_OK)
    return report("--pin: %u threads cannot each have a processor of their own here; ask for fewer "
                  "with --threads",
                  coppice_engine_threads(engine));
  run.logits.resize(run.info.vocabulary);
  return true;
}

bool prefill(Run &run) {
  double start = seconds();
  coppice_status status = coppice_engine_feed(run.engine.get(), run.session, run.tokens.data(),
                                              run.tokens.size(), run.logits.data());
  run.prefillSeconds = seconds() - start;
  return status == COPPICE_OK || report("cannot run the prompt: %s", coppice_status_text(status));
}
