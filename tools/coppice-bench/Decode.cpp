// See Decode.h.
#include "tools/coppice-bench/Decode.h"
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

bool Subject::open(const std::string &file, unsigned threads, unsigned positions) {
  path = file;
  coppice_error error;
  if (coppice_model_open(file.c_str(), nullptr, &model, &error) != COPPICE_OK) {
    std::fprintf(stderr, "error: %s\n", error.message);
    return false;
  }
  if (coppice_model_info(model, &info) != COPPICE_OK)
    return false;
  if (positions > info.context) {
    std::fprintf(stderr,
                 "error: %s: %u tokens are beyond the artifact's context of %u; lower "
                 "--prompt or --decode\n",
                 file.c_str(), positions, info.context);
    return false;
  }
  if (coppice_engine_create(model, threads, 128, &engine, &error) != COPPICE_OK) {
    std::fprintf(stderr, "error: %s\n", error.message);
    return false;
  }
  size_t bytes = coppice_session_bytes(model, positions);
  memory = std::aligned_alloc(COPPICE_SESSION_ALIGNMENT, bytes);
  if (!memory || coppice_session_init(model, positions, memory, bytes, &session) != COPPICE_OK) {
    std::fprintf(stderr, "error: %s: no memory for a session of %zu bytes\n", file.c_str(), bytes);
    return false;
  }
  logits.resize(info.vocabulary);
  return true;
}

Subject::~Subject() {
  coppice_engine_destroy(engine);
  coppice_model_close(model);
  std::free(memory);
}

bool Subject::run(unsigned tokens, unsigned steps, double &prefill, double &decode) {
  using Clock = std::chrono::steady_clock;
  auto seconds = [](Clock::time_point from) {
    return std::chrono::duration<double>(Clock::now() - from).count();
  };
  std::vector<int32_t> prompt(tokens);
  for (unsigned i = 0; i < tokens; ++i)
    prompt[i] = int32_t(i * 2654435761u % info.token_limit);
  if (coppice_session_truncate(session, 0) != COPPICE_OK)
    return false;
  auto start = Clock::now();
  coppice_status status =
      coppice_engine_feed(engine, session, prompt.data(), prompt.size(), logits.data());
  prefill = tokens / seconds(start);
  start = Clock::now();
  for (unsigned i = 0; i < steps && status == COPPICE_OK; ++i)
    status = coppice_engine_feed(engine, session, &prompt[i % tokens], 1, logits.data());
  decode = steps / seconds(start);
  if (status != COPPICE_OK)
    std::fprintf(stderr, "error: %s: %s\n", path.c_str(), coppice_status_text(status));
  return status == COPPICE_OK;
}
