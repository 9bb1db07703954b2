// Token by token: choose, print, feed. Results go to standard output, speeds to standard error.
#include "tools/coppice-run/Run.h"
#include <cstdio>

namespace {

/// Prints ids with spaces between them, or text as it becomes complete.
class Printer {
public:
  explicit Printer(const Run &run)
      : asText(run.arguments.hasPrompt && !run.arguments.printTokens) {}

  bool begin(const Run &run) {
    if (asText) {
      coppice_decoder *made = nullptr;
      if (coppice_status status = coppice_decoder_create(run.model.get(), 0, &made))
        return report("cannot decode: %s", coppice_status_text(status));
      decoder.reset(made);
    }
    // The prompt goes through the decoder all the same: what a token says depends on those before.
    silent = !run.arguments.echo;
    for (int32_t token : run.tokens)
      if (!print(token))
        return false;
    silent = false;
    return true;
  }

  bool print(int32_t token) {
    if (!asText) {
      if (!silent)
        std::printf(count++ ? " %d" : "%d", token);
      return true;
    }
    const char *text = nullptr;
    size_t bytes = 0;
    if (coppice_status status = coppice_decoder_push(decoder.get(), token, &text, &bytes))
      return report("cannot decode token %d: %s", token, coppice_status_text(status));
    write(text, bytes);
    return true;
  }

  bool end() {
    const char *text = nullptr;
    size_t bytes = 0;
    if (asText && coppice_decoder_finish(decoder.get(), &text, &bytes) == COPPICE_OK)
      write(text, bytes);
    std::fputc('\n', stdout);
    return (std::fflush(stdout) == 0 && !std::ferror(stdout)) ||
           report("cannot write to standard output");
  }

private:
  void write(const char *text, size_t bytes) {
    if (silent || !bytes)
      return;
    std::fwrite(text, 1, bytes, stdout);
    std::fflush(stdout); // a reader sees each word when it is there
  }

  const bool asText;
  bool silent = false;
  size_t count = 0;
  std::unique_ptr<coppice_decoder, DestroyDecoder> decoder;
};

void printSpeed(const Run &run, uint32_t generated, double decodeSeconds, const char *why) {
  if (run.arguments.quiet)
    return;
  std::fprintf(stderr, "prefill: %zu tokens, %.1f tokens/s", run.tokens.size(),
               double(run.tokens.size()) / run.prefillSeconds);
  if (run.arguments.count)
    std::fprintf(stderr, "; decode: %u tokens", generated);
  // The prompt's last logits gave the first token for nothing.
  if (generated > 1)
    std::fprintf(stderr, ", %.1f tokens/s", (generated - 1) / decodeSeconds);
  uint32_t threads = coppice_engine_threads(run.engine.get());
  std::fprintf(stderr, "; %u thread%s%s\n", threads, threads == 1 ? "" : "s", why);
}

} // namespace

bool generate(Run &run) {
  const Arguments &arguments = run.arguments;
  coppice_sampler sampler;
  if (coppice_status status = coppice_sampler_init(&sampler, &arguments.sampling))
    return report("%s", coppice_status_text(status));
  std::vector<uint64_t> scratch((coppice_sampler_scratch_bytes(&sampler, run.info.vocabulary) + 7) /
                                8);
  Printer printer(run);
  bool prints = arguments.count || arguments.logits.empty();
  if (prints && !printer.begin(run))
    return false;
  uint32_t generated = 0;
  const char *why = "";
  double start = seconds();
  while (generated < arguments.count) {
    int32_t token;
    if (coppice_status status =
            coppice_sampler_next(&sampler, run.logits.data(), run.info.vocabulary, scratch.data(),
                                 scratch.size() * 8, &token))
      return report("cannot choose a token: %s", coppice_status_text(status));
    if (coppice_is_stop_token(run.model.get(), token)) {
      why = "; stopped at a stop token";
      break;
    }
    if (!printer.print(token))
      return false;
    if (++generated == arguments.count)
      break;
    coppice_status status =
        coppice_engine_feed(run.engine.get(), run.session, &token, 1, run.logits.data());
    if (status == COPPICE_CONTEXT_FULL) {
      why = "; stopped where the context is full";
      break;
    }
    if (status != COPPICE_OK)
      return report("cannot run token %d: %s", token, coppice_status_text(status));
  }
  double decodeSeconds = seconds() - start;
  if (prints && !printer.end())
    return false;
  printSpeed(run, generated, decodeSeconds, why);
  return true;
}
