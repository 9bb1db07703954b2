// How long the metadata of deep models is: programs with the stages, words and weights of real
// shapes, whose offsets, widths and places are those that a plan for them would have.
#include "Sample.h"
#include "compiler/artifact/IndexSets.h"
#include "compiler/codegen/KernelArgs.h"
#include "runtime/host/Records.h"
#include <random>

using namespace coppice;
using namespace coppice::test;

namespace {

constexpr size_t kMetadata = 40 * 1024; // with code and two pages' padding, below 64 KB

struct Shape {
  uint32_t layers, width, heads, kvHeads, headDim, neurons;
};
constexpr Shape kDeep = {80, 8192, 64, 8, 128, 28672}; // a Llama of 70 billion parameters
constexpr Shape kWide = {32, 4096, 32, 32, 128, 11008};

/// A Llama as the compiler lays it out, in float16, with `neurons` kept in each layer.
class Llama {
public:
  Llama(const Shape &shape, llvm::ArrayRef<std::vector<int32_t>> neurons) : shape(shape) {
    Program &program = sample.program;
    program.stages.clear();
    program.weights.clear();
    program.summary.layers.clear();
    program.code[0].image.bytes.assign(20000, 0xc3);
    program.code[0].image.kernels.clear();
    for (const char *name : {"embed_rows_f16", "rope_table", "rms_norm", "linear_f16", "rope",
                             "kv_write_f32", "attention_f32", "activation_silu", "gather"})
      program.code[0].image.kernels.push_back(
          {name, uint32_t(program.code[0].image.kernels.size()) * 2048});
    uint32_t q = shape.heads * shape.headDim, kv = shape.kvHeads * shape.headDim;
    uint32_t x = 0, normed = shape.width / 16, a = 2 * normed, b = a + q / 16, c = b + kv / 16;
    uint32_t gate = a, up = a + shape.neurons / 16, table = up + shape.neurons / 16;
    uint32_t embedding = weight("embed_tokens", 32000, shape.width);
    stage(0, 0, 1, {0, x, embedding, 32000, shape.width, 0, 0});
    uint32_t frequencies = weight("inv_freq", 1, shape.headDim / 2, WeightFormat::F32);
    uint32_t map = weight("kv_map", 1, shape.kvHeads + 1 + shape.heads, WeightFormat::U32);
    stage(1, 0, 1, {0, table, frequencies, shape.headDim / 2});
    uint32_t cache = 0;
    for (layer = 0; layer < int32_t(shape.layers); ++layer) {
      uint32_t wide = uint32_t(neurons[layer].size());
      norm(x, normed);
      linear("q_proj", normed, a, args::kNone, shape.width, q);
      linear("k_proj", normed, b, args::kNone, shape.width, kv);
      linear("v_proj", normed, c, args::kNone, shape.width, kv);
      stage(4, 0, 1, {0, a, a, table, shape.heads, shape.headDim, shape.headDim / 2});
      stage(4, 0, 1, {0, b, b, table, shape.kvHeads, shape.headDim, shape.headDim / 2});
      stage(5, 0, shape.kvHeads, {0, b, c, cache, shape.kvHeads, shape.headDim});
      stage(6, 0, shape.kvHeads,
            {0, a, a, cache, shape.heads, shape.kvHeads, shape.headDim, map, 0x3db504f3});
      cache += 2 * kv;
      linear("o_proj", a, x, x, q, shape.width);
      norm(x, normed);
      linear("gate_proj", normed, gate, args::kNone, shape.width, wide);
      linear("up_proj", normed, up, args::kNone, shape.width, wide);
      stage(7, 0, 1, {0, gate, up, gate, wide});
      linear("down_proj", gate, x, x, wide, shape.width);
      LayerSummary summary;
      summary.layer = layer;
      summary.attention = summary.ffn = true;
      summary.headDim = shape.headDim;
      summary.headsBefore = shape.heads;
      summary.kvHeadsBefore = shape.kvHeads;
      summary.neuronsBefore = shape.neurons;
      for (int32_t i = 0; i < int32_t(shape.heads); ++i)
        summary.heads.push_back(i);
      for (int32_t i = 0; i < int32_t(shape.kvHeads); ++i)
        summary.kvHeads.push_back(i);
      summary.neurons = neurons[layer];
      program.summary.layers.push_back(summary);
    }
    layer = -1;
    norm(x, normed);
    stage(8, 1, 1, {normed, normed, shape.width});
    linear("lm_head", normed, args::kNone, args::kNone, shape.width, 32000);
  }

  Sample sample;

private:
  /// The weight's offset as stages name it.
  uint32_t weight(const char *role, int64_t rows, int64_t cols,
                  WeightFormat format = WeightFormat::F16) {
    sample.add(packed({}, rows, cols, format), role, layer);
    return uint32_t(sample.program.weights.back().offset / 64);
  }
  void stage(uint32_t kernel, uint32_t set, uint32_t count, std::vector<uint32_t> words) {
    Stage stage;
    stage.kernel = kernel;
    stage.set = set;
    stage.perRow = kernel != 3;
    stage.count = count;
    stage.layer = layer;
    stage.args = std::move(words);
    sample.program.stages.push_back(stage);
  }
  void norm(uint32_t in, uint32_t out) {
    uint32_t scale = weight("norm", 1, shape.width, WeightFormat::F32);
    stage(2, 0, 1, {0, in, out, scale, args::kNone, shape.width, 0x3727c5ac});
  }
  void linear(const char *role, uint32_t in, uint32_t out, uint32_t residual, uint32_t ins,
              uint32_t outs) {
    uint32_t at = weight(role, outs, ins);
    stage(3, 0, uint32_t(panelWidths(outs).size()),
          {0, in, out, at, args::kNone, residual, ins, outs});
  }

  Shape shape;
  int32_t layer = -1;
};

std::vector<std::vector<int32_t>> all(const Shape &shape) {
  std::vector<int32_t> layer;
  for (int32_t i = 0; i < int32_t(shape.neurons); ++i)
    layer.push_back(i);
  return {shape.layers, layer};
}

/// Of each layer, half of the neurons, drawn at random.
std::vector<std::vector<int32_t>> halves(const Shape &shape) {
  std::mt19937 random(5);
  auto layers = all(shape);
  for (std::vector<int32_t> &layer : layers) {
    std::shuffle(layer.begin(), layer.end(), random);
    layer.resize(layer.size() / 2);
    std::sort(layer.begin(), layer.end());
  }
  return layers;
}

std::vector<uint8_t> metadataOf(const Sample &sample) {
  auto metadata = buildMetadata(sample.program, sample.inputs);
  if (metadata)
    return *metadata;
  ADD_FAILURE() << llvm::toString(metadata.takeError());
  return {};
}

const artifact::Model &modelOf(const std::vector<uint8_t> &metadata) {
  return *artifact::GetArtifact(metadata.data())->model();
}

// 80 layers of 14 stages, nothing cut: what equal layers say is there once, and the rest is small.
TEST(MetadataSize, Deep) {
  Llama llama(kDeep, all(kDeep));
  EXPECT_EQ(llama.sample.program.stages.size(), 80u * 14 + 5);
  std::vector<uint8_t> metadata = metadataOf(llama.sample);
  RecordProperty("bytes", int(metadata.size()));
  EXPECT_LE(metadata.size(), kMetadata);
  // All that a stage and a weight are made of is in it, to the last word.
  const artifact::Artifact &root = *artifact::GetArtifact(metadata.data());
  const artifact::EntryPoint &entry = *root.entry_points()->Get(0);
  std::vector<uint32_t> previous(entry.kernels()->size() * runtime::kMaxArgs);
  runtime::StageReader stages(entry, previous.data());
  runtime::StageRecord got;
  for (const Stage &stage : llama.sample.program.stages) {
    ASSERT_TRUE(stages.next(got));
    EXPECT_EQ(std::vector<uint32_t>(got.args, got.args + got.words), stage.args);
    EXPECT_EQ(got.kernel, stage.kernel);
    EXPECT_EQ(got.count, stage.count);
    EXPECT_EQ(got.layer, stage.layer);
    EXPECT_EQ(got.perRow, stage.perRow);
    EXPECT_EQ(got.set, stage.set);
  }
  EXPECT_FALSE(stages.next(got) || stages.problem());
  runtime::WeightReader weights(root, segmentBytes(llama.sample.program.weights));
  runtime::WeightRecord one;
  for (const PackedWeight &weight : llama.sample.program.weights) {
    ASSERT_TRUE(weights.next(one));
    EXPECT_EQ(one.offset, weight.offset);
    EXPECT_EQ(one.bytes, weight.bytes);
    EXPECT_EQ(one.rows, weight.rows);
    EXPECT_EQ(one.layer, weight.layer);
  }
  EXPECT_FALSE(weights.next(one) || weights.problem());
}

// Half of 11,008 neurons in each of 32 layers would be 44 KB of bits: the artifact counts them, in
// every layer, and still says that all heads are there.
TEST(MetadataSize, WideAndScattered) {
  Llama llama(kWide, halves(kWide));
  std::vector<uint8_t> metadata = metadataOf(llama.sample);
  RecordProperty("bytes", int(metadata.size()));
  EXPECT_LE(metadata.size(), kMetadata);
  for (const artifact::Layer *layer : *modelOf(metadata).layers()) {
    EXPECT_EQ(layer->neurons()->kept(), 5504u);
    EXPECT_EQ(layer->neurons()->before(), 11008u);
    auto read = readIndexSet(*layer->neurons());
    ASSERT_TRUE(bool(read)) << llvm::toString(read.takeError());
    EXPECT_FALSE(read->has_value());
    EXPECT_EQ(layer->heads()->kept(), 32u);
  }
  // The tokenizer does not count.
  std::vector<uint8_t> tokenizer(100000, 1);
  llama.sample.inputs.tokenizer = tokenizer;
  EXPECT_LE(metadataOf(llama.sample).size() - tokenizer.size(), kMetadata);
}

// As scattered, but in 12 layers: 16 KB of bits have room, and are there.
TEST(MetadataSize, RecordsWhatFits) {
  Shape shallow = kWide;
  shallow.layers = 12;
  auto kept = halves(shallow);
  Llama llama(shallow, kept);
  std::vector<uint8_t> tokenizer(100000, 1);
  llama.sample.inputs.tokenizer = tokenizer; // does not count
  std::vector<uint8_t> metadata = metadataOf(llama.sample);
  EXPECT_LE(metadata.size() - tokenizer.size(), kMetadata);
  for (uint32_t i = 0; i < 12; ++i) {
    auto read = readIndexSet(*modelOf(metadata).layers()->Get(i)->neurons());
    ASSERT_TRUE(bool(read)) << llvm::toString(read.takeError());
    ASSERT_TRUE(read->has_value());
    EXPECT_EQ(std::vector<int32_t>((*read)->begin(), (*read)->end()), kept[i]);
  }
}

} // namespace
