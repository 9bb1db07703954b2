// The meaning of lm in float64, for tests: plain loops over Eigen matrices, op by op as
// dialects/lm/LMOps.td says, sharing no code with the compiler. Slow, small and easy to check.
#pragma once
#include "compiler/import/Checkpoint.h"
#include "dialects/lm/LM.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include <Eigen/Dense>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace coppice::test {

/// [rows, columns]; constant rows are one row, whatever the number of tokens.
using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// A tensor of the checkpoint by name: its shape (one or two extents) and row-major values.
struct Tensor {
  std::vector<int64_t> shape;
  std::vector<double> values;
};
using TensorReader = std::function<llvm::Expected<Tensor>(llvm::StringRef name)>;

/// Reads F32, F16 and BF16 tensors of `checkpoint`, which must outlive the reader.
TensorReader readerOf(const Checkpoint &checkpoint);

/// Evaluates graphs over one set of tensors; each tensor is read once.
class Evaluator {
public:
  explicit Evaluator(TensorReader reader) : reader(std::move(reader)) {}

  /// The one result of `function` for tokens and their positions (its two arguments), a row per
  /// token. Errors: an op or a tensor that is not known, an id outside its table.
  llvm::Expected<Matrix> run(mlir::func::FuncOp function, llvm::ArrayRef<int32_t> tokens,
                             llvm::ArrayRef<int32_t> positions);

  /// Evaluates a function whose arguments are any rows, or ids as a column of numbers.
  llvm::Expected<Matrix> run(mlir::func::FuncOp function, llvm::ArrayRef<Matrix> arguments);

  /// Changes keys and values before attention reads them, as a cache that rounds them does: rows of
  /// heads of `headDim` columns.
  using Rounding = std::function<void(Matrix &rows, int64_t headDim)>;
  void roundCaches(Rounding change) { rounding = std::move(change); }

  /// What each lm.observe saw in the last run, by name.
  const std::map<std::string, Matrix> &observed() const { return seen; }

private:
  llvm::Error evaluateBlock(mlir::Block &block, Matrix &result);
  llvm::Error evaluateOp(mlir::Operation &op);
  llvm::Expected<Matrix> evaluateWeight(lm::WeightOp op);
  llvm::Expected<Matrix> evaluateMoe(lm::MoeOp op);
  Matrix &value(mlir::Value v);

  TensorReader reader;
  Rounding rounding;
  llvm::StringMap<Tensor> tensors;
  std::map<void *, Matrix> values; // by mlir::Value's pointer, which has no order of its own
  std::map<std::string, Matrix> seen;
};

} // namespace coppice::test
