// The evaluator's single ops against values worked out by hand: what all later proofs stand on.
#include "tests/support/evaluator/Ops.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace coppice::test;
using coppice::lm::ActivationKind;

namespace {

Matrix rows(std::initializer_list<std::initializer_list<double>> values) {
  Matrix result(values.size(), values.size() ? values.begin()->size() : 0);
  Eigen::Index t = 0;
  for (auto &row : values) {
    Eigen::Index i = 0;
    for (double x : row)
      result(t, i++) = x;
    ++t;
  }
  return result;
}

void expectNear(const Matrix &got, const Matrix &wanted, double tolerance = 1e-14) {
  ASSERT_EQ(got.rows(), wanted.rows());
  ASSERT_EQ(got.cols(), wanted.cols());
  for (Eigen::Index t = 0; t < got.rows(); ++t)
    for (Eigen::Index i = 0; i < got.cols(); ++i)
      EXPECT_NEAR(got(t, i), wanted(t, i), tolerance) << "row " << t << ", column " << i;
}

// (1, 3) has mean 2 and variance 1 (not 2: no Bessel correction); eps 3 makes the root 2.
TEST(EvaluatorOps, LayerNormUsesThePopulationVariance) {
  expectNear(layerNorm(rows({{1, 3}}), nullptr, nullptr, 3), rows({{-0.5, 0.5}}));
  Matrix scale = rows({{2, 4}}), bias = rows({{10, 20}});
  expectNear(layerNorm(rows({{1, 3}}), &scale, &bias, 3), rows({{9, 22}}));
  expectNear(layerNorm(rows({{1, 3}}), nullptr, &bias, 3), rows({{9.5, 20.5}}));
}

// Mean square of (1, 7) is 25; with eps 11 the root is 6. Each row by itself.
TEST(EvaluatorOps, RmsNormHasEpsInsideTheRoot) {
  expectNear(rmsNorm(rows({{1, 7}, {5, 5}}), rows({{6, 12}}), 11), rows({{1, 14}, {5, 10}}));
}

// Weights are [out, in].
TEST(EvaluatorOps, LinearIsInputTimesWeightTransposed) {
  Matrix bias = rows({{100, 200, 300}});
  Matrix weight = rows({{1, 2}, {3, 4}, {5, 6}});
  expectNear(linear(rows({{1, 10}}), weight, nullptr), rows({{21, 43, 65}}));
  expectNear(linear(rows({{1, 10}}), weight, &bias), rows({{121, 243, 365}}));
  // Without columns the result is the bias, for each token.
  expectNear(linear(Matrix(2, 0), Matrix(3, 0), &bias), rows({{100, 200, 300}, {100, 200, 300}}));
}

// Values of the closed forms: Phi(1) = 0.841344746068542949 and so on.
TEST(EvaluatorOps, ActivationsAreTheirClosedForms) {
  Matrix x = rows({{-1, 0, 1, 2}});
  expectNear(activation(ActivationKind::Relu, x), rows({{0, 0, 1, 2}}));
  expectNear(activation(ActivationKind::Gelu, x),
             rows({{-0.158655253931457051, 0, 0.841344746068542949, 1.95449973610364159}}));
  expectNear(activation(ActivationKind::Silu, x),
             rows({{-0.268941421369995120, 0, 0.731058578630004880, 1.76159415595576489}}));
  // tanh(sqrt(2 / pi) * 1.044715) = 0.682383921300345 to 15 places.
  Matrix tanh = activation(ActivationKind::GeluTanh, x);
  EXPECT_NEAR(tanh(0, 2), 0.841191990, 1e-7);
  EXPECT_NEAR(tanh(0, 0), tanh(0, 2) - 1, 1e-14);
}

// A constant row is added to every token.
TEST(EvaluatorOps, AddBroadcastsAConstantRowEitherWay) {
  Matrix x = rows({{1, 2}, {3, 4}}), c = rows({{10, 20}});
  expectNear(add(x, c), rows({{11, 22}, {13, 24}}));
  expectNear(add(c, x), rows({{11, 22}, {13, 24}}));
  expectNear(add(x, x), rows({{2, 4}, {6, 8}}));
}

// Half-split pairs: columns 0 and 2 turn by position * frequency, column 1 and 3 by the second.
// pi/2 in float32 is 1.57079637..., whose cosine is -4.37e-8.
TEST(EvaluatorOps, RopeTurnsHalfSplitPairsByHeads) {
  float quarter = float(M_PI / 2);
  Matrix x = rows({{1, 2, 3, 4, 5, 6, 7, 8}});
  expectNear(rope(x, rows({{1}}), 4, {quarter, 0.0f}), rows({{-3, 2, 1, 4, -7, 6, 5, 8}}), 1e-6);
  // Position 0 is the identity; what the frequencies do not cover passes.
  expectNear(rope(x, rows({{0}}), 4, {quarter, 1.0f}), x);
  expectNear(rope(rows({{1, 2, 3}}), rows({{1}}), 3, {quarter}), rows({{-2, 1, 3}}), 1e-6);
  // The magnitude is of what turns alone.
  expectNear(rope(rows({{1, 2, 3}}), rows({{1}}), 3, {quarter}, 2), rows({{-4, 2, 3}}), 1e-6);
}

// 3 * float(0.1) is 0.3000000044703484 in exact arithmetic and rounds to float 0.30000001192092896:
// the angle must be the rounded one.
TEST(EvaluatorOps, RopeAngleIsTheFloat32Product) {
  Matrix turned = rope(rows({{1, 0}}), rows({{3}}), 2, {0.1f});
  EXPECT_NEAR(turned(0, 0), std::cos(0.30000001192092896), 1e-15);
  EXPECT_NEAR(turned(0, 1), std::sin(0.30000001192092896), 1e-15);
}

// One token attends to itself alone, whatever the scores.
TEST(EvaluatorOps, AttentionOfOneTokenIsItsValue) {
  expectNear(attention(rows({{5, 9}}), rows({{2, 3}}), rows({{7, 8}}), 2, {0}, 1), rows({{7, 8}}));
}

// Scores ln 3 and 0 make weights 3/4 and 1/4: scale 0.5, query 2 ln 3, keys 1 and 0.
TEST(EvaluatorOps, AttentionIsCausalAndScaled) {
  double q = 2 * std::log(3.0);
  expectNear(
      attention(rows({{q}, {q}, {0}}), rows({{1}, {0}, {9}}), rows({{4}, {8}, {3}}), 1, {0}, 0.5),
      rows({{4}, {5}, {5}}));
}

// Heads 0 and 2 read KV head 1, head 1 reads KV head 0.
TEST(EvaluatorOps, AttentionFollowsTheMap) {
  expectNear(attention(rows({{1, 1, 1}}), rows({{0, 0}}), rows({{10, 20}}), 1, {1, 0, 1}, 1),
             rows({{20, 10, 20}}));
}

// Equal scores: the mean of the last `window` values, fewer at the start; a window of one is
// oneself.
TEST(EvaluatorOps, AttentionSeesItsWindowOnly) {
  Matrix zero = rows({{0}, {0}, {0}, {0}}), v = rows({{2}, {4}, {8}, {16}});
  expectNear(attention(zero, zero, v, 1, {0}, 1, 2), rows({{2}, {3}, {6}, {12}}));
  expectNear(attention(zero, zero, v, 1, {0}, 1, 1), v);
  expectNear(attention(zero, zero, v, 1, {0}, 1, 9), attention(zero, zero, v, 1, {0}, 1));
}

// Capped at ln 3, a score of a thousand weighs three times one of zero.
TEST(EvaluatorOps, AttentionCapsScores) {
  expectNear(attention(rows({{0}, {1}}), rows({{1000}, {0}}), rows({{4}, {8}}), 1, {0}, 1,
                       std::nullopt, std::log(3.0)),
             rows({{4}, {5}}));
}

// Scores of a thousand overflow a naive exponential.
TEST(EvaluatorOps, AttentionStandsLargeScores) {
  expectNear(attention(rows({{1}, {1}}), rows({{1000}, {1000}}), rows({{2}, {4}}), 1, {0}, 1),
             rows({{2}, {3}}));
}

// A choice, not a product: infinity times zero would be NaN.
TEST(EvaluatorOps, MaskChoosesZeroOrFill) {
  Matrix x = rows({{1, INFINITY, 3}}), fill = rows({{7, 8}});
  expectNear(mask(x, {1}, nullptr), rows({{1, 0, 3}}));
  // The fill is in the order of the dead columns.
  expectNear(mask(x, {2, 1}, &fill), rows({{1, 8, 7}}));
}

TEST(EvaluatorOps, SelectKeepsTheListsOrder) {
  expectNear(select(rows({{1, 2, 3}, {4, 5, 6}}), {2, 0}), rows({{3, 1}, {6, 4}}));
}

// Softmax of (ln 1, ln 2, ln 5) is (1/8, 2/8, 5/8).
TEST(EvaluatorOps, RoutePicksTheLargest) {
  Matrix scores = rows({{std::log(1.0), std::log(2.0), std::log(5.0)}});
  expectNear(route(scores, {}, 2, false), rows({{0, 2.0 / 8, 5.0 / 8}}));
  expectNear(route(scores, {}, 2, true), rows({{0, 2.0 / 7, 5.0 / 7}}));
  // A dead expert is out before softmax: (1/3, 2/3) are left.
  expectNear(route(scores, {2}, 1, false), rows({{0, 2.0 / 3, 0}}));
  // Ties go to the lower number.
  expectNear(route(rows({{3, 3, 3}}), {}, 1, true), rows({{1, 0, 0}}));
}

} // namespace
