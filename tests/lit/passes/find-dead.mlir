// Exact zeros of the checkpoint become masks. Inputs/zeros.py says where the zeros are.
// RUN: %python %S/Inputs/zeros.py %t
// RUN: coppice-opt %s --lm-find-dead=checkpoint=%t | FileCheck %s
// RUN: coppice-opt %s --lm-find-dead="checkpoint=%t report=true" 2>&1 >/dev/null | FileCheck %s --check-prefix=COUNT

lm.tensor private @q : tensor<8x2xf32>
lm.tensor private @k : tensor<4x2xf32>
lm.tensor private @v : tensor<4x2xf32>
lm.tensor private @v.bias : tensor<4xf32>
lm.tensor private @v.zero_bias : tensor<4xf32>
lm.tensor private @o : tensor<2x8xf32>
lm.tensor private @up : tensor<4x2xf16>
lm.tensor private @up.bias : tensor<4xf16>
lm.tensor private @down : tensor<2x4xf16>
lm.tensor private @down.transposed : tensor<4x2xf32>
lm.tensor private @gate : tensor<4x2xf32>
lm.tensor private @other : tensor<4x2xf32>
lm.tensor private @gate.bias : tensor<4xf32>
lm.tensor private @other.bias : tensor<4xf32>
lm.tensor private @full : tensor<2x4xf32>

// Heads: 3 in each attention block. Neurons: 3, 1, 3 and 1 in the FFN blocks.
// COUNT: remark: lm-find-dead: heads 9, neurons 8

// CHECK-LABEL: func.func @f(
func.func @f(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %q = lm.weight @q : tensor<8x2xf32>
  %k = lm.weight @k : tensor<4x2xf32>
  %v = lm.weight @v : tensor<4x2xf32>
  %o = lm.weight @o : tensor<2x8xf32>

  // Head 3 is not read. Heads 0 and 1 share constant values: a mask for each, since a fill has an
  // entry once. Head 2 lives. The plan's mask stays the last word.
  // CHECK: lm.block attention layer 0
  %1 = lm.block attention layer 0 (%a = %x) : tensor<?x2xf32> {
    // CHECK-DAG: %[[B:.+]] = lm.weight @v.bias
    // CHECK: %[[A:.+]] = lm.attention
    // CHECK-NEXT: %[[M0:.+]] = lm.mask %[[A]] dead <6, 7> : tensor<?x8xf32>
    // CHECK-NEXT: %[[F0:.+]] = lm.select %[[B]] cols <0, 1>
    // CHECK-NEXT: %[[M1:.+]] = lm.mask %[[M0]] dead <0, 1> fill %[[F0]]
    // CHECK-NEXT: %[[F1:.+]] = lm.select %[[B]] cols <0, 1>
    // CHECK-NEXT: %[[M2:.+]] = lm.mask %[[M1]] dead <2, 3> fill %[[F1]]
    // CHECK-NEXT: %[[P:.+]] = lm.mask %[[M2]] dead <0, 1> : tensor<?x8xf32>
    // CHECK-NEXT: lm.linear %[[P]]
    %b = lm.weight @v.bias : tensor<4xf32>
    %2 = lm.linear %a, %q : tensor<?x2xf32>, tensor<8x2xf32> -> tensor<?x8xf32>
    %3 = lm.linear %a, %k : tensor<?x2xf32>, tensor<4x2xf32> -> tensor<?x4xf32>
    %4 = lm.linear %a, %v bias %b : tensor<?x2xf32>, tensor<4x2xf32>, tensor<4xf32> -> tensor<?x4xf32>
    %5 = lm.attention %2, %3, %4 head_dim 2 kv_map [0, 0, 1, 1] scale 1.0 : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x8xf32>
    %p = lm.mask %5 dead <0, 1> : tensor<?x8xf32>
    %6 = lm.linear %p, %o : tensor<?x8xf32>, tensor<2x8xf32> -> tensor<?x2xf32>
    %7 = lm.add %a, %6 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    lm.yield %7 : tensor<?x2xf32>
  }

  // Without a bias the constant is zero.
  // CHECK: lm.block attention layer 1
  %8 = lm.block attention layer 1 (%a = %1) : tensor<?x2xf32> {
    // CHECK: lm.mask %{{.+}} dead <0 to 3, 6, 7> : tensor<?x8xf32>
    // CHECK-NOT: lm.mask
    %2 = lm.linear %a, %q : tensor<?x2xf32>, tensor<8x2xf32> -> tensor<?x8xf32>
    %3 = lm.linear %a, %k : tensor<?x2xf32>, tensor<4x2xf32> -> tensor<?x4xf32>
    %4 = lm.linear %a, %v : tensor<?x2xf32>, tensor<4x2xf32> -> tensor<?x4xf32>
    %5 = lm.attention %2, %3, %4 head_dim 2 kv_map [0, 0, 1, 1] scale 1.0 : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x8xf32>
    %6 = lm.linear %5, %o : tensor<?x8xf32>, tensor<2x8xf32> -> tensor<?x2xf32>
    %7 = lm.add %a, %6 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    lm.yield %7 : tensor<?x2xf32>
  }

  // A bias of zeros is none.
  // CHECK: lm.block attention layer 2
  %9 = lm.block attention layer 2 (%a = %8) : tensor<?x2xf32> {
    // CHECK: lm.mask %{{.+}} dead <0 to 3, 6, 7> : tensor<?x8xf32>
    // CHECK-NOT: lm.mask
    %b = lm.weight @v.zero_bias : tensor<4xf32>
    %2 = lm.linear %a, %q : tensor<?x2xf32>, tensor<8x2xf32> -> tensor<?x8xf32>
    %3 = lm.linear %a, %k : tensor<?x2xf32>, tensor<4x2xf32> -> tensor<?x4xf32>
    %4 = lm.linear %a, %v bias %b : tensor<?x2xf32>, tensor<4x2xf32>, tensor<4xf32> -> tensor<?x4xf32>
    %5 = lm.attention %2, %3, %4 head_dim 2 kv_map [0, 0, 1, 1] scale 1.0 : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x8xf32>
    %6 = lm.linear %5, %o : tensor<?x8xf32>, tensor<2x8xf32> -> tensor<?x2xf32>
    %7 = lm.add %a, %6 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    lm.yield %7 : tensor<?x2xf32>
  }

  // Neuron 0 is not read, 2 has a zero row and no bias to speak of, 1 is relu(5).
  // CHECK: lm.block ffn layer 0
  %10 = lm.block ffn layer 0 (%a = %9) : tensor<?x2xf32> {
    // CHECK: %[[UB:.+]] = lm.weight @up.bias
    // CHECK: %[[R:.+]] = lm.activation relu %{{.+}} : tensor<?x4xf32>
    // CHECK-NEXT: %[[N0:.+]] = lm.mask %[[R]] dead <0, 2> : tensor<?x4xf32>
    // CHECK-NEXT: %[[S:.+]] = lm.select %[[UB]] cols <1> : tensor<4xf16> -> tensor<1xf16>
    // CHECK-NEXT: %[[F:.+]] = lm.activation relu %[[S]] : tensor<1xf16> -> tensor<1xf32>
    // CHECK-NEXT: lm.mask %[[N0]] dead <1> fill %[[F]]
    %u = lm.weight @up : tensor<4x2xf16>
    %b = lm.weight @up.bias : tensor<4xf16>
    %d = lm.weight @down : tensor<2x4xf16>
    %2 = lm.linear %a, %u bias %b : tensor<?x2xf32>, tensor<4x2xf16>, tensor<4xf16> -> tensor<?x4xf32>
    %3 = lm.activation relu %2 : tensor<?x4xf32> -> tensor<?x4xf32>
    %4 = lm.linear %3, %d : tensor<?x4xf32>, tensor<2x4xf16> -> tensor<?x2xf32>
    %5 = lm.add %a, %4 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    lm.yield %5 : tensor<?x2xf32>
  }

  // Only some rows of the up projection are kept, in another order, and the down projection is read
  // transposed: neurons 0 and 1 are rows 3 and 0 of @up, columns 0 and 2 of what is read of @down.
  // CHECK: lm.block ffn layer 1
  %11 = lm.block ffn layer 1 (%a = %10) : tensor<?x2xf32> {
    // CHECK: lm.mask %{{.+}} dead <1> : tensor<?x2xf32>
    // CHECK-NOT: lm.mask
    %u = lm.weight @up rows <3, 0> : tensor<2x2xf16>
    %d = lm.weight @down.transposed cols <0, 2> transposed : tensor<2x2xf32>
    %2 = lm.linear %a, %u : tensor<?x2xf32>, tensor<2x2xf16> -> tensor<?x2xf32>
    %3 = lm.activation relu %2 : tensor<?x2xf32> -> tensor<?x2xf32>
    %4 = lm.linear %3, %d : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
    %5 = lm.add %a, %4 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    lm.yield %5 : tensor<?x2xf32>
  }

  // Gated without biases: a zero row on either side is a dead neuron.
  // CHECK: lm.block ffn layer 2
  %12 = lm.block ffn layer 2 (%a = %11) : tensor<?x2xf32> {
    // CHECK: %[[M:.+]] = lm.mul
    // CHECK-NEXT: lm.mask %[[M]] dead <0 to 2> : tensor<?x4xf32>
    // CHECK-NOT: lm.mask
    %g = lm.weight @gate : tensor<4x2xf32>
    %u = lm.weight @other : tensor<4x2xf32>
    %d = lm.weight @full : tensor<2x4xf32>
    %2 = lm.linear %a, %g : tensor<?x2xf32>, tensor<4x2xf32> -> tensor<?x4xf32>
    %3 = lm.activation silu %2 : tensor<?x4xf32> -> tensor<?x4xf32>
    %4 = lm.linear %a, %u : tensor<?x2xf32>, tensor<4x2xf32> -> tensor<?x4xf32>
    %5 = lm.mul %3, %4 : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
    %6 = lm.linear %5, %d : tensor<?x4xf32>, tensor<2x4xf32> -> tensor<?x2xf32>
    %7 = lm.add %a, %6 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    lm.yield %7 : tensor<?x2xf32>
  }

  // Gated with biases: constant only where both sides are.
  // CHECK: lm.block ffn layer 3
  %13 = lm.block ffn layer 3 (%a = %12) : tensor<?x2xf32> {
    // CHECK: %[[M:.+]] = lm.mul %{{.+}} : tensor<?x4xf32>
    // CHECK-NEXT: %[[SG:.+]] = lm.select %{{.+}} cols <2>
    // CHECK-NEXT: %[[AG:.+]] = lm.activation silu %[[SG]]
    // CHECK-NEXT: %[[SU:.+]] = lm.select %{{.+}} cols <2>
    // CHECK-NEXT: %[[F:.+]] = lm.mul %[[AG]], %[[SU]] : tensor<1xf32>
    // CHECK-NEXT: lm.mask %[[M]] dead <2> fill %[[F]]
    %g = lm.weight @gate : tensor<4x2xf32>
    %u = lm.weight @other : tensor<4x2xf32>
    %gb = lm.weight @gate.bias : tensor<4xf32>
    %ub = lm.weight @other.bias : tensor<4xf32>
    %d = lm.weight @full : tensor<2x4xf32>
    %2 = lm.linear %a, %g bias %gb : tensor<?x2xf32>, tensor<4x2xf32>, tensor<4xf32> -> tensor<?x4xf32>
    %3 = lm.activation silu %2 : tensor<?x4xf32> -> tensor<?x4xf32>
    %4 = lm.linear %a, %u bias %ub : tensor<?x2xf32>, tensor<4x2xf32>, tensor<4xf32> -> tensor<?x4xf32>
    %5 = lm.mul %3, %4 : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
    %6 = lm.linear %5, %d : tensor<?x4xf32>, tensor<2x4xf32> -> tensor<?x2xf32>
    %7 = lm.add %a, %6 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    lm.yield %7 : tensor<?x2xf32>
  }

  // What must not change: nothing is zero; a skipped block.
  // CHECK: lm.block ffn layer 4
  // CHECK-NOT: lm.mask
  // CHECK: return
  %14 = lm.block ffn layer 4 (%a = %13) : tensor<?x2xf32> {
    %u = lm.weight @full transposed : tensor<4x2xf32>
    %d = lm.weight @full : tensor<2x4xf32>
    %2 = lm.linear %a, %u : tensor<?x2xf32>, tensor<4x2xf32> -> tensor<?x4xf32>
    %3 = lm.activation relu %2 : tensor<?x4xf32> -> tensor<?x4xf32>
    %4 = lm.linear %3, %d : tensor<?x4xf32>, tensor<2x4xf32> -> tensor<?x2xf32>
    %5 = lm.add %a, %4 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    lm.yield %5 : tensor<?x2xf32>
  }
  %15 = lm.block ffn layer 5 skip (%a = %14) : tensor<?x2xf32> {
    %u = lm.weight @gate : tensor<4x2xf32>
    %d = lm.weight @full : tensor<2x4xf32>
    %2 = lm.linear %a, %u : tensor<?x2xf32>, tensor<4x2xf32> -> tensor<?x4xf32>
    %3 = lm.activation relu %2 : tensor<?x4xf32> -> tensor<?x4xf32>
    %4 = lm.linear %3, %d : tensor<?x4xf32>, tensor<2x4xf32> -> tensor<?x2xf32>
    %5 = lm.add %a, %4 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    lm.yield %5 : tensor<?x2xf32>
  }
  return %15 : tensor<?x2xf32>
}
