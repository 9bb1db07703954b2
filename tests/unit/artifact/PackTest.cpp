// The weight stream against naive definitions of what a packed weight holds.
#include "Fixture.h"
#include "compiler/artifact/FloatFormats.h"
#include "compiler/artifact/PackPiece.h"
#include <random>

using namespace coppice;
using namespace coppice::test;

namespace {
/// Patterns of a type, all within float16's range, that differ from element to element.
uint32_t pattern(DType type, size_t i) {
  uint32_t x = uint32_t(i) * 2654435761u + 12345u;
  if (type == DType::F32)
    return (x & 0x807fffffu) | ((96u + x % 46u) << 23);
  if (type == DType::F16)
    return (x >> 16 & 0x83ffu) | (1u + x % 29u) << 10;
  return (x >> 16 & 0x807fu) | (96u + x % 40u) << 7;
}

/// Panel layout, read off its definition: element (r, k) of a matrix of `rows` rows.
size_t panelIndex(int64_t rows, int64_t cols, int64_t r, int64_t k) {
  int64_t start = 0, width = 32; // of the panel that holds r
  while (true) {
    if (rows - start < width) {
      width /= 2;
      continue;
    }
    if (r < start + width)
      return size_t(start * cols + k * width + (r - start));
    start += width;
  }
}

uint32_t element(const std::vector<uint8_t> &bytes, WeightFormat format, size_t index) {
  uint32_t bits = 0;
  memcpy(&bits, bytes.data() + index * formatBytes(format), formatBytes(format));
  return bits;
}

/// What an element of the checkpoint becomes.
uint32_t converted(DType from, WeightFormat to, uint32_t bits) {
  using namespace formats;
  uint32_t wide = from == DType::F32   ? bits
                  : from == DType::F16 ? widenHalf(uint16_t(bits))
                                       : widenBrain(uint16_t(bits));
  return to == WeightFormat::F32   ? wide
         : to == WeightFormat::F16 ? narrowHalf(wide)
                                   : narrowBrain(wide);
}

std::string type(llvm::ArrayRef<int64_t> shape, const char *dtype) {
  std::string text = "tensor<";
  for (int64_t extent : shape)
    text += std::to_string(extent) + "x";
  return text + dtype + ">";
}

// Panels of every row count up to 100, over column counts around the sizes of the packer's blocks:
// each element where the definition puts it, and nothing else in the segment.
TEST(Pack, PanelsMatchTheDefinition) {
  for (int64_t cols : {1, 2, 31, 64, 65, 130, 2049})
    for (int64_t rows = 1; rows <= 100; rows += cols > 100 ? 9 : 1) {
      MemoryCheckpoint checkpoint;
      checkpoint.add("w", DType::F32, {rows, cols}, [](size_t i) { return uint32_t(i) + 1; });
      Graph graph(checkpoint, "%w = lm.weight @w : " + type({rows, cols}, "f32"));
      Streamed got = stream(packed(graph.last(), rows, cols, WeightFormat::F32), checkpoint);
      ASSERT_EQ(got.error, "");
      ASSERT_EQ(got.bytes.size(), size_t(rows * cols * 4));
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t k = 0; k < cols; ++k)
          ASSERT_EQ(element(got.bytes, WeightFormat::F32, panelIndex(rows, cols, r, k)),
                    uint32_t(r * cols + k) + 1)
              << rows << "x" << cols << " at " << r << ", " << k;
    }
}

// The definition itself, by hand: 3 rows are a panel of two and a panel of one.
TEST(Pack, PanelsByHand) {
  MemoryCheckpoint checkpoint;
  checkpoint.addFloats("w", {3, 2}, {11, 12, 21, 22, 31, 32});
  Graph graph(checkpoint, "%w = lm.weight @w : tensor<3x2xf32>");
  Streamed got = stream(packed(graph.last(), 3, 2, WeightFormat::F32), checkpoint);
  std::vector<float> floats(6);
  ASSERT_EQ(got.bytes.size(), 24u);
  memcpy(floats.data(), got.bytes.data(), 24);
  EXPECT_EQ(floats, (std::vector<float>{11, 21, 12, 22, 31, 32}));
  EXPECT_EQ(panelWidths(63), (llvm::SmallVector<int64_t>{32, 16, 8, 4, 2, 1}));
  EXPECT_EQ(panelWidths(0), (llvm::SmallVector<int64_t>{}));
}

// Every pair of types, both layouts, as stored and transposed, with and without lists in any order,
// on 1 and 3 threads: the element that the lists name, converted, where the layout puts it.
TEST(Pack, SelectsConvertsAndLaysOut) {
  const int64_t storedRows = 150, storedCols = 333;
  std::mt19937 random(7);
  auto list = [&](int64_t extent, size_t count) {
    std::vector<int32_t> all(extent);
    for (int64_t i = 0; i < extent; ++i)
      all[i] = int32_t(i);
    std::shuffle(all.begin(), all.end(), random);
    all.resize(count);
    return all;
  };
  auto text = [](llvm::ArrayRef<int32_t> list) {
    std::string result;
    for (int32_t i : list)
      result += (result.empty() ? "" : ", ") + std::to_string(i);
    return "<" + result + ">";
  };
  for (DType from : {DType::F32, DType::F16, DType::BF16})
    for (WeightFormat to : {WeightFormat::F32, WeightFormat::F16, WeightFormat::BF16})
      for (WeightLayout layout : {WeightLayout::Rows, WeightLayout::Panels})
        for (bool transposed : {false, true})
          for (int lists = 0; lists < 4; ++lists) {
            MemoryCheckpoint checkpoint;
            // Transposed values are stored the other way round.
            int64_t outs = transposed ? storedCols : storedRows;
            int64_t ins = transposed ? storedRows : storedCols;
            checkpoint.add("w", from, {storedRows, storedCols},
                           [&](size_t i) { return pattern(from, i); });
            std::vector<int32_t> rows = list(outs, lists & 1 ? 77 : outs);
            std::vector<int32_t> cols = list(ins, lists & 2 ? 70 : ins);
            std::string body = "%w = lm.weight @w";
            if (lists & 1)
              body += " rows " + text(rows);
            else
              std::sort(rows.begin(), rows.end());
            if (lists & 2)
              body += " cols " + text(cols);
            else
              std::sort(cols.begin(), cols.end());
            int64_t n = int64_t(rows.size()), k = int64_t(cols.size());
            body += std::string(transposed ? " transposed" : "") + " : " +
                    type({n, k}, llvm::StringRef(dtypeName(from)).lower().c_str());
            Graph graph(checkpoint, body);
            PackedWeight weight = packed(graph.last(), n, k, to, layout);
            Streamed got = stream(weight, checkpoint, 1);
            ASSERT_EQ(got.error, "") << body;
            ASSERT_EQ(got.bytes.size(), weight.bytes);
            for (int64_t r = 0; r < n; ++r)
              for (int64_t c = 0; c < k; ++c) {
                int64_t stored =
                    transposed ? cols[c] * storedCols + rows[r] : rows[r] * storedCols + cols[c];
                size_t at = layout == WeightLayout::Rows ? r * k + c : panelIndex(n, k, r, c);
                ASSERT_EQ(element(got.bytes, to, at), converted(from, to, pattern(from, stored)))
                    << body << " at " << r << ", " << c;
              }
            EXPECT_EQ(stream(weight, checkpoint, 3).bytes, got.bytes);
          }
}

// A vector is one row; its list counts along it.
TEST(Pack, Vectors) {
  MemoryCheckpoint checkpoint;
  checkpoint.addFloats("b", {4}, {1, 2, 3, 4});
  Graph graph(checkpoint, "%b = lm.weight @b rows <3, 0, 1> : tensor<3xf32>");
  for (WeightLayout layout : {WeightLayout::Rows, WeightLayout::Panels}) {
    Streamed got = stream(packed(graph.last(), 1, 3, WeightFormat::F32, layout), checkpoint);
    ASSERT_EQ(got.error, "");
    std::vector<float> floats(3);
    memcpy(floats.data(), got.bytes.data(), 12);
    EXPECT_EQ(floats, (std::vector<float>{4, 1, 2}));
  }
}

// A weight larger than the packer's buffer comes in bounded chunks, is right across their seams on
// any number of threads, reports its progress to the end, and its tensor is dropped once.
TEST(Pack, LargeWeightsComeInChunks) {
  const int64_t rows = 70, cols = 40000; // 11 MB; a 32-row panel alone is 5 MB
  MemoryCheckpoint checkpoint;
  checkpoint.add("w", DType::F32, {rows, cols}, [](size_t i) { return uint32_t(i) + 1; });
  Graph graph(checkpoint, "%w = lm.weight @w : " + type({rows, cols}, "f32"));
  for (WeightLayout layout : {WeightLayout::Rows, WeightLayout::Panels}) {
    PackedWeight weight = packed(graph.last(), rows, cols, WeightFormat::F32, layout);
    Streamed one = stream(weight, checkpoint, 1), three = stream(weight, checkpoint, 3);
    EXPECT_LE(one.largestChunk, size_t(2) << 20);
    EXPECT_EQ(checkpoint.dropped, (std::vector<std::string>{"w", "w"}));
    checkpoint.dropped.clear();
    ASSERT_EQ(one.bytes.size(), weight.bytes);
    ASSERT_TRUE(one.bytes == three.bytes);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t k = 0; k < cols; ++k) {
        size_t at = layout == WeightLayout::Rows ? r * cols + k : panelIndex(rows, cols, r, k);
        ASSERT_EQ(element(one.bytes, WeightFormat::F32, at), uint32_t(r * cols + k) + 1);
      }
    uint64_t last = 0;
    llvm::cantFail(streamWeights(
        weight, checkpoint, 2,
        [&](uint64_t done, uint64_t total) {
          EXPECT_GT(done, last);
          EXPECT_EQ(total, weight.bytes);
          last = done;
        },
        [](llvm::ArrayRef<uint8_t>) { return llvm::Error::success(); }));
    EXPECT_EQ(last, weight.bytes);
    checkpoint.dropped.clear();
  }
}

// Words are written as they are; weights lie at their offsets with zeros between them.
TEST(Pack, WordsAndPadding) {
  MemoryCheckpoint checkpoint;
  checkpoint.addFloats("b", {1}, {1});
  Graph graph(checkpoint, "%b = lm.weight @b : tensor<1xf32>");
  PackedWeight map = packed({}, 1, 3, WeightFormat::U32, WeightLayout::Rows);
  map.words = {7, 0x01020304, 9};
  PackedWeight empty = packed({}, 0, 5, WeightFormat::F32);
  empty.offset = 64;
  PackedWeight bias = packed(graph.last(), 1, 1, WeightFormat::F32);
  bias.offset = 64;
  Streamed got = stream({map, empty, bias}, checkpoint);
  ASSERT_EQ(got.error, "");
  std::vector<uint8_t> expected(68, 0);
  const uint8_t head[] = {7, 0, 0, 0, 4, 3, 2, 1, 9};
  std::copy(std::begin(head), std::end(head), expected.begin());
  const uint8_t one[] = {0, 0, 0x80, 0x3f};
  std::copy(std::begin(one), std::end(one), expected.begin() + 64);
  EXPECT_EQ(got.bytes, expected);
}

// What no format can hold is refused by tensor, row and column in the checkpoint's numbers, for the
// first such element, on any number of threads; elements that are cut are not looked at.
TEST(Pack, RefusesWhatIsNotFinite) {
  for (unsigned threads : {1u, 3u})
    for (bool transposed : {false, true}) {
      MemoryCheckpoint checkpoint;
      checkpoint.add("w", DType::F32, {40, 50}, [](size_t i) {
        return i == 7 * 50 + 9 ? 0x7fc00000u : i == 8 * 50 + 3 ? 0xff800000u : 0u;
      });
      std::string end = transposed ? " transposed : tensor<50x40xf32>" : " : tensor<40x50xf32>";
      Graph graph(checkpoint, "%w = lm.weight @w" + end);
      int64_t rows = transposed ? 50 : 40, cols = transposed ? 40 : 50;
      Streamed got =
          stream(packed(graph.last(), rows, cols, WeightFormat::BF16), checkpoint, threads);
      EXPECT_NE(
          got.error.find("tensor 'w': row 7, column 9 is not a number; weights must be finite"),
          std::string::npos)
          << got.error;
    }
  MemoryCheckpoint checkpoint;
  checkpoint.add("w", DType::F16, {2, 3}, [](size_t i) { return i == 4 ? 0xfc00u : 0x3c00u; });
  Graph cut(checkpoint, "%w = lm.weight @w cols <0, 2> : tensor<2x2xf16>");
  EXPECT_EQ(stream(packed(cut.last(), 2, 2, WeightFormat::F16), checkpoint).error, "");
  Graph read(checkpoint, "%w = lm.weight @w rows <1> cols <2, 1> : tensor<1x2xf16>");
  for (WeightFormat format : {WeightFormat::F16, WeightFormat::F32})
    EXPECT_NE(stream(packed(read.last(), 1, 2, format), checkpoint)
                  .error.find("tensor 'w': row 1, column 1 is minus infinity"),
              std::string::npos);
}

// A finite weight beyond the target format is refused with its value and the way out; just below
// the limit it passes.
TEST(Pack, RefusesOverflow) {
  auto error = [](float value, WeightFormat format) {
    MemoryCheckpoint checkpoint;
    checkpoint.addFloats("v", {3}, {0, 1, -value});
    Graph graph(checkpoint, "%w = lm.weight @v : tensor<3xf32>");
    return stream(packed(graph.last(), 1, 3, format), checkpoint).error;
  };
  EXPECT_EQ(error(70000, WeightFormat::F16), "m.safetensors: tensor 'v': element 2 is -70000, "
                                             "beyond float16's largest value 65504: compile with "
                                             "--weights bf16 or --weights f32");
  EXPECT_EQ(error(65519, WeightFormat::F16), "");
  EXPECT_EQ(error(70000, WeightFormat::BF16), "");
  EXPECT_NE(error(3.4e38f, WeightFormat::BF16).find("compile with --weights f32"),
            std::string::npos);
  EXPECT_EQ(error(3.4e38f, WeightFormat::F32), "");
}

// A weight whose place contradicts its shape, a tensor that is gone or has another shape, and words
// of another number are errors that name the weight or tensor.
TEST(Pack, RefusesContradictions) {
  MemoryCheckpoint checkpoint;
  checkpoint.addFloats("w", {2, 2}, {1, 2, 3, 4});
  Graph graph(checkpoint, "%w = lm.weight @w : tensor<2x2xf32>");
  PackedWeight good = packed(graph.last(), 2, 2, WeightFormat::F32);
  auto expect = [&](PackedWeight weight, const Checkpoint &from, const char *part) {
    std::string error = stream(weight, from).error;
    EXPECT_NE(error.find(part), std::string::npos) << error;
  };
  PackedWeight weight = good;
  weight.bytes = 12;
  expect(weight, checkpoint, "weight 'test' of layer 3: 2 rows of 2 f32 do not take 12 bytes");
  weight = good;
  weight.offset = 32;
  expect(weight, checkpoint, "it lies at byte 32");
  weight = packed(graph.last(), 4, 1, WeightFormat::F32);
  expect(weight, checkpoint, "4 rows of 1 f32 cannot be packed from 2 rows of 2 of tensor 'w'");
  weight = packed({}, 1, 3, WeightFormat::U32);
  weight.words = {1};
  expect(weight, checkpoint, "given as 1 words");

  MemoryCheckpoint empty, other;
  expect(good, empty, "tensor 'w': the program reads it, but the checkpoint has no tensor");
  other.addFloats("w", {2, 3}, {1, 2, 3, 4, 5, 6});
  expect(good, other, "tensor 'w': the program reads [2, 2], the checkpoint's shape [2, 3]");
}

// The sink's error ends the stream and comes out as it is.
TEST(Pack, SinkErrors) {
  MemoryCheckpoint checkpoint;
  checkpoint.addFloats("w", {2, 2}, {1, 2, 3, 4});
  Graph graph(checkpoint, "%w = lm.weight @w : tensor<2x2xf32>");
  llvm::Error error =
      streamWeights(packed(graph.last(), 2, 2, WeightFormat::F32), checkpoint, 1, nullptr,
                    [](llvm::ArrayRef<uint8_t>) {
                      return llvm::createStringError(llvm::inconvertibleErrorCode(), "full");
                    });
  EXPECT_EQ(llvm::toString(std::move(error)), "full");
}
} // namespace
