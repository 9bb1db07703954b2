// Attention of one thread: one new token against a long cache (decode), and many tokens of a
// prompt.
#include "Support.h"
#include "compiler/codegen/KernelArgs.h"
#include <benchmark/benchmark.h>

using namespace coppice;
using namespace coppice::bench;

/// Arguments: heads, KV heads, head dimension, positions, rows (the last of the positions).
static void attention(benchmark::State &state, const std::string &target) {
  const uint32_t heads = state.range(0), kvHeads = state.range(1), dim = state.range(2);
  const uint32_t positions = state.range(3), rows = state.range(4);
  const size_t cacheBytes = size_t(2) * kvHeads * dim * positions * 4;
  uint8_t *cache = allocate(cacheBytes), *map = allocate(4 * heads);
  uint8_t *arena = allocate(size_t(2) * heads * dim * rows * 4);
  for (uint32_t h = 0; h < heads; ++h)
    reinterpret_cast<uint32_t *>(map)[h] = h / (heads / kvHeads);
  std::vector<coppice_row> entries;
  for (uint32_t r = 0; r < rows; ++r)
    entries.push_back({cache, positions, 0, int32_t(positions - rows + r)});
  coppice_frame frame = {};
  frame.weights = map;
  frame.arena = arena;
  frame.row_capacity = rows;
  frame.sets[COPPICE_ROWS_ALL] = {entries.data(), nullptr, rows};
  float scale = 0.125f;
  uint32_t scaleWord;
  memcpy(&scaleWord, &scale, 4);
  const uint32_t words[args::Attention::count] = {
      COPPICE_ROWS_ALL, 0, heads * dim / 16, 0, heads, kvHeads, dim, 0, scaleWord};
  coppice_kernel kernel = kernelOf("attention", target);
  std::vector<double> times;
  for (auto _ : state) {
    double start = seconds();
    kernel(&frame, words, 0, uint64_t(rows) * heads);
    times.push_back(seconds() - start);
    state.SetIterationTime(times.back());
  }
  double mean = positions - (rows - 1) / 2.0; // positions a row sees
  state.counters["KV_GB/s"] = rows * heads * mean * dim * 8 / median(times) / 1e9;
  state.counters["GFLOPS"] = rows * heads * mean * dim * 4 / median(times) / 1e9;
  munmap(cache, cacheBytes);
}

void registerAttention() {
  std::string native = llvm::cantFail(resolveTarget("native")).name;
  for (const Target &target : x86Targets()) {
    benchmark::RegisterBenchmark(("attention/" + target.name).c_str(), attention, target.name)
        ->Args({32, 32, 64, 4096, 1})
        ->Args({32, 4, 64, 2048, 1})
        ->Args({32, 8, 128, 2048, 1})
        ->Args({32, 4, 64, 512, 128})
        ->Args({12, 12, 64, 512, 128})
        ->UseManualTime();
    if (target.name == native)
      break;
  }
}
