// Masks what other tools left as exact zeros: the graph after it means what it meant before.
//
// Masks are put right on the heads and neurons, below the masks of a plan, which therefore decide
// where both name a column.
#include "compiler/passes/Passes.h"
#include "compiler/passes/Rewrites.h"
#include "compiler/passes/WeightZeros.h"
#include "compiler/plan/BlockParts.h"

namespace coppice {
#define GEN_PASS_DEF_FINDDEAD
#include "compiler/passes/Passes.h.inc"
} // namespace coppice

using namespace mlir;
using namespace coppice;
using llvm::Error;
using llvm::Expected;

namespace {

/// What one row of a linear gives.
enum class RowKind { Varies, Constant, Zero };

struct FindDeadPass : coppice::impl::FindDeadBase<FindDeadPass> {
  using FindDeadBase::FindDeadBase;
  FindDeadPass() = default;
  explicit FindDeadPass(const Checkpoint &given) : given(&given) {}

  void runOnOperation() override;

private:
  Error findHeads(lm::BlockOp block, const Checkpoint &weights);
  Error findNeurons(lm::BlockOp block, const Checkpoint &weights);
  Error classify(lm::LinearOp linear, const Checkpoint &weights, SmallVectorImpl<RowKind> &kinds);
  lm::IndexListAttr list(ArrayRef<int32_t> indices) {
    return lm::IndexListAttr::get(&getContext(), indices);
  }

  const Checkpoint *given = nullptr;
  SymbolTableCollection *symbols = nullptr; // of this run
  int64_t heads = 0, neurons = 0;
};

} // namespace

/// Masks columns of `value`, for everything that reads it. Gives the masked value.
static Value maskColumns(OpBuilder &builder, Value value, lm::IndexListAttr dead, Value fill) {
  if (dead.size() == 0)
    return value;
  auto mask = builder.create<lm::MaskOp>(value.getLoc(), value, dead, fill);
  SmallPtrSet<Operation *, 1> itself{mask};
  value.replaceAllUsesExcept(mask, itself);
  return mask;
}

/// The kind of each row of a linear over an lm.weight: a row of zeros gives its bias.
Error FindDeadPass::classify(lm::LinearOp linear, const Checkpoint &weights,
                             SmallVectorImpl<RowKind> &kinds) {
  kinds.assign(lm::rowWidth(linear.getType()), RowKind::Varies);
  lm::WeightOp weight = weightOf(linear);
  if (!weight)
    return Error::success();
  Expected<WeightZeros> zeros = findZeros(weight, weights, *symbols);
  if (!zeros)
    return zeros.takeError();
  RowKind withBias = linear.getBias() ? RowKind::Constant : RowKind::Zero;
  for (unsigned row : zeros->rows.set_bits())
    kinds[row] = withBias;
  auto bias = linear.getBias() ? linear.getBias().getDefiningOp<lm::WeightOp>() : lm::WeightOp();
  if (!bias)
    return Error::success();
  Expected<WeightZeros> biasZeros = findZeros(bias, weights, *symbols);
  if (!biasZeros)
    return biasZeros.takeError();
  for (unsigned row : biasZeros->rows.set_bits())
    if (kinds[row] == RowKind::Constant)
      kinds[row] = RowKind::Zero;
  return Error::success();
}

Error FindDeadPass::findHeads(lm::BlockOp block, const Checkpoint &weights) {
  Expected<AttentionParts> parts = findAttentionParts(block);
  if (!parts) {
    // A block of another form has no heads to find.
    llvm::consumeError(parts.takeError());
    return Error::success();
  }
  lm::AttentionOp attention = parts->attention;
  lm::WeightOp output = weightOf(parts->output);
  int32_t headDim = attention.getHeadDim();
  int64_t headCount = attention.getNumHeads();
  llvm::BitVector deadColumns(headCount * headDim);
  if (output && lm::rowWidth(output.getType()) == headCount * headDim) {
    Expected<WeightZeros> zeros = findZeros(output, weights, *symbols);
    if (!zeros)
      return zeros.takeError();
    deadColumns = zeros->cols;
  }
  // Softmax weights sum to one: a head whose values are the same for every token gives them.
  SmallVector<RowKind> valueRows(attention.getNumKvHeads() * headDim, RowKind::Varies);
  if (attention.getValue() == parts->value.getResult())
    if (Error error = classify(parts->value, weights, valueRows))
      return error;

  SmallVector<int32_t> dead;
  // A list names a column once, and heads may share a KV head: one mask for each head of a group.
  SmallVector<SmallVector<int32_t>> constantHeads;
  llvm::DenseMap<int32_t, size_t> headsOfKv;
  for (int32_t head = 0; head < headCount; ++head) {
    int32_t kvHead = attention.getKvMap()[head];
    ArrayRef<RowKind> values = ArrayRef(valueRows).slice(kvHead * headDim, headDim);
    auto are = [&](RowKind kind) {
      return llvm::all_of(values, [=](RowKind k) { return k == kind; });
    };
    bool unread = deadColumns.find_first_unset_in(head * headDim, (head + 1) * headDim) == -1;
    if (unread || are(RowKind::Zero)) {
      dead.push_back(head);
    } else if (!llvm::is_contained(values, RowKind::Varies)) {
      size_t round = headsOfKv[kvHead]++;
      if (round == constantHeads.size())
        constantHeads.emplace_back();
      constantHeads[round].push_back(head);
    } else {
      continue;
    }
    ++heads;
  }

  OpBuilder builder(&getContext());
  builder.setInsertionPointAfter(attention);
  Value masked =
      maskColumns(builder, attention.getResult(), columnsOfHeads(&getContext(), dead, headDim), {});
  for (ArrayRef<int32_t> round : constantHeads) {
    SmallVector<int32_t> kvHeads;
    for (int32_t head : round)
      kvHeads.push_back(attention.getKvMap()[head]);
    Value fill = selectColumns(builder, attention.getLoc(), parts->value.getBias(),
                               columnsOfHeads(&getContext(), kvHeads, headDim));
    masked = maskColumns(builder, masked, columnsOfHeads(&getContext(), round, headDim), fill);
  }
  return Error::success();
}

Error FindDeadPass::findNeurons(lm::BlockOp block, const Checkpoint &weights) {
  Expected<FfnParts> parts = findFfnParts(block);
  if (!parts) {
    // A block of another form, of experts say, has no neurons to find.
    llvm::consumeError(parts.takeError());
    return Error::success();
  }
  int64_t width = lm::rowWidth(parts->hidden.getType());
  llvm::BitVector unread(width);
  lm::WeightOp down = weightOf(parts->down);
  if (down && lm::rowWidth(down.getType()) == width) {
    Expected<WeightZeros> zeros = findZeros(down, weights, *symbols);
    if (!zeros)
      return zeros.takeError();
    unread = zeros->cols;
  }
  // The rows count only where nothing stands between a linear and the neurons.
  lm::ActivationOp activation = parts->activation;
  lm::LinearOp inner = parts->gate ? parts->gate : parts->up;
  SmallVector<RowKind> upRows(width, RowKind::Varies), innerRows(width, RowKind::Varies);
  if (activation.getInput() == inner.getResult())
    if (Error error = classify(inner, weights, innerRows))
      return error;
  if (parts->gate) {
    auto product = cast<lm::MulOp>(parts->hidden.getDefiningOp());
    Value up = parts->up.getResult();
    if (product.getLhs() == up || product.getRhs() == up)
      if (Error error = classify(parts->up, weights, upRows))
        return error;
  }

  SmallVector<int32_t> dead, constant;
  for (int32_t neuron = 0; neuron < width; ++neuron) {
    RowKind in = innerRows[neuron], up = parts->gate ? upRows[neuron] : RowKind::Constant;
    if (unread[neuron] || in == RowKind::Zero || up == RowKind::Zero)
      dead.push_back(neuron);
    else if (in == RowKind::Constant && up == RowKind::Constant)
      constant.push_back(neuron);
  }
  neurons += dead.size() + constant.size();

  OpBuilder builder(&getContext());
  builder.setInsertionPointAfterValue(parts->hidden);
  Value masked = maskColumns(builder, parts->hidden, list(dead), {});
  if (constant.empty())
    return Error::success();
  Location loc = parts->hidden.getLoc();
  Type row = lm::constantRowType(&getContext(), constant.size());
  Value fill = selectColumns(builder, loc, inner.getBias(), list(constant));
  fill = builder.create<lm::ActivationOp>(loc, row, activation.getKind(), fill);
  if (parts->gate) {
    Value up = selectColumns(builder, loc, parts->up.getBias(), list(constant));
    fill = builder.create<lm::MulOp>(loc, row, fill, up);
  }
  maskColumns(builder, masked, list(constant), fill);
  return Error::success();
}

void FindDeadPass::runOnOperation() {
  auto fail = [&](Error error) {
    emitError(getOperation().getLoc(), "lm-find-dead: ") << llvm::toString(std::move(error));
    signalPassFailure();
  };
  heads = neurons = 0;
  SymbolTableCollection declarations;
  symbols = &declarations;
  std::unique_ptr<Checkpoint> opened;
  if (!given) {
    if (checkpoint.empty())
      return fail(llvm::createStringError(llvm::inconvertibleErrorCode(),
                                          "has no weights to look at; give checkpoint=DIR"));
    Expected<std::unique_ptr<Checkpoint>> found = Checkpoint::open(checkpoint);
    if (!found)
      return fail(found.takeError());
    opened = std::move(*found);
  }
  const Checkpoint &weights = given ? *given : *opened;
  SmallVector<lm::BlockOp> found;
  getOperation().walk([&](lm::BlockOp block) {
    if (!block.getSkip())
      found.push_back(block);
  });
  for (lm::BlockOp block : found) {
    Error error = block.getKind() == lm::BlockKind::Attention ? findHeads(block, weights)
                                                              : findNeurons(block, weights);
    if (error)
      return fail(std::move(error));
  }
  if (report)
    remarkCounts(getOperation(), getArgument(), {{"heads", heads}, {"neurons", neurons}});
}

std::unique_ptr<Pass> coppice::createFindDeadPass(const Checkpoint &checkpoint) {
  return std::make_unique<FindDeadPass>(checkpoint);
}
