// cpuid says what the processor has; xgetbv says which registers the operating system saves. A
// feature that needs wide registers counts only with both.
#include "runtime/host/Features.h"
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>

namespace {
enum Register : uint8_t { A, B, C, D };
enum Saved : uint8_t { None, Ymm, Zmm };

struct Feature {
  const char *name;
  uint32_t leaf, subleaf;
  Register reg;
  uint8_t bit;
  Saved saved;
};

constexpr Feature kFeatures[] = {
    {"64bit", 0x80000001, 0, D, 29, None},
    {"cmov", 1, 0, D, 15, None},
    {"cx8", 1, 0, D, 8, None},
    {"fxsr", 1, 0, D, 24, None},
    {"mmx", 1, 0, D, 23, None},
    {"sse", 1, 0, D, 25, None},
    {"sse2", 1, 0, D, 26, None},
    {"x87", 1, 0, D, 0, None},
    {"sse3", 1, 0, C, 0, None},
    {"pclmul", 1, 0, C, 1, None},
    {"ssse3", 1, 0, C, 9, None},
    {"fma", 1, 0, C, 12, Ymm},
    {"cx16", 1, 0, C, 13, None},
    {"sse4.1", 1, 0, C, 19, None},
    {"sse4.2", 1, 0, C, 20, None},
    {"crc32", 1, 0, C, 20, None},
    {"movbe", 1, 0, C, 22, None},
    {"popcnt", 1, 0, C, 23, None},
    {"aes", 1, 0, C, 25, None},
    {"xsave", 1, 0, C, 27, None}, // OSXSAVE: the operating system uses it
    {"avx", 1, 0, C, 28, Ymm},
    {"f16c", 1, 0, C, 29, Ymm},
    {"bmi", 7, 0, B, 3, None},
    {"avx2", 7, 0, B, 5, Ymm},
    {"bmi2", 7, 0, B, 8, None},
    {"avx512f", 7, 0, B, 16, Zmm},
    {"evex512", 7, 0, B, 16, Zmm},
    {"avx512dq", 7, 0, B, 17, Zmm},
    {"adx", 7, 0, B, 19, None},
    {"avx512ifma", 7, 0, B, 21, Zmm},
    {"avx512cd", 7, 0, B, 28, Zmm},
    {"avx512bw", 7, 0, B, 30, Zmm},
    {"avx512vl", 7, 0, B, 31, Zmm},
    {"avx512vbmi", 7, 0, C, 1, Zmm},
    {"avx512vbmi2", 7, 0, C, 6, Zmm},
    {"gfni", 7, 0, C, 8, None},
    {"vaes", 7, 0, C, 9, Ymm},
    {"vpclmulqdq", 7, 0, C, 10, Ymm},
    {"avx512vnni", 7, 0, C, 11, Zmm},
    {"avx512bitalg", 7, 0, C, 12, Zmm},
    {"avx512vpopcntdq", 7, 0, C, 14, Zmm},
    {"avx512fp16", 7, 0, D, 23, Zmm},
    {"avxvnni", 7, 1, A, 4, Ymm},
    {"avx512bf16", 7, 1, A, 5, Zmm},
    {"sahf", 0x80000001, 0, C, 0, None},
    {"lzcnt", 0x80000001, 0, C, 5, None},
};

uint64_t savedRegisters() {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1u << 27)))
    return 0; // xgetbv itself would fault
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}
} // namespace

bool coppice::runtime::hasFeature(const char *name) {
  for (const Feature &feature : kFeatures) {
    if (std::strcmp(feature.name, name) != 0)
      continue;
    unsigned regs[4];
    if (!__get_cpuid_count(feature.leaf, feature.subleaf, &regs[A], &regs[B], &regs[C], &regs[D]))
      return false;
    // A subleaf past the last one answers with another's numbers on some processors.
    unsigned last, b, c, d;
    if (feature.leaf == 7 && feature.subleaf != 0 &&
        (!__get_cpuid_count(7, 0, &last, &b, &c, &d) || feature.subleaf > last))
      return false;
    // xmm and ymm; and the mask registers with both halves of zmm.
    uint64_t wanted = feature.saved == Zmm ? 0xe6 : feature.saved == Ymm ? 0x6 : 0;
    return (regs[feature.reg] >> feature.bit & 1) && (savedRegisters() & wanted) == wanted;
  }
  return false;
}

#else

bool coppice::runtime::hasFeature(const char *) { return false; }

#endif
