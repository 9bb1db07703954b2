// Single lm ops in float64: the formulas of LMOps.td, one loop each.
#include "tests/support/evaluator/Ops.h"
#include <cmath>
#include <limits>

namespace coppice::test {

Matrix layerNorm(const Matrix &input, const Matrix *scale, const Matrix *bias, double eps) {
  Matrix result = input;
  for (Eigen::Index t = 0; t < input.rows(); ++t) {
    double mean = 0, variance = 0;
    for (Eigen::Index i = 0; i < input.cols(); ++i)
      mean += input(t, i) / double(input.cols());
    for (Eigen::Index i = 0; i < input.cols(); ++i)
      variance += (input(t, i) - mean) * (input(t, i) - mean) / double(input.cols());
    for (Eigen::Index i = 0; i < input.cols(); ++i) {
      double y = (input(t, i) - mean) / std::sqrt(variance + eps);
      result(t, i) = y * (scale ? (*scale)(0, i) : 1.0) + (bias ? (*bias)(0, i) : 0.0);
    }
  }
  return result;
}

Matrix rmsNorm(const Matrix &input, const Matrix &scale, double eps) {
  Matrix result = input;
  Eigen::Index group = scale.cols();
  for (Eigen::Index t = 0; t < input.rows(); ++t)
    for (Eigen::Index begin = 0; begin < input.cols(); begin += group) {
      double squares = 0;
      for (Eigen::Index i = 0; i < group; ++i)
        squares += input(t, begin + i) * input(t, begin + i);
      for (Eigen::Index i = 0; i < group; ++i)
        result(t, begin + i) =
            input(t, begin + i) / std::sqrt(squares / double(group) + eps) * scale(0, i);
    }
  return result;
}

Matrix linear(const Matrix &input, const Matrix &weight, const Matrix *bias) {
  Matrix result = Matrix::Zero(input.rows(), weight.rows());
  for (Eigen::Index t = 0; t < input.rows(); ++t)
    for (Eigen::Index o = 0; o < weight.rows(); ++o) {
      double sum = 0;
      for (Eigen::Index i = 0; i < weight.cols(); ++i)
        sum += input(t, i) * weight(o, i);
      result(t, o) = sum + (bias ? (*bias)(0, o) : 0.0);
    }
  return result;
}

static double activate(lm::ActivationKind kind, double x) {
  switch (kind) {
  case lm::ActivationKind::Relu:
    return x > 0 ? x : 0;
  case lm::ActivationKind::Gelu:
    return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
  case lm::ActivationKind::GeluTanh:
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  case lm::ActivationKind::Silu:
    return x / (1 + std::exp(-x));
  }
  llvm_unreachable("an activation without a formula");
}

Matrix activation(lm::ActivationKind kind, Matrix input) {
  for (Eigen::Index t = 0; t < input.rows(); ++t)
    for (Eigen::Index i = 0; i < input.cols(); ++i)
      input(t, i) = activate(kind, input(t, i));
  return input;
}

Matrix add(const Matrix &lhs, const Matrix &rhs) {
  const Matrix &rows = lhs.rows() >= rhs.rows() ? lhs : rhs;
  const Matrix &other = lhs.rows() >= rhs.rows() ? rhs : lhs;
  Matrix result = rows;
  for (Eigen::Index t = 0; t < rows.rows(); ++t)
    for (Eigen::Index i = 0; i < rows.cols(); ++i)
      result(t, i) += other(other.rows() == 1 ? 0 : t, i);
  return result;
}

Matrix mul(const Matrix &lhs, const Matrix &rhs) {
  const Matrix &rows = lhs.rows() >= rhs.rows() ? lhs : rhs;
  const Matrix &other = lhs.rows() >= rhs.rows() ? rhs : lhs;
  Matrix result = rows;
  for (Eigen::Index t = 0; t < rows.rows(); ++t)
    for (Eigen::Index i = 0; i < rows.cols(); ++i)
      result(t, i) *= other(other.rows() == 1 ? 0 : t, i);
  return result;
}

Matrix softcap(Matrix input, double cap) {
  for (Eigen::Index t = 0; t < input.rows(); ++t)
    for (Eigen::Index i = 0; i < input.cols(); ++i)
      input(t, i) = cap * std::tanh(input(t, i) / cap);
  return input;
}

Matrix rope(Matrix input, const Matrix &positions, int64_t headDim,
            llvm::ArrayRef<float> frequencies, double magnitude) {
  int64_t half = frequencies.size();
  for (Eigen::Index t = 0; t < input.rows(); ++t)
    for (int64_t head = 0; head < input.cols() / headDim; ++head)
      for (int64_t i = 0; i < half; ++i) {
        volatile float angle = float(positions(t, 0)) * frequencies[i];
        double cosine = magnitude * std::cos(double(angle));
        double sine = magnitude * std::sin(double(angle));
        double &first = input(t, head * headDim + i);
        double &second = input(t, head * headDim + i + half);
        double rotated = first * cosine - second * sine;
        second = second * cosine + first * sine;
        first = rotated;
      }
  return input;
}

Matrix attention(const Matrix &query, const Matrix &key, const Matrix &value, int64_t headDim,
                 llvm::ArrayRef<int32_t> kvMap, double scale, std::optional<int64_t> window,
                 std::optional<double> softcap) {
  Matrix result = Matrix::Zero(query.rows(), query.cols());
  for (size_t head = 0; head < kvMap.size(); ++head) {
    int64_t q = head * headDim, kv = kvMap[head] * headDim;
    for (Eigen::Index t = 0; t < query.rows(); ++t) {
      Eigen::Index first = window ? std::max<int64_t>(0, t - *window + 1) : 0;
      std::vector<double> scores(t + 1);
      double largest = -std::numeric_limits<double>::infinity(), total = 0;
      for (Eigen::Index s = first; s <= t; ++s) {
        for (int64_t i = 0; i < headDim; ++i)
          scores[s] += query(t, q + i) * key(s, kv + i);
        scores[s] *= scale;
        if (softcap)
          scores[s] = *softcap * std::tanh(scores[s] / *softcap);
        largest = std::max(largest, scores[s]);
      }
      for (Eigen::Index s = first; s <= t; ++s)
        total += scores[s] = std::exp(scores[s] - largest);
      for (Eigen::Index s = first; s <= t; ++s)
        for (int64_t i = 0; i < headDim; ++i)
          result(t, q + i) += scores[s] / total * value(s, kv + i);
    }
  }
  return result;
}

Matrix mask(Matrix input, llvm::ArrayRef<int32_t> dead, const Matrix *fill) {
  for (Eigen::Index t = 0; t < input.rows(); ++t)
    for (size_t i = 0; i < dead.size(); ++i)
      input(t, dead[i]) = fill ? (*fill)(0, i) : 0.0;
  return input;
}

Matrix select(const Matrix &input, llvm::ArrayRef<int32_t> kept) {
  Matrix result(input.rows(), kept.size());
  for (Eigen::Index t = 0; t < input.rows(); ++t)
    for (size_t i = 0; i < kept.size(); ++i)
      result(t, i) = input(t, kept[i]);
  return result;
}

Matrix route(const Matrix &scores, llvm::ArrayRef<int32_t> dead, int64_t topK, bool normalize) {
  Matrix result = Matrix::Zero(scores.rows(), scores.cols());
  for (Eigen::Index t = 0; t < scores.rows(); ++t) {
    std::vector<int64_t> alive;
    double largest = -std::numeric_limits<double>::infinity(), total = 0, picked = 0;
    for (Eigen::Index e = 0; e < scores.cols(); ++e)
      if (!llvm::is_contained(dead, e)) {
        alive.push_back(e);
        largest = std::max(largest, scores(t, e));
      }
    for (int64_t e : alive)
      total += std::exp(scores(t, e) - largest);
    // Of equal scores the lower number comes first.
    std::sort(alive.begin(), alive.end(), [&](int64_t a, int64_t b) {
      return scores(t, a) != scores(t, b) ? scores(t, a) > scores(t, b) : a < b;
    });
    alive.resize(topK);
    for (int64_t e : alive)
      picked += result(t, e) = std::exp(scores(t, e) - largest) / total;
    if (normalize)
      result.row(t) /= picked;
  }
  return result;
}

} // namespace coppice::test
