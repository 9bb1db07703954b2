// Tensors that nothing reads are dropped by the upstream pass, and what is read stays: removal needs
// no pass of its own for that.
// RUN: coppice-opt %s --canonicalize --cse --symbol-dce | FileCheck %s

// CHECK-NOT: @dead
// CHECK: lm.tensor private @live
// CHECK-NOT: @dead
lm.tensor private @dead : tensor<2x2xf32>
lm.tensor private @live : tensor<2x2xf32>
// Read only for a value that nothing reads.
lm.tensor private @dead.too : tensor<2xf32>
func.func @f(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  // Two reads of one weight are one.
  // CHECK: %[[W:.+]] = lm.weight @live
  // CHECK: %[[L:.+]] = lm.linear %{{.+}}, %[[W]]
  // CHECK: lm.linear %[[L]], %[[W]]
  %w = lm.weight @live : tensor<2x2xf32>
  %v = lm.weight @live : tensor<2x2xf32>
  %n = lm.weight @dead.too : tensor<2xf32>
  %0 = lm.rms_norm %x scale %n eps 1.0e-05 : tensor<?x2xf32>, tensor<2xf32> -> tensor<?x2xf32>
  %1 = lm.linear %x, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
  %2 = lm.linear %1, %v : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
  return %2 : tensor<?x2xf32>
}
