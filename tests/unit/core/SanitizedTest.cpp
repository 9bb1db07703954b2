// That this executable's core is the instrumented one: without that, its other tests prove nothing
// about bytes beside what there is.
#include "runtime/core/checksum.h"
#include <gtest/gtest.h>
#include <vector>

// A checksum over one byte more than there is ends the process.
TEST(SanitizedDeathTest, CoreReportsAByteTooMany) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  std::vector<uint8_t> data(64);
  coppice_checksum sum;
  coppice_checksum_init(&sum);
  EXPECT_DEATH(coppice_checksum_update(&sum, data.data(), data.size() + 1), "heap-buffer-overflow");
}
