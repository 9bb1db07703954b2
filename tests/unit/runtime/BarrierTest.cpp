// The barrier under more threads than processors, spinning and asleep.
#include "runtime/host/Barrier.h"
#include <chrono>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

using coppice::runtime::Barrier;

// In each round all threads write, meet, read what all wrote, and meet again. The numbers are not
// atomic: under ThreadSanitizer this also proves that the barrier orders memory.
static void rounds(uint32_t threads, uint32_t spins, uint32_t count, bool pauses) {
  Barrier barrier(threads, spins);
  std::vector<uint64_t> numbers(threads);
  std::vector<uint64_t> wrong(threads);
  std::vector<std::thread> others;
  for (uint32_t t = 0; t < threads; ++t)
    others.emplace_back([&, t] {
      for (uint32_t round = 0; round < count; ++round) {
        if (pauses && round % threads == t)
          std::this_thread::sleep_for(std::chrono::milliseconds(2));
        numbers[t] = round;
        barrier.wait();
        for (uint64_t number : numbers)
          wrong[t] += number != round;
        barrier.wait();
      }
    });
  for (std::thread &other : others)
    other.join();
  for (uint64_t number : wrong)
    EXPECT_EQ(number, 0u);
}

// Eight threads on two processors make progress when they spin a little.
TEST(Barrier, EightThreadsSpinning) { rounds(8, 50, 2000, false); }

// The same when they spin long, as with a processor each.
TEST(Barrier, TwoThreadsSpinningLong) { rounds(2, 4000, 5000, false); }

// Without any spinning every meeting goes through the kernel: a lost wake-up would hang here.
TEST(Barrier, AsleepEveryTime) { rounds(5, 0, 2000, false); }

// Late threads are waited for asleep.
TEST(Barrier, WaitsForTheLate) { rounds(4, 10, 40, true); }

// Threads that never came can be stood in for.
TEST(Barrier, ArrivesForOthers) {
  Barrier barrier(3, 10);
  std::thread waiting([&] { barrier.wait(); });
  bool first = barrier.arrive(), second = barrier.arrive();
  waiting.join(); // hangs if the round did not end
  EXPECT_TRUE(second || !first);
}
