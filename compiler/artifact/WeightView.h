// An lm.weight as readable data: a tensor of the checkpoint with the rows and columns that are
// kept. Owns nothing; lives no longer than the op and the checkpoint.
#pragma once
#include "compiler/artifact/Program.h"
#include "compiler/import/Checkpoint.h"
#include "dialects/lm/LM.h"

namespace coppice {

struct WeightView {
  const TensorInfo *tensor = nullptr;
  int64_t rows = 0, cols = 0;      // of the result; a vector is [1][cols]
  int64_t storedCols = 0;          // elements of a row of the tensor; of a vector: all
  llvm::ArrayRef<int32_t> rowList; // outputs kept, if hasRowList
  llvm::ArrayRef<int32_t> colList; // inputs kept, if hasColList
  bool hasRowList = false, hasColList = false;
  bool transposed = false; // the tensor is stored [in, out]
  bool vector = false;

  int64_t sourceRow(int64_t row) const { return hasRowList ? rowList[row] : row; }
  int64_t sourceCol(int64_t col) const { return hasColList ? colList[col] : col; }
  /// Index of result element (row, col) in the tensor.
  int64_t element(int64_t row, int64_t col) const {
    int64_t r = sourceRow(row), c = sourceCol(col);
    return transposed ? c * storedCols + r : r * storedCols + c;
  }
  /// "row 3, column 5" (or "element 5") of the tensor, in the checkpoint's numbers.
  std::string describe(int64_t row, int64_t col) const;
};

/// Errors: the checkpoint has no such tensor, or its shape or data do not hold what is read.
llvm::Expected<WeightView> viewWeight(lm::WeightOp weight, const Checkpoint &checkpoint);

/// The error for an element that `format` cannot hold as a finite number.
llvm::Error unfitElement(const WeightView &view, int64_t row, int64_t col, WeightFormat format);

/// Element as float32, exactly.
float loadElement(const TensorInfo &tensor, int64_t index);

} // namespace coppice
