// Linear kernels of one thread: decode against a plain read of the same memory taken beside it,
// prefill against the machine's fused multiply-adds or dot products of bytes.
//
// A shared machine's speed changes from second to second, so every iteration times one pass of the
// kernel over the weights and, beside it, one plain read of them or a burst of the instruction that
// limits it; the ratio is the median of the pairs'.
#include "Support.h"
#include "compiler/codegen/KernelArgs.h"
#include <benchmark/benchmark.h>

using namespace coppice;
using namespace coppice::bench;

namespace {
bool isQuantized(const std::string &format) { return format[0] == 'i'; }

/// Bytes of a matrix; quantized ones have whole groups here.
size_t matrixBytes(const std::string &format, size_t ins, size_t outs) {
  if (isQuantized(format))
    return outs * (ins / args::kGroup) * (format == "i8" ? 34 : 18);
  return ins * outs * (format == "f32" ? 4 : 2);
}

/// A weight segment of several matrices, more than caches hold, and a frame with room for rows.
struct Bench {
  uint32_t ins, outs, rows, inUnits; // inUnits: 64 bytes of a row of the input
  size_t bytes, arenaBytes;          // of one matrix
  unsigned copies;
  uint8_t *weights, *arena;
  std::vector<coppice_row> rowEntries;
  coppice_frame frame = {};
  coppice_kernel kernel;

  Bench(const std::string &format, const std::string &target, uint32_t ins, uint32_t outs,
        uint32_t rows)
      : ins(ins), outs(outs), rows(rows),
        inUnits(isQuantized(format) ? (ins / args::kGroup * args::kQuantizedGroup + 63) / 64
                                    : ins / 16),
        bytes(matrixBytes(format, ins, outs)), arenaBytes(size_t(inUnits * 64 + outs * 4) * rows),
        copies(unsigned((size_t(192) << 20) / bytes)), weights(allocate(bytes * copies)),
        arena(allocate(arenaBytes)), rowEntries(rows),
        kernel(kernelOf("linear_" + format, target)) {
    if (isQuantized(format)) {
      memset(weights, 0x2c, bytes * copies); // codes, and scales of 0.065
      for (uint32_t r = 0; r < rows; ++r)
        for (uint32_t g = 0; g < ins / args::kGroup; ++g) {
          uint8_t *group = arena + size_t(r) * inUnits * 64 + g * args::kQuantizedGroup;
          float scale = 0.01f;
          memset(group, int(r + g), args::kQuantizedGroup);
          memcpy(group + args::kGroup, &scale, 4);
        }
    }
    frame = frameOf(weights, arena, rowEntries);
  }
  ~Bench() {
    munmap(weights, bytes * copies);
    munmap(arena, arenaBytes);
  }

  double runKernel(unsigned copy) { return runParts(copy, {outs}); }
  /// The matrix as several, of so many output rows, each with an output of its own.
  double runParts(unsigned copy, std::vector<uint32_t> parts) {
    using A = args::Linear;
    uint32_t words[A::count];
    words[A::set] = COPPICE_ROWS_ALL;
    words[A::in] = 0;
    words[A::out] = inUnits;
    words[A::weight] = uint32_t(bytes / 64 * (copy % copies));
    words[A::bias] = words[A::residual] = args::kNone;
    words[A::ins] = ins;
    double start = seconds();
    for (uint32_t part : parts) {
      words[A::outs] = part;
      kernel(&frame, words, 0, part / args::kPanelRows);
      words[A::out] += part / 16;
      words[A::weight] += uint32_t(bytes / 64 * part / outs);
    }
    return seconds() - start;
  }
  double runRead(unsigned copy) {
    double start = seconds();
    benchmark::DoNotOptimize(readAll(weights + bytes * (copy % copies), bytes));
    return seconds() - start;
  }
};

void decode(benchmark::State &state, const std::string &format, const std::string &target) {
  Bench bench(format, target, state.range(0), state.range(1), 1);
  timeBesideReads(state, bench, "GB/s");
}

/// Ten chains of an instruction in registers alone, which hide its latency; the values do not
/// matter. Returns how many were done a second.
#define PEAK(name, features, line)                                                                 \
  __attribute__((target(features), noinline)) double name() {                                      \
    const int steps = 100000;                                                                      \
    double start = seconds();                                                                      \
    for (int i = 0; i < steps; ++i)                                                                \
      asm volatile(line(16) line(17) line(18) line(19) line(20) line(21) line(22) line(23)         \
                       line(24) line(25)::                                                         \
                           : "zmm16", "zmm17", "zmm18", "zmm19", "zmm20", "zmm21", "zmm22",        \
                             "zmm23", "zmm24", "zmm25");                                           \
    return steps * 10.0 / (seconds() - start);                                                     \
  }
#define FMA(n) "vfmadd213ps %%zmm30, %%zmm31, %%zmm" #n "\n"
#define DOT(n) "vpdpbusd %%zmm30, %%zmm31, %%zmm" #n "\n"
PEAK(fmaPeak, "avx512f", FMA)
PEAK(dotPeak, "avx512vnni", DOT)

/// Billions of multiplications and additions a second that the machine can do on a format, or 0
/// where this does not know how to measure it.
double peak(const std::string &format) {
  static const bool fma = hostRuns("x86-64-v4"), dot = hostRuns("x86-64-v4-vnni");
  if (isQuantized(format))
    return dot ? dotPeak() * 128 / 1e9 : 0;
  return fma ? fmaPeak() * 32 / 1e9 : 0;
}

void prefill(benchmark::State &state, const std::string &format, const std::string &target) {
  Bench bench(format, target, state.range(0), state.range(1), state.range(2));
  double work = 2.0 * bench.ins * bench.outs * bench.rows;
  std::vector<double> rates, peaks, ratios;
  unsigned copy = 0;
  for (auto _ : state) {
    double before = peak(format), time = bench.runKernel(copy++), after = peak(format);
    rates.push_back(work / time / 1e9);
    peaks.push_back((before + after) / 2);
    ratios.push_back(rates.back() / peaks.back());
    state.SetIterationTime(time);
  }
  const char *unit = isQuantized(format) ? "GOPS" : "GFLOPS";
  state.counters[unit] = median(rates);
  if (peaks.front() > 0) {
    state.counters[std::string("peak_") + unit] = median(peaks);
    state.counters["of_peak"] = median(ratios);
  }
}

/// Matrices that read the same input as stages of their own against one matrix of all their rows:
/// `one_over_parts` above 1 is what the one would gain. Turns begin with either.
void joined(benchmark::State &state, const std::string &format, const std::string &target,
            const std::vector<uint32_t> &parts) {
  uint32_t outs = 0;
  for (uint32_t part : parts)
    outs += part;
  Bench bench(format, target, 2048, outs, state.range(0));
  std::vector<double> ratios;
  unsigned copy = 0, turn = 0;
  for (auto _ : state) {
    double one, several;
    if (turn++ % 2) {
      one = bench.runKernel(copy++);
      several = bench.runParts(copy++, parts);
    } else {
      several = bench.runParts(copy++, parts);
      one = bench.runKernel(copy++);
    }
    copy += copy % bench.copies == 0;
    ratios.push_back(several / one);
    state.SetIterationTime(several);
  }
  state.counters["one_over_parts"] = median(ratios);
}

} // namespace

void registerAttention();
void registerRows();

static void registerLinear() {
  for (const Target &target : x86Targets()) {
    if (!hostRuns(target.name))
      continue;
    for (const char *format : {"f32", "f16", "bf16", "i8", "i4"}) {
      std::string suffix = std::string("_") + format + "/" + target.name;
      benchmark::RegisterBenchmark(("decode" + suffix).c_str(), decode, std::string(format),
                                   target.name)
          ->Args({2048, 2048})
          ->Args({2048, 5632})
          ->Args({5632, 2048})
          ->UseManualTime();
      benchmark::RegisterBenchmark(("prefill" + suffix).c_str(), prefill, std::string(format),
                                   target.name)
          ->Args({2048, 5632, 2})
          ->Args({2048, 5632, 12})
          ->Args({2048, 5632, 32})
          ->Args({2048, 2048, 128})
          ->Args({2048, 5632, 128})
          ->Args({5632, 2048, 128})
          ->Args({2048, 5632, 512})
          ->UseManualTime();
      const std::pair<const char *, std::vector<uint32_t>> layers[] = {{"qkv", {2048, 256, 256}},
                                                                       {"gate_up", {5632, 5632}}};
      for (const auto &[name, parts] : layers)
        benchmark::RegisterBenchmark((std::string("joined_") + name + suffix).c_str(), joined,
                                     std::string(format), target.name, parts)
            ->Arg(1)
            ->Arg(128)
            ->UseManualTime();
    }
  }
}

int main(int argc, char **argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv))
    return 2;
  registerLinear();
  registerAttention();
  registerRows();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
