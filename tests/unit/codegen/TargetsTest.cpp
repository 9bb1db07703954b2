// Lists of targets.
#include "compiler/codegen/Target.h"
#include <gtest/gtest.h>

using namespace coppice;

static std::string resolved(llvm::StringRef list) {
  auto targets = resolveTargets(list);
  if (!targets)
    return "error: " + llvm::toString(targets.takeError());
  std::string names;
  for (const Target &target : *targets)
    names += (names.empty() ? "" : " ") + target.name;
  return names;
}

// Whatever the list's order, the result rises, so that the same targets give the same artifact.
TEST(Targets, RiseInAnyOrder) {
  EXPECT_EQ(resolved("x86-64-v3"), "x86-64-v3");
  EXPECT_EQ(resolved("x86-64-v4,x86-64-v3"), "x86-64-v3 x86-64-v4");
  EXPECT_EQ(resolved("x86-64-v3,x86-64-v4"), "x86-64-v3 x86-64-v4");
  EXPECT_EQ(resolved("x86-64-v4-vnni,x86-64-v3-vnni,x86-64-v4"),
            "x86-64-v3-vnni x86-64-v4 x86-64-v4-vnni");
  EXPECT_EQ(resolved("x86-64-v4-bf16,x86-64-v3"), "x86-64-v3 x86-64-v4-bf16");
}

// all-x86 is every level that gives the same bits, which is what naming each comes to; the one with
// dot products in bfloat16 is taken only by its name.
TEST(Targets, All) {
  EXPECT_EQ(resolved("all-x86"), "x86-64-v3 x86-64-v3-vnni x86-64-v4 x86-64-v4-vnni");
}

// Each of these is a slip that must not make an artifact without being noticed.
TEST(Targets, Errors) {
  EXPECT_EQ(resolved("x86-64-v4,x86-64-v3,x86-64-v4"),
            "error: target \"x86-64-v4\" is in \"x86-64-v4,x86-64-v3,x86-64-v4\" twice; leave one "
            "out");
  EXPECT_EQ(
      resolved("x86-64-v3,pentium").find("error: target \"pentium\" is not known; known are "), 0u);
  EXPECT_EQ(resolved("native").find("bf16"), std::string::npos);
  for (const char *list : {"", ",", "x86-64-v3,", ",x86-64-v3", "x86-64-v3,,x86-64-v4"})
    EXPECT_EQ(resolved(list).find("error: a target's name is empty in \""), 0u) << list;
  EXPECT_EQ(resolved("x86-64-v3,all-x86").find("error: target \"all-x86\" stands for all levels"),
            0u);
  std::string native = resolved("native");
  EXPECT_NE(resolved("native," + native).find("(on this machine native is a name for it too)"),
            std::string::npos);
}
