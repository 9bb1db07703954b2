// Walks a function of lm in order and keeps every value as a matrix.
#include "tests/support/evaluator/Evaluator.h"
#include "tests/support/evaluator/Ops.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace coppice::test {

Matrix &Evaluator::value(Value v) { return values[v.getAsOpaquePointer()]; }

llvm::Expected<Matrix> Evaluator::run(func::FuncOp function, ArrayRef<int32_t> tokens,
                                      ArrayRef<int32_t> positions) {
  Matrix ids(tokens.size(), 1), places(positions.size(), 1);
  for (size_t t = 0; t < tokens.size(); ++t)
    ids(t, 0) = tokens[t];
  for (size_t t = 0; t < positions.size(); ++t)
    places(t, 0) = positions[t];
  return run(function, {ids, places});
}

llvm::Expected<Matrix> Evaluator::run(func::FuncOp function, ArrayRef<Matrix> arguments) {
  values.clear();
  seen.clear();
  if (function.getNumArguments() != arguments.size() || function.getNumResults() != 1)
    return llvm::createStringError("@%s has %u arguments and %u results, not %zu and 1",
                                   function.getName().str().c_str(), function.getNumArguments(),
                                   function.getNumResults(), arguments.size());
  for (auto [argument, matrix] : llvm::zip(function.getArguments(), arguments))
    value(argument) = matrix;
  Matrix result;
  if (llvm::Error error = evaluateBlock(function.getBody().front(), result))
    return error;
  return result;
}

llvm::Error Evaluator::evaluateBlock(Block &block, Matrix &result) {
  for (Operation &op : block.without_terminator())
    if (llvm::Error error = evaluateOp(op))
      return error;
  result = value(block.getTerminator()->getOperand(0));
  return llvm::Error::success();
}

llvm::Expected<Matrix> Evaluator::evaluateWeight(lm::WeightOp op) {
  auto found = tensors.find(op.getTensor());
  if (found == tensors.end()) {
    llvm::Expected<Tensor> read = reader(op.getTensor());
    if (!read)
      return read.takeError();
    found = tensors.insert({op.getTensor(), std::move(*read)}).first;
  }
  const Tensor &tensor = found->second;
  // Constant rows lie along the columns of a one-row matrix.
  bool vector = tensor.shape.size() == 1;
  int64_t stored = tensor.shape.back();
  int64_t rows = tensor.shape.front(), cols = vector ? 1 : tensor.shape.back();
  if (op.getTransposed())
    std::swap(rows, cols);
  auto row = [&](int64_t i) { return op.getRows() ? op.getRows()->getIndices()[i] : i; };
  auto col = [&](int64_t j) { return op.getCols() ? op.getCols()->getIndices()[j] : j; };
  int64_t keptRows = op.getRows() ? int64_t(op.getRows()->size()) : rows;
  int64_t keptCols = op.getCols() ? int64_t(op.getCols()->size()) : cols;
  if (vector) {
    Matrix result(1, keptRows);
    for (int64_t i = 0; i < keptRows; ++i)
      result(0, i) = tensor.values[row(i)];
    return result;
  }
  Matrix result(keptRows, keptCols);
  for (int64_t i = 0; i < keptRows; ++i)
    for (int64_t j = 0; j < keptCols; ++j)
      result(i, j) = op.getTransposed() ? tensor.values[col(j) * stored + row(i)]
                                        : tensor.values[row(i) * stored + col(j)];
  return result;
}

static llvm::Expected<Matrix> embed(const Matrix &ids, const Matrix &table, int64_t offset) {
  Matrix result(ids.rows(), table.cols());
  for (Eigen::Index t = 0; t < ids.rows(); ++t) {
    int64_t row = int64_t(ids(t, 0)) + offset;
    if (row < 0 || row >= table.rows())
      return llvm::createStringError("row %lld of a table of %lld rows", (long long)row,
                                     (long long)table.rows());
    result.row(t) = table.row(row);
  }
  return result;
}

llvm::Expected<Matrix> Evaluator::evaluateMoe(lm::MoeOp op) {
  ArrayRef<int32_t> dead = op.getDead() ? op.getDead()->getIndices() : ArrayRef<int32_t>();
  Matrix weights = route(value(op.getScores()), dead, op.getTopK(), op.getNormalize());
  Matrix sum = Matrix::Zero(weights.rows(), lm::rowWidth(op.getType()));
  for (auto [e, region] : llvm::enumerate(op.getExperts())) {
    value(region.getArgument(0)) = value(op.getInput());
    Matrix expert;
    if (llvm::Error error = evaluateBlock(region.front(), expert))
      return error;
    // A choice: an expert that is not picked adds nothing, even where it is infinite.
    for (Eigen::Index t = 0; t < sum.rows(); ++t)
      if (weights(t, e) != 0)
        sum.row(t) += weights(t, e) * expert.row(t);
  }
  return sum;
}

llvm::Error Evaluator::evaluateOp(Operation &op) {
  auto optional = [&](Value v) { return v ? &value(v) : nullptr; };
  auto result =
      llvm::TypeSwitch<Operation *, llvm::Expected<Matrix>>(&op)
          .Case([&](lm::WeightOp op) { return evaluateWeight(op); })
          .Case([&](lm::EmbedOp op) {
            return embed(value(op.getIds()), value(op.getTable()), op.getOffset());
          })
          .Case([&](lm::LayerNormOp op) {
            return layerNorm(value(op.getInput()), optional(op.getScale()), optional(op.getBias()),
                             op.getEps().convertToDouble());
          })
          .Case([&](lm::RmsNormOp op) {
            return rmsNorm(value(op.getInput()), value(op.getScale()),
                           op.getEps().convertToDouble());
          })
          .Case([&](lm::LinearOp op) {
            return linear(value(op.getInput()), value(op.getWeight()), optional(op.getBias()));
          })
          .Case([&](lm::ActivationOp op) { return activation(op.getKind(), value(op.getInput())); })
          .Case([&](lm::MulOp op) { return mul(value(op.getLhs()), value(op.getRhs())); })
          .Case([&](lm::SoftcapOp op) {
            return softcap(value(op.getInput()), op.getCap().convertToDouble());
          })
          .Case([&](lm::SplatOp op) {
            return Matrix(
                Matrix::Constant(1, lm::rowWidth(op.getType()), op.getValue().convertToDouble()));
          })
          .Case([&](lm::AddOp op) { return add(value(op.getLhs()), value(op.getRhs())); })
          .Case([&](lm::RopeOp op) {
            return rope(value(op.getInput()), value(op.getPositions()), op.getHeadDim(),
                        op.getInvFreq(),
                        op.getMagnitude() ? op.getMagnitude()->convertToDouble() : 1.0);
          })
          .Case([&](lm::AttentionOp op) {
            std::optional<double> softcap;
            if (op.getSoftcap())
              softcap = op.getSoftcap()->convertToDouble();
            Matrix keys = value(op.getKey()), values = value(op.getValue());
            for (Matrix *rows : {&keys, &values})
              if (rounding)
                rounding(*rows, op.getHeadDim());
            return attention(value(op.getQuery()), keys, values, op.getHeadDim(), op.getKvMap(),
                             op.getScale().convertToDouble(), op.getWindow(), softcap);
          })
          .Case([&](lm::MaskOp op) {
            return mask(value(op.getInput()), op.getDead().getIndices(), optional(op.getFill()));
          })
          .Case([&](lm::SelectOp op) {
            return select(value(op.getInput()), op.getKept().getIndices());
          })
          .Case([&](lm::ObserveOp op) { return seen[op.getName().str()] = value(op.getInput()); })
          .Case([&](lm::MoeOp op) { return evaluateMoe(op); })
          .Case([&](lm::BlockOp op) -> llvm::Expected<Matrix> {
            if (op.getSkip())
              return value(op.getInput());
            value(op.getBody().getArgument(0)) = value(op.getInput());
            Matrix result;
            if (llvm::Error error = evaluateBlock(op.getBody().front(), result))
              return error;
            return result;
          })
          .Default([](Operation *op) {
            return llvm::createStringError("the evaluator does not know " +
                                           op->getName().getStringRef());
          });
  if (!result)
    return result.takeError();
  value(op.getResult(0)) = std::move(*result);
  return llvm::Error::success();
}

} // namespace coppice::test
