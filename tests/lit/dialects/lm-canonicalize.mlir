// Each canonicalizer of lm changes what it should, and leaves what it must.
// RUN: coppice-opt --canonicalize --split-input-file %s | FileCheck %s

// A list that keeps everything in order is dropped; a reordering, a part and the columns beside a
// full row list stay.
lm.tensor private @w : tensor<4x3xf16>
// CHECK-LABEL: func.func @full_lists
func.func @full_lists() -> (tensor<4x3xf16>, tensor<4x3xf16>, tensor<3x3xf16>, tensor<4x2xf16>,
                            tensor<3x4xf16>) {
  // CHECK-NEXT: %[[A:.*]] = lm.weight @w : tensor<4x3xf16>
  %0 = lm.weight @w rows <0 to 3> cols <0 to 2> : tensor<4x3xf16>
  // CHECK-NEXT: %[[B:.*]] = lm.weight @w rows <1, 0, 2, 3> : tensor<4x3xf16>
  %1 = lm.weight @w rows <1, 0, 2, 3> : tensor<4x3xf16>
  // CHECK-NEXT: %[[C:.*]] = lm.weight @w rows <0 to 2> : tensor<3x3xf16>
  %2 = lm.weight @w rows <0 to 2> : tensor<3x3xf16>
  // CHECK-NEXT: %[[D:.*]] = lm.weight @w cols <0, 1> : tensor<4x2xf16>
  %3 = lm.weight @w rows <0 to 3> cols <0, 1> : tensor<4x2xf16>
  // Transposed, three rows are all of them.
  // CHECK-NEXT: %[[E:.*]] = lm.weight @w transposed : tensor<3x4xf16>
  %4 = lm.weight @w rows <0 to 2> transposed : tensor<3x4xf16>
  // CHECK-NEXT: return %[[A]], %[[B]], %[[C]], %[[D]], %[[E]]
  return %0, %1, %2, %3, %4
    : tensor<4x3xf16>, tensor<4x3xf16>, tensor<3x3xf16>, tensor<4x2xf16>, tensor<3x4xf16>
}

// -----

// Selecting everything in order is nothing.
// CHECK-LABEL: func.func @select_all(
// CHECK-SAME: %[[X:.*]]: tensor<?x4xf32>
// CHECK-NEXT: return %[[X]]
func.func @select_all(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = lm.select %x cols <0 to 3> : tensor<?x4xf32> -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// A permutation is not nothing.
// CHECK-LABEL: func.func @select_permuted
// CHECK-NEXT: lm.select %{{.*}} cols <0, 2, 1, 3>
func.func @select_permuted(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = lm.select %x cols <0, 2, 1, 3> : tensor<?x4xf32> -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// A selection of a selection reads the first value: column 1 of (7, 5, 3) is 5.
// CHECK-LABEL: func.func @select_twice(
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>
// CHECK-NEXT: %[[Y:.*]] = lm.select %[[X]] cols <5, 7> : tensor<?x8xf32> -> tensor<?x2xf32>
// CHECK-NEXT: return %[[Y]]
func.func @select_twice(%x: tensor<?x8xf32>) -> tensor<?x2xf32> {
  %0 = lm.select %x cols <7, 5, 3> : tensor<?x8xf32> -> tensor<?x3xf32>
  %1 = lm.select %0 cols <1, 0> : tensor<?x3xf32> -> tensor<?x2xf32>
  return %1 : tensor<?x2xf32>
}

// Two permutations that undo each other vanish.
// CHECK-LABEL: func.func @select_inverse(
// CHECK-SAME: %[[X:.*]]: tensor<?x3xf32>
// CHECK-NEXT: return %[[X]]
func.func @select_inverse(%x: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %0 = lm.select %x cols <2, 0, 1> : tensor<?x3xf32> -> tensor<?x3xf32>
  %1 = lm.select %0 cols <1, 2, 0> : tensor<?x3xf32> -> tensor<?x3xf32>
  return %1 : tensor<?x3xf32>
}

// -----

// A mask with nothing dead is nothing.
// CHECK-LABEL: func.func @mask_nothing(
// CHECK-SAME: %[[X:.*]]: tensor<?x4xf32>
// CHECK-NEXT: return %[[X]]
func.func @mask_nothing(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = lm.mask %x dead <> : tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// Two masks of zeros are one, of the union.
// CHECK-LABEL: func.func @mask_union(
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>
// CHECK-NEXT: %[[Y:.*]] = lm.mask %[[X]] dead <1, 3, 5, 6> : tensor<?x8xf32>
// CHECK-NEXT: return %[[Y]]
func.func @mask_union(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = lm.mask %x dead <5, 1> : tensor<?x8xf32>
  %1 = lm.mask %0 dead <3, 5, 6> : tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}

// The outer mask decides: a filled mask that it covers is gone, its fill with it.
// CHECK-LABEL: func.func @mask_covered(
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>
// CHECK-NEXT: %[[Y:.*]] = lm.mask %[[X]] dead <0 to 3> : tensor<?x8xf32>
// CHECK-NEXT: return %[[Y]]
func.func @mask_covered(%x: tensor<?x8xf32>, %c: tensor<2xf32>) -> tensor<?x8xf32> {
  %0 = lm.mask %x dead <3, 1> fill %c : tensor<?x8xf32>, tensor<2xf32>
  %1 = lm.mask %0 dead <0 to 3> : tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}

// The outer fill stays with its mask.
// CHECK-LABEL: func.func @mask_covered_by_fill(
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>, %[[C:.*]]: tensor<2xf32>
// CHECK-NEXT: lm.mask %[[X]] dead <3, 1> fill %[[C]]
func.func @mask_covered_by_fill(%x: tensor<?x8xf32>, %c: tensor<2xf32>) -> tensor<?x8xf32> {
  %0 = lm.mask %x dead <1> : tensor<?x8xf32>
  %1 = lm.mask %0 dead <3, 1> fill %c : tensor<?x8xf32>, tensor<2xf32>
  return %1 : tensor<?x8xf32>
}

// A mixture of zeros and fill must stay two masks, in their order.
// CHECK-LABEL: func.func @mask_mixed(
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>, %[[C:.*]]: tensor<2xf32>
// CHECK-NEXT: %[[A:.*]] = lm.mask %[[X]] dead <3, 1> fill %[[C]]
// CHECK-NEXT: %[[B:.*]] = lm.mask %[[A]] dead <1, 2> :
// CHECK-NEXT: %[[D:.*]] = lm.mask %[[B]] dead <4, 5> fill %[[C]]
// CHECK-NEXT: return %[[D]]
func.func @mask_mixed(%x: tensor<?x8xf32>, %c: tensor<2xf32>) -> tensor<?x8xf32> {
  %0 = lm.mask %x dead <3, 1> fill %c : tensor<?x8xf32>, tensor<2xf32>
  %1 = lm.mask %0 dead <1, 2> : tensor<?x8xf32>
  %2 = lm.mask %1 dead <4, 5> fill %c : tensor<?x8xf32>, tensor<2xf32>
  return %2 : tensor<?x8xf32>
}

// -----

// A constant through a weight without columns is the bias; on token rows the linear stays, because
// a bias alone is no token row; a bias of another type stays too.
lm.tensor private @w : tensor<4x3xf32>
lm.tensor private @b : tensor<4xf32>
lm.tensor private @h : tensor<4xf16>
// CHECK-LABEL: func.func @empty_linear(
// CHECK-SAME: %[[C:.*]]: tensor<0xf32>, %[[X:.*]]: tensor<?x0xf32>
func.func @empty_linear(%c: tensor<0xf32>, %x: tensor<?x0xf32>)
    -> (tensor<4xf32>, tensor<?x4xf32>, tensor<4xf32>) {
  // CHECK-DAG: %[[W:.*]] = lm.weight @w cols <>
  // CHECK-DAG: %[[B:.*]] = lm.weight @b
  // CHECK-DAG: %[[H:.*]] = lm.weight @h
  %w = lm.weight @w cols <> : tensor<4x0xf32>
  %b = lm.weight @b : tensor<4xf32>
  %h = lm.weight @h : tensor<4xf16>
  // CHECK: %[[Y:.*]] = lm.linear %[[X]], %[[W]] bias %[[B]]
  // CHECK: %[[Z:.*]] = lm.linear %[[C]], %[[W]] bias %[[H]]
  // CHECK: return %[[B]], %[[Y]], %[[Z]]
  %0 = lm.linear %c, %w bias %b : tensor<0xf32>, tensor<4x0xf32>, tensor<4xf32> -> tensor<4xf32>
  %1 = lm.linear %x, %w bias %b
    : tensor<?x0xf32>, tensor<4x0xf32>, tensor<4xf32> -> tensor<?x4xf32>
  %2 = lm.linear %c, %w bias %h : tensor<0xf32>, tensor<4x0xf32>, tensor<4xf16> -> tensor<4xf32>
  return %0, %1, %2 : tensor<4xf32>, tensor<?x4xf32>, tensor<4xf32>
}

// -----

// A linear on constants with columns stays: it is evaluated when the bias is written.
lm.tensor private @w : tensor<4x3xf32>
// CHECK-LABEL: func.func @constant_linear(
// CHECK: lm.linear
// CHECK: lm.add
func.func @constant_linear(%c: tensor<3xf32>, %d: tensor<4xf32>) -> tensor<4xf32> {
  %w = lm.weight @w : tensor<4x3xf32>
  %0 = lm.linear %c, %w : tensor<3xf32>, tensor<4x3xf32> -> tensor<4xf32>
  %1 = lm.add %0, %d : tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

// What nobody reads goes, but an observed value stays, inside a block that nobody reads too.
// CHECK-LABEL: func.func @observed(
// CHECK-SAME: %[[X:.*]]: tensor<?x4xf32>
// CHECK-NEXT: lm.block ffn layer 0 (%[[A:.*]] = %[[X]])
// CHECK-NEXT: lm.observe "seen" %[[A]]
// CHECK-NOT: lm.activation
// CHECK-NOT: layer 1
func.func @observed(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = lm.block ffn layer 0 (%a = %x) : tensor<?x4xf32> {
    %1 = lm.observe "seen" %a : tensor<?x4xf32>
    lm.yield %a : tensor<?x4xf32>
  }
  %2 = lm.activation relu %x : tensor<?x4xf32> -> tensor<?x4xf32>
  %3 = lm.block ffn layer 1 (%a = %x) : tensor<?x4xf32> {
    lm.yield %a : tensor<?x4xf32>
  }
  return %x : tensor<?x4xf32>
}
