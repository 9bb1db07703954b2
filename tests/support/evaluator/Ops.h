// The arithmetic of single lm ops on matrices; Evaluator.cpp walks the graph.
#pragma once
#include "tests/support/evaluator/Evaluator.h"

namespace coppice::test {

Matrix layerNorm(const Matrix &input, const Matrix *scale, const Matrix *bias, double eps);
Matrix rmsNorm(const Matrix &input, const Matrix &scale, double eps);
Matrix linear(const Matrix &input, const Matrix &weight, const Matrix *bias);
Matrix activation(lm::ActivationKind kind, Matrix input);
/// One row against many is added (or multiplied) to each.
Matrix add(const Matrix &lhs, const Matrix &rhs);
Matrix mul(const Matrix &lhs, const Matrix &rhs);
Matrix softcap(Matrix input, double cap);
/// `positions` is a column. The angle is the float32 product, as the op says.
Matrix rope(Matrix input, const Matrix &positions, int64_t headDim,
            llvm::ArrayRef<float> frequencies, double magnitude = 1);
/// Causal in the order of the rows; row t sees the rows above t - window only, all without one.
Matrix attention(const Matrix &query, const Matrix &key, const Matrix &value, int64_t headDim,
                 llvm::ArrayRef<int32_t> kvMap, double scale,
                 std::optional<int64_t> window = std::nullopt,
                 std::optional<double> softcap = std::nullopt);
Matrix mask(Matrix input, llvm::ArrayRef<int32_t> dead, const Matrix *fill);
Matrix select(const Matrix &input, llvm::ArrayRef<int32_t> kept);
/// The weight of each expert for each token; zero for those that are not picked.
Matrix route(const Matrix &scores, llvm::ArrayRef<int32_t> dead, int64_t topK, bool normalize);

} // namespace coppice::test
