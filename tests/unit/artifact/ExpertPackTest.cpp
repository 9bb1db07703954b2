// A weight of several experts is the experts' matrices one after the other.
#include "Fixture.h"
#include "llvm/Support/MathExtras.h"

using namespace coppice;
using namespace coppice::test;

namespace {
MemoryCheckpoint threeMatrices() {
  MemoryCheckpoint checkpoint;
  for (const char *name : {"a", "b", "c"})
    checkpoint.add(name, DType::F32, {5, 37},
                   [&](size_t i) { return 0x3f000000u + uint32_t(i * 977 * (name[0] - 'a' + 1)); });
  return checkpoint;
}

constexpr char kGraph[] = "%a = lm.weight @a : tensor<5x37xf32>\n%b = lm.weight @b : "
                          "tensor<5x37xf32>\n%c = lm.weight @c : tensor<5x37xf32>";

PackedWeight together(Graph &graph, WeightFormat format) {
  PackedWeight weight = packed(graph.value(0), 5, 37, format);
  weight.experts = 3;
  weight.others = {graph.value(1), graph.value(2)};
  weight.bytes = *weightBytes(format, 5, 37, 3);
  return weight;
}
} // namespace

// In every format the bytes are those of three weights apart, which lie at multiples of 64 too.
TEST(ExpertPack, IsTheMatricesOneAfterTheOther) {
  MemoryCheckpoint checkpoint = threeMatrices();
  Graph graph(checkpoint, kGraph);
  for (WeightFormat format : {WeightFormat::F32, WeightFormat::F16, WeightFormat::BF16,
                              WeightFormat::I8, WeightFormat::I4}) {
    std::vector<PackedWeight> apart;
    for (unsigned i = 0; i < 3; ++i) {
      apart.push_back(packed(graph.value(i), 5, 37, format));
      if (i)
        apart[i].offset = llvm::alignTo(apart[i - 1].offset + apart[i - 1].bytes, 64);
    }
    Streamed got = stream(together(graph, format), checkpoint), want = stream(apart, checkpoint);
    EXPECT_EQ(got.error, "");
    EXPECT_EQ(got.bytes, want.bytes) << unsigned(format);
    EXPECT_EQ(got.bytes.size(), *weightBytes(format, 5, 37, 3));
  }
}

// Each expert's columns have an importance of their own.
TEST(ExpertPack, TakesEachExpertsImportance) {
  MemoryCheckpoint checkpoint = threeMatrices();
  Graph graph(checkpoint, kGraph);
  PackedWeight weight = together(graph, WeightFormat::I4);
  std::vector<PackedWeight> apart;
  for (unsigned i = 0; i < 3; ++i) {
    apart.push_back(packed(graph.value(i), 5, 37, WeightFormat::I4));
    for (unsigned c = 0; c < 37; ++c)
      apart[i].importance.push_back(float((c * (i + 3)) % 11));
    weight.importance.insert(weight.importance.end(), apart[i].importance.begin(),
                             apart[i].importance.end());
    if (i)
      apart[i].offset = llvm::alignTo(apart[i - 1].offset + apart[i - 1].bytes, 64);
  }
  EXPECT_EQ(stream(weight, checkpoint).bytes, stream(apart, checkpoint).bytes);
}

// Matrices that are missing, of another shape, or not finite are named.
TEST(ExpertPack, NamesWhatDoesNotFit) {
  MemoryCheckpoint checkpoint = threeMatrices();
  checkpoint.add("odd", DType::F32, {5, 36}, [](size_t) { return 0u; });
  checkpoint.add("bad", DType::F32, {5, 37}, [](size_t) { return 0x7f800000u; });
  Graph graph(checkpoint, std::string(kGraph) + "\n%d = lm.weight @odd : tensor<5x36xf32>\n%e = "
                                                "lm.weight @bad : tensor<5x37xf32>");
  PackedWeight weight = together(graph, WeightFormat::F16);
  weight.others = {graph.value(1)};
  EXPECT_NE(stream(weight, checkpoint).error.find("2 matrices for 3 experts"), std::string::npos);
  weight.others = {graph.value(1), graph.value(3)};
  EXPECT_NE(stream(weight, checkpoint).error.find("5 rows of 36 of tensor 'odd'"),
            std::string::npos);
  weight.others = {graph.value(1), graph.value(4)};
  EXPECT_NE(stream(weight, checkpoint).error.find("tensor 'bad'"), std::string::npos);
  EXPECT_EQ(weightBytes(WeightFormat::F32, INT64_MAX / 8, 4, 2), std::nullopt);
}
