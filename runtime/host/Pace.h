// How many of an engine's threads take the next step. More threads than the machine gives
// processors to, or a machine that is busy with other work, make a step slower than one thread
// would: at every barrier all wait for one that does not run. The time that a step's caller waits
// tells: had it done the work of all, a step of n threads would have taken n times what it did not
// wait. Where that is less, fewer threads take the next steps, and more are tried again later, the
// later the more often it failed. How many it is changes no result, only time.
#pragma once
#include <algorithm>
#include <cstdint>

namespace coppice::runtime {

class Pace {
public:
  explicit Pace(uint32_t threads) : most(threads), current(threads) {}

  /// Threads for a step that begins at `now` (nanoseconds).
  uint32_t threads(uint64_t now) {
    if (current < most && now >= retryAt) {
      current = std::min(most, current * 2);
      grownAt = now;
      took = waited = 0;
    }
    return current;
  }

  /// Whether a caller that waited so much of what several threads took is faster alone.
  static bool hinders(uint32_t threads, uint64_t took, uint64_t waited) {
    return took >= kWindow && waited > took - took / threads; // took > threads * (took - waited)
  }

  /// A step of several threads has ended at `now`: it took so long, and its caller waited for
  /// others so much of that. `left`: it had to go on alone.
  void record(uint64_t now, uint64_t stepTook, uint64_t stepWaited, bool left = false) {
    took += stepTook;
    waited += stepWaited;
    if (took < kWindow && !left)
      return;
    bool slow = left || hinders(current, took, waited);
    took = waited = 0;
    if (!slow)
      return;
    bool soon = now - grownAt < 16 * pause;
    pause = soon ? std::min(2 * pause, kLongestPause) : kFirstPause;
    retryAt = now + pause;
    current = std::max(1u, current / 2);
  }

private:
  static constexpr uint64_t kWindow = 200'000; // judged over no less than 0.2 ms
  static constexpr uint64_t kFirstPause = 1'000'000, kLongestPause = 1'000'000'000;

  const uint32_t most;
  uint32_t current;
  uint64_t took = 0, waited = 0;
  uint64_t grownAt = 0, retryAt = 0, pause = kFirstPause;
};

} // namespace coppice::runtime
