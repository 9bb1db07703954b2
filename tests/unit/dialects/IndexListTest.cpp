// #lm.list's arithmetic, against sets written out by hand.
#include "dialects/lm/LM.h"
#include <gtest/gtest.h>

using namespace mlir;
using coppice::lm::IndexListAttr;

namespace {

class IndexList : public ::testing::Test {
protected:
  IndexList() { context.loadDialect<coppice::lm::LMDialect>(); }
  IndexListAttr list(std::vector<int32_t> indices) { return IndexListAttr::get(&context, indices); }
  std::string text(IndexListAttr attr) {
    std::string result;
    llvm::raw_string_ostream(result) << attr;
    return result;
  }
  MLIRContext context;
};

// Half-open on the right, empty where begin is not below end.
TEST_F(IndexList, RangeIsHalfOpen) {
  EXPECT_EQ(IndexListAttr::range(&context, 2, 5), list({2, 3, 4}));
  EXPECT_EQ(IndexListAttr::range(&context, 5, 5), list({}));
}

// The complement is ascending, whatever the order of the list.
TEST_F(IndexList, ComplementIsAscending) {
  EXPECT_EQ(list({4, 0, 2}).complement(6), list({1, 3, 5}));
  EXPECT_EQ(list({}).complement(3), list({0, 1, 2}));
  EXPECT_EQ(list({2, 1, 0}).complement(3), list({}));
}

// result[i] = outer[inner[i]]: reading a selection through a selection.
TEST_F(IndexList, ComposeReadsThroughTheInnerList) {
  EXPECT_EQ(list({9, 4, 7, 2}).compose(list({3, 0})), list({2, 9}));
  EXPECT_EQ(list({9, 4}).compose(list({})), list({}));
}

// Only 0, 1, ... extent-1 in that order is the identity.
TEST_F(IndexList, IdentityIsEverythingInOrder) {
  EXPECT_TRUE(list({0, 1, 2}).isIdentity(3));
  EXPECT_TRUE(list({}).isIdentity(0));
  EXPECT_FALSE(list({0, 1, 2}).isIdentity(4));
  EXPECT_FALSE(list({0, 2, 1}).isIdentity(3));
}

// One more than the largest number, wherever it stands.
TEST_F(IndexList, ExtentIsOneMoreThanTheLargest) {
  EXPECT_EQ(list({3, 8, 1}).extent(), 9);
  EXPECT_EQ(list({}).extent(), 0);
}

// Runs of three and more become ranges, falling numbers never do.
TEST_F(IndexList, PrintsRuns) {
  EXPECT_EQ(text(list({0, 1, 2, 3, 7, 9, 10, 5, 4, 3 + 8})),
            "#lm.list<0 to 3, 7, 9, 10, 5, 4, 11>");
  EXPECT_EQ(text(list({})), "#lm.list<>");
}

// What plans and passes may build from input is checked without an assert.
TEST_F(IndexList, RefusesDoublesAndNegativeNumbers) {
  std::string said;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &d) { said = d.str(); });
  auto emit = [&] { return emitError(UnknownLoc::get(&context)); };
  std::vector<int32_t> twice = {1, 5, 1}, negative = {0, -3};
  EXPECT_FALSE(IndexListAttr::getChecked(emit, &context, ArrayRef<int32_t>(twice)));
  EXPECT_EQ(said, "list holds 1 twice");
  EXPECT_FALSE(IndexListAttr::getChecked(emit, &context, ArrayRef<int32_t>(negative)));
  EXPECT_EQ(said, "list holds -3, which is negative");
}

} // namespace
