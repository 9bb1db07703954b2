// What linear kernels of every format share: where outputs go, what is added to them, and which
// panels an item is.
#pragma once
#include "compiler/codegen/KernelBuilder.h"

namespace coppice::kernels {

/// The output side of args::Linear.
class LinearOutput {
public:
  explicit LinearOutput(KernelBuilder &k);

  /// Stores a tile of sums, each row's `vectors` one after the other, with the bias, then the
  /// residual, added. All vectors have the same lanes, or are scalars.
  void store(llvm::ArrayRef<mlir::Value> sums, unsigned vectors, mlir::Value row,
             mlir::Value column);

  mlir::Value rows, ins, outs; // extents

private:
  KernelBuilder &k;
  mlir::Value out, bias, residual;       // addresses
  mlir::Value outStride, residualStride; // bytes between rows
  mlir::Value hasBias, hasResidual;
};

/// body(lanes, first output row) for those of the panels shorter than 32 that are among the items.
void forTailPanels(KernelBuilder &k, mlir::Value outs,
                   llvm::function_ref<void(unsigned lanes, mlir::Value column)> body);

} // namespace coppice::kernels
