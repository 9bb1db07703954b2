/* One step of a program: its stages in order, items split over threads. */
#ifndef COPPICE_CORE_STEP_H
#define COPPICE_CORE_STEP_H

#include "runtime/core/program.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Waits until all threads of the step have called it. How many of them take the stages that follow,
 * the same number for all: as many as there were, or 1. */
typedef uint32_t (*coppice_barrier)(void *context);

/* Runs the part of thread |thread| of |threads|. Each thread of the step calls it with the same
 * |program|, |frame|, |threads| and |barrier|. A stage's n items go to the threads as
 * [n * t / T, n * (t + 1) / T). The barrier is called once between two stages that have items
 * unless the later one and all left out between them are joined to what is before, and neither
 * before the first stage nor after the last: the caller knows what it waits for there. If it says
 * that one thread goes on, that is thread 0, and the others return.
 * |barrier| may be null if |threads| is 1. */
void coppice_step_run(const coppice_program *program, const coppice_frame *frame, uint32_t thread,
                      uint32_t threads, coppice_barrier barrier, void *context);

#ifdef __cplusplus
}
#endif

#endif /* COPPICE_CORE_STEP_H */
