// Linear kernels of one thread: decode against a plain read of the same memory taken beside it,
// prefill against the machine's fused multiply-adds.
//
// A shared machine's memory speed changes from second to second, so every iteration times one pass
// over the weights by the kernel and one plain read of them, and the ratio is of paired medians.
#include "Support.h"
#include "compiler/codegen/KernelArgs.h"
#include <benchmark/benchmark.h>

using namespace coppice;
using namespace coppice::bench;

namespace {
typedef float Floats __attribute__((vector_size(32)));

/// A plain read of the bytes, eight registers wide, prefetching as far ahead as the kernels do.
__attribute__((target("avx2"), noinline)) float readAll(const uint8_t *from, size_t bytes) {
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

/// A weight segment of several matrices, more than caches hold, and a frame with room for rows.
struct Bench {
  static constexpr unsigned kCopies = 4;
  uint32_t ins, outs, rows;
  size_t bytes; // of one matrix
  uint8_t *weights, *arena;
  std::vector<coppice_row> rowEntries;
  coppice_frame frame = {};
  coppice_kernel kernel;

  Bench(const std::string &format, const std::string &target, uint32_t ins, uint32_t outs,
        uint32_t rows)
      : ins(ins), outs(outs), rows(rows), bytes(size_t(ins) * outs * (format == "f32" ? 4 : 2)),
        weights(allocate(bytes * kCopies)), arena(allocate(size_t(ins + outs) * 4 * rows)),
        rowEntries(rows), kernel(kernelOf("linear_" + format, target)) {
    frame.weights = weights;
    frame.arena = arena;
    frame.row_capacity = rows;
    frame.sets[COPPICE_ROWS_ALL] = {rowEntries.data(), nullptr, rows};
  }
  ~Bench() {
    munmap(weights, bytes * kCopies);
    munmap(arena, size_t(ins + outs) * 4 * rows);
  }

  double runKernel(unsigned copy) {
    using A = args::Linear;
    uint32_t words[A::count];
    words[A::set] = COPPICE_ROWS_ALL;
    words[A::in] = 0;
    words[A::out] = ins / 16;
    words[A::weight] = uint32_t(bytes / 64 * copy);
    words[A::bias] = words[A::residual] = args::kNone;
    words[A::ins] = ins;
    words[A::outs] = outs;
    double start = seconds();
    kernel(&frame, words, 0, outs / args::kPanelRows);
    return seconds() - start;
  }
  double runRead(unsigned copy) {
    double start = seconds();
    benchmark::DoNotOptimize(readAll(weights + bytes * copy, bytes));
    return seconds() - start;
  }
};

void decode(benchmark::State &state, const std::string &format, const std::string &target) {
  Bench bench(format, target, state.range(0), state.range(1), 1);
  std::vector<double> kernels, reads, ratios;
  unsigned copy = 0;
  for (auto _ : state) {
    double kernel = bench.runKernel(copy++ % Bench::kCopies);
    double read = bench.runRead(copy++ % Bench::kCopies);
    copy += 1; // each copy is taken by both in turn
    kernels.push_back(kernel);
    reads.push_back(read);
    ratios.push_back(read / kernel);
    state.SetIterationTime(kernel);
  }
  state.counters["GB/s"] = bench.bytes / median(kernels) / 1e9;
  state.counters["read_GB/s"] = bench.bytes / median(reads) / 1e9;
  state.counters["of_read"] = median(ratios);
}

void prefill(benchmark::State &state, const std::string &format, const std::string &target) {
  Bench bench(format, target, state.range(0), state.range(1), state.range(2));
  std::vector<double> times;
  unsigned copy = 0;
  for (auto _ : state) {
    times.push_back(bench.runKernel(copy++ % Bench::kCopies));
    state.SetIterationTime(times.back());
  }
  double work = 2.0 * bench.ins * bench.outs * bench.rows;
  state.counters["GFLOPS"] = work / median(times) / 1e9;
}

/// Fused multiply-adds in registers alone, the ceiling that prefill is measured against.
__attribute__((target("avx512f"), noinline)) double peak512() {
  const int steps = 2000000;
  double start = seconds();
  // Ten chains hide the latency; their values do not matter.
  for (int i = 0; i < steps; ++i)
    asm volatile(
        "vfmadd213ps %%zmm30, %%zmm31, %%zmm16\n vfmadd213ps %%zmm30, %%zmm31, %%zmm17\n"
        "vfmadd213ps %%zmm30, %%zmm31, %%zmm18\n vfmadd213ps %%zmm30, %%zmm31, %%zmm19\n"
        "vfmadd213ps %%zmm30, %%zmm31, %%zmm20\n vfmadd213ps %%zmm30, %%zmm31, %%zmm21\n"
        "vfmadd213ps %%zmm30, %%zmm31, %%zmm22\n vfmadd213ps %%zmm30, %%zmm31, %%zmm23\n"
        "vfmadd213ps %%zmm30, %%zmm31, %%zmm24\n vfmadd213ps %%zmm30, %%zmm31, %%zmm25\n" ::
            : "zmm16", "zmm17", "zmm18", "zmm19", "zmm20", "zmm21", "zmm22", "zmm23", "zmm24",
              "zmm25");
  return steps * 10.0 * 32 / (seconds() - start) / 1e9;
}

void peak(benchmark::State &state) {
  std::vector<double> rates;
  for (auto _ : state)
    rates.push_back(peak512());
  state.counters["GFLOPS"] = median(rates);
}

} // namespace

void registerAttention();

static void registerLinear() {
  std::string native = llvm::cantFail(resolveTarget("native")).name;
  for (const Target &target : x86Targets()) {
    for (const char *format : {"f32", "f16", "bf16"}) {
      std::string suffix = std::string("_") + format + "/" + target.name;
      benchmark::RegisterBenchmark(("decode" + suffix).c_str(), decode, std::string(format),
                                   target.name)
          ->Args({2048, 5632})
          ->Args({5632, 2048})
          ->UseManualTime();
      benchmark::RegisterBenchmark(("prefill" + suffix).c_str(), prefill, std::string(format),
                                   target.name)
          ->Args({2048, 5632, 12})
          ->Args({2048, 5632, 128})
          ->Args({5632, 2048, 128})
          ->Args({2048, 5632, 512})
          ->UseManualTime();
    }
    if (target.name == native)
      break;
  }
  if (native == "x86-64-v4")
    benchmark::RegisterBenchmark("fma_peak", peak);
}
int main(int argc, char **argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv))
    return 2;
  registerLinear();
  registerAttention();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
