// Teams of threads, and the pace that says how many of them take a step.
#include "runtime/host/Team.h"
#include <chrono>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

using namespace coppice::runtime;

namespace {

struct Rounds {
  std::vector<uint64_t> numbers;
  uint64_t round = 0, wrong = 0;
  uint32_t threads = 0;
};

// All threads of a run write, meet, and read what all wrote. The numbers are not atomic: under
// ThreadSanitizer this also proves that calls and meetings order memory.
void work(void *context, uint32_t thread, uint32_t threads, void *meeting) {
  auto &rounds = *static_cast<Rounds *>(context);
  rounds.numbers[thread] = rounds.round;
  uint32_t there = threads;
  if (threads > 1 && thread >= (there = Team::meet(meeting)))
    return;
  uint64_t wrong = 0;
  for (uint32_t i = 0; i < threads; ++i)
    wrong += rounds.numbers[i] != rounds.round;
  if (there > 1 && thread >= Team::meet(meeting))
    return;
  if (thread == 0) {
    rounds.wrong += wrong;
    rounds.threads = threads;
  }
}

} // namespace

// More threads than processors: the team gets smaller and larger between runs, and every run has
// all of those it called and nobody else.
TEST(Team, EveryRunIsWhole) {
  for (uint32_t threads : {1u, 2u, 3u, 8u}) {
    Team team(threads);
    ASSERT_TRUE(team.start());
    Rounds rounds;
    rounds.numbers.resize(threads);
    for (uint64_t round = 1; round <= 2000; ++round) {
      rounds.round = round;
      if (round % 500 == 0) // so long that all are asleep
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      team.run(work, &rounds);
      EXPECT_GE(rounds.threads, 1u);
      EXPECT_LE(rounds.threads, threads);
    }
    EXPECT_EQ(rounds.wrong, 0u) << threads;
  }
}

namespace {
struct Held {
  uint32_t meetings = 0, alone = 0;
};

// Thread 1 comes late to every meeting, as if it were not run.
void hold(void *context, uint32_t thread, uint32_t threads, void *meeting) {
  auto &held = *static_cast<Held *>(context);
  for (int i = 0; i < 100; ++i) {
    if (threads > 1) {
      if (thread)
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      threads = Team::meet(meeting);
      if (thread >= threads)
        return;
      ++held.meetings;
    } else {
      ++held.alone;
    }
  }
}
} // namespace

// A thread that is hardly ever run holds up a few meetings of a step and not all hundred.
TEST(Team, GoesOnWithoutTheLate) {
  Team team(2);
  ASSERT_TRUE(team.start());
  Held first;
  team.run(
      [](void *context, uint32_t thread, uint32_t threads, void *meeting) {
        Held mine;
        hold(thread ? &mine : context, thread, threads, meeting);
      },
      &first);
  // Usually two; more where the caller itself is held up by other work.
  EXPECT_LE(first.meetings, 20u);
  EXPECT_EQ(first.meetings + first.alone, 100u);
}

// A team that never ran ends; one thread for each processor can be bound, one more cannot.
TEST(Team, Pins) {
  uint32_t all = processors();
  std::thread([&] { // bound with its team, and gone with it
    Team fits(all), tooMany(all + 1);
    ASSERT_TRUE(fits.start());
    ASSERT_TRUE(tooMany.start());
    EXPECT_FALSE(tooMany.pin());
    EXPECT_EQ(processors(), all);
    ASSERT_TRUE(fits.pin());
    EXPECT_EQ(processors(), 1u);
  })
      .join();
  EXPECT_EQ(processors(), all);
}

// Steps of 1 ms whose caller hardly waits keep all threads.
TEST(Pace, KeepsThreadsThatHelp) {
  Pace pace(4);
  for (uint64_t now = 0; now < 1'000'000'000; now += 1'000'000) {
    ASSERT_EQ(pace.threads(now), 4u);
    pace.record(now + 1'000'000, 1'000'000, 700'000); // alone it would take 1.2 ms
  }
}

// Where waiting costs more than the others' help brings, half of them are left, down to one.
TEST(Pace, LeavesThreadsThatHinder) {
  Pace pace(4);
  pace.record(1'000'000, 1'000'000, 800'000); // alone 0.8 ms
  EXPECT_EQ(pace.threads(1'000'001), 2u);
  pace.record(1'500'000, 400'000, 210'000);
  EXPECT_EQ(pace.threads(1'500'001), 1u);
}

// A step of a few microseconds says nothing alone: what it takes is added up first.
TEST(Pace, DoesNotJudgeByAMoment) {
  Pace pace(2);
  pace.record(30'000, 30'000, 29'000);
  EXPECT_EQ(pace.threads(30'000), 2u);
  for (uint64_t step = 1; step <= 60; ++step)
    pace.record(step * 20'000, 20'000, 1'000);
  EXPECT_EQ(pace.threads(2'000'000), 2u);
}

// With another thread that never runs, a step of two threads takes 4 ms and one alone 0.1 ms. In
// ten seconds fewer than 20 steps are lost to trying; when the machine is free again, both soon
// run.
TEST(Pace, TriesAgainMoreAndMoreRarely) {
  Pace pace(2);
  uint64_t now = 0, tries = 0;
  while (now < 10'000'000'000) {
    bool two = pace.threads(now) == 2;
    uint64_t took = two ? 4'000'000 : 100'000;
    tries += two;
    now += took;
    if (two)
      pace.record(now, took, 3'900'000);
  }
  EXPECT_GE(tries, 5u);
  EXPECT_LE(tries, 20u);
  EXPECT_EQ(pace.threads(now + 1'100'000'000), 2u);
}
