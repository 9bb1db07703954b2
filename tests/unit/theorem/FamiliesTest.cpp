// No family can be left out: tests go through the tiny models of tests/models and the random shapes
// of tests/support, and each family that import knows is among both.
#include "compiler/import/Import.h"
#include "tests/support/RandomShape.h"
#include "tests/support/TinyModels.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

using namespace coppice;
using namespace coppice::test;

namespace {

std::set<std::string> known() {
  std::set<std::string> types;
  for (llvm::StringRef type : supportedModelTypes())
    types.insert(type.str());
  return types;
}

// Each has a tiny model, and no tiny model is of another.
TEST(Families, HaveTinyModels) {
  std::set<std::string> types;
  for (const TinyModel &model : tinyModels())
    types.insert(model.modelType);
  EXPECT_EQ(types, known());
}

// Each tiny model has logits from outside, whole and under three plans.
TEST(Families, HaveOutsideTruth) {
  for (const TinyModel &model : tinyModels())
    for (const char *file :
         {"dense.safetensors", "plan-a.safetensors", "plan-a.json", "plan-b.safetensors",
          "plan-b.json", "plan-c.safetensors", "plan-c.json"})
      EXPECT_TRUE(llvm::sys::fs::exists(model.golden(file))) << model.golden(file);
}

// What is committed of models stays small: checkpoints, their logits, and published configs.
TEST(Families, AreCommittedInSixMegabytes) {
  uint64_t total = 0;
  for (const char *folder : {"/models", "/golden/models", "/published"}) {
    std::error_code error;
    using Iterator = llvm::sys::fs::recursive_directory_iterator;
    for (Iterator at(std::string(COPPICE_TESTS) + folder, error), end; !error && at != end;
         at.increment(error))
      if (at->type() == llvm::sys::fs::file_type::regular_file &&
          !llvm::StringRef(at->path()).ends_with(".pyc"))
        total += llvm::cantFail(llvm::errorOrToExpected(at->status())).getSize();
    ASSERT_FALSE(error) << folder;
  }
  EXPECT_GT(total, 4'000'000u);
  EXPECT_LE(total, 6'000'000u);
}

// The theorem draws random models of each, and of each by its own name.
TEST(Families, AreDrawnAtRandom) {
  std::set<std::string> types, names;
  for (Family family : allFamilies()) {
    ModelShape shape;
    shape.family = family;
    types.insert(shape.modelType());
    EXPECT_TRUE(names.insert(nameOf(family)).second) << nameOf(family) << " twice";
  }
  EXPECT_EQ(types, known());
}

// What makes layouts awkward is drawn: heads of an odd width, wherever a family can have them, and
// vocabularies and inner widths of any remainder.
TEST(Families, AreDrawnWithAwkwardWidths) {
  for (Family family : allFamilies()) {
    Random random(testSeed(5));
    std::set<int64_t> vocab, inner;
    bool odd = false;
    for (int i = 0; i < 400; ++i) {
      ModelShape shape = randomShape(family, random);
      odd |= shape.headDim % 2 == 1;
      vocab.insert(shape.vocab % 8);
      inner.insert(shape.ffn % 8);
    }
    // Where all of a head turns it does so in pairs.
    bool pairs = family != Family::OptPreNorm && family != Family::OptPostNorm &&
                 family != Family::Gpt2 && family != Family::NeoX && family != Family::Phi;
    EXPECT_NE(odd, pairs) << nameOf(family);
    EXPECT_EQ(vocab.size(), 8u) << nameOf(family);
    EXPECT_EQ(inner.size(), 8u) << nameOf(family);
  }
}

} // namespace
