// A barrier for a handful of threads that meet thousands of times a second: it spins first, and
// sleeps in the kernel when the others take long, so that more threads than processors make slow
// progress rather than none, and an idle engine costs nothing.
//
// Why it is free of races. A thread arrives by an atomic addition (acquire and release), so the
// last one to arrive has seen everything that the others wrote before. It resets the count and
// then moves the generation on (release); the others leave when they see that (acquire), and so
// see everything that anyone wrote before arriving. The count is reset before the generation
// moves, so whoever arrives for the next round counts from zero.
//
// Why no wake-up is lost. A thread about to sleep adds itself to `sleepers`, then the kernel
// compares the generation again before it puts the thread to sleep; the last one moves the
// generation on, then looks at `sleepers`. All four are sequentially consistent, so either the
// last one sees the sleeper and wakes it, or the sleeper sees the new generation.
#pragma once
#include <atomic>
#include <cstdint>
#include <ctime>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coppice::runtime {

/// From some moment on.
inline uint64_t nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return uint64_t(now.tv_sec) * 1'000'000'000 + uint64_t(now.tv_nsec);
}

inline void futex(std::atomic<uint32_t> &word, int operation, uint32_t value) {
  static_assert(sizeof word == sizeof(uint32_t), "the kernel looks at the number itself");
  syscall(SYS_futex, reinterpret_cast<uint32_t *>(&word), operation, value, nullptr, nullptr, 0);
}

inline void pauseSpinning() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Looks for `there` in so many turns, then gives the processor away a few times: another thread
/// may only want it for a moment. False if it never came.
template <typename Condition> bool spinUntil(uint32_t turns, Condition there) {
  for (uint32_t i = 0; i < turns; ++i) {
    if (there())
      return true;
    pauseSpinning();
  }
  for (int i = 0; i < 4; ++i) {
    sched_yield();
    if (there())
      return true;
  }
  return false;
}

class Barrier { // NOLINT(clang-analyzer-optin.performance.Padding): apart on purpose
public:
  /// `threads` of them wait; `spins` turns are spun before sleeping.
  Barrier(uint32_t threads, uint32_t spins) : threads(threads), spins(spins) {}
  Barrier(const Barrier &) = delete;
  Barrier &operator=(const Barrier &) = delete;

  /// Changes how many wait. Only while nobody does, and known to them before they do.
  void setThreads(uint32_t count) { threads.store(count, std::memory_order_relaxed); }

  /// Arrives without waiting; true for the last one of the round.
  bool arrive() {
    uint32_t mine = generation.load(std::memory_order_relaxed);
    // Read before arriving: after the last one's arrival it may change.
    uint32_t all = threads.load(std::memory_order_relaxed);
    if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 != all)
      return false;
    arrived.store(0, std::memory_order_relaxed);
    generation.store(mine + 1, std::memory_order_seq_cst);
    if (sleepers.load(std::memory_order_seq_cst))
      futex(generation, FUTEX_WAKE_PRIVATE, INT32_MAX);
    return true;
  }

  /// Waits for the others. The nanoseconds it took, or 0 if that was too short to be worth a look
  /// at the clock.
  uint64_t wait() {
    // Cannot move on before this thread has arrived.
    uint32_t mine = generation.load(std::memory_order_relaxed);
    if (arrive())
      return 0;
    auto there = [&] { return generation.load(std::memory_order_acquire) != mine; };
    for (uint32_t i = 0; i < kShort && i < spins; ++i) {
      if (there())
        return 0;
      pauseSpinning();
    }
    uint64_t begin = nanoseconds();
    if (!spinUntil(spins > kShort ? spins - kShort : 0, there)) {
      sleepers.fetch_add(1, std::memory_order_seq_cst);
      while (generation.load(std::memory_order_seq_cst) == mine)
        futex(generation, FUTEX_WAIT_PRIVATE, mine);
      sleepers.fetch_sub(1, std::memory_order_relaxed);
    }
    return nanoseconds() - begin;
  }

private:
  static constexpr uint32_t kShort = 100; // turns, a few microseconds

  std::atomic<uint32_t> threads;
  const uint32_t spins;
  // Apart, so that those who arrive do not disturb those who look at the generation.
  alignas(64) std::atomic<uint32_t> arrived{0};
  alignas(64) std::atomic<uint32_t> generation{0};
  std::atomic<uint32_t> sleepers{0};
};

} // namespace coppice::runtime
