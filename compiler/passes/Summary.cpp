// See Summary.h. What is kept is read off the columns of the linear that reads the heads or
// neurons: masks, selections and shrunk weights all show there.
#include "compiler/passes/Summary.h"
#include "compiler/plan/BlockParts.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/ADT/StringMap.h"
#include <map>
#include <set>

using namespace mlir;
using namespace coppice;
using llvm::Expected;

namespace {

struct LayerBlocks {
  lm::BlockOp attention, ffn;
};

} // namespace

static std::map<int32_t, LayerBlocks> blocksOf(ModuleOp module) {
  std::map<int32_t, LayerBlocks> layers;
  module.walk([&](lm::BlockOp block) {
    LayerBlocks &layer = layers[block.getLayer()];
    (block.getKind() == lm::BlockKind::Attention ? layer.attention : layer.ffn) = block;
  });
  return layers;
}

/// For each column that `linear` has, the column of the checkpoint's tensor.
static SmallVector<int32_t> storedColumns(lm::LinearOp linear) {
  lm::WeightOp weight = weightOf(linear);
  if (weight && weight.getColsAttr())
    return SmallVector<int32_t>(weight.getColsAttr().getIndices());
  return llvm::to_vector(llvm::seq<int32_t>(0, lm::rowWidth(linear.getWeight().getType())));
}

/// The columns of the checkpoint's tensor that `linear` reads something alive from.
static llvm::BitVector liveColumns(lm::LinearOp linear) {
  SmallVector<int32_t> stored = storedColumns(linear);
  // place[i]: where the linear's column i stands in the value at hand.
  SmallVector<int32_t> place = llvm::to_vector(llvm::seq<int32_t>(0, stored.size()));
  llvm::BitVector dead(stored.size());
  Value value = linear.getInput();
  while (Operation *op = value.getDefiningOp()) {
    if (auto mask = dyn_cast<lm::MaskOp>(op)) {
      llvm::BitVector masked(lm::rowWidth(mask.getType()));
      for (int32_t column : mask.getDead().getIndices())
        masked.set(column);
      for (size_t i = 0; i < place.size(); ++i)
        if (masked.test(place[i]))
          dead.set(i);
    } else if (auto select = dyn_cast<lm::SelectOp>(op)) {
      for (int32_t &at : place)
        at = select.getKept().getIndices()[at];
    } else if (!isa<lm::ObserveOp>(op)) {
      break;
    }
    value = op->getOperand(0);
  }
  llvm::BitVector live(stored.empty() ? 0 : *llvm::max_element(stored) + 1);
  for (size_t i = 0; i < stored.size(); ++i)
    if (!dead.test(i))
      live.set(stored[i]);
  return live;
}

static bool isLive(const llvm::BitVector &live, int32_t column) {
  return uint32_t(column) < live.size() && live.test(column);
}

static bool isThere(lm::BlockOp block) { return block && !block.getSkip(); }

static void describeHeads(LayerSummary &layer, lm::BlockOp before, lm::BlockOp after) {
  Expected<AttentionParts> whole = findAttentionParts(before);
  if (!whole)
    return llvm::consumeError(whole.takeError());
  lm::AttentionOp attention = whole->attention;
  layer.headDim = attention.getHeadDim();
  layer.headsBefore = attention.getNumHeads();
  layer.kvHeadsBefore = attention.getNumKvHeads();
  if (!isThere(after))
    return;
  Expected<AttentionParts> parts = findAttentionParts(after);
  if (!parts)
    return llvm::consumeError(parts.takeError());
  llvm::BitVector live = liveColumns(parts->output);
  SmallVector<int32_t> stored = storedColumns(whole->output);
  std::set<int32_t> kvHeads;
  for (int32_t head = 0; head < layer.headsBefore; ++head)
    if (isLive(live, stored[head * layer.headDim])) {
      layer.heads.push_back(head);
      kvHeads.insert(attention.getKvMap()[head]);
    }
  layer.kvHeads.assign(kvHeads.begin(), kvHeads.end());
  layer.attention = !layer.heads.empty();
}

/// Those that are not dead, by the rows that are left of the router.
static void describeExperts(LayerSummary &layer, lm::MoeOp moe) {
  Value scores = moe.getScores();
  while (auto mark = scores.getDefiningOp<lm::ObserveOp>())
    scores = mark.getInput();
  auto router = scores.getDefiningOp<lm::LinearOp>();
  lm::WeightOp weight = router ? weightOf(router) : lm::WeightOp();
  int32_t count = int32_t(moe.getExperts().size());
  llvm::BitVector dead(count);
  if (moe.getDead())
    for (int32_t e : moe.getDead()->getIndices())
      dead.set(e);
  for (int32_t e = 0; e < count; ++e)
    if (!dead.test(e))
      layer.experts.push_back(weight && weight.getRowsAttr() ? weight.getRowsAttr().getIndices()[e]
                                                             : e);
}

static void describeNeurons(LayerSummary &layer, lm::BlockOp before, lm::BlockOp after) {
  if (lm::MoeOp whole = findExperts(before)) {
    layer.ffn = isThere(after);
    layer.expertsBefore = int32_t(whole.getExperts().size());
    if (layer.ffn)
      describeExperts(layer, findExperts(after));
    return;
  }
  Expected<FfnParts> whole = findFfnParts(before);
  if (!whole)
    return llvm::consumeError(whole.takeError());
  SmallVector<int32_t> stored = storedColumns(whole->down);
  layer.neuronsBefore = stored.size();
  if (!isThere(after))
    return;
  Expected<FfnParts> parts = findFfnParts(after);
  if (!parts)
    return llvm::consumeError(parts.takeError());
  llvm::BitVector live = liveColumns(parts->down);
  for (auto [neuron, column] : llvm::enumerate(stored))
    if (isLive(live, column))
      layer.neurons.push_back(neuron);
  layer.ffn = !layer.neurons.empty();
}

/// True if only expressions over constants read a matrix: its part is folded into a bias.
static bool isFolded(lm::WeightOp weight) {
  return cast<RankedTensorType>(weight.getType()).getRank() == 2 && !weight->use_empty() &&
         llvm::all_of(weight->getUsers(), [](Operation *reader) {
           auto linear = dyn_cast<lm::LinearOp>(reader);
           return linear && lm::isConstantRow(linear.getType());
         });
}

/// True in a region of an expert beyond as many as a token is sent to: a layer's experts are alike.
static bool isIdle(lm::WeightOp weight) {
  auto moe = dyn_cast<lm::MoeOp>(weight->getParentOp());
  return moe && weight->getParentRegion()->getRegionNumber() >= moe.getTopK();
}

namespace {

/// How wide each row of a tensor is read. A row that several ops read, a tied embedding's say,
/// counts once, as the widest reads it; the rows of a fused tensor are each read by one. What is
/// held grows with the lists of rows, not with what a config says of rows that none lists.
class RowsRead {
public:
  void add(lm::WeightOp weight) {
    auto type = cast<RankedTensorType>(weight.getType());
    int64_t columns = type.getRank() == 2 ? type.getDimSize(1) : 1;
    auto kept = weight.getRows();
    if (!kept) {
      rows = type.getDimSize(0);
      all = std::max(all, columns);
      return;
    }
    listed.resize(std::max<size_t>(listed.size(), kept->extent()));
    for (int32_t row : kept->getIndices())
      listed[row] = std::max<uint32_t>(listed[row], columns);
  }
  uint64_t parameters() const {
    uint64_t sum = uint64_t(rows) * all;
    for (int64_t columns : listed)
      sum += std::max<int64_t>(columns - all, 0);
    return sum;
  }

private:
  int64_t rows = 0, all = 0; // columns that are read of every row
  std::vector<uint32_t> listed;
};

} // namespace

/// True if only blocks that a plan skips read it: a masked graph still has them.
static bool isSkipped(lm::WeightOp weight) {
  return !weight->use_empty() && llvm::all_of(weight->getUsers(), [](Operation *reader) {
    auto block = reader->getParentOfType<lm::BlockOp>();
    return block && block.getSkip();
  });
}

uint64_t coppice::countParameters(ModuleOp module, bool active) {
  llvm::StringMap<RowsRead> tensors;
  module.walk([&](lm::WeightOp weight) {
    if (!isFolded(weight) && !isSkipped(weight) && !(active && isIdle(weight)))
      tensors[weight.getTensor()].add(weight);
  });
  uint64_t sum = 0;
  for (const auto &tensor : tensors)
    sum += tensor.second.parameters();
  return sum;
}

ModelSummary coppice::summarize(ModuleOp imported, ModuleOp module) {
  ModelSummary summary;
  std::map<int32_t, LayerBlocks> after = blocksOf(module);
  for (const auto &[number, before] : blocksOf(imported)) {
    LayerSummary layer;
    layer.layer = number;
    const LayerBlocks &now = after[number];
    if (before.attention)
      describeHeads(layer, before.attention, now.attention);
    if (before.ffn)
      describeNeurons(layer, before.ffn, now.ffn);
    summary.layers.push_back(std::move(layer));
  }
  summary.parameters = countParameters(module);
  summary.activeParameters = countParameters(module, /*active=*/true);
  return summary;
}
