/* A stage without items (no logits are wanted, say) is left out, and the barrier before it moves to
 * the next one that has items: all threads see the same counts, so they agree on it without
 * talking. */
#include "runtime/core/step.h"

/* n * t / T without the product's overflow. */
static uint64_t split(uint64_t n, uint32_t t, uint32_t threads) {
  return n / threads * t + n % threads * t / threads;
}

/* UBSan's check of function types reads words before the function, which machine code out of an
 * artifact does not have. */
#if defined(__clang__)
__attribute__((no_sanitize("function")))
#endif
void coppice_step_run(const coppice_program *program, const coppice_frame *frame, uint32_t thread,
                      uint32_t threads, coppice_barrier barrier, void *context) {
  int first = 1, wait = 0;
  for (uint32_t i = 0; i < program->stage_count; ++i) {
    const coppice_stage *stage = &program->stages[i];
    uint64_t rows = frame->sets[stage->set].count;
    wait |= !stage->joined;
    uint64_t items = rows == 0 ? 0 : stage->per_row ? stage->count * rows : stage->count;
    if (items == 0)
      continue;
    if (!first && wait && threads > 1) {
      threads = barrier(context);
      if (thread >= threads)
        return;
    }
    first = wait = 0;
    uint64_t begin = split(items, thread, threads), end = split(items, thread + 1, threads);
    if (begin < end)
      stage->kernel(frame, stage->args, begin, end);
  }
}
