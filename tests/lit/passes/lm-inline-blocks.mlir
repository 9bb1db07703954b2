// Bodies take the place of their blocks; a skipped block is its input.
// RUN: coppice-opt %s --lm-inline-blocks | FileCheck %s

// CHECK-LABEL: func.func @model
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x4xf32>
func.func @model(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // CHECK-NEXT: %[[A:.+]] = lm.activation relu %[[X]] {lm.layer = 3 : i32}
  // CHECK-NEXT: %[[S:.+]] = lm.add %[[X]], %[[A]] {lm.layer = 3 : i32}
  %0 = lm.block ffn layer 3 (%r = %x) : tensor<?x4xf32> {
    %a = lm.activation relu %r : tensor<?x4xf32> -> tensor<?x4xf32>
    %s = lm.add %r, %a : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
    lm.yield %s : tensor<?x4xf32>
  }
  // A skipped block, and a block that yields its argument, leave nothing.
  %1 = lm.block attention layer 4 skip (%r = %0) : tensor<?x4xf32> {
    %a = lm.activation silu %r : tensor<?x4xf32> -> tensor<?x4xf32>
    lm.yield %a : tensor<?x4xf32>
  }
  %2 = lm.block ffn layer 4 (%r = %1) : tensor<?x4xf32> {
    lm.yield %r : tensor<?x4xf32>
  }
  // CHECK-NEXT: return %[[S]]
  return %2 : tensor<?x4xf32>
}

// A function without blocks stays as it is.
// CHECK-LABEL: func.func @flat
// CHECK-NEXT: lm.activation gelu %{{[a-z0-9]+}} : tensor<?x4xf32> -> tensor<?x4xf32>
// CHECK-NEXT: return
func.func @flat(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %a = lm.activation gelu %x : tensor<?x4xf32> -> tensor<?x4xf32>
  return %a : tensor<?x4xf32>
}
