// See Subject.h.
#include "tools/coppice-bench/Subject.h"
#include "tools/coppice-bench/Progress.h"
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

using Clock = std::chrono::steady_clock;

static double secondsSince(Clock::time_point from) {
  return std::chrono::duration<double>(Clock::now() - from).count();
}

bool Subject::failed(coppice_status status) const {
  if (status != COPPICE_OK) {
    clearProgress();
    std::fprintf(stderr, "error: %s: %s\n", path.c_str(), coppice_status_text(status));
  }
  return status != COPPICE_OK;
}

coppice_session *Subject::session(unsigned positions) {
  size_t bytes = coppice_session_bytes(model, positions);
  void *memory = bytes ? std::aligned_alloc(COPPICE_SESSION_ALIGNMENT, bytes) : nullptr;
  coppice_session *made = nullptr;
  if (!memory || coppice_session_init(model, positions, memory, bytes, &made) != COPPICE_OK)
    std::fprintf(stderr, "error: %s: no memory for a session of %zu bytes\n", path.c_str(), bytes);
  memories.push_back(memory);
  return made;
}

void Subject::noteLeftOut(const Arguments &arguments) const {
  std::string list;
  auto add = [&](const char *what, unsigned tokens, const std::vector<unsigned> &kept) {
    if (!std::count(kept.begin(), kept.end(), tokens))
      list += (list.empty() ? "" : ", ") + std::string(what) + std::to_string(tokens);
  };
  for (unsigned tokens : arguments.prompts)
    add("prefill ", tokens, prompts);
  for (unsigned before : arguments.contexts)
    add("after ", before, contexts);
  if (!list.empty())
    std::fprintf(stderr, "note: %s: beyond the artifact's context of %u, so left out: %s\n",
                 path.c_str(), info.context, list.c_str());
}

bool Subject::open(const std::string &file, const Arguments &arguments) {
  path = file;
  steps = arguments.decode;
  chunk = arguments.chunk;
  coppice_error error;
  if (coppice_model_open(file.c_str(), nullptr, &model, &error) != COPPICE_OK) {
    std::fprintf(stderr, "error: %s\n", error.message);
    return false;
  }
  if (failed(coppice_model_info(model, &info)) || failed(coppice_model_work(model, &work)))
    return false;
  for (unsigned tokens : arguments.prompts)
    if (tokens <= info.context)
      prompts.push_back(tokens);
  for (unsigned before : arguments.contexts)
    if (steps <= info.context && before <= info.context - steps)
      contexts.push_back(before);
  if (prompts.empty() || contexts.empty()) {
    std::fprintf(stderr,
                 "error: %s: %u tokens are beyond the artifact's context of %u; lower --prompt, "
                 "--context or --decode\n",
                 file.c_str(),
                 prompts.empty() ? arguments.prompts.front() : arguments.contexts.front() + steps,
                 info.context);
    return false;
  }
  // After each round a session goes back, over rings no further than they reach.
  unsigned longestSession = *std::max_element(contexts.begin(), contexts.end()) + steps;
  if (info.largest_step && steps > info.largest_step && longestSession > info.ring_positions) {
    std::fprintf(stderr,
                 "error: %s: --decode %u is more than a session of this model can go back, whose "
                 "layers with a window keep %u tokens beyond it; give at most that many\n",
                 file.c_str(), steps, info.largest_step);
    return false;
  }
  noteLeftOut(arguments);
  for (unsigned threads : arguments.threads)
    if (!engines[threads] &&
        coppice_engine_create(model, threads, chunk, &engines[threads], &error) != COPPICE_OK) {
      std::fprintf(stderr, "error: %s\n", error.message);
      return false;
    }
  unsigned longest = std::max(*std::max_element(prompts.begin(), prompts.end()),
                              *std::max_element(contexts.begin(), contexts.end()) + steps);
  text.resize(longest);
  for (unsigned i = 0; i < longest; ++i)
    text[i] = int32_t(i * 2654435761u % info.token_limit);
  logits.resize(info.vocabulary);
  fresh = session(*std::max_element(prompts.begin(), prompts.end()));
  if (!fresh)
    return false;
  coppice_engine *quickest = engines.rbegin()->second;
  for (unsigned before : contexts) {
    if (filled.count(before))
      continue;
    coppice_session *made = session(before + steps);
    if (!made)
      return false;
    // Step by step, as one call would: a long context takes minutes.
    for (unsigned at = 0; at < before; at += chunk) {
      showProgress("%s: filling %u tokens of context %u%%", file.c_str(), before,
                   unsigned(uint64_t(at) * 100 / before));
      if (failed(coppice_engine_feed(quickest, made, &text[at], std::min(chunk, before - at),
                                     nullptr)))
        return false;
    }
    filled[before] = made;
  }
  clearProgress();
  return true;
}

Subject::~Subject() {
  for (auto &[threads, engine] : engines)
    coppice_engine_destroy(engine);
  coppice_model_close(model);
  for (void *memory : memories)
    std::free(memory);
}

double Subject::prefill(unsigned threads, unsigned tokens) {
  if (failed(coppice_session_truncate(fresh, 0)))
    return 0;
  auto start = Clock::now();
  coppice_status status =
      coppice_engine_feed(engine(threads), fresh, text.data(), tokens, logits.data());
  double seconds = secondsSince(start);
  return failed(status) ? 0 : tokens / seconds;
}

double Subject::decode(unsigned threads, unsigned context) {
  coppice_session *at = filled[context];
  if (failed(coppice_session_truncate(at, context)))
    return 0;
  coppice_status status = COPPICE_OK;
  auto start = Clock::now();
  for (unsigned i = 0; i < steps && status == COPPICE_OK; ++i)
    status = coppice_engine_feed(engine(threads), at, &text[i], 1, logits.data());
  double seconds = secondsSince(start);
  return failed(status) ? 0 : steps / seconds;
}

bool Subject::watched(unsigned threads, coppice_session *at, size_t count, Kinds &kinds) {
  std::vector<double> spent(info.stages);
  struct Watch {
    std::vector<double> &spent;
    Clock::time_point last;
  };
  auto note = [](void *context, uint32_t stage) {
    auto *watch = static_cast<Watch *>(context);
    Clock::time_point now = Clock::now();
    watch->spent[stage] += std::chrono::duration<double>(now - watch->last).count();
    watch->last = Clock::now();
  };
  for (size_t done = 0; done < count; done += chunk) {
    std::vector<coppice_token> tokens;
    for (size_t i = done; i < std::min(count, done + chunk); ++i)
      tokens.push_back({at, text[i], i + 1 == count});
    Watch watch{spent, Clock::now()};
    if (failed(coppice_engine_step_watched(engine(threads), tokens.data(), tokens.size(),
                                           logits.data(), note, &watch)))
      return false;
  }
  for (uint32_t i = 0; i < info.stages; ++i) {
    coppice_stage_info stage;
    if (failed(coppice_model_stage(model, i, &stage)))
      return false;
    Kind &kind = kinds[stage.kernel];
    ++kind.stages;
    kind.seconds += spent[i];
  }
  return true;
}

bool Subject::prefillStages(unsigned threads, unsigned tokens, Kinds &kinds) {
  return !failed(coppice_session_truncate(fresh, 0)) && watched(threads, fresh, tokens, kinds);
}

bool Subject::decodeStages(unsigned threads, unsigned context, Kinds &kinds) {
  coppice_session *at = filled[context];
  if (failed(coppice_session_truncate(at, context)))
    return false;
  Kinds sums;
  for (unsigned i = 0; i < steps; ++i)
    if (!watched(threads, at, 1, sums))
      return false;
  for (auto &[name, kind] : sums)
    kinds[name] = {kind.stages / steps, kind.seconds / steps};
  return true;
}
