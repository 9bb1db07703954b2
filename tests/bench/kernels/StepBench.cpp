// What a step costs beside its kernels: stages whose kernel does nothing, with one thread and with
// two that meet at the runtime's barrier after each.
#include "runtime/core/step.h"
#include "runtime/host/Barrier.h"
#include <atomic>
#include <benchmark/benchmark.h>
#include <thread>
#include <vector>

namespace {

constexpr uint32_t kStages = 64;

void nothing(const coppice_frame *, const uint32_t *, uint64_t, uint64_t) {}

struct Step {
  std::vector<coppice_stage> stages;
  coppice_row row{};
  coppice_program program{};
  coppice_frame frame{};

  Step() {
    coppice_stage stage{};
    stage.kernel = nothing;
    stage.count = 64;
    stages.assign(kStages, stage);
    program.stages = stages.data();
    program.stage_count = kStages;
    frame.sets[COPPICE_ROWS_ALL] = {&row, nullptr, 1};
  }
};

void reportPerStage(benchmark::State &state) {
  state.counters["ns_per_stage"] =
      benchmark::Counter(double(state.iterations()) * kStages * 1e-9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void oneThread(benchmark::State &state) {
  Step step;
  for (auto _ : state)
    coppice_step_run(&step.program, &step.frame, 0, 1, nullptr, nullptr);
  reportPerStage(state);
}

void twoThreads(benchmark::State &state) {
  using coppice::runtime::Barrier;
  Step step;
  Barrier barrier(2, 4000);
  std::atomic<bool> stop{false};
  auto wait = [](void *context) {
    static_cast<Barrier *>(context)->wait();
    return 2u;
  };
  std::thread other([&] {
    for (barrier.wait(); !stop; barrier.wait()) {
      coppice_step_run(&step.program, &step.frame, 1, 2, wait, &barrier);
      barrier.wait();
    }
  });
  for (auto _ : state) {
    barrier.wait();
    coppice_step_run(&step.program, &step.frame, 0, 2, wait, &barrier);
    barrier.wait();
  }
  stop = true;
  barrier.wait();
  other.join();
  reportPerStage(state);
}

BENCHMARK(oneThread)->Name("step/1");
BENCHMARK(twoThreads)->Name("step/2")->UseRealTime();

} // namespace
