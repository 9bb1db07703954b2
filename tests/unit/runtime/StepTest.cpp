// How a step splits items and where it waits, seen by kernels that note their calls.
#include "runtime/core/step.h"
#include <gtest/gtest.h>
#include <vector>

namespace {
struct Call {
  uint32_t stage;
  uint64_t begin, end;
};
std::vector<Call> calls;
uint32_t waits;
std::vector<uint32_t> waitsBefore; // waits before each call

void note(const coppice_frame *, const uint32_t *args, uint64_t begin, uint64_t end) {
  calls.push_back({args[0], begin, end});
  waitsBefore.push_back(waits);
}
uint32_t stayUntil; // of the barriers: from this one on, one thread goes on alone
uint32_t threadsOfStep;
uint32_t wait(void *) { return ++waits < stayUntil ? threadsOfStep : 1; }

const uint32_t numbers[] = {0, 1, 2, 3};

coppice_frame frameOf(uint64_t rows, uint64_t wanted) {
  coppice_frame frame{};
  frame.sets[COPPICE_ROWS_ALL].count = rows;
  frame.sets[COPPICE_ROWS_LOGITS].count = wanted;
  return frame;
}

void run(const std::vector<coppice_stage> &stages, const coppice_frame &frame, uint32_t thread,
         uint32_t threads, uint32_t leavesAt = UINT32_MAX) {
  calls.clear(), waitsBefore.clear(), waits = 0;
  stayUntil = leavesAt, threadsOfStep = threads;
  coppice_program program{};
  program.stages = stages.data();
  program.stage_count = uint32_t(stages.size());
  coppice_step_run(&program, &frame, thread, threads, threads > 1 ? wait : nullptr, nullptr);
}
} // namespace

// Every item goes to exactly one thread, in order, whatever the numbers are.
TEST(Step, CoversEachItemOnce) {
  for (uint32_t count : {1u, 2u, 3u, 7u, 64u, 1000u})
    for (uint64_t rows : {1, 3, 8})
      for (uint8_t perRow : {0, 1})
        for (uint32_t threads : {1, 2, 3, 5, 8, 64}) {
          std::vector<coppice_stage> stages = {{note, numbers, count, COPPICE_ROWS_ALL, perRow, 0}};
          uint64_t next = 0, n = perRow ? count * rows : count;
          for (uint32_t thread = 0; thread < threads; ++thread) {
            run(stages, frameOf(rows, 0), thread, threads);
            for (const Call &call : calls) {
              EXPECT_EQ(call.begin, next);
              EXPECT_GT(call.end, call.begin);
              EXPECT_LE(call.end - call.begin, n / threads + 1);
              next = call.end;
            }
          }
          EXPECT_EQ(next, n);
        }
}

// Item numbers near the top do not overflow in the split.
TEST(Step, SplitsHugeCounts) {
  std::vector<coppice_stage> stages = {{note, numbers, 0xffffffffu, COPPICE_ROWS_ALL, 1, 0}};
  uint64_t rows = 0xffffffff, next = 0;
  for (uint32_t thread = 0; thread < 3; ++thread) {
    run(stages, frameOf(rows, 0), thread, 3);
    ASSERT_EQ(calls.size(), 1u);
    EXPECT_EQ(calls[0].begin, next);
    next = calls[0].end;
  }
  EXPECT_EQ(next, rows * 0xffffffffu);
}

// One barrier between two stages, none before the first or after the last; a thread without items
// waits all the same.
TEST(Step, WaitsBetweenStagesOnly) {
  std::vector<coppice_stage> stages = {{note, &numbers[0], 1, COPPICE_ROWS_ALL, 0, 0},
                                       {note, &numbers[1], 8, COPPICE_ROWS_ALL, 0, 0},
                                       {note, &numbers[2], 1, COPPICE_ROWS_LOGITS, 1, 0}};
  run(stages, frameOf(1, 1), 1, 2);
  EXPECT_EQ(waits, 2u);
  ASSERT_EQ(calls.size(), 3u); // of 1 item the second of two threads gets [0, 1)
  EXPECT_EQ(waitsBefore, (std::vector<uint32_t>{0, 1, 2}));
  run(stages, frameOf(1, 1), 0, 2);
  EXPECT_EQ(waits, 2u);
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].stage, 1u);
}

// A joined stage starts without a barrier; one that is left out hands its barrier on.
TEST(Step, DoesNotWaitBeforeJoinedStages) {
  std::vector<coppice_stage> stages = {{note, &numbers[0], 4, COPPICE_ROWS_ALL, 0, 0},
                                       {note, &numbers[1], 4, COPPICE_ROWS_LOGITS, 0, 0},
                                       {note, &numbers[2], 4, COPPICE_ROWS_ALL, 0, 1},
                                       {note, &numbers[3], 4, COPPICE_ROWS_ALL, 0, 1}};
  run(stages, frameOf(1, 1), 0, 2);
  EXPECT_EQ(waitsBefore, (std::vector<uint32_t>{0, 1, 1, 1}));
  run(stages, frameOf(1, 0), 0, 2);
  EXPECT_EQ(waitsBefore, (std::vector<uint32_t>{0, 1, 1}));
}

// Where the second barrier says that one thread goes on, thread 0 takes all items that follow
// without waiting any more, and the others take none.
TEST(Step, GoesOnAlone) {
  std::vector<coppice_stage> stages(4, {note, &numbers[0], 8, COPPICE_ROWS_ALL, 0, 0});
  for (uint32_t thread = 0; thread < 2; ++thread) {
    run(stages, frameOf(1, 1), thread, 2, 2);
    EXPECT_EQ(waits, 2u);
    ASSERT_EQ(calls.size(), thread ? 2u : 4u);
    for (size_t i = 0; i < calls.size(); ++i) {
      EXPECT_EQ(calls[i].begin, i < 2 ? 4 * thread : 0u);
      EXPECT_EQ(calls[i].end, i < 2 ? 4 * thread + 4 : 8u);
    }
  }
}

// Stages of a set without rows are left out, with the barrier that none after them takes.
TEST(Step, LeavesEmptyStagesOut) {
  std::vector<coppice_stage> stages = {{note, &numbers[0], 4, COPPICE_ROWS_LOGITS, 0, 0},
                                       {note, &numbers[1], 4, COPPICE_ROWS_ALL, 0, 0},
                                       {note, &numbers[2], 0, COPPICE_ROWS_ALL, 1, 0},
                                       {note, &numbers[3], 4, COPPICE_ROWS_LOGITS, 1, 0}};
  run(stages, frameOf(2, 0), 0, 2);
  EXPECT_EQ(waits, 0u);
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].stage, 1u);
}
