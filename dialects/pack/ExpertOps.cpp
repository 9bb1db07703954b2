// Verifiers of the pack ops of experts: choices, groups, rows and weights are of the same experts.
#include "dialects/pack/Pack.h"

using namespace mlir;

namespace coppice::pack {

bool isRouted(RowSet set) { return set == RowSet::Routed || set == RowSet::RoutedLogits; }

RowSet routed(RowSet set) {
  return set == RowSet::Logits || set == RowSet::RoutedLogits ? RowSet::RoutedLogits
                                                              : RowSet::Routed;
}

int64_t arenaBytesOf(Value value) {
  int64_t bytes = rowBytesOf(value.getType());
  if (!isa<BufferType, QuantizedType>(value.getType()) || !isRouted(setOf(value.getType())))
    return bytes;
  // Routed rows come from a stage that takes groups, through stages that work row by row.
  while (Operation *def = value.getDefiningOp()) {
    for (Value operand : def->getOperands())
      if (auto groups = dyn_cast<GroupsType>(operand.getType()))
        return bytes * groups.getPicks();
    if (!def->getNumOperands())
      break;
    value = def->getOperand(0);
  }
  return bytes;
}

static LogicalResult sameExperts(Operation *op, GroupsType groups, ChoicesType choices) {
  if (groups.getPicks() != choices.getPicks() || groups.getExperts() != choices.getExperts() ||
      groups.getSet() != choices.getSet())
    return op->emitOpError() << "has " << groups << " of " << choices
                             << ": groups are of the choices' experts, picks and rows";
  return success();
}

static LogicalResult routedBy(Operation *op, Type rows, GroupsType groups, StringRef what) {
  if (setOf(rows) != routed(groups.getSet()))
    return op->emitOpError() << what << " must be rows that " << groups << " routes, not " << rows;
  return success();
}

LogicalResult RouteOp::verify() {
  BufferType scores = getScores().getType();
  if (isRouted(scores.getSet()) || scores.getSet() != getType().getSet() ||
      scores.getWidth() != getType().getExperts())
    return emitOpError() << "chooses " << getType() << " by " << scores
                         << ": one score for each expert, of the same rows";
  return success();
}

LogicalResult GroupOp::verify() { return sameExperts(*this, getType(), getChoices().getType()); }

LogicalResult DispatchOp::verify() {
  Type input = getInput().getType(), result = getType();
  if (setOf(input) != getGroups().getType().getSet() || widthOf(input) != widthOf(result) ||
      rowBytesOf(input) != rowBytesOf(result) ||
      isa<QuantizedType>(input) != isa<QuantizedType>(result))
    return emitOpError() << "copies rows of " << input << " to " << result << " by "
                         << getGroups().getType();
  return routedBy(*this, result, getGroups().getType(), "the result");
}

LogicalResult ExpertLinearOp::verify() {
  WeightType weight = getWeight().getType();
  GroupsType groups = getGroups().getType();
  if (failed(routedBy(*this, getInput().getType(), groups, "the input")) ||
      failed(routedBy(*this, getType(), groups, "the result")))
    return failure();
  if (weight.getLayout() != Layout::Panels || weight.getElement().isInteger(32) ||
      weight.getExperts() != groups.getExperts())
    return emitOpError() << "needs a weight in panels for each expert of " << groups << ", not "
                         << weight;
  return verifyMapping(*this, getInput().getType(), weight, getType());
}

LogicalResult CombineOp::verify() {
  if (failed(sameExperts(*this, getGroups().getType(), getChoices().getType())) ||
      failed(routedBy(*this, getInput().getType(), getGroups().getType(), "the input")))
    return failure();
  if (getInput().getType().getWidth() != getType().getWidth() ||
      getType().getSet() != getChoices().getType().getSet())
    return emitOpError() << "combines " << getInput().getType() << " to " << getType() << " by "
                         << getChoices().getType();
  if (getResidual() && getResidual().getType() != getType())
    return emitOpError() << "the residual must be like the result, " << getResidual().getType()
                         << " against " << getType();
  return success();
}

} // namespace coppice::pack
