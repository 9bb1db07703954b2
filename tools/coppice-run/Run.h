// The parts of a run, over the runtime's public interface. Each prints its own message on failure.
#pragma once
#include "tools/coppice-run/Arguments.h"
#include <cstdlib>
#include <memory>

struct CloseModel {
  void operator()(coppice_model *model) const { coppice_model_close(model); }
};
struct DestroyEngine {
  void operator()(coppice_engine *engine) const { coppice_engine_destroy(engine); }
};
struct DestroyDecoder {
  void operator()(coppice_decoder *decoder) const { coppice_decoder_destroy(decoder); }
};
struct Free {
  void operator()(void *memory) const { std::free(memory); }
};

/// One artifact, one engine, one session.
struct Run {
  Arguments arguments;
  std::vector<int32_t> tokens; // of the prompt
  coppice_info info{};
  std::unique_ptr<coppice_model, CloseModel> model;
  std::unique_ptr<coppice_engine, DestroyEngine> engine;
  std::unique_ptr<void, Free> memory; // the session's
  coppice_session *session = nullptr;
  std::vector<float> logits; // of the last token fed
  double prefillSeconds = 0;
};

/// Prints "error: ..." and returns false.
[[gnu::format(printf, 1, 2)]] bool report(const char *format, ...);

double seconds();

/// Opens the artifact, encodes and checks the prompt, makes engine and session.
bool prepare(Run &run);

/// Runs the prompt; its last logits are in `run` afterwards.
bool prefill(Run &run);

/// The same, with the logits of all tokens written to a file.
bool prefillToFile(Run &run);

/// Removes the file that prefillToFile is writing, if it is. Async-signal-safe.
void removePartialFile();

/// Generates and prints tokens.
bool generate(Run &run);
