// Verifiers and custom assembly of the lm ops. A verifier looks at one op; rules across ops live in
// the verify passes of compiler/passes.
#include "dialects/lm/LM.h"
#include "mlir/IR/OpImplementation.h"
#include <cmath>

using namespace mlir;
using namespace coppice::lm;

/// Floats as in an array attribute, but with every digit that a round trip wants: a rope frequency
/// that lost its last bits rotates far positions by a wrong angle.
static ParseResult parseExactFloats(OpAsmParser &parser, DenseF32ArrayAttr &floats) {
  SmallVector<float> values;
  auto parseValue = [&]() -> ParseResult {
    APFloat value(APFloat::IEEEsingle());
    if (parser.parseFloat(APFloat::IEEEsingle(), value))
      return failure();
    values.push_back(value.convertToFloat());
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseValue))
    return failure();
  floats = DenseF32ArrayAttr::get(parser.getContext(), values);
  return success();
}

static void printExactFloats(OpAsmPrinter &printer, Operation *, DenseF32ArrayAttr floats) {
  printer << "[";
  llvm::interleaveComma(floats.asArrayRef(), printer.getStream(),
                        [&](float value) { printer.printFloat(APFloat(value)); });
  printer << "]";
}

#define GET_OP_CLASSES
#include "dialects/lm/LMOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Shared checks
//===----------------------------------------------------------------------===//

/// The result of arithmetic: token rows or a constant row of f32, `width` wide.
static LogicalResult verifyResult(Operation *op, bool constant, int64_t width) {
  RankedTensorType wanted =
      constant ? constantRowType(op->getContext(), width) : tokenRowsType(op->getContext(), width);
  if (op->getResult(0).getType() != wanted)
    return op->emitOpError() << "result is " << op->getResult(0).getType()
                             << ", but its operands give " << wanted;
  return success();
}

static LogicalResult verifyVector(Operation *op, StringRef what, Value vector, int64_t width) {
  if (rowWidth(vector.getType()) != width)
    return op->emitOpError() << what << " has " << rowWidth(vector.getType())
                             << " values, but the row has " << width;
  return success();
}

static LogicalResult verifyList(Operation *op, StringRef what, IndexListAttr list, int64_t extent,
                                StringRef of) {
  if (list.extent() > extent)
    return op->emitOpError() << what << " lists " << list.extent() - 1 << ", but " << of << " has "
                             << extent;
  return success();
}

static LogicalResult verifyEps(Operation *op, const APFloat &eps) {
  if (!eps.isFinite() || eps.isNegative())
    return op->emitOpError("eps is not a finite number of at least 0");
  return success();
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

ParseResult TensorOp::parse(OpAsmParser &parser, OperationState &state) {
  StringRef visibility;
  if (succeeded(parser.parseOptionalKeyword(&visibility, {"public", "private", "nested"})))
    state.addAttribute(getSymVisibilityAttrName(state.name),
                       parser.getBuilder().getStringAttr(visibility));
  StringAttr name;
  Type type;
  if (parser.parseSymbolName(name, getSymNameAttrName(state.name), state.attributes) ||
      parser.parseOptionalAttrDict(state.attributes) || parser.parseColonType(type))
    return failure();
  state.addAttribute(getTypeAttrName(state.name), TypeAttr::get(type));
  return success();
}

void TensorOp::print(OpAsmPrinter &printer) {
  printer << ' ';
  if (getSymVisibility())
    printer << *getSymVisibility() << ' ';
  printer.printSymbolName(getSymName());
  printer.printOptionalAttrDict(
      (*this)->getAttrs(), {getSymNameAttrName(), getSymVisibilityAttrName(), getTypeAttrName()});
  printer << " : " << getType();
}

LogicalResult TensorOp::verify() {
  if (getSymName().empty())
    return emitOpError("needs a name");
  return success();
}

LogicalResult WeightOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  if (type.getRank() == 1 && getCols())
    return emitOpError("is a vector, which has no columns to list");
  if (type.getRank() == 1 && getTransposed())
    return emitOpError("is a vector, which cannot be transposed");
  return success();
}

/// One dimension of a weight: what the list keeps of it, or all.
static LogicalResult verifyKept(WeightOp op, StringRef what, std::optional<IndexListAttr> list,
                                int64_t declared, int64_t result) {
  std::string of = ("@" + op.getTensor()).str();
  if (list && failed(verifyList(op, what, *list, declared, of)))
    return failure();
  int64_t kept = list ? int64_t(list->size()) : declared;
  if (kept != result)
    return op.emitOpError() << "keeps " << kept << " " << what << " of " << of
                            << ", but the result has " << result;
  return success();
}

LogicalResult WeightOp::verifySymbolUses(SymbolTableCollection &symbols) {
  Operation *symbol = symbols.lookupNearestSymbolFrom(*this, getTensorAttr());
  if (!symbol)
    return emitOpError() << "reads @" << getTensor() << ", which is not declared; add an lm.tensor";
  auto tensor = dyn_cast<TensorOp>(symbol);
  if (!tensor)
    return emitOpError() << "reads @" << getTensor() << ", which is not an lm.tensor";
  auto declared = cast<RankedTensorType>(tensor.getType());
  auto result = cast<RankedTensorType>(getType());
  if (declared.getRank() != result.getRank())
    return emitOpError() << "is of rank " << result.getRank() << ", but @" << getTensor()
                         << " is of rank " << declared.getRank();
  if (declared.getElementType() != result.getElementType())
    return emitOpError() << "holds " << result.getElementType() << ", but @" << getTensor()
                         << " holds " << declared.getElementType();
  unsigned rowDim = getTransposed() ? 1 : 0;
  if (failed(
          verifyKept(*this, "rows", getRows(), declared.getDimSize(rowDim), result.getDimSize(0))))
    return failure();
  if (result.getRank() == 1)
    return success();
  return verifyKept(*this, "cols", getCols(), declared.getDimSize(1 - rowDim),
                    result.getDimSize(1));
}

LogicalResult EmbedOp::verify() {
  if (int32_t(getOffset()) < 0)
    return emitOpError() << "offset is " << int32_t(getOffset()) << ", which is negative";
  return verifyResult(*this, /*constant=*/false, rowWidth(getTable().getType()));
}

//===----------------------------------------------------------------------===//
// Norms and arithmetic
//===----------------------------------------------------------------------===//

LogicalResult LayerNormOp::verify() {
  int64_t width = rowWidth(getInput().getType());
  if (failed(verifyEps(*this, getEps())) ||
      (getScale() && failed(verifyVector(*this, "scale", getScale(), width))) ||
      (getBias() && failed(verifyVector(*this, "bias", getBias(), width))))
    return failure();
  return verifyResult(*this, isConstantRow(getInput().getType()), width);
}

LogicalResult RmsNormOp::verify() {
  int64_t width = rowWidth(getInput().getType());
  if (failed(verifyEps(*this, getEps())))
    return failure();
  if (std::optional<uint32_t> group = getGroup()) {
    int64_t columns = int32_t(*group);
    if (columns <= 0)
      return emitOpError() << "group is " << columns << ", but must be at least 1";
    if (width % columns)
      return emitOpError() << "input has " << width << " columns, which is not a multiple of group "
                           << columns;
    if (rowWidth(getScale().getType()) != columns)
      return emitOpError() << "scale has " << rowWidth(getScale().getType())
                           << " values, but a group has " << columns;
  } else if (failed(verifyVector(*this, "scale", getScale(), width))) {
    return failure();
  }
  return verifyResult(*this, isConstantRow(getInput().getType()), width);
}

LogicalResult LinearOp::verify() {
  auto weight = cast<RankedTensorType>(getWeight().getType());
  if (rowWidth(getInput().getType()) != weight.getDimSize(1))
    return emitOpError() << "input has " << rowWidth(getInput().getType())
                         << " columns, but the weight has " << weight.getDimSize(1);
  if (getBias() && rowWidth(getBias().getType()) != weight.getDimSize(0))
    return emitOpError() << "bias has " << rowWidth(getBias().getType())
                         << " values, but the weight has " << weight.getDimSize(0) << " rows";
  return verifyResult(*this, isConstantRow(getInput().getType()), weight.getDimSize(0));
}

LogicalResult ActivationOp::verify() {
  return verifyResult(*this, isConstantRow(getInput().getType()), rowWidth(getInput().getType()));
}

/// Of two rows, each of a constant or of tokens: a constant row if both are.
template <typename Op> static LogicalResult verifyBinary(Op op) {
  Type lhs = op.getLhs().getType(), rhs = op.getRhs().getType();
  if (rowWidth(lhs) != rowWidth(rhs))
    return op.emitOpError() << "has " << rowWidth(lhs) << " columns on the left, but "
                            << rowWidth(rhs) << " on the right";
  return verifyResult(op, isConstantRow(lhs) && isConstantRow(rhs), rowWidth(lhs));
}

LogicalResult MulOp::verify() { return verifyBinary(*this); }

LogicalResult AddOp::verify() { return verifyBinary(*this); }

static LogicalResult verifyCap(Operation *op, StringRef what, const APFloat &cap) {
  if (!cap.isFinite() || cap.isNegative() || cap.isZero())
    return op->emitOpError() << what << " is not a finite number above 0";
  return success();
}

LogicalResult SoftcapOp::verify() {
  if (failed(verifyCap(*this, "cap", getCap())))
    return failure();
  return verifyResult(*this, isConstantRow(getInput().getType()), rowWidth(getInput().getType()));
}

LogicalResult SplatOp::verify() {
  if (!getValue().isFinite())
    return emitOpError("value is not finite");
  return verifyResult(*this, /*constant=*/true, rowWidth(getType()));
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

/// `what` is a row of whole heads.
static LogicalResult verifyHeads(Operation *op, StringRef what, int64_t width, int64_t headDim) {
  if (headDim <= 0)
    return op->emitOpError() << "head_dim is " << headDim << ", but must be at least 1";
  if (width % headDim)
    return op->emitOpError() << what << " has " << width
                             << " columns, which is not a multiple of head_dim " << headDim;
  return success();
}

LogicalResult RopeOp::verify() {
  int64_t width = rowWidth(getInput().getType());
  int64_t headDim = int32_t(getHeadDim());
  if (failed(verifyHeads(*this, "input", width, headDim)))
    return failure();
  if (int64_t(getInvFreq().size()) * 2 > headDim)
    return emitOpError() << "inv_freq has " << getInvFreq().size()
                         << " entries, a pair of columns each, but head_dim is " << headDim;
  for (float frequency : getInvFreq())
    if (!std::isfinite(frequency))
      return emitOpError("inv_freq has an entry that is not finite");
  if (getMagnitude() && failed(verifyCap(*this, "magnitude", *getMagnitude())))
    return failure();
  return verifyResult(*this, /*constant=*/false, width);
}

int64_t AttentionOp::getNumKvHeads() {
  return rowWidth(getKey().getType()) / int64_t(int32_t(getHeadDim()));
}

LogicalResult AttentionOp::verify() {
  int64_t headDim = int32_t(getHeadDim());
  int64_t query = rowWidth(getQuery().getType());
  int64_t key = rowWidth(getKey().getType());
  int64_t value = rowWidth(getValue().getType());
  if (failed(verifyHeads(*this, "key", key, headDim)))
    return failure();
  if (key != value)
    return emitOpError() << "key has " << key << " columns, but value has " << value;
  int64_t heads = getNumHeads();
  if (query != heads * headDim)
    return emitOpError() << "query has " << query << " columns, but kv_map has " << heads
                         << " heads of head_dim " << headDim;
  for (auto [head, kv] : llvm::enumerate(getKvMap()))
    if (kv < 0 || kv >= getNumKvHeads())
      return emitOpError() << "kv_map sends head " << head << " to KV head " << kv
                           << ", but there are " << getNumKvHeads();
  if (!getScale().isFinite())
    return emitOpError("scale is not finite");
  if (getWindow() && int32_t(*getWindow()) <= 0)
    return emitOpError() << "window is " << int32_t(*getWindow()) << ", but must be at least 1";
  if (getSoftcap() && failed(verifyCap(*this, "softcap", *getSoftcap())))
    return failure();
  return verifyResult(*this, /*constant=*/false, query);
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

ParseResult BlockOp::parse(OpAsmParser &parser, OperationState &state) {
  StringRef keyword;
  SMLoc kindLoc = parser.getCurrentLocation();
  int32_t layer;
  OpAsmParser::Argument argument;
  OpAsmParser::UnresolvedOperand input;
  Type type;
  if (parser.parseKeyword(&keyword))
    return failure();
  std::optional<BlockKind> kind = symbolizeBlockKind(keyword);
  if (!kind)
    return parser.emitError(kindLoc)
           << "block kind is '" << keyword << "', but must be attention or ffn";
  if (parser.parseKeyword("layer") || parser.parseInteger(layer))
    return failure();
  if (succeeded(parser.parseOptionalKeyword("skip")))
    state.addAttribute(getSkipAttrName(state.name), parser.getBuilder().getUnitAttr());
  if (parser.parseLParen() || parser.parseArgument(argument) || parser.parseEqual() ||
      parser.parseOperand(input) || parser.parseRParen() ||
      parser.parseOptionalAttrDict(state.attributes) || parser.parseColonType(type) ||
      parser.resolveOperand(input, type, state.operands))
    return failure();
  state.addAttribute(getKindAttrName(state.name), BlockKindAttr::get(parser.getContext(), *kind));
  state.addAttribute(getLayerAttrName(state.name), parser.getBuilder().getI32IntegerAttr(layer));
  state.addTypes(type);
  argument.type = type;
  return parser.parseRegion(*state.addRegion(), argument);
}

void BlockOp::print(OpAsmPrinter &printer) {
  printer << ' ' << stringifyBlockKind(getKind()) << " layer " << int32_t(getLayer());
  if (getSkip())
    printer << " skip";
  printer << " (" << getBody().getArgument(0) << " = " << getInput() << ")";
  printer.printOptionalAttrDict((*this)->getAttrs(),
                                {getKindAttrName(), getLayerAttrName(), getSkipAttrName()});
  printer << " : " << getType() << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

/// A region from one row to one row, ended by lm.yield.
static LogicalResult verifyRegion(Operation *op, Region &region, Type input, Type result) {
  Block &block = region.front();
  if (block.getNumArguments() != 1 || block.getArgument(0).getType() != input)
    return op->emitOpError() << "region must take one argument, the input of type " << input;
  auto yield = block.empty() ? YieldOp() : dyn_cast<YieldOp>(block.back());
  if (!yield)
    return op->emitOpError("region must end in lm.yield");
  if (yield.getValue().getType() != result)
    return op->emitOpError() << "region yields " << yield.getValue().getType()
                             << ", but the result is " << result;
  return success();
}

LogicalResult BlockOp::verify() {
  if (int32_t(getLayer()) < 0)
    return emitOpError() << "layer is " << int32_t(getLayer()) << ", which is negative";
  if (getInput().getType() != getType())
    return emitOpError() << "takes a residual of " << getInput().getType() << ", but gives "
                         << getType();
  return success();
}

LogicalResult BlockOp::verifyRegions() {
  return verifyRegion(*this, getBody(), getInput().getType(), getType());
}

LogicalResult YieldOp::verify() { return success(); }

LogicalResult MoeOp::verify() {
  int64_t experts = rowWidth(getScores().getType());
  if (experts != int64_t(getExperts().size()))
    return emitOpError() << "scores have " << experts << " columns, but there are "
                         << getExperts().size() << " experts";
  int64_t alive = experts;
  if (std::optional<IndexListAttr> dead = getDead()) {
    if (failed(verifyList(*this, "dead", *dead, experts, "the router")))
      return failure();
    alive -= dead->size();
  }
  int64_t topK = int32_t(getTopK());
  if (topK < 1 || topK > alive)
    return emitOpError() << "picks " << topK << " of " << alive << " experts";
  return success();
}

LogicalResult MoeOp::verifyRegions() {
  for (Region &expert : getExperts())
    if (failed(verifyRegion(*this, expert, getInput().getType(), getType())))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Masks, selections, marks
//===----------------------------------------------------------------------===//

void MaskOp::build(OpBuilder &, OperationState &state, Value input, IndexListAttr dead,
                   Value fill) {
  state.addOperands(input);
  if (fill)
    state.addOperands(fill);
  state.addAttribute(getDeadAttrName(state.name), dead);
  state.addTypes(input.getType());
}

LogicalResult MaskOp::verify() {
  int64_t width = rowWidth(getInput().getType());
  if (failed(verifyList(*this, "dead", getDead(), width, "the row")))
    return failure();
  if (getFill() && rowWidth(getFill().getType()) != int64_t(getDead().size()))
    return emitOpError() << "fill has " << rowWidth(getFill().getType()) << " values, but "
                         << getDead().size() << " columns are dead";
  return success();
}

LogicalResult SelectOp::verify() {
  if (failed(verifyList(*this, "cols", getKept(), rowWidth(getInput().getType()), "the row")))
    return failure();
  // A selection of a vector of the checkpoint keeps its element type: nothing is computed.
  auto input = cast<RankedTensorType>(getInput().getType());
  SmallVector<int64_t> shape(input.getShape());
  shape.back() = getKept().size();
  auto wanted = RankedTensorType::get(shape, input.getElementType());
  if (getType() != wanted)
    return emitOpError() << "result is " << getType() << ", but its operands give " << wanted;
  return success();
}

LogicalResult ObserveOp::verify() {
  if (getName().empty())
    return emitOpError("needs a name");
  return success();
}
