// See Team.h.
#include "runtime/host/Team.h"
#include <climits>
#include <cstdlib>
#include <new>

using namespace coppice::runtime;

// About 100 us where every thread has a processor; else the one awaited wants this one.
constexpr uint32_t kSpins = 4000, kCrowdedSpins = 50;

uint32_t coppice::runtime::processors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
    return uint32_t(CPU_COUNT(&set));
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? uint32_t(online) : 1;
}

Team::Team(uint32_t threads)
    : threads(threads), spins(threads <= processors() ? kSpins : kCrowdedSpins), pace(threads),
      barrier(threads, spins) {}

bool Team::start() {
  if (threads == 1)
    return true;
  void *memory = aligned_alloc(alignof(Worker), sizeof(Worker) * (threads - 1));
  if (!memory)
    return false;
  workers = static_cast<Worker *>(memory);
  for (uint32_t i = 0; i + 1 < threads; ++i) {
    auto *worker = new (&workers[i]) Worker{this, i + 1, {}};
    if (pthread_create(&worker->thread, nullptr, main, worker) != 0)
      return false;
    ++started;
  }
  return true;
}

Team::~Team() {
  stop = true;
  for (uint32_t i = 0; i < started; ++i)
    call(workers[i]);
  for (uint32_t i = 0; i < started; ++i)
    pthread_join(workers[i].thread, nullptr);
  free(workers);
}

void *Team::main(void *argument) {
  auto &worker = *static_cast<Worker *>(argument);
  for (uint32_t last = 0;; ++last) {
    worker.team->waitForCall(worker, last);
    if (worker.team->stop)
      return nullptr;
    worker.team->join(worker.number);
  }
}

// No call is lost: the worker says that it sleeps, then the kernel compares the word again before
// it puts it to sleep; the caller changes the word, then looks whether the worker sleeps. All four
// are sequentially consistent.
void Team::call(Worker &worker) {
  worker.called.fetch_add(1, std::memory_order_seq_cst);
  if (worker.asleep.load(std::memory_order_seq_cst))
    futex(worker.called, FUTEX_WAKE_PRIVATE, 1);
}

void Team::waitForCall(Worker &worker, uint32_t last) {
  auto there = [&] { return worker.called.load(std::memory_order_acquire) != last; };
  if (spinUntil(spins, there))
    return;
  worker.asleep.store(1, std::memory_order_seq_cst);
  while (worker.called.load(std::memory_order_seq_cst) == last)
    futex(worker.called, FUTEX_WAIT_PRIVATE, last);
  worker.asleep.store(0, std::memory_order_relaxed);
}

void Team::join(uint32_t thread) {
  Meeting meeting = {this, thread, 0, 0, 0};
  work(context, thread, called, &meeting);
  barrier.wait();
}

uint32_t Team::meet(void *argument) {
  auto &meeting = *static_cast<Meeting *>(argument);
  Team &team = *meeting.team;
  uint64_t waited = team.barrier.wait();
  uint32_t round = meeting.round++;
  if (team.alone[round % 2].load(std::memory_order_relaxed))
    return 1;
  if (meeting.thread == 0 && waited) {
    meeting.waited += waited;
    if (Pace::hinders(team.called, nanoseconds() - meeting.begin, meeting.waited))
      team.alone[(round + 1) % 2].store(true, std::memory_order_relaxed);
  }
  return team.called;
}

void Team::run(Work newWork, void *newContext) {
  if (threads == 1)
    return newWork(newContext, 0, 1, nullptr);
  uint64_t begin = nanoseconds();
  uint32_t count = pace.threads(begin);
  if (count == 1)
    return newWork(newContext, 0, 1, nullptr);
  work = newWork;
  context = newContext;
  called = count;
  alone[0].store(false, std::memory_order_relaxed);
  alone[1].store(false, std::memory_order_relaxed);
  barrier.setThreads(count);
  for (uint32_t i = 0; i + 1 < count; ++i)
    call(workers[i]);
  Meeting meeting = {this, 0, 0, begin, 0};
  work(context, 0, count, &meeting);
  meeting.waited += barrier.wait();
  uint64_t end = nanoseconds();
  bool left = alone[0].load(std::memory_order_relaxed) || alone[1].load(std::memory_order_relaxed);
  pace.record(end, end - begin, meeting.waited, left);
}

bool Team::pin() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 ||
      uint32_t(CPU_COUNT(&allowed)) < threads)
    return false;
  uint32_t thread = 0;
  bool done = true;
  for (int cpu = 0; cpu < CPU_SETSIZE && thread < threads; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed))
      continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    pthread_t which = thread ? workers[thread - 1].thread : pthread_self();
    done = pthread_setaffinity_np(which, sizeof one, &one) == 0 && done;
    ++thread;
  }
  if (done)
    return true;
  for (uint32_t i = 0; i < threads; ++i)
    pthread_setaffinity_np(i ? workers[i - 1].thread : pthread_self(), sizeof allowed, &allowed);
  return false;
}
