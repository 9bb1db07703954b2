// A graph without masks passes, and is not changed; a selection of a constant row may stay.
// RUN: coppice-opt %s --lm-verify-unmasked | FileCheck %s

// CHECK-LABEL: func.func @clean(
// CHECK: lm.select
// CHECK: lm.add
func.func @clean(%x: tensor<?x1xf32>, %c: tensor<2xf32>) -> tensor<?x1xf32> {
  %1 = lm.select %c cols <1> : tensor<2xf32> -> tensor<1xf32>
  %2 = lm.add %x, %1 : tensor<?x1xf32>, tensor<1xf32> -> tensor<?x1xf32>
  return %2 : tensor<?x1xf32>
}
