// Dead experts leave their layer, and their scores the router.
// RUN: coppice-opt %s --split-input-file --lm-remove-dead-experts | FileCheck %s
// RUN: coppice-opt %s --split-input-file --lm-remove-dead-experts=report=true 2>&1 >/dev/null | FileCheck %s --check-prefix=COUNT
// RUN: coppice-opt %s --split-input-file --lm-remove-dead-experts --lm-propagate-selections --lm-verify-unmasked | FileCheck %s --check-prefix=ROWS

// Experts 0 and 2 of four go: the scores are selected, which ends in the rows of the router, and the
// other regions stay in their order.
// COUNT: remark: lm-remove-dead-experts: experts 2, bytes 32
// CHECK-LABEL: func.func @two(
// ROWS-LABEL: func.func @two(
lm.tensor private @gate : tensor<4x2xf32>
lm.tensor private @a : tensor<2x2xf32>
lm.tensor private @b : tensor<2x2xf32>
lm.tensor private @c : tensor<2x2xf32>
lm.tensor private @d : tensor<2x2xf32>
func.func @two(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %wg = lm.weight @gate : tensor<4x2xf32>
  // CHECK: %[[S:.+]] = lm.linear
  %s = lm.linear %x, %wg : tensor<?x2xf32>, tensor<4x2xf32> -> tensor<?x4xf32>
  // CHECK: %[[K:.+]] = lm.select %[[S]] cols <1, 3>
  // CHECK: lm.moe %{{.+}} scores %[[K]] top_k 2 normalize :
  // CHECK-NOT: lm.weight @a
  // CHECK: lm.weight @b
  // CHECK-NOT: lm.weight @c
  // CHECK: lm.weight @d
  // ROWS: lm.weight @gate rows <1, 3> : tensor<2x2xf32>
  // ROWS-NOT: lm.select
  %y = lm.moe %x scores %s top_k 2 normalize dead <0, 2> : tensor<?x2xf32>, tensor<?x4xf32> -> tensor<?x2xf32> {
  ^bb0(%r: tensor<?x2xf32>):
    %w = lm.weight @a : tensor<2x2xf32>
    %z = lm.linear %r, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
    lm.yield %z : tensor<?x2xf32>
  }, {
  ^bb0(%r: tensor<?x2xf32>):
    %w = lm.weight @b : tensor<2x2xf32>
    %z = lm.linear %r, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
    lm.yield %z : tensor<?x2xf32>
  }, {
  ^bb0(%r: tensor<?x2xf32>):
    %w = lm.weight @c : tensor<2x2xf32>
    %z = lm.linear %r, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
    lm.yield %z : tensor<?x2xf32>
  }, {
  ^bb0(%r: tensor<?x2xf32>):
    %w = lm.weight @d : tensor<2x2xf32>
    %z = lm.linear %r, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
    lm.yield %z : tensor<?x2xf32>
  }
  return %y : tensor<?x2xf32>
}

// -----

// Nothing is dead: nothing changes.
// COUNT: remark: lm-remove-dead-experts: experts 0, bytes 0
// CHECK-LABEL: func.func @alive(
// ROWS-LABEL: func.func @alive(
func.func @alive(%x: tensor<?x2xf32>, %s: tensor<?x2xf32>) -> tensor<?x2xf32> {
  // CHECK-NOT: lm.select
  // CHECK: lm.moe %{{.+}} scores %{{.+}} top_k 1 : tensor<?x2xf32>, tensor<?x2xf32>
  %y = lm.moe %x scores %s top_k 1 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32> {
  ^bb0(%r: tensor<?x2xf32>):
    lm.yield %r : tensor<?x2xf32>
  }, {
  ^bb0(%r: tensor<?x2xf32>):
    lm.yield %r : tensor<?x2xf32>
  }
  return %y : tensor<?x2xf32>
}
