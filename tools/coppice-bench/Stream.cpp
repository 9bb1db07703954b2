// See Stream.h. The widest loads the machine has, several in flight, nothing done with the data but
// a sum that cannot be left out.
#include "tools/coppice-bench/Stream.h"
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace {

typedef uint64_t Wide __attribute__((vector_size(64)));

__attribute__((target_clones("avx512f", "avx2", "default"))) uint64_t readAll(const uint8_t *data,
                                                                              size_t bytes) {
  Wide sums[8] = {};
  for (size_t i = 0; i + 512 <= bytes; i += 512) {
    const Wide *line = reinterpret_cast<const Wide *>(data + i);
    for (int j = 0; j < 8; ++j)
      sums[j] += line[j];
  }
  Wide all = sums[0];
  for (int j = 1; j < 8; ++j)
    all += sums[j];
  uint64_t total = 0;
  for (int j = 0; j < 8; ++j)
    total += all[j];
  return total;
}

} // namespace

double streamBytesPerSecond(size_t bytes, unsigned threads) {
  static std::vector<uint8_t> memory;
  size_t share = bytes / threads / 1024 * 1024;
  if (share == 0)
    return 0;
  if (memory.size() != share * threads + 64)
    memory.assign(share * threads + 64, 1);
  uint8_t *base = memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64) % 64;
  std::vector<uint64_t> sums(threads);
  // Threads are there before the time starts: starting one takes longer than to read a small file.
  std::atomic<unsigned> waiting{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> others;
  for (unsigned t = 1; t < threads; ++t)
    others.emplace_back([&, t] {
      ++waiting;
      while (!go)
        std::this_thread::yield();
      sums[t] = readAll(base + t * share, share);
    });
  while (waiting + 1 < threads)
    std::this_thread::yield();
  auto start = std::chrono::steady_clock::now();
  go = true;
  sums[0] = readAll(base, share);
  for (std::thread &other : others)
    other.join();
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  volatile uint64_t sink = 0;
  for (uint64_t sum : sums)
    sink = sink + sum;
  return double(share) * threads / seconds;
}
