// Evaluates constant rows of lm: expressions over weights that are the same for every token, which
// is what folding leaves on biases.
//
// Every element is computed in float64, in one stated order, and rounded to float32 once. Sums run
// over ascending columns, the bias is added last, and the elementary functions are this file's own
// (sums, products and roots only), so that the bits do not depend on the host or its libm.
#pragma once
#include "compiler/artifact/WeightView.h"
#include "llvm/ADT/DenseMap.h"
#include <vector>

namespace coppice {

class ConstantRows {
public:
  explicit ConstantRows(const Checkpoint &checkpoint) : checkpoint(checkpoint) {}

  /// The elements of `value`, a tensor<N>: an lm.weight, linear, add, mul, activation or select.
  /// Values that several expressions read are computed once. Errors: another op, a tensor that is
  /// missing or not finite.
  llvm::Expected<std::vector<double>> evaluate(mlir::Value value);

private:
  llvm::Error compute(mlir::Value value);

  const Checkpoint &checkpoint;
  llvm::DenseMap<mlir::Value, std::vector<double>> values;
};

/// e^x, within a few units of the last place; the same bits on every host.
double exactExp(double x);
/// The normal distribution function, likewise.
double exactNormal(double x);
/// An lm.activation's function.
double activate(lm::ActivationKind kind, double x);

} // namespace coppice
