// Machine features against the compiler's own reading of the processor.
#include "runtime/host/Features.h"
#include <gtest/gtest.h>

using coppice::runtime::hasFeature;

// The same answers as the compiler's run-time support gives, which reads cpuid and xgetbv itself.
TEST(Features, AgreeWithTheCompilers) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  EXPECT_TRUE(hasFeature("sse2"));
#define SAME(name) EXPECT_EQ(hasFeature(name), bool(__builtin_cpu_supports(name))) << name
  SAME("ssse3");
  SAME("sse4.2");
  SAME("popcnt");
  SAME("avx");
  SAME("avx2");
  SAME("fma");
  SAME("bmi");
  SAME("bmi2");
  SAME("avx512f");
  SAME("avx512bw");
  SAME("avx512dq");
  SAME("avx512vl");
  SAME("avx512cd");
  SAME("avx512vnni");
  SAME("avx512bf16");
  SAME("avxvnni");
#endif
}

// A feature that this runtime has never heard of is not assumed.
TEST(Features, UnknownOnesAreMissing) {
  EXPECT_FALSE(hasFeature("avx4096"));
  EXPECT_FALSE(hasFeature(""));
}
