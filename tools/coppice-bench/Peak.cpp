// See Peak.h. Loops without memory: as many independent sums as hide an instruction's latency. Not
// kernels of any model, only what they are measured against.
#include "tools/coppice-bench/Peak.h"
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>
#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace {

/// A loop of about a quarter of a millisecond; returns how many multiplications it did, and keeps
/// `sink` alive.
using Loop = double (*)(volatile int &sink);

#if defined(__x86_64__)
constexpr int kSums = 12; // latencies are 4 or 5 cycles, two a cycle; within sixteen registers
constexpr int kTurns = 1 << 17;

__attribute__((target("avx512f,avx512vl,avx512vnni"))) double dot512(volatile int &sink) {
  __m512i sums[kSums] = {}, a = _mm512_set1_epi8(char(sink)), b = _mm512_set1_epi8(1);
  for (int turn = 0; turn < kTurns; ++turn)
#pragma clang loop unroll(full)
    for (int i = 0; i < kSums; ++i)
      sums[i] = _mm512_dpbusd_epi32(sums[i], a, b);
  for (int i = 1; i < kSums; ++i)
    sums[0] = _mm512_add_epi32(sums[0], sums[i]);
  sink = _mm512_cvtsi512_si32(sums[0]) & 1;
  return 64.0 * kSums * kTurns;
}

__attribute__((target("avx2,avxvnni"))) double dot256(volatile int &sink) {
  __m256i sums[kSums] = {}, a = _mm256_set1_epi8(char(sink)), b = _mm256_set1_epi8(1);
  for (int turn = 0; turn < kTurns; ++turn)
#pragma clang loop unroll(full)
    for (int i = 0; i < kSums; ++i)
      sums[i] = _mm256_dpbusd_avx_epi32(sums[i], a, b);
  for (int i = 1; i < kSums; ++i)
    sums[0] = _mm256_add_epi32(sums[0], sums[i]);
  sink = _mm256_cvtsi256_si32(sums[0]) & 1;
  return 32.0 * kSums * kTurns;
}

__attribute__((target("avx512f,avx512vl"))) double fma512(volatile int &sink) {
  __m512 sums[kSums] = {}, a = _mm512_set1_ps(float(sink)), b = _mm512_set1_ps(0.5f);
  for (int turn = 0; turn < kTurns; ++turn)
#pragma clang loop unroll(full)
    for (int i = 0; i < kSums; ++i)
      sums[i] = _mm512_fmadd_ps(sums[i], b, a);
  for (int i = 1; i < kSums; ++i)
    sums[0] = _mm512_add_ps(sums[0], sums[i]);
  sink = int(_mm512_cvtss_f32(sums[0])) & 1;
  return 16.0 * kSums * kTurns;
}

__attribute__((target("avx2,fma"))) double fma256(volatile int &sink) {
  __m256 sums[kSums] = {}, a = _mm256_set1_ps(float(sink)), b = _mm256_set1_ps(0.5f);
  for (int turn = 0; turn < kTurns; ++turn)
#pragma clang loop unroll(full)
    for (int i = 0; i < kSums; ++i)
      sums[i] = _mm256_fmadd_ps(sums[i], b, a);
  for (int i = 1; i < kSums; ++i)
    sums[0] = _mm256_add_ps(sums[0], sums[i]);
  sink = int(_mm256_cvtss_f32(sums[0])) & 1;
  return 8.0 * kSums * kTurns;
}

bool hasAvxVnni() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __builtin_cpu_supports("avx2") && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 4);
}

Loop dotLoop() {
  if (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni"))
    return dot512;
  return hasAvxVnni() ? dot256 : nullptr;
}

Loop fmaLoop() {
  if (__builtin_cpu_supports("avx512vl"))
    return fma512;
  return __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx2") ? fma256 : nullptr;
}
#else
Loop dotLoop() { return nullptr; }
Loop fmaLoop() { return nullptr; }
#endif

/// The best of some turns on each thread, all threads at once: a peak is what nothing interrupted.
double rate(Loop loop, unsigned threads) {
  constexpr int kRepeats = 24;
  using Clock = std::chrono::steady_clock;
  if (!loop)
    return 0;
  std::vector<double> best(threads);
  auto work = [&](unsigned thread) {
    volatile int sink = 1;
    double most = 0;
    for (int i = 0; i < kRepeats; ++i) {
      auto start = Clock::now();
      double done = loop(sink);
      most = std::max(most, done / std::chrono::duration<double>(Clock::now() - start).count());
    }
    best[thread] = most;
  };
  std::vector<std::thread> others;
  for (unsigned t = 1; t < threads; ++t)
    others.emplace_back(work, t);
  work(0);
  for (std::thread &other : others)
    other.join();
  double all = 0;
  for (double each : best)
    all += each;
  return all;
}

} // namespace

double dotPeak(unsigned threads) { return rate(dotLoop(), threads); }
double fmaPeak(unsigned threads) { return rate(fmaLoop(), threads); }
