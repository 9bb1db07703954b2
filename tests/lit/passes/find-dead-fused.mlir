// Exact zeros in fused tensors: each linear sees its own rows of them, transposed or not.
// Inputs/zeros_fused.py says where the zeros are.
// RUN: %python %S/Inputs/zeros_fused.py %t
// RUN: coppice-opt %s --lm-find-dead=checkpoint=%t | FileCheck %s

lm.tensor private @interleaved : tensor<18x2xf32>
lm.tensor private @thirds : tensor<2x18xf32>
lm.tensor private @out : tensor<2x6xf32>
lm.tensor private @out.transposed : tensor<6x2xf32>
lm.tensor private @gate_up : tensor<6x2xf32>
lm.tensor private @down : tensor<2x3xf32>

// CHECK-LABEL: func.func @f(
func.func @f(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  // Query, key and value of a head lie together; head 1's values are zero.
  // CHECK: lm.block attention layer 0
  %1 = lm.block attention layer 0 (%a = %x) : tensor<?x2xf32> {
    // CHECK: lm.mask %{{.+}} dead <2, 3> : tensor<?x6xf32>
    // CHECK-NOT: lm.mask
    %wq = lm.weight @interleaved rows <0, 1, 6, 7, 12, 13> : tensor<6x2xf32>
    %wk = lm.weight @interleaved rows <2, 3, 8, 9, 14, 15> : tensor<6x2xf32>
    %wv = lm.weight @interleaved rows <4, 5, 10, 11, 16, 17> : tensor<6x2xf32>
    %wo = lm.weight @out : tensor<2x6xf32>
    %q = lm.linear %a, %wq : tensor<?x2xf32>, tensor<6x2xf32> -> tensor<?x6xf32>
    %k = lm.linear %a, %wk : tensor<?x2xf32>, tensor<6x2xf32> -> tensor<?x6xf32>
    %v = lm.linear %a, %wv : tensor<?x2xf32>, tensor<6x2xf32> -> tensor<?x6xf32>
    %h = lm.attention %q, %k, %v head_dim 2 kv_map [0, 1, 2] scale 1.0 : tensor<?x6xf32>, tensor<?x6xf32>, tensor<?x6xf32> -> tensor<?x6xf32>
    %o = lm.linear %h, %wo : tensor<?x6xf32>, tensor<2x6xf32> -> tensor<?x2xf32>
    %y = lm.add %a, %o : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    lm.yield %y : tensor<?x2xf32>
  }

  // Stored [in, out], thirds side by side: head 2's values are zero, head 0 is not read.
  // CHECK: lm.block attention layer 1
  %2 = lm.block attention layer 1 (%a = %1) : tensor<?x2xf32> {
    // CHECK: lm.mask %{{.+}} dead <0, 1, 4, 5> : tensor<?x6xf32>
    // CHECK-NOT: lm.mask
    %wq = lm.weight @thirds rows <0 to 5> transposed : tensor<6x2xf32>
    %wk = lm.weight @thirds rows <6 to 11> transposed : tensor<6x2xf32>
    %wv = lm.weight @thirds rows <12 to 17> transposed : tensor<6x2xf32>
    %wo = lm.weight @out.transposed transposed : tensor<2x6xf32>
    %q = lm.linear %a, %wq : tensor<?x2xf32>, tensor<6x2xf32> -> tensor<?x6xf32>
    %k = lm.linear %a, %wk : tensor<?x2xf32>, tensor<6x2xf32> -> tensor<?x6xf32>
    %v = lm.linear %a, %wv : tensor<?x2xf32>, tensor<6x2xf32> -> tensor<?x6xf32>
    %h = lm.attention %q, %k, %v head_dim 2 kv_map [0, 1, 2] scale 1.0 : tensor<?x6xf32>, tensor<?x6xf32>, tensor<?x6xf32> -> tensor<?x6xf32>
    %o = lm.linear %h, %wo : tensor<?x6xf32>, tensor<2x6xf32> -> tensor<?x2xf32>
    %y = lm.add %a, %o : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    lm.yield %y : tensor<?x2xf32>
  }

  // Gate and up in one tensor, in a block that reads what the attention block read.
  // CHECK: lm.block ffn layer 1
  %3 = lm.block ffn layer 1 (%a = %2) : tensor<?x2xf32> {
    // CHECK: lm.mask %{{.+}} dead <0, 2> : tensor<?x3xf32>
    // CHECK-NOT: lm.mask
    %wg = lm.weight @gate_up rows <0 to 2> : tensor<3x2xf32>
    %wu = lm.weight @gate_up rows <3 to 5> : tensor<3x2xf32>
    %wd = lm.weight @down : tensor<2x3xf32>
    %g = lm.linear %1, %wg : tensor<?x2xf32>, tensor<3x2xf32> -> tensor<?x3xf32>
    %u = lm.linear %1, %wu : tensor<?x2xf32>, tensor<3x2xf32> -> tensor<?x3xf32>
    %c = lm.activation silu %g : tensor<?x3xf32> -> tensor<?x3xf32>
    %p = lm.mul %c, %u : tensor<?x3xf32>, tensor<?x3xf32> -> tensor<?x3xf32>
    %d = lm.linear %p, %wd : tensor<?x3xf32>, tensor<2x3xf32> -> tensor<?x2xf32>
    %y = lm.add %a, %d : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    lm.yield %y : tensor<?x2xf32>
  }
  return %3 : tensor<?x2xf32>
}
