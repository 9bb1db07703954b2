// The threads of an engine: they sleep between steps, are called one by one, and meet at a barrier
// within a step. Where they hold each other up, fewer of them are called (Pace.h).
//
// A worker looks at nothing but its own word until it is called; what the caller wrote before is
// then there to be read, and stays until all that were called have met at the end of the run.
#pragma once
#include "runtime/host/Barrier.h"
#include "runtime/host/Pace.h"
#include <pthread.h>

namespace coppice::runtime {

/// Processors that this process may use, at least 1.
uint32_t processors();

class Team {
public:
  /// Done by each thread of a run; `meeting` is what Team::meet wants.
  using Work = void (*)(void *context, uint32_t thread, uint32_t threads, void *meeting);

  explicit Team(uint32_t threads);
  ~Team(); // ends the threads
  Team(const Team &) = delete;
  Team &operator=(const Team &) = delete;

  /// Makes the threads beside the caller's. False if the system has not enough of them or of
  /// memory; then the team is only to be destroyed.
  bool start();

  /// Calls `work` on all or fewer threads, 0 being the caller's, and returns when all are done.
  void run(Work work, void *context);

  /// Waits until all threads of the run are here. How many go on: all of them; or 1, if the caller
  /// has waited so much that it is faster alone. Then the others are to return from their work.
  static uint32_t meet(void *meeting);

  /// Binds each thread, the caller's as the first, to a processor of its own of those that the
  /// process may use. False, and nothing is bound, if there are fewer, or the system refuses.
  bool pin();

  const uint32_t threads;

private:
  struct Worker {
    Team *team;
    uint32_t number;
    pthread_t thread;
    // A line of its own: others' words change while it looks at this one.
    alignas(64) std::atomic<uint32_t> called{0};
    std::atomic<uint32_t> asleep{0};
  };
  /// A thread's part in a run.
  struct Meeting {
    Team *team;
    uint32_t thread;
    uint32_t round;  // meetings so far
    uint64_t begin;  // of the caller: nanoseconds
    uint64_t waited; // likewise
  };

  static void *main(void *worker);
  void call(Worker &worker);
  void waitForCall(Worker &worker, uint32_t last);
  void join(uint32_t thread);

  const uint32_t spins;
  uint32_t started = 0;      // workers that run
  Worker *workers = nullptr; // threads - 1 of them
  bool stop = false;         // written before a call, read after it; the next three likewise
  Work work = nullptr;
  void *context = nullptr;
  uint32_t called = 0; // threads of this run
  // Whether one thread goes on after a meeting of even, and of odd, number. The caller writes the
  // one of the next meeting before it comes there; nobody reads that one before, nor is anyone
  // still to read it from the meeting before the last, for all have come to the last since.
  std::atomic<bool> alone[2] = {};
  Pace pace;
  Barrier barrier;
};

} // namespace coppice::runtime
