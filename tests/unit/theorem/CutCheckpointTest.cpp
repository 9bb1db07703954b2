// Checkpoints that other tools have cut: of each tensor only the rows and columns that a plan
// leaves, experts numbered anew, config.json as it was. What import makes of one, from its tensors,
// is the masked original, for random models of every family, layers unlike each other.
#include "tests/unit/theorem/Theorem.h"
#include <gtest/gtest.h>

using namespace coppice;
using namespace coppice::test;

namespace {

/// Some of `count` things, and not all.
std::set<int32_t> some(int64_t count, Random &random) {
  std::set<int32_t> chosen;
  for (int64_t left = count > 0 ? random.between(0, count - 1) : 0; left > 0; --left)
    chosen.insert(int32_t(random.between(0, count - 1)));
  return chosen;
}

/// A plan whose rest a config describes: as many query heads for each KV head as before, or, where
/// one serves all, any; and as many experts as the router picks, or more.
RandomPlan uniformPlan(const ModelShape &shape, Random &random) {
  RandomPlan plan;
  plan.modelType = shape.modelType();
  bool single = shape.kvHeads == 1 && !shape.grouped;
  int64_t units = single ? shape.heads : shape.kvHeads, size = shape.heads / units;
  for (int64_t layer = 0; layer < shape.layers; ++layer) {
    RandomPlan::Layer cut;
    for (int32_t unit : some(units, random))
      for (int64_t head = unit * size; head < (unit + 1) * size; ++head)
        cut.heads.insert(int32_t(head));
    if (int64_t experts = shape.expertsIn(layer))
      cut.experts = some(experts - shape.chosen + 1, random);
    else
      cut.neurons = some(shape.ffn, random);
    if (!cut.empty())
      plan.layers[int32_t(layer)] = cut;
  }
  return plan;
}

/// The rows and columns of a tensor, as it is stored, that a graph reads.
struct Read {
  std::set<int64_t> rows, cols;
};

std::map<std::string, Read> readsOf(mlir::ModuleOp graph, const RandomCheckpoint &whole) {
  std::map<std::string, Read> reads;
  graph->walk([&](lm::WeightOp weight) {
    std::string name = weight.getTensor().str();
    const RandomTensor &tensor = whole.tensors.at(name);
    int64_t rows = tensor.shape[0], cols = tensor.shape.size() > 1 ? tensor.shape[1] : 1;
    auto rowList = weight.getRows(), colList = weight.getCols();
    if (weight.getTransposed()) // the lists count outputs and inputs
      std::swap(rowList, colList);
    auto add = [](std::set<int64_t> &set, auto &list, int64_t extent) {
      for (int64_t i = 0; i < (list ? int64_t(list->size()) : extent); ++i)
        set.insert(list ? list->getIndices()[i] : i);
    };
    add(reads[name].rows, rowList, rows);
    add(reads[name].cols, colList, cols);
  });
  return reads;
}

RandomCheckpoint cut(const RandomCheckpoint &whole, mlir::ModuleOp shrunk) {
  std::map<std::string, Read> reads = readsOf(shrunk, whole);
  RandomCheckpoint result{whole.shape, {}};
  std::map<std::string, std::map<int, int>> numbers; // by layer: of the experts that stay
  const std::string mark = ".experts.";
  for (auto &[name, read] : reads)
    if (size_t at = name.find(mark); at != std::string::npos)
      numbers[name.substr(0, at)][std::stoi(name.substr(at + mark.size()))] = 0;
  for (auto &[layer, experts] : numbers) {
    int next = 0;
    for (auto &[before, after] : experts)
      after = next++;
  }
  for (auto &[name, read] : reads) {
    const RandomTensor &tensor = whole.tensors.at(name);
    RandomTensor made;
    made.shape = tensor.shape;
    made.shape[0] = int64_t(read.rows.size());
    if (tensor.shape.size() > 1)
      made.shape[1] = int64_t(read.cols.size());
    int64_t width = tensor.shape.size() > 1 ? tensor.shape[1] : 1;
    for (int64_t row : read.rows)
      for (int64_t col : read.cols)
        made.values.push_back(tensor.values[size_t(row * width + col)]);
    std::string renamed = name;
    if (size_t at = name.find(mark); at != std::string::npos) {
      size_t digits = at + mark.size(), end = name.find('.', digits);
      int number = std::stoi(name.substr(digits));
      renamed = name.substr(0, digits) + std::to_string(numbers[name.substr(0, at)][number]) +
                name.substr(end);
    }
    result.tensors[renamed] = std::move(made);
  }
  return result;
}

class CutCheckpoints : public ::testing::TestWithParam<Family> {};

TEST_P(CutCheckpoints, MeanWhatTheMaskedOriginalDoes) {
  Random random(testSeed(17) + uint64_t(GetParam()) * 1000003);
  size_t cuts = 0;
  for (int m = 0; m < 20; ++m) {
    RandomCheckpoint whole = randomCheckpoint(randomShape(GetParam(), random), random);
    auto model = Model::make(whole);
    ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
    std::vector<int32_t> tokens = randomTokens(6, whole.shape.vocab, random);
    for (int p = 0; p < 3; ++p) {
      RandomPlan plan = uniformPlan(whole.shape, random);
      cuts += plan.size();
      auto masked = model.get()->mask(plan.json());
      ASSERT_TRUE(bool(masked)) << llvm::toString(masked.takeError());
      auto wanted = model.get()->logits(**masked, tokens);
      ASSERT_TRUE(bool(wanted)) << llvm::toString(wanted.takeError());
      auto shrunk = model.get()->shrink(**masked);
      ASSERT_TRUE(bool(shrunk)) << llvm::toString(shrunk.takeError());
      auto other = Model::make(cut(whole, **shrunk));
      ASSERT_TRUE(bool(other)) << plan.json() << ": " << llvm::toString(other.takeError());
      auto got = other.get()->logits(other.get()->imported(), tokens);
      ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
      EXPECT_EQ(compare(*got, *wanted), "") << plan.json();
    }
  }
  EXPECT_GT(cuts, 60u);
}

INSTANTIATE_TEST_SUITE_P(Theorem, CutCheckpoints, ::testing::ValuesIn(allFamilies()),
                         [](const ::testing::TestParamInfo<Family> &info) {
                           return nameOf(info.param);
                         });

} // namespace
