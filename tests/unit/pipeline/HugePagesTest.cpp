// Large sessions ask the system for huge pages under their memory, and small ones leave it alone.
#include "tests/unit/pipeline/Running.h"
#include "gtest/gtest.h"
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <sys/mman.h>

using namespace coppice;
using namespace coppice::test;

namespace {

constexpr size_t kHuge = 2 << 20;

/// Whether the kernel has been asked for huge pages at an address: "hg" among its mapping's flags.
bool askedFor(const void *address) {
  FILE *file = std::fopen("/proc/self/smaps", "r");
  if (!file)
    return false;
  char line[512];
  bool inside = false, asked = false;
  while (std::fgets(line, sizeof line, file)) {
    uint64_t from, to;
    char after;
    if (std::sscanf(line, "%" SCNx64 "-%" SCNx64 "%c", &from, &to, &after) == 3 && after == ' ')
      inside = from <= uintptr_t(address) && uintptr_t(address) < to;
    if (inside && std::strncmp(line, "VmFlags:", 8) == 0)
      asked = std::strstr(line, " hg");
  }
  std::fclose(file);
  return asked;
}

/// Addresses of 8 MiB, aligned to huge pages.
struct Memory {
  Memory() {
    whole = mmap(nullptr, 10 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    aligned = static_cast<uint8_t *>(whole) + (kHuge - uintptr_t(whole) % kHuge) % kHuge;
  }
  ~Memory() { munmap(whole, 10 << 20); }
  void *whole;
  uint8_t *aligned;
};

TEST(HugePages, UnderLargeSessionsAlone) {
  Memory probe;
  ASSERT_NE(probe.whole, MAP_FAILED);
  if (madvise(probe.aligned, kHuge, MADV_HUGEPAGE) != 0 || !askedFor(probe.aligned))
    GTEST_SKIP() << "this system has no huge pages to ask for";
  Scratch scratch;
  CompileOptions options;
  options.modelDir = modelOf32768(scratch); // whose caches are 4 MiB
  options.output = scratch.file("artifact");
  ASSERT_EQ(compileError(options), "");
  Model model(options.output);
  for (uint32_t positions : {1000u, 32768u}) {
    Memory memory;
    ASSERT_NE(memory.whole, MAP_FAILED);
    size_t bytes = coppice_session_bytes(model.model, positions);
    ASSERT_LE(bytes, size_t(8) << 20);
    ASSERT_EQ(bytes >= 2 * kHuge, positions == 32768);
    coppice_session *session = nullptr;
    // More memory than the session takes says nothing of what lies there.
    ASSERT_EQ(
        coppice_session_init(model.model, positions, memory.aligned, size_t(8) << 20, &session),
        COPPICE_OK);
    EXPECT_EQ(askedFor(memory.aligned), positions == 32768);
    EXPECT_FALSE(askedFor(memory.aligned + (bytes + kHuge - 1) / kHuge * kHuge));
  }
}

} // namespace
