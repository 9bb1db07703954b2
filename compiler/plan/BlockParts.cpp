// Finds the parts of a residual block. See BlockParts.h.
#include "compiler/plan/BlockParts.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;
using namespace coppice;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;

static Error fault(const Twine &what) {
  return createStringError(llvm::inconvertibleErrorCode(), what);
}

/// The one OpT over tokens; those over constant rows are expressions of a constant.
template <typename OpT> static Expected<OpT> onlyOne(lm::BlockOp block) {
  SmallVector<OpT> found;
  for (OpT op : block.getBody().front().getOps<OpT>())
    if (lm::isTokenRows(op.getType()))
      found.push_back(op);
  if (found.size() != 1)
    return fault("holds " + Twine(found.size()) + " " + OpT::getOperationName() + ", not one");
  return found.front();
}

/// The linear that `value` comes from, through what keeps columns, or whole heads, apart.
static lm::LinearOp linearBehind(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto linear = dyn_cast<lm::LinearOp>(op))
      return linear;
    auto norm = dyn_cast<lm::RmsNormOp>(op);
    bool ofHeads = norm && norm.getGroup();
    if (!ofHeads && !isa<lm::RopeOp, lm::MaskOp, lm::SelectOp, lm::ObserveOp>(op))
      return nullptr;
    value = op->getOperand(0);
  }
  return nullptr;
}

/// The op that reads `value`, masks and selections and marks stepped over; an error unless it is
/// the only one.
static Expected<Operation *> onlyReader(Value value, StringRef what) {
  while (true) {
    if (!value.hasOneUse())
      return fault(what + " are read " + Twine(std::distance(value.use_begin(), value.use_end())) +
                   " times, not once");
    Operation *reader = *value.user_begin();
    if (!isa<lm::MaskOp, lm::SelectOp, lm::ObserveOp>(reader))
      return reader;
    value = reader->getResult(0);
  }
}

static Expected<lm::LinearOp> readingLinear(Value value, StringRef what) {
  Expected<Operation *> reader = onlyReader(value, what);
  if (!reader)
    return reader.takeError();
  if (auto linear = dyn_cast<lm::LinearOp>(*reader))
    return linear;
  return fault(what + " are read by " + (*reader)->getName().getStringRef() + ", not by lm.linear");
}

Expected<AttentionParts> coppice::findAttentionParts(lm::BlockOp block) {
  AttentionParts parts;
  Expected<lm::AttentionOp> attention = onlyOne<lm::AttentionOp>(block);
  if (!attention)
    return attention.takeError();
  parts.attention = *attention;
  Expected<lm::LinearOp> output = readingLinear(parts.attention.getResult(), "heads");
  if (!output)
    return output.takeError();
  parts.output = *output;
  parts.query = linearBehind(parts.attention.getQuery());
  parts.key = linearBehind(parts.attention.getKey());
  parts.value = linearBehind(parts.attention.getValue());
  if (!parts.query || !parts.key || !parts.value)
    return fault(Twine(!parts.query ? "query"
                       : !parts.key ? "key"
                                    : "value") +
                 " does not come from an lm.linear");
  return parts;
}

Expected<FfnParts> coppice::findFfnParts(lm::BlockOp block) {
  FfnParts parts;
  Expected<lm::ActivationOp> activation = onlyOne<lm::ActivationOp>(block);
  if (!activation)
    return activation.takeError();
  parts.activation = *activation;
  parts.hidden = parts.activation.getResult();
  lm::LinearOp before = linearBehind(parts.activation.getInput());
  Expected<Operation *> reader = onlyReader(parts.hidden, "neurons");
  if (!reader)
    return reader.takeError();
  if (auto product = dyn_cast<lm::MulOp>(*reader)) {
    // The gated form: whichever factor does not come from the activation is the linear `up`.
    lm::LinearOp lhs = linearBehind(product.getLhs()), rhs = linearBehind(product.getRhs());
    parts.gate = before;
    parts.up = lhs ? lhs : rhs;
    parts.hidden = product.getResult();
    if (!parts.gate)
      return fault("gate does not come from an lm.linear");
  } else {
    parts.up = before;
  }
  if (!parts.up)
    return fault("neurons do not come from an lm.linear");
  Expected<lm::LinearOp> down = readingLinear(parts.hidden, "neurons");
  if (!down)
    return down.takeError();
  parts.down = *down;
  return parts;
}

bool coppice::isEmpty(lm::BlockOp block) {
  llvm::SmallPtrSet<Operation *, 8> live;
  for (Operation &op : llvm::reverse(block.getBody().front())) {
    if (!isa<lm::YieldOp>(op) &&
        llvm::none_of(op.getUsers(), [&](Operation *user) { return live.contains(user); }))
      continue;
    live.insert(&op);
    if (isa<lm::LinearOp, lm::AttentionOp, lm::ActivationOp, lm::MoeOp>(op) &&
        lm::isTokenRows(op.getResult(0).getType()))
      return false;
  }
  return true;
}

lm::MoeOp coppice::findExperts(lm::BlockOp block) {
  auto experts = block.getBody().front().getOps<lm::MoeOp>();
  return experts.empty() ? lm::MoeOp() : *experts.begin();
}

std::string coppice::describe(lm::BlockOp block) {
  return ("the " + lm::stringifyBlockKind(block.getKind()) + " block of layer " +
          Twine(int32_t(block.getLayer())))
      .str();
}

lm::WeightOp coppice::weightOf(lm::LinearOp linear) {
  return linear.getWeight().getDefiningOp<lm::WeightOp>();
}
