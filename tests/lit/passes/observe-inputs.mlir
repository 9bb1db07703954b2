// What linears over token rows read is marked under the tensor's name; nothing else changes.
// RUN: coppice-opt %s --lm-observe-inputs | FileCheck %s

lm.tensor private @"q.weight" : tensor<4x4xf16>
lm.tensor private @"k.weight" : tensor<4x4xf16>
lm.tensor private @"bias" : tensor<4xf32>

// Readers of one value get a mark each; a mask stands before it, so that zeros are seen.
// CHECK-LABEL: func.func @change(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x4xf32>
func.func @change(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %q = lm.weight @"q.weight" rows <0, 2> : tensor<2x4xf16>
  %k = lm.weight @"k.weight" : tensor<4x4xf16>
  // CHECK: %[[M:.+]] = lm.mask %[[X]] dead <1>
  %m = lm.mask %x dead <1> : tensor<?x4xf32>
  // CHECK-NEXT: %[[A:.+]] = lm.observe "q.weight" %[[M]] {lm.layer = 2 : i32} : tensor<?x4xf32>
  // CHECK-NEXT: lm.linear %[[A]], %{{.+}} {lm.layer = 2 : i32}
  %0 = lm.linear %m, %q {lm.layer = 2 : i32} : tensor<?x4xf32>, tensor<2x4xf16> -> tensor<?x2xf32>
  // CHECK-NEXT: %[[B:.+]] = lm.observe "k.weight" %[[M]] : tensor<?x4xf32>
  // CHECK-NEXT: lm.linear %[[B]], %
  %1 = lm.linear %m, %k : tensor<?x4xf32>, tensor<4x4xf16> -> tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}

// Inside of blocks too.
// CHECK-LABEL: func.func @block(
func.func @block(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %k = lm.weight @"k.weight" : tensor<4x4xf16>
  // CHECK: lm.block ffn layer 0 (%[[R:.+]] = %{{.+}})
  %0 = lm.block ffn layer 0 (%r = %x) : tensor<?x4xf32> {
    // CHECK-NEXT: %[[A:.+]] = lm.observe "k.weight" %[[R]]
    // CHECK-NEXT: lm.linear %[[A]]
    %y = lm.linear %r, %k : tensor<?x4xf32>, tensor<4x4xf16> -> tensor<?x4xf32>
    lm.yield %y : tensor<?x4xf32>
  }
  return %0 : tensor<?x4xf32>
}

// What is observed under that name already, and linears over constant rows, stay.
// CHECK-LABEL: func.func @stays(
// CHECK-COUNT-1: lm.observe
// CHECK-NOT: lm.observe
// CHECK: return
func.func @stays(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %b = lm.weight @"bias" : tensor<4xf32>
  %q = lm.weight @"q.weight" : tensor<4x4xf16>
  %k = lm.weight @"k.weight" : tensor<4x4xf16>
  %c = lm.linear %b, %q : tensor<4xf32>, tensor<4x4xf16> -> tensor<4xf32>
  %o = lm.observe "k.weight" %x : tensor<?x4xf32>
  %y = lm.linear %o, %k bias %c : tensor<?x4xf32>, tensor<4x4xf16>, tensor<4xf32> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
