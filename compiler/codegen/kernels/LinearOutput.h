// What linear kernels of every format share: where outputs go, what is added to them, and which
// panels an item is.
#pragma once
#include "compiler/codegen/KernelBuilder.h"

namespace coppice::kernels {

/// The output side of args::Linear and args::ExpertLinear.
class LinearOutput {
public:
  /// Without `addends` there is neither bias nor residual, whatever the arguments say.
  explicit LinearOutput(KernelBuilder &k, bool addends = true);

  /// From here on works on `count` rows from `first` on only.
  void setRows(mlir::Value first, mlir::Value count);

  /// Stores a tile of sums, each row's `vectors` of 16 one after the other, with the bias, then the
  /// residual, added. live: the lanes that exist, or null: all.
  void store(llvm::ArrayRef<mlir::Value> sums, unsigned vectors, mlir::Value row,
             mlir::Value column, mlir::Value live);

  mlir::Value rows, ins, outs; // extents

private:
  KernelBuilder &k;
  mlir::Value begin, out;                // of all rows and of the first one worked on: addresses
  mlir::Value bias, residual;            // addresses; null without addends
  mlir::Value outStride, residualStride; // bytes between rows
  mlir::Value hasBias, hasResidual;
};

/// body(height, first output row) for those of the panels shorter than 32 that are among the items.
/// The height is a value: one code for all, in vectors whose lanes beyond it are off.
void forTailPanels(KernelBuilder &k, mlir::Value outs,
                   llvm::function_ref<void(mlir::Value height, mlir::Value column)> body);

} // namespace coppice::kernels
