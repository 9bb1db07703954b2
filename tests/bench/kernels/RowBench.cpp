// The kernels that work row by row, of one thread: norms, RoPE, activations, quantizing, embedding,
// writes to KV caches, and attention to a window. Widths are those of a model of 1.1B parameters.
//
// A row takes less time than a clock's tick costs, so an iteration is as many calls as move some
// megabytes. Activations stay in fast caches, as in a step; tables that rows are taken from, and KV
// caches that they are put in, are more than those hold and are walked through.
#include "Support.h"
#include "compiler/codegen/KernelArgs.h"
#include <benchmark/benchmark.h>
#include <functional>

using namespace coppice;
using namespace coppice::bench;

namespace {
constexpr uint32_t kHidden = 2048, kInner = 5632, kHeads = 32, kKvHeads = 4, kDim = 64;
constexpr uint32_t kPositions = 16384, kWindow = 1024, kZero = 128, kEps = 0x3727c5ac; // 1e-5f
constexpr size_t kTableBytes = size_t(128) << 20, kIterationBytes = size_t(4) << 20;

/// Units of 64 bytes in a row of quantized values.
constexpr uint32_t quantized(uint32_t width) {
  return (width / args::kGroup * args::kQuantizedGroup + 63) / 64;
}

/// Of one row and position, keys and values of all heads.
size_t positionBytes(const std::string &format) {
  return kKvHeads * (format == "f32" ? 8 * kDim : format == "bf16" ? 4 * kDim : 2 * kDim + 8);
}

struct RowStage {
  std::string kernel;
  std::vector<uint32_t> words; // its arguments
  uint32_t units;              // of 64 bytes, that its rows take in the arena
  size_t bytes;                // that it reads and writes for a row
  uint32_t items = 1;          // for each row
  size_t weightBytes = 0;
  uint32_t tokens = 1;    // that the weights are a table of
  std::string cache = {}; // format of the KV cache, if it has one
  bool walks = false;     // whether each call takes the tokens and positions after the last one's
};

/// A stage's memory and a frame.
struct Bench {
  const RowStage &stage;
  uint32_t rows, ringPositions;
  size_t arenaBytes, cacheBytes = 0, ringBytes = 0, next = 0;
  uint8_t *weights, *arena, *cache, *ring;
  std::vector<coppice_row> entries;
  coppice_frame frame = {};
  coppice_kernel kernel;

  Bench(const RowStage &stage, const std::string &target, uint32_t rows)
      : stage(stage), rows(rows), ringPositions((kWindow + rows + 63) / 64 * 64),
        arenaBytes(size_t(64) * stage.units * rows), entries(rows),
        kernel(kernelOf(stage.kernel, target)) {
    if (!stage.cache.empty()) {
      cacheBytes = kPositions * positionBytes(stage.cache);
      ringBytes = ringPositions * positionBytes(stage.cache);
    }
    weights = allocate(stage.weightBytes);
    memset(weights, 0x2c, stage.weightBytes); // a small number in every format
    arena = allocate(arenaBytes);
    cache = allocate(cacheBytes);
    ring = allocate(ringBytes);
    frame = frameOf(weights, arena, entries);
    if (!stage.cache.empty() && !stage.walks)
      prepareAttention(target);
    walk();
  }
  ~Bench() {
    munmap(weights, stage.weightBytes);
    munmap(arena, arenaBytes);
    munmap(cache, cacheBytes);
    munmap(ring, ringBytes);
  }

  /// Writes every position, and which heads read which; leaves the rows at the last positions.
  void prepareAttention(const std::string &target) {
    auto *map = reinterpret_cast<uint32_t *>(weights);
    for (uint32_t g = 0; g <= kKvHeads; ++g)
      map[g] = g * (kHeads / kKvHeads);
    for (uint32_t h = 0; h < kHeads; ++h)
      map[kKvHeads + 1 + h] = h;
    const uint32_t write[] = {COPPICE_ROWS_ALL, 0, 0, 0, kKvHeads, kDim};
    for (const char *name : {"kv_write_", "kv_write_ring_"})
      for (next = 0; next < kPositions;) {
        walk();
        kernelOf(name + stage.cache, target)(&frame, write, 0, uint64_t(rows) * kKvHeads);
      }
    next = kPositions - rows;
  }
  void walk() {
    for (coppice_row &entry : entries) {
      entry = {cache, kPositions,   int32_t(next * 7919 % stage.tokens), int32_t(next % kPositions),
               ring,  ringPositions};
      ++next;
    }
  }
  double run(size_t calls) {
    double start = seconds();
    for (size_t call = 0; call < calls; ++call) {
      if (stage.walks)
        walk();
      kernel(&frame, stage.words.data(), 0, uint64_t(rows) * stage.items);
    }
    return seconds() - start;
  }
};

/// Argument: rows.
void timeRows(benchmark::State &state, const RowStage &stage, const std::string &target) {
  Bench bench(stage, target, state.range(0));
  const size_t bytes = stage.bytes * bench.rows,
               calls = std::max<size_t>(1, kIterationBytes / bytes);
  std::vector<double> times;
  bench.run(1);
  for (auto _ : state) {
    times.push_back(bench.run(calls));
    state.SetIterationTime(times.back());
  }
  state.counters["rows/s"] = bench.rows * calls / median(times);
  state.counters["GB/s"] = bytes * calls / median(times) / 1e9;
}

std::vector<RowStage> stages() {
  constexpr uint32_t all = COPPICE_ROWS_ALL, none = args::kNone;
  // Units of 64 bytes in the arena: of a row, a longer one, both quantized, and a row's RoPE table.
  constexpr uint32_t row = kHidden / 16, inner = kInner / 16, table = kDim / 16;
  constexpr uint32_t codes = quantized(kHidden), innerCodes = quantized(kInner);
  const std::vector<uint32_t> norm = {all, 0, row, 0, none, kHidden, kEps, kZero};
  const std::vector<uint32_t> silu = {all, 0, inner, 2 * inner, kInner, kZero};
  const std::vector<uint32_t> rope = {all, 0, row, 2 * row, kHeads, kDim, kDim / 2};
  auto moved = [](uint32_t units) { return size_t(units) * 64; };
  std::vector<RowStage> list = {
      {"rms_norm", norm, 2 * row, moved(2 * row), 1, 4 * kHidden},
      {"rms_norm_quantize", norm, row + codes, moved(row + codes), 1, 4 * kHidden},
      {"layer_norm", norm, 2 * row, moved(2 * row), 1, 4 * kHidden},
      {"quantize", {all, 0, row, kHidden, kZero}, row + codes, moved(row + codes)},
      {"rope", rope, 2 * row + table, moved(2 * row + table)},
      {"activation_silu", silu, 3 * inner, moved(3 * inner)},
      {"activation_silu_quantize", silu, 2 * inner + innerCodes, moved(2 * inner + innerCodes)}};
  const std::pair<const char *, uint32_t> tables[] = {{"f32", 4 * kHidden},
                                                      {"f16", 2 * kHidden},
                                                      {"bf16", 2 * kHidden},
                                                      {"i8", kHidden / args::kGroup * 34},
                                                      {"i4", kHidden / args::kGroup * 18}};
  for (std::string layout : {"embed_rows_", "embed_panel_"})
    for (auto [format, bytes] : tables) {
      const uint32_t tokens = kTableBytes / bytes / args::kPanelRows * args::kPanelRows;
      list.push_back({layout + format,
                      {all, 0, 0, tokens, kHidden, 0, 0},
                      row,
                      bytes + moved(row),
                      1,
                      size_t(bytes) * tokens,
                      tokens,
                      "",
                      true});
    }
  for (std::string format : {"f32", "bf16", "i8"}) {
    const uint32_t keys = kKvHeads * kDim / 16;
    const size_t bytes = positionBytes(format);
    for (std::string kernel : {"kv_write_", "kv_write_ring_"})
      list.push_back({kernel + format,
                      {all, 0, keys, 0, kKvHeads, kDim},
                      2 * keys,
                      moved(2 * keys) + bytes,
                      kKvHeads,
                      0,
                      1,
                      format,
                      true});
    const uint32_t eighth = 0x3e000000, noCap = 0, inRing = 1; // 0.125f, for the scale
    list.push_back({"attention_window_" + format,
                    {all, 0, row, 0, kHeads, kKvHeads, kDim, 0, eighth, noCap, kWindow, inRing},
                    2 * row,
                    kWindow * bytes,
                    kKvHeads,
                    4096,
                    1,
                    format});
  }
  return list;
}
} // namespace

void registerRows() {
  static const std::vector<RowStage> list = stages();
  for (const Target &target : x86Targets())
    for (const RowStage &stage : list)
      if (hostRuns(target.name))
        benchmark::RegisterBenchmark((stage.kernel + "/" + target.name).c_str(), timeRows,
                                     std::cref(stage), target.name)
            ->Arg(1)
            ->Arg(128)
            ->UseManualTime();
}
