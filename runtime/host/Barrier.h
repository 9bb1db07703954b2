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
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coppice::runtime {

class Barrier { // NOLINT(clang-analyzer-optin.performance.Padding): apart on purpose
public:
  /// `threads` of them wait; `spins` turns are spun before sleeping.
  Barrier(uint32_t threads, uint32_t spins) : threads(threads), spins(spins) {}
  Barrier(const Barrier &) = delete;
  Barrier &operator=(const Barrier &) = delete;

  /// Arrives without waiting; true for the last one of the round.
  bool arrive() {
    uint32_t mine = generation.load(std::memory_order_relaxed);
    if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 != threads)
      return false;
    arrived.store(0, std::memory_order_relaxed);
    generation.store(mine + 1, std::memory_order_seq_cst);
    if (sleepers.load(std::memory_order_seq_cst))
      futex(FUTEX_WAKE_PRIVATE, INT32_MAX);
    return true;
  }

  void wait() {
    // Cannot move on before this thread has arrived.
    uint32_t mine = generation.load(std::memory_order_relaxed);
    if (arrive())
      return;
    for (uint32_t i = 0; i < spins; ++i) {
      if (generation.load(std::memory_order_acquire) != mine)
        return;
      pause();
    }
    // Another thread may only want this processor for a moment.
    for (int i = 0; i < 4; ++i) {
      sched_yield();
      if (generation.load(std::memory_order_acquire) != mine)
        return;
    }
    sleepers.fetch_add(1, std::memory_order_seq_cst);
    while (generation.load(std::memory_order_seq_cst) == mine)
      futex(FUTEX_WAIT_PRIVATE, mine);
    sleepers.fetch_sub(1, std::memory_order_relaxed);
  }

private:
  void futex(int operation, uint32_t value) {
    static_assert(sizeof(generation) == sizeof(uint32_t), "the kernel looks at the number itself");
    syscall(SYS_futex, reinterpret_cast<uint32_t *>(&generation), operation, value, nullptr,
            nullptr, 0);
  }
  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  const uint32_t threads, spins;
  // Apart, so that those who arrive do not disturb those who look at the generation.
  alignas(64) std::atomic<uint32_t> arrived{0};
  alignas(64) std::atomic<uint32_t> generation{0};
  std::atomic<uint32_t> sleepers{0};
};

} // namespace coppice::runtime
