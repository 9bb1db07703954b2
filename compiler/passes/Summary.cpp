// See Summary.h. What is kept is read off the columns of the linear that reads the heads or
// neurons: masks, selections and shrunk weights all show there.
#include "compiler/passes/Summary.h"
#include "compiler/plan/BlockParts.h"
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
  int32_t width = lm::rowWidth(linear.getWeight().getType());
  lm::WeightOp weight = weightOf(linear);
  if (weight && weight.getColsAttr())
    return SmallVector<int32_t>(weight.getColsAttr().getIndices());
  SmallVector<int32_t> all;
  for (int32_t i = 0; i < width; ++i)
    all.push_back(i);
  return all;
}

/// The columns of the checkpoint's tensor that `linear` reads something alive from.
static std::set<int32_t> liveColumns(lm::LinearOp linear) {
  SmallVector<int32_t> stored = storedColumns(linear);
  // place[i]: where the linear's column i stands in the value at hand.
  SmallVector<int32_t> place;
  for (size_t i = 0; i < stored.size(); ++i)
    place.push_back(i);
  std::set<int32_t> live(stored.begin(), stored.end());
  Value value = linear.getInput();
  while (Operation *op = value.getDefiningOp()) {
    if (auto mask = dyn_cast<lm::MaskOp>(op)) {
      ArrayRef<int32_t> dead = mask.getDead().getIndices();
      std::set<int32_t> deadSet(dead.begin(), dead.end());
      for (size_t i = 0; i < place.size(); ++i)
        if (deadSet.count(place[i]))
          live.erase(stored[i]);
    } else if (auto select = dyn_cast<lm::SelectOp>(op)) {
      for (int32_t &at : place)
        at = select.getKept().getIndices()[at];
    } else if (!isa<lm::ObserveOp>(op)) {
      break;
    }
    value = op->getOperand(0);
  }
  return live;
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
  std::set<int32_t> live = liveColumns(parts->output);
  SmallVector<int32_t> stored = storedColumns(whole->output);
  std::set<int32_t> kvHeads;
  for (int32_t head = 0; head < layer.headsBefore; ++head)
    if (live.count(stored[head * layer.headDim])) {
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
  std::set<int32_t> dead;
  if (moe.getDead())
    dead.insert(moe.getDead()->getIndices().begin(), moe.getDead()->getIndices().end());
  for (int32_t e = 0, count = int32_t(moe.getExperts().size()); e < count; ++e)
    if (!dead.count(e))
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
  std::set<int32_t> live = liveColumns(parts->down);
  for (auto [neuron, column] : llvm::enumerate(stored))
    if (live.count(column))
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

/// `active`: only those that one token needs.
static uint64_t countParameters(ModuleOp module, bool active) {
  // A row that several ops read, a tied embedding's say, counts once, as the widest reads it; the
  // rows of a fused tensor are each read by one.
  std::map<StringRef, std::vector<uint32_t>> columnsOfRows;
  module.walk([&](lm::WeightOp weight) {
    if (isFolded(weight) || (active && isIdle(weight)))
      return;
    auto type = cast<RankedTensorType>(weight.getType());
    uint32_t columns = type.getRank() == 2 ? type.getDimSize(1) : 1;
    std::vector<uint32_t> &rows = columnsOfRows[weight.getTensor()];
    auto kept = weight.getRows();
    size_t extent = kept ? kept->extent() : type.getDimSize(0);
    rows.resize(std::max(rows.size(), extent));
    for (int64_t i = 0; i < type.getDimSize(0); ++i) {
      uint32_t &most = rows[kept ? kept->getIndices()[i] : i];
      most = std::max(most, columns);
    }
  });
  uint64_t sum = 0;
  for (const auto &[tensor, rows] : columnsOfRows)
    for (uint32_t columns : rows)
      sum += columns;
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
  summary.parameters = countParameters(module, /*active=*/false);
  summary.activeParameters = countParameters(module, /*active=*/true);
  return summary;
}
