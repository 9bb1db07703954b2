// Attention of one thread: one new token against a long cache (decode) beside a plain read of as
// many bytes, and many tokens of a prompt.
//
// A shared machine's memory speed changes from second to second, so every iteration times the
// kernel and the read, each on a copy of the cache that went out of the fast caches meanwhile where
// it is long enough; the ratio is of paired medians.
#include "Support.h"
#include "compiler/codegen/KernelArgs.h"
#include <benchmark/benchmark.h>

using namespace coppice;
using namespace coppice::bench;

namespace {
/// Several caches of one layer, all positions written, with queries and outputs.
struct Bench {
  uint32_t heads, kvHeads, dim, positions, rows;
  size_t bytes; // of one cache
  unsigned copies;
  uint8_t *caches, *map, *arena;
  std::vector<coppice_row> entries;
  coppice_frame frame = {};
  std::string format, target;

  Bench(benchmark::State &state, const std::string &format, const std::string &target)
      : heads(state.range(0)), kvHeads(state.range(1)), dim(state.range(2)),
        positions(state.range(3)), rows(state.range(4)),
        bytes(size_t(positions) * kvHeads * positionBytes(format)),
        // As many layers as a model of 1.1B parameters has, but one for a prompt.
        copies(rows > 1 ? 1 : 22), caches(allocate(bytes * copies)),
        map(allocate(4 * (kvHeads + 1 + heads))),
        arena(allocate(size_t(4) * heads * dim * rows * 4)), entries(rows), format(format),
        target(target) {
    uint32_t *words = reinterpret_cast<uint32_t *>(map);
    for (uint32_t g = 0; g <= kvHeads; ++g)
      words[g] = g * (heads / kvHeads);
    for (uint32_t h = 0; h < heads; ++h)
      words[kvHeads + 1 + h] = h;
    frame = frameOf(map, arena, entries);
    coppice_kernel write = kernelOf("kv_write_" + format, target);
    const uint32_t args[] = {COPPICE_ROWS_ALL, 0, heads * dim / 16, 0, kvHeads, dim};
    for (unsigned c = 0; c < copies; ++c)
      for (uint32_t p = 0; p < positions; p += rows) {
        place(c, std::min(p, positions - rows));
        write(&frame, args, 0, uint64_t(rows) * kvHeads);
      }
  }
  ~Bench() { munmap(caches, bytes * copies); }

  size_t positionBytes(const std::string &format) const {
    return format == "f32" ? 8 * dim : format == "bf16" ? 4 * dim : 2 * dim + 8;
  }
  void place(unsigned copy, uint32_t first) {
    for (uint32_t r = 0; r < rows; ++r)
      entries[r] = {caches + copy * bytes, positions, 0, int32_t(first + r), nullptr, 0};
  }
  double runKernel(unsigned copy) {
    place(copy % copies, positions - rows);
    float scale = 0.125f;
    uint32_t scaleWord;
    memcpy(&scaleWord, &scale, 4);
    const uint32_t args[] = {COPPICE_ROWS_ALL, 0, heads * dim / 16, 0, heads, kvHeads, dim, 0,
                             scaleWord};
    coppice_kernel kernel = kernelOf("attention_" + format, target);
    double start = seconds();
    kernel(&frame, args, 0, uint64_t(rows) * kvHeads);
    return seconds() - start;
  }
  double runRead(unsigned copy) {
    double start = seconds();
    benchmark::DoNotOptimize(readAll(caches + copy % copies * bytes, bytes));
    return seconds() - start;
  }
};

/// Arguments: heads, KV heads, head dimension, positions, rows (the last of the positions).
void decode(benchmark::State &state, const std::string &format, const std::string &target) {
  Bench bench(state, format, target);
  timeBesideReads(state, bench, "KV_GB/s");
}

void prefill(benchmark::State &state, const std::string &format, const std::string &target) {
  Bench bench(state, format, target);
  std::vector<double> times;
  for (auto _ : state) {
    times.push_back(bench.runKernel(0));
    state.SetIterationTime(times.back());
  }
  double mean = bench.positions - (bench.rows - 1) / 2.0; // positions a row sees
  state.counters["GFLOPS"] = bench.rows * bench.heads * mean * bench.dim * 4 / median(times) / 1e9;
}
} // namespace

void registerAttention() {
  for (const Target &target : x86Targets()) {
    if (!hostRuns(target.name))
      continue;
    for (const char *format : {"f32", "bf16", "i8"}) {
      std::string suffix = std::string("_") + format + "/" + target.name;
      benchmark::RegisterBenchmark(("attention_decode" + suffix).c_str(), decode,
                                   std::string(format), target.name)
          ->Args({32, 4, 64, 128, 1})
          ->Args({32, 4, 64, 4096, 1})
          ->Args({32, 4, 64, 32768, 1})
          ->Args({32, 32, 64, 4096, 1})
          ->UseManualTime();
      benchmark::RegisterBenchmark(("attention_prefill" + suffix).c_str(), prefill,
                                   std::string(format), target.name)
          ->Args({32, 4, 64, 512, 512})
          ->Args({12, 12, 64, 512, 512})
          ->UseManualTime();
    }
  }
}
