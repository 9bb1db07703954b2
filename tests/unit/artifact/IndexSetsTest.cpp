// Sets of kept indices: what is written reads back, in the shorter encoding, and damaged sets are
// refused.
#include "compiler/artifact/IndexSets.h"
#include "llvm/ADT/STLExtras.h"
#include <gtest/gtest.h>
#include <random>

using namespace coppice;

namespace {
struct Written {
  flatbuffers::FlatBufferBuilder builder;
  const artifact::IndexSet *set;
  Written(llvm::ArrayRef<int32_t> kept, uint32_t before, bool recorded = true) {
    builder.Finish(writeIndexSet(builder, kept, before, recorded));
    set = flatbuffers::GetRoot<artifact::IndexSet>(builder.GetBufferPointer());
  }
  Written(uint32_t before, uint32_t kept, const std::vector<uint8_t> *runs,
          const std::vector<uint8_t> *bitmap) {
    builder.Finish(artifact::CreateIndexSetDirect(builder, before, kept, runs, bitmap));
    set = flatbuffers::GetRoot<artifact::IndexSet>(builder.GetBufferPointer());
  }
};

std::vector<uint32_t> ascending(std::vector<int32_t> kept) {
  std::sort(kept.begin(), kept.end());
  return {kept.begin(), kept.end()};
}

// Random sets of many densities and widths, in any order, come back ascending. Counted only, they
// are as many, and which they are is known of none and of all.
TEST(IndexSets, RoundTrip) {
  std::mt19937 random(1);
  for (uint32_t before : {1u, 7u, 8u, 9u, 127u, 128u, 300u, 20000u})
    for (uint32_t percent : {0u, 1u, 30u, 50u, 99u, 100u}) {
      std::vector<int32_t> kept;
      for (uint32_t i = 0; i < before; ++i)
        if (random() % 100 < percent)
          kept.push_back(int32_t(i));
      std::shuffle(kept.begin(), kept.end(), random);
      Written written(kept, before);
      auto read = readIndexSet(*written.set);
      ASSERT_TRUE(bool(read)) << llvm::toString(read.takeError());
      EXPECT_EQ(*read, ascending(kept)) << before << " " << percent;
      Written counted(kept, before, /*recorded=*/false);
      read = readIndexSet(*counted.set);
      ASSERT_TRUE(bool(read)) << llvm::toString(read.takeError());
      EXPECT_EQ(counted.set->kept(), kept.size());
      EXPECT_EQ(read->has_value(), kept.empty() || kept.size() == before);
    }
}

// Known bytes: 300 numbers without 3..259 are "0 go, 3 stay, 257 go, 40 stay"; scattered numbers
// are a bitmap; everything and nothing take no bytes.
TEST(IndexSets, Encodings) {
  std::vector<int32_t> stretch = {0, 1, 2};
  for (int32_t i = 260; i < 300; ++i)
    stretch.push_back(i);
  Written runs(stretch, 300);
  ASSERT_TRUE(runs.set->runs() && !runs.set->bitmap());
  EXPECT_EQ(std::vector<uint8_t>(runs.set->runs()->begin(), runs.set->runs()->end()),
            (std::vector<uint8_t>{0, 3, 0x81, 0x02, 40}));

  Written bitmap({1, 3, 5, 8}, 9);
  ASSERT_TRUE(bitmap.set->bitmap() && !bitmap.set->runs());
  EXPECT_EQ(std::vector<uint8_t>(bitmap.set->bitmap()->begin(), bitmap.set->bitmap()->end()),
            (std::vector<uint8_t>{0x2a, 0x01}));

  Written all({0, 1, 2}, 3), none({}, 3);
  for (const Written *written : {&all, &none})
    EXPECT_TRUE(!written->set->runs() && !written->set->bitmap());
}

// Each kind of damage is an error, and none takes memory or time beyond its own bytes.
TEST(IndexSets, Hostile) {
  using Bytes = std::vector<uint8_t>;
  auto refused = [](const Written &written) {
    auto read = readIndexSet(*written.set);
    return llvm::toString(read.takeError());
  };
  Bytes endless(20, 0xff), beyond = {0, 3, 200, 1, 1}, count = {1, 2}, half = {0};
  EXPECT_NE(refused({10, 5, &endless, nullptr}).find("does not end"), std::string::npos);
  EXPECT_NE(refused({10, 5, &half, nullptr}).find("does not end"), std::string::npos);
  EXPECT_NE(refused({10, 4, &beyond, nullptr}).find("beyond"), std::string::npos);
  EXPECT_NE(refused({10, 5, &count, nullptr}).find("as many numbers"), std::string::npos);
  EXPECT_NE(refused({10, 11, nullptr, nullptr}).find("more than there were"), std::string::npos);
  EXPECT_NE(refused({0xffffffffu, 0xffffffffu, nullptr, nullptr}).find("wider than any"),
            std::string::npos);
  Bytes huge = {0, 0xff, 0xff, 0xff, 0xff, 0x0f};
  EXPECT_NE(refused({0xffffffffu, 0xfffffff0u, &huge, nullptr}).find("beyond"), std::string::npos);
  Bytes high = {0, 2}, longer = {1, 0, 0};
  EXPECT_NE(refused({9, 1, nullptr, &high}).find("beyond"), std::string::npos);
  EXPECT_NE(refused({9, 1, nullptr, &longer}).find("another length"), std::string::npos);
  EXPECT_NE(refused({9, 1, &half, &longer}).find("twice"), std::string::npos);
  Bytes none = {0, 1, 2, 0}, touching = {0, 1, 0, 1}, padded = {0x80, 0, 1};
  EXPECT_NE(refused({9, 1, &none, nullptr}).find("run of none"), std::string::npos);
  EXPECT_NE(refused({9, 2, &touching, nullptr}).find("run of none"), std::string::npos);
  EXPECT_NE(refused({9, 1, &padded, nullptr}).find("does not end"), std::string::npos);
}
} // namespace
