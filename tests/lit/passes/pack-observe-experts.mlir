// With marks each expert's rows are observed under its own tensors' names; rows that gate and up read
// are the same.
// RUN: coppice-opt %s --lm-observe-inputs --lm-to-pack | FileCheck %s

// CHECK-LABEL: pack.step @gated
// CHECK: %[[G:.+]] = pack.group
// CHECK: %[[R:.+]] = pack.dispatch
// CHECK-DAG: pack.observe "l.experts.0.w1.weight" %[[R]] expert 0 of %[[G]]
// CHECK-DAG: pack.observe "l.experts.0.w3.weight" %[[R]] expert 0 of %[[G]]
// CHECK-DAG: pack.observe "l.experts.2.w1.weight" %[[R]] expert 2 of %[[G]]
// CHECK: %[[P:.+]] = pack.activation
// CHECK: pack.observe "l.experts.0.w2.weight" %[[P]] expert 0 of %[[G]]
// CHECK: pack.observe "l.experts.1.w2.weight" %[[P]] expert 1 of %[[G]]
// CHECK: pack.observe "l.experts.2.w2.weight" %[[P]] expert 2 of %[[G]]
// CHECK: pack.combine
lm.tensor private @"l.gate.weight" : tensor<3x4xf16>
lm.tensor private @"embed.weight" : tensor<16x4xf32>
lm.tensor private @"l.experts.0.w1.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.0.w3.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.0.w2.weight" : tensor<4x6xf16>
lm.tensor private @"l.experts.1.w1.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.1.w3.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.1.w2.weight" : tensor<4x6xf16>
lm.tensor private @"l.experts.2.w1.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.2.w3.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.2.w2.weight" : tensor<4x6xf16>
func.func @gated(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x16xf32> {
  %e = lm.weight @"embed.weight" : tensor<16x4xf32>
  %x = lm.embed %tokens, %e : tensor<?xi32>, tensor<16x4xf32> -> tensor<?x4xf32>
  %wg = lm.weight @"l.gate.weight" : tensor<3x4xf16>
  %s = lm.linear %x, %wg : tensor<?x4xf32>, tensor<3x4xf16> -> tensor<?x3xf32>
  %m = lm.moe %x scores %s top_k 2 : tensor<?x4xf32>, tensor<?x3xf32> -> tensor<?x4xf32> {
  ^bb0(%r: tensor<?x4xf32>):
    %g = lm.weight @"l.experts.0.w1.weight" : tensor<6x4xf16>
    %u = lm.weight @"l.experts.0.w3.weight" : tensor<6x4xf16>
    %d = lm.weight @"l.experts.0.w2.weight" : tensor<4x6xf16>
    %0 = lm.linear %r, %g : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %1 = lm.linear %r, %u : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %2 = lm.activation silu %0 : tensor<?x6xf32> -> tensor<?x6xf32>
    %3 = lm.mul %2, %1 : tensor<?x6xf32>, tensor<?x6xf32> -> tensor<?x6xf32>
    %4 = lm.linear %3, %d : tensor<?x6xf32>, tensor<4x6xf16> -> tensor<?x4xf32>
    lm.yield %4 : tensor<?x4xf32>
  }, {
  ^bb0(%r: tensor<?x4xf32>):
    %g = lm.weight @"l.experts.1.w1.weight" : tensor<6x4xf16>
    %u = lm.weight @"l.experts.1.w3.weight" : tensor<6x4xf16>
    %d = lm.weight @"l.experts.1.w2.weight" : tensor<4x6xf16>
    %0 = lm.linear %r, %g : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %1 = lm.linear %r, %u : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %2 = lm.activation silu %0 : tensor<?x6xf32> -> tensor<?x6xf32>
    %3 = lm.mul %2, %1 : tensor<?x6xf32>, tensor<?x6xf32> -> tensor<?x6xf32>
    %4 = lm.linear %3, %d : tensor<?x6xf32>, tensor<4x6xf16> -> tensor<?x4xf32>
    lm.yield %4 : tensor<?x4xf32>
  }, {
  ^bb0(%r: tensor<?x4xf32>):
    %g = lm.weight @"l.experts.2.w1.weight" : tensor<6x4xf16>
    %u = lm.weight @"l.experts.2.w3.weight" : tensor<6x4xf16>
    %d = lm.weight @"l.experts.2.w2.weight" : tensor<4x6xf16>
    %0 = lm.linear %r, %g : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %1 = lm.linear %r, %u : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %2 = lm.activation silu %0 : tensor<?x6xf32> -> tensor<?x6xf32>
    %3 = lm.mul %2, %1 : tensor<?x6xf32>, tensor<?x6xf32> -> tensor<?x6xf32>
    %4 = lm.linear %3, %d : tensor<?x6xf32>, tensor<4x6xf16> -> tensor<?x4xf32>
    lm.yield %4 : tensor<?x4xf32>
  }
  %h = lm.add %x, %m : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  %l = lm.linear %h, %e : tensor<?x4xf32>, tensor<16x4xf32> -> tensor<?x16xf32>
  return %l : tensor<?x16xf32>
}
