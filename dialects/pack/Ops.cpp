// Verifiers of the pack ops: widths, row sets and weight shapes agree with what the kernels read.
#include "dialects/pack/Pack.h"
#include "llvm/ADT/BitVector.h"

using namespace mlir;

#define GET_OP_CLASSES
#include "dialects/pack/PackOps.cpp.inc"

namespace coppice::pack {

static LogicalResult sameRows(Operation *op, Type a, Type b, StringRef what) {
  if (setOf(a) != setOf(b))
    return op->emitOpError() << what << " works on the rows of another set: " << a << " against "
                             << b;
  return success();
}

/// The result is like the input, or its quantized form.
static LogicalResult sameOrQuantized(Operation *op, Type input, Type result) {
  if (widthOf(input) != widthOf(result) || setOf(input) != setOf(result))
    return op->emitOpError() << "the input must have the width and rows of the result, " << input
                             << " against " << result;
  return success();
}

static LogicalResult sameBuffer(Operation *op, Type a, Type b, StringRef what) {
  if (a != b)
    return op->emitOpError() << what << " must be like the result, " << a << " against " << b;
  return success();
}

/// A vector of `cols` elements in row layout: [1][cols].
static LogicalResult isVector(Operation *op, Type weight, int64_t cols, bool integers,
                              StringRef what) {
  auto type = cast<WeightType>(weight);
  if (type.getRows() != 1 || type.getCols() != cols || type.getLayout() != Layout::Rows ||
      type.getElement().isInteger(32) != integers || (!integers && !type.getElement().isF32()))
    return op->emitOpError() << what << " must be 1 by " << cols << " of "
                             << (integers ? "i32" : "f32") << " in rows, not " << type;
  return success();
}

static LogicalResult positive(Operation *op, StringRef what, const APFloat &value) {
  if (!value.isFinite() || value.isNegative() || value.isZero())
    return op->emitOpError() << what << " is not a finite number above 0";
  return success();
}

LogicalResult StepOp::verifyRegions() {
  if (getBody().front().empty() || !isa<ReturnOp>(getBody().front().back()))
    return emitOpError() << "must end in pack.return";
  if (getArena() && (int64_t(*getArena()) < 0 || *getArena() % 64))
    return emitOpError() << "has an arena of " << *getArena()
                         << " bytes per row, not a multiple of 64";
  if (getKv() && int64_t(*getKv()) < 0)
    return emitOpError() << "has a cache of " << int64_t(*getKv()) << " bytes per position";
  if (bool(getRing()) != bool(getRingPositions()) || bool(getRing()) != bool(getLargestStep()))
    return emitOpError() << "needs all of ring, ringPositions and largestStep, or none";
  if (getRing() && (int64_t(*getRing()) <= 0 || int64_t(*getLargestStep()) <= 0 ||
                    int64_t(*getRingPositions()) < int64_t(*getLargestStep())))
    return emitOpError() << "has rings of " << int64_t(*getRing()) << " bytes per position and "
                         << int64_t(*getRingPositions()) << " positions for steps of "
                         << int64_t(*getLargestStep()) << " rows";
  return success();
}

LogicalResult ReturnOp::verify() {
  if (getLogits().getType().getSet() != RowSet::Logits)
    return emitOpError() << "returns the rows of the logits set, not " << getLogits().getType();
  return success();
}

LogicalResult WeightOp::verify() {
  WeightType type = getType();
  if (int64_t(getSources().size()) != type.getExperts())
    return emitOpError() << "packs " << getSources().size() << " sources as " << type;
  for (Value other : getSources())
    if (other.getType() != getSource().getType())
      return emitOpError() << "packs " << getSource().getType() << " and " << other.getType()
                           << ": the matrices of a layer's experts are of one shape";
  auto source = cast<RankedTensorType>(getSource().getType());
  bool matrix = source.getRank() == 2;
  int64_t rows = matrix ? source.getDimSize(0) : 1;
  int64_t cols = matrix ? source.getDimSize(1) : source.getDimSize(0);
  if (type.getRows() != rows || type.getCols() != cols)
    return emitOpError() << "packs " << source << " as " << type;
  if (type.getElement().isInteger(32))
    return emitOpError() << "packs floats, not " << type;
  return success();
}

LogicalResult ConstantOp::verify() {
  WeightType type = getType();
  int64_t words = getWords().size();
  if (type.getLayout() != Layout::Rows || type.getElement().getIntOrFloatBitWidth() != 32 ||
      type.getRows() * type.getCols() != words)
    return emitOpError() << "holds " << words << " words of 32 bits as " << type;
  return success();
}

LogicalResult EmbedOp::verify() {
  WeightType table = getTable().getType();
  if (table.getElement().isInteger(32) || table.getCols() != getType().getWidth())
    return emitOpError() << "gathers rows of " << table << " into " << getType();
  if (getOffset() < 0 || getOffset() >= table.getRows())
    return emitOpError() << "offset " << getOffset() << " is outside of " << table;
  return success();
}

LogicalResult NormOp::verify() {
  int64_t width = getInput().getType().getWidth();
  if (failed(sameOrQuantized(*this, getInput().getType(), getType())))
    return failure();
  if (getScale() && failed(isVector(*this, getScale().getType(), width, false, "the scale")))
    return failure();
  if (getBias() && failed(isVector(*this, getBias().getType(), width, false, "the bias")))
    return failure();
  if (getKind() == NormKind::Rms && (getBias() || !getScale()))
    return emitOpError() << "of kind rms has a scale and no bias";
  return success();
}

LogicalResult HeadNormOp::verify() {
  if (failed(sameBuffer(*this, getInput().getType(), getType(), "the input")))
    return failure();
  int64_t columns = getScale().getType().getCols();
  if (columns == 0 || getType().getWidth() % columns)
    return emitOpError() << "heads of " << columns << " do not divide " << getType();
  return isVector(*this, getScale().getType(), columns, false, "the scale");
}

LogicalResult QuantizeOp::verify() {
  return sameOrQuantized(*this, getInput().getType(), getType());
}

LogicalResult verifyMapping(Operation *op, Type input, WeightType weight, BufferType result) {
  auto quantized = dyn_cast<QuantizedType>(input);
  if (bool(quantized) != weight.isQuantized() ||
      (quantized && quantized.getZero() != weight.zero()))
    return op->emitOpError() << "cannot take " << input << " with " << weight
                             << ": i8 weights take rows quantized for zero 128, i4 for zero 8, "
                                "others plain rows";
  if (weight.getCols() != widthOf(input) || weight.getRows() != result.getWidth())
    return op->emitOpError() << "maps " << input << " to " << result << " with " << weight;
  return success();
}

LogicalResult LinearOp::verify() {
  WeightType weight = getWeight().getType();
  if (failed(sameRows(*this, getInput().getType(), getType(), "the input")))
    return failure();
  if (weight.getLayout() != Layout::Panels || weight.getElement().isInteger(32))
    return emitOpError() << "needs a weight in panels, not " << weight;
  if (failed(verifyMapping(*this, getInput().getType(), weight, getType())))
    return failure();
  if (getBias() &&
      failed(isVector(*this, getBias().getType(), weight.getRows(), false, "the bias")))
    return failure();
  if (getResidual())
    return sameBuffer(*this, getResidual().getType(), getType(), "the residual");
  return success();
}

LogicalResult RopeTableOp::verify() {
  if (getType().getWidth() % 2)
    return emitOpError() << "holds a cosine and a sine for each pair, not " << getType();
  if (getMagnitude() && failed(positive(*this, "magnitude", *getMagnitude())))
    return failure();
  return isVector(*this, getInvFreq().getType(), getType().getWidth() / 2, false,
                  "the frequencies");
}

LogicalResult RopeOp::verify() {
  if (failed(sameBuffer(*this, getInput().getType(), getType(), "the input")) ||
      failed(sameRows(*this, getTable().getType(), getType(), "the table")))
    return failure();
  int64_t dim = getHeadDim();
  if (dim <= 0 || getType().getWidth() % dim)
    return emitOpError() << "heads of " << dim << " do not divide " << getType();
  if (getTable().getType().getWidth() > dim)
    return emitOpError() << "rotates " << getTable().getType().getWidth() << " of a head of "
                         << dim;
  return success();
}

LogicalResult KvWriteOp::verify() {
  int64_t width = getType().getHeads() * getType().getHeadDim();
  for (BufferType type : {getKey().getType(), getValue().getType()})
    if (type.getWidth() != width || type.getSet() != RowSet::All)
      return emitOpError() << "writes buffers of all rows, " << width << " wide, not " << type;
  return success();
}

/// Begins of the KV heads' parts, the end, and in the parts every query head once.
static LogicalResult verifyKvMap(AttentionOp op, ArrayRef<int32_t> words, int64_t kvHeads,
                                 int64_t heads) {
  ArrayRef<int32_t> bounds = words.take_front(kvHeads + 1), list = words.drop_front(kvHeads + 1);
  if (bounds.front() != 0 || bounds.back() != heads || !llvm::is_sorted(bounds))
    return op.emitOpError() << "the map's bounds must rise from 0 to its " << heads
                            << " query heads";
  llvm::BitVector seen(heads);
  for (int32_t head : list) {
    if (head < 0 || head >= heads || seen[head])
      return op.emitOpError() << "the map must list each of the " << heads
                              << " query heads once, not " << head
                              << (head >= 0 && head < heads ? " again" : "");
    seen.set(head);
  }
  return success();
}

LogicalResult AttentionOp::verify() {
  CacheType cache = getCache().getType();
  if (failed(sameBuffer(*this, getQuery().getType(), getType(), "the query")))
    return failure();
  if (getType().getWidth() % cache.getHeadDim())
    return emitOpError() << "heads of " << cache.getHeadDim() << " do not divide " << getType();
  int64_t heads = getType().getWidth() / cache.getHeadDim();
  if (failed(isVector(*this, getKvMap().getType(), cache.getHeads() + 1 + heads, true, "the map")))
    return failure();
  if (getWindow() && int32_t(*getWindow()) <= 0)
    return emitOpError() << "has a window of " << int32_t(*getWindow()) << " tokens";
  if (getSoftcap() && failed(positive(*this, "softcap", *getSoftcap())))
    return failure();
  auto map = getKvMap().getDefiningOp<ConstantOp>();
  return map ? verifyKvMap(*this, map.getWords(), cache.getHeads(), heads) : success();
}

LogicalResult ActivationOp::verify() {
  if (getOther() &&
      failed(sameBuffer(*this, getOther().getType(), getInput().getType(), "the factor")))
    return failure();
  return sameOrQuantized(*this, getInput().getType(), getType());
}

template <typename Op> static LogicalResult verifyBinary(Op op) {
  if (!op.getOther() && !op.getConstant())
    return op.emitOpError() << "has nothing to combine its input with";
  if (op.getOther() &&
      failed(sameBuffer(op, op.getOther().getType(), op.getType(), "the second buffer")))
    return failure();
  if (op.getConstant() && failed(isVector(op, op.getConstant().getType(), op.getType().getWidth(),
                                          false, "the constant row")))
    return failure();
  return sameBuffer(op, op.getInput().getType(), op.getType(), "the input");
}
LogicalResult AddOp::verify() { return verifyBinary(*this); }
LogicalResult MulOp::verify() { return verifyBinary(*this); }

LogicalResult SoftcapOp::verify() {
  if (failed(positive(*this, "cap", getCap())))
    return failure();
  return sameBuffer(*this, getInput().getType(), getType(), "the input");
}

LogicalResult SelectOp::verify() {
  if (failed(sameRows(*this, getInput().getType(), getType(), "the input")))
    return failure();
  return isVector(*this, getIndex().getType(), getType().getWidth(), true, "the index list");
}

LogicalResult MaskOp::verify() {
  if (failed(sameBuffer(*this, getInput().getType(), getType(), "the input")))
    return failure();
  int64_t dead = cast<WeightType>(getIndex().getType()).getCols();
  if (failed(isVector(*this, getIndex().getType(), dead, true, "the index list")))
    return failure();
  if (getFill())
    return isVector(*this, getFill().getType(), dead, false, "the fill");
  return success();
}

LogicalResult GatherOp::verify() {
  if (getInput().getType().getSet() != RowSet::All || getType().getSet() != RowSet::Logits ||
      getInput().getType().getWidth() != getType().getWidth())
    return emitOpError() << "goes from all rows to the logits rows, not from "
                         << getInput().getType() << " to " << getType();
  return success();
}

LogicalResult ObserveOp::verify() {
  if (getName().empty())
    return emitOpError() << "needs a name";
  auto groups = getGroups() ? cast<GroupsType>(getGroups().getType()) : GroupsType();
  RowSet set = getInput().getType().getSet();
  bool ofExpert = groups && getExpert();
  if (isRouted(set) != ofExpert)
    return emitOpError() << "marks " << getInput().getType()
                         << ": of routed rows those of one expert, of others all";
  if (!ofExpert)
    return success();
  int64_t expert = int32_t(*getExpert());
  if (expert < 0 || expert >= groups.getExperts() || routed(groups.getSet()) != set)
    return emitOpError() << "marks expert " << expert << " of " << groups << " in "
                         << getInput().getType();
  return success();
}

LogicalResult Dot4Op::verify() {
  if (int32_t(getBits()) < 1 || int32_t(getBits()) > 8)
    return emitOpError() << "has codes of " << int32_t(getBits()) << " bits, not of 1 to 8";
  return success();
}

} // namespace coppice::pack
