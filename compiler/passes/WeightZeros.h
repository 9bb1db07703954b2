// Which rows and columns of a weight are exact zeros, plus or minus, in the checkpoint.
#pragma once
#include "compiler/import/Checkpoint.h"
#include "dialects/lm/LM.h"
#include "llvm/ADT/BitVector.h"

namespace coppice {

/// Of what an lm.weight keeps, in its order. A vector has rows only.
struct WeightZeros {
  llvm::BitVector rows, cols;
};

/// `symbols` remembers the declarations from call to call. Reads the tensor once and drops its
/// pages. Errors: the checkpoint lacks the tensor, or holds it in another shape or type than the
/// graph declares.
llvm::Expected<WeightZeros> findZeros(lm::WeightOp weight, const Checkpoint &checkpoint,
                                      mlir::SymbolTableCollection &symbols);

} // namespace coppice
