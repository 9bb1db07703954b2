// What the kernel benchmarks share: memory, time, and kernels generated on demand.
#pragma once
#include "compiler/codegen/CodeImage.h"
#include "coppice/kernel_abi.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"
#include <algorithm>
#include <benchmark/benchmark.h>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <map>
#include <string>
#include <sys/mman.h>
#include <vector>

namespace coppice::bench {

/// This thread's own time: what else the machine runs does not count.
inline double seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

/// Memory in huge pages where the system gives them, touched.
inline uint8_t *allocate(size_t bytes) {
  size_t size = (bytes + (2 << 20) - 1) >> 21 << 21;
  void *p =
      mmap(nullptr, size + (2 << 20), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED)
    abort();
  auto *aligned = reinterpret_cast<uint8_t *>((uintptr_t(p) + (2 << 20) - 1) >> 21 << 21);
  madvise(aligned, size, MADV_HUGEPAGE);
  for (size_t i = 0; i < size; i += 4)
    reinterpret_cast<float &>(aligned[i]) = float(i % 97) * 0.001f;
  return aligned;
}

/// Whether this machine runs a target's code.
inline bool hostRuns(const std::string &target) {
  static const auto host = llvm::sys::getHostCPUFeatures();
  return llvm::all_of(llvm::cantFail(resolveTarget(target)).features,
                      [](const std::string &feature) { return host.lookup(feature); });
}

inline coppice_kernel kernelOf(const std::string &name, const std::string &target) {
  static std::map<std::string, coppice_kernel> known;
  coppice_kernel &kernel = known[name + target];
  if (kernel)
    return kernel;
  CodeImage image = llvm::cantFail(generateCode({name}, llvm::cantFail(resolveTarget(target))));
  void *code =
      mmap(nullptr, image.bytes.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(code, image.bytes.data(), image.bytes.size());
  mprotect(code, image.bytes.size(), PROT_READ | PROT_EXEC);
  kernel = reinterpret_cast<coppice_kernel>(static_cast<uint8_t *>(code) + image.kernels[0].offset);
  return kernel;
}

typedef float Floats __attribute__((vector_size(32)));

/// A plain read of the bytes, eight registers wide, prefetching as far ahead as the kernels do.
__attribute__((target("avx2"), noinline)) inline float readAll(const uint8_t *from, size_t bytes) {
  Floats sums[8] = {};
  for (size_t i = 0; i + 256 <= bytes; i += 256)
    for (int j = 0; j < 8; ++j) {
      if (j % 2 == 0)
        __builtin_prefetch(from + i + j * 32 + 2048);
      sums[j] += *reinterpret_cast<const Floats *>(from + i + j * 32);
    }
  Floats total = sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6] + sums[7];
  return total[0];
}

inline double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

/// The frame of a step over all of these rows.
inline coppice_frame frameOf(uint8_t *weights, uint8_t *arena, std::vector<coppice_row> &rows) {
  coppice_frame frame = {};
  frame.weights = weights;
  frame.arena = arena;
  frame.row_capacity = rows.size();
  frame.sets[COPPICE_ROWS_ALL] = {rows.data(), nullptr, rows.size()};
  return frame;
}

/// Times, in turn over a bench's copies of its memory, a kernel that reads one and a plain read of
/// one. Counters: `what` for the kernel's GB/s, read_GB/s, and the median of the pairs' ratios.
template <typename Bench>
void timeBesideReads(benchmark::State &state, Bench &bench, const char *what) {
  std::vector<double> kernels, reads, ratios;
  unsigned copy = 0;
  for (auto _ : state) {
    double kernel = bench.runKernel(copy++);
    double read = bench.runRead(copy++);
    copy += copy % bench.copies == 0; // each copy is taken by both in turn
    kernels.push_back(kernel);
    reads.push_back(read);
    ratios.push_back(read / kernel);
    state.SetIterationTime(kernel);
  }
  state.counters[what] = bench.bytes / median(kernels) / 1e9;
  state.counters["read_GB/s"] = bench.bytes / median(reads) / 1e9;
  state.counters["of_read"] = median(ratios);
}

} // namespace coppice::bench
