// A small program with every kind of weight, for the tests of the writer and of inspect.
#pragma once
#include "Fixture.h"
#include "compiler/artifact/Writer.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

namespace coppice::test {

struct Sample {
  MemoryCheckpoint checkpoint;
  std::unique_ptr<Graph> graph;
  Program program;
  ArtifactInputs inputs;

  Sample() {
    checkpoint.add("w", DType::F16, {6, 10}, [](size_t i) { return 0x3c00u + uint32_t(i); });
    checkpoint.addFloats("b", {4}, {1, 2, 3, 4});
    graph = std::make_unique<Graph>(checkpoint, R"(
      %w = lm.weight @w rows <0 to 4> cols <1 to 7> : tensor<5x7xf16>
      %b = lm.weight @b : tensor<4xf32>
      %c = lm.add %b, %b : tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>)");
    program.code = {{"x86-64-v3",
                     {"avx2", "fma"},
                     {std::vector<uint8_t>(100, 0xc3), {{"linear_f16", 0}, {"add", 64}}}}};
    add(packed(graph->value(0), 5, 7, WeightFormat::F16), "up_proj", 1);        // 70 bytes at 0
    add(packed(graph->value(1), 1, 4, WeightFormat::F32), "norm", -1);          // 16 at 128
    add(packed(graph->value(2), 1, 4, WeightFormat::F32), "up_proj", 1);        // 16 at 192
    PackedWeight map = packed({}, 1, 3, WeightFormat::U32, WeightLayout::Rows); // 12 at 256
    map.words = {0, 0, 1};
    add(map, "kv_map", 0);
    Stage linear, sum;
    linear.args = {0, 5, 9};
    linear.count = 3;
    linear.layer = 1;
    sum.kernel = 1;
    sum.set = 1;
    sum.perRow = true;
    sum.joined = true;
    sum.args = {1, 2};
    program.stages = {linear, sum};
    program.memory = {128, 192};
    program.vocabulary = 300;
    program.tokenLimit = 299;
    program.context = 100;
    program.modelType = "llama";
    program.stopTokens = {2, 7};
    program.parametersBefore = 2000;
    program.summary.parameters = program.summary.activeParameters = 500;
    LayerSummary first, second;
    first.attention = first.ffn = true;
    first.headDim = second.headDim = 8;
    first.headsBefore = second.headsBefore = 4;
    first.kvHeadsBefore = second.kvHeadsBefore = 2;
    first.neuronsBefore = second.neuronsBefore = 11;
    first.heads = {0, 2, 3};
    first.kvHeads = {0, 1};
    first.neurons = {0, 1, 2, 5, 10};
    second.layer = 1;
    second.ffn = true;
    second.neurons = {4};
    program.summary.layers = {first, second};
    inputs.source.emplace();
    inputs.source->fill(0xab);
    inputs.threads = 1;
  }

  void add(PackedWeight weight, const char *role, int32_t layer) {
    weight.role = role;
    weight.layer = layer;
    weight.offset = llvm::alignTo(segmentBytes(program.weights), 64);
    program.weights.push_back(weight);
  }
};

/// A folder of its own, removed with its contents.
class TempFolder {
public:
  TempFolder() { EXPECT_FALSE(llvm::sys::fs::createUniqueDirectory("coppice-artifact", path)); }
  ~TempFolder() { llvm::sys::fs::remove_directories(path); }
  std::string file(llvm::StringRef name) const { return (path + "/" + name).str(); }
  /// Names of what is in it, sorted.
  std::vector<std::string> entries() const {
    std::vector<std::string> names;
    std::error_code error;
    for (llvm::sys::fs::directory_iterator at(path, error), end; at != end && !error;
         at.increment(error))
      names.push_back(llvm::sys::path::filename(at->path()).str());
    std::sort(names.begin(), names.end());
    return names;
  }

private:
  llvm::SmallString<128> path;
};

inline std::vector<uint8_t> readFile(const std::string &path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, false, false);
  if (!buffer)
    return {};
  return {(*buffer)->getBufferStart(), (*buffer)->getBufferEnd()};
}

inline void writeFile(const std::string &path, llvm::ArrayRef<uint8_t> bytes) {
  std::error_code error;
  llvm::raw_fd_ostream out(path, error);
  EXPECT_FALSE(error);
  out.write(reinterpret_cast<const char *>(bytes.data()), bytes.size());
}

} // namespace coppice::test
