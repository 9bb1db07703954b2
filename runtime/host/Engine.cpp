// Engines and sessions: arguments are checked here, then the core runs the step on the engine's
// team of threads.
#include "runtime/core/session.h"
#include "runtime/core/step.h"
#include "runtime/host/Frame.h"
#include "runtime/host/Model.h"
#include "runtime/host/Team.h"
#include <algorithm>
#include <cstdlib>
#include <new>
#include <sys/mman.h>

using namespace coppice::runtime;

static_assert(COPPICE_SESSION_ALIGN == COPPICE_SESSION_ALIGNMENT, "one promise");

namespace {
constexpr uint32_t kMaxThreads = 1024, kMaxRows = 1 << 16, kDefaultRows = 64;

/// Threads that are worth it without being asked for: a stage of one token should keep each busy
/// for much longer than the barrier after it takes, also when other work delays one of them. A
/// quarter of a MiB of weights is some 10 us.
uint32_t threadsFor(const coppice_model &model) {
  constexpr uint64_t kBytesEach = 256 << 10;
  uint64_t stages = std::max<uint64_t>(model.program.stage_count, 1);
  uint64_t useful =
      std::max<uint64_t>(model.artifact.prefix.weights.bytes / stages / kBytesEach, 1);
  return uint32_t(std::min<uint64_t>({useful, processors(), kMaxThreads}));
}
} // namespace

struct coppice_engine {
  coppice_engine(coppice_model *model, uint32_t threads, uint32_t maxRows)
      : model(model), threads(threads), maxRows(maxRows), team(threads) {}

  coppice_model *const model;
  const uint32_t threads, maxRows;
  std::atomic<bool> busy{false};
  coppice_frame frame{};
  uint8_t *arena = nullptr;
  coppice_row *rows = nullptr;   // all rows, then those that want logits
  uint32_t *sources = nullptr;   // of the latter, their numbers among all
  coppice_token *feed = nullptr; // scratch of coppice_engine_feed
  Team team;
};

namespace {

constexpr size_t kHuge = 2 << 20;

/// Asks for huge pages under what lies in whole ones of at least 4 MiB. A wish: the system may not
/// have them, and bytes mean the same without.
void wantHugePages(void *memory, size_t bytes) {
  auto first = (reinterpret_cast<uintptr_t>(memory) + kHuge - 1) / kHuge * kHuge;
  auto last = (reinterpret_cast<uintptr_t>(memory) + bytes) / kHuge * kHuge;
  if (bytes >= 2 * kHuge && first < last)
    (void)madvise(reinterpret_cast<void *>(first), last - first, MADV_HUGEPAGE);
}

/// Room for activations; where it is large, on huge pages if the system has them.
uint8_t *makeArena(size_t bytes) {
  if (bytes < 2 * kHuge)
    return static_cast<uint8_t *>(aligned_alloc(64, bytes ? bytes : 64));
  size_t whole = (bytes + kHuge - 1) / kHuge * kHuge;
  void *arena = whole < bytes ? nullptr : aligned_alloc(kHuge, whole);
  if (arena)
    wantHugePages(arena, whole);
  return static_cast<uint8_t *>(arena);
}

coppice_status allocate(coppice_engine &engine) {
  uint64_t perRow = engine.model->program.arena_bytes_per_row;
  if (perRow > (SIZE_MAX - 64) / engine.maxRows)
    return COPPICE_NO_MEMORY;
  size_t arenaBytes = size_t(perRow) * engine.maxRows;
  engine.arena = makeArena(arenaBytes);
  engine.rows = static_cast<coppice_row *>(calloc(size_t(2) * engine.maxRows, sizeof(coppice_row)));
  engine.sources = static_cast<uint32_t *>(calloc(engine.maxRows, sizeof(uint32_t)));
  engine.feed = static_cast<coppice_token *>(calloc(engine.maxRows, sizeof(coppice_token)));
  return engine.arena && engine.rows && engine.sources && engine.feed ? COPPICE_OK
                                                                      : COPPICE_NO_MEMORY;
}

void freeEngine(coppice_engine *engine) {
  coppice_model *model = engine->model;
  uint8_t *arena = engine->arena;
  coppice_row *rows = engine->rows;
  uint32_t *sources = engine->sources;
  coppice_token *feed = engine->feed;
  engine->~coppice_engine(); // ends the threads
  free(engine);
  free(arena);
  free(rows);
  free(sources);
  free(feed);
  release(model);
}

/// Ends the step for the sessions of `tokens`.
void settle(const coppice_token *tokens, size_t count, bool done) {
  for (size_t i = 0; i < count; ++i)
    coppice_core_session_settle(tokens[i].session, done);
}

/// Gives each token its row and position; takes the positions back if one is refused.
coppice_status place(coppice_engine &engine, const coppice_token *tokens, size_t count) {
  size_t wanted = 0;
  for (size_t i = 0; i < count; ++i) {
    coppice_session *session = tokens[i].session;
    coppice_status status = coppice_core_session_check(session, &engine.model->program);
    if (status == COPPICE_OK)
      status = coppice_core_session_push(session, tokens[i].token, &engine.rows[i]);
    if (status != COPPICE_OK) {
      settle(tokens, i, /*done=*/false);
      return status;
    }
    if (tokens[i].wants_logits) {
      engine.rows[engine.maxRows + wanted] = engine.rows[i];
      engine.sources[wanted++] = uint32_t(i);
    }
  }
  engine.frame.sets[COPPICE_ROWS_ALL] = {engine.rows, nullptr, count};
  engine.frame.sets[COPPICE_ROWS_LOGITS] = {engine.rows + engine.maxRows, engine.sources, wanted};
  uint64_t picks = engine.model->program.picks;
  engine.frame.sets[COPPICE_ROWS_ROUTED] = {nullptr, nullptr, count * picks};
  engine.frame.sets[COPPICE_ROWS_ROUTED_LOGITS] = {nullptr, nullptr, wanted * picks};
  return COPPICE_OK;
}

/// What the threads of a run share.
struct Running {
  const coppice_program *program;
  const coppice_frame *frame;
};

void runProgram(coppice_engine &engine, const coppice_program &program) {
  Running running = {&program, &engine.frame};
  engine.team.run(
      [](void *context, uint32_t thread, uint32_t threads, void *meeting) {
        const Running &run = *static_cast<Running *>(context);
        coppice_step_run(run.program, run.frame, thread, threads, Team::meet, meeting);
      },
      &running);
}

/// What is called after each stage; null: nothing.
struct Watch {
  coppice_watch call = nullptr;
  void *context = nullptr;
};

void runStep(coppice_engine &engine, size_t count, float *logits, Watch watch) {
  const coppice_program &program = engine.model->program;
  engine.frame.weights = program.weights;
  engine.frame.arena = engine.arena;
  engine.frame.logits = logits;
  // As few as the step has: small steps then touch a small part of the arena.
  engine.frame.row_capacity = count;
  if (!watch.call)
    return runProgram(engine, program);
  for (uint32_t i = 0; i < program.stage_count; ++i) {
    coppice_program one = program;
    one.stages += i;
    one.stage_count = 1;
    runProgram(engine, one);
    watch.call(watch.context, i);
  }
}

/// Marks the engine busy for as long as it lives.
struct Busy {
  explicit Busy(coppice_engine &engine)
      : engine(engine), taken(!engine.busy.exchange(true, std::memory_order_acquire)) {}
  ~Busy() {
    if (taken)
      engine.busy.store(false, std::memory_order_release);
  }
  Busy(const Busy &) = delete;
  Busy &operator=(const Busy &) = delete;
  coppice_engine &engine;
  const bool taken;
};

coppice_status step(coppice_engine &engine, const coppice_token *tokens, size_t count,
                    float *logits, Watch watch = {}) {
  if (coppice_status status = place(engine, tokens, count))
    return status;
  runStep(engine, count, logits, watch);
  settle(tokens, count, /*done=*/true);
  return COPPICE_OK;
}

} // namespace

coppice_status coppice_engine_create(coppice_model *model, uint32_t threads, uint32_t max_rows,
                                     coppice_engine **out_engine, coppice_error *error) {
  if (!model || !out_engine)
    return fail(error, COPPICE_BAD_ARGUMENT, "coppice_engine_create: model or out_engine is null");
  threads = threads ? threads : threadsFor(*model);
  max_rows = max_rows ? max_rows : kDefaultRows;
  if (threads > kMaxThreads)
    return fail(error, COPPICE_BAD_ARGUMENT, "%u threads are asked for, at most %u can be", threads,
                kMaxThreads);
  if (max_rows > kMaxRows)
    return fail(error, COPPICE_BAD_ARGUMENT, "%u rows are asked for, at most %u can be", max_rows,
                kMaxRows);
  void *memory = aligned_alloc(alignof(coppice_engine), sizeof(coppice_engine));
  if (!memory)
    return fail(error, COPPICE_NO_MEMORY, "no memory for an engine");
  retain(model);
  auto *engine = new (memory) coppice_engine(model, threads, max_rows);
  const char *lacking = "memory";
  coppice_status status = allocate(*engine);
  if (status == COPPICE_OK) {
    lacking = "threads";
    status = engine->team.start() ? COPPICE_OK : COPPICE_NO_MEMORY;
  }
  if (status != COPPICE_OK) {
    freeEngine(engine);
    return fail(error, status, "the system has not enough %s for an engine (threads %u, rows %u)",
                lacking, threads, max_rows);
  }
  *out_engine = engine;
  return COPPICE_OK;
}

void coppice_engine_destroy(coppice_engine *engine) {
  if (engine)
    freeEngine(engine);
}

coppice_status coppice_engine_pin(coppice_engine *engine) {
  if (!engine)
    return COPPICE_BAD_ARGUMENT;
  Busy busy(*engine);
  if (!busy.taken)
    return COPPICE_BUSY;
  return engine->team.pin() ? COPPICE_OK : COPPICE_BAD_ARGUMENT;
}

uint32_t coppice_engine_threads(const coppice_engine *engine) {
  return engine ? engine->threads : 0;
}

uint32_t coppice_engine_max_rows(const coppice_engine *engine) {
  return engine ? engine->maxRows : 0;
}

static coppice_status checkedStep(coppice_engine *engine, const coppice_token *tokens, size_t count,
                                  float *logits, Watch watch) {
  if (!engine || !tokens || count == 0 || count > engine->maxRows)
    return COPPICE_BAD_ARGUMENT;
  for (size_t i = 0; i < count; ++i)
    if (tokens[i].wants_logits && !logits)
      return COPPICE_BAD_ARGUMENT;
  Busy busy(*engine);
  return busy.taken ? step(*engine, tokens, count, logits, watch) : COPPICE_BUSY;
}

const coppice_frame &coppice::runtime::frameOf(const coppice_engine &engine) {
  return engine.frame;
}

coppice_status coppice_engine_step(coppice_engine *engine, const coppice_token *tokens,
                                   size_t count, float *out_logits) {
  return checkedStep(engine, tokens, count, out_logits, {});
}

coppice_status coppice_engine_step_watched(coppice_engine *engine, const coppice_token *tokens,
                                           size_t count, float *out_logits, coppice_watch watch,
                                           void *context) {
  return watch ? checkedStep(engine, tokens, count, out_logits, {watch, context})
               : COPPICE_BAD_ARGUMENT;
}

coppice_status coppice_engine_feed(coppice_engine *engine, coppice_session *session,
                                   const int32_t *tokens, size_t count, float *out_logits) {
  if (!engine || !tokens || count == 0)
    return COPPICE_BAD_ARGUMENT;
  Busy busy(*engine);
  if (!busy.taken)
    return COPPICE_BUSY;
  const coppice_program &program = engine->model->program;
  if (coppice_status status = coppice_core_session_check(session, &program))
    return status;
  for (size_t i = 0; i < count; ++i)
    if (tokens[i] < 0 || uint32_t(tokens[i]) >= program.token_limit)
      return COPPICE_BAD_TOKEN;
  if (count > session->limit - session->position)
    return COPPICE_CONTEXT_FULL;
  uint32_t most = std::min(engine->maxRows, coppice_core_session_largest_step(session));
  for (size_t done = 0; done < count;) {
    size_t rows = std::min<size_t>(count - done, most);
    bool last = done + rows == count;
    for (size_t i = 0; i < rows; ++i)
      engine->feed[i] = {session, tokens[done + i], last && i + 1 == rows && out_logits};
    if (coppice_status status = step(*engine, engine->feed, rows, out_logits))
      return status;
    done += rows;
  }
  return COPPICE_OK;
}

size_t coppice_session_bytes(const coppice_model *model, uint32_t positions) {
  return model ? coppice_core_session_bytes(&model->program, positions) : 0;
}

coppice_status coppice_session_init(const coppice_model *model, uint32_t positions, void *memory,
                                    size_t bytes, coppice_session **out_session) {
  if (!model || !out_session)
    return COPPICE_BAD_ARGUMENT;
  coppice_status status =
      coppice_core_session_init(&model->program, positions, memory, bytes, out_session);
  if (status == COPPICE_OK)
    wantHugePages(memory, coppice_core_session_bytes(&model->program, positions));
  return status;
}

uint32_t coppice_session_position(const coppice_session *session) {
  return coppice_core_session_check(session, nullptr) == COPPICE_OK ? session->position : 0;
}

uint32_t coppice_session_limit(const coppice_session *session) {
  return coppice_core_session_check(session, nullptr) == COPPICE_OK ? session->limit : 0;
}

coppice_status coppice_session_truncate(coppice_session *session, uint32_t position) {
  if (coppice_status status = coppice_core_session_check(session, nullptr))
    return status;
  return coppice_core_session_truncate(session, position);
}
