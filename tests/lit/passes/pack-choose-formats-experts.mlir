// Formats of the experts of a layer, which have one.
// RUN: coppice-opt %s --lm-to-pack --pack-choose-formats=weights=i8,*.w2.weight=f32,l.gate.weight=f32 | FileCheck %s
// RUN: not coppice-opt %s --lm-to-pack --pack-choose-formats=weights=i8,*.1.w2.weight=f32 2>&1 | FileCheck %s --check-prefix=DIFFER

// A pattern may name a role of all experts, or the router.
// CHECK-LABEL: pack.step @gated
// CHECK: pack.linear {{.*}}<3 by 4 by f32, panels>
// CHECK: pack.expert_linear {{.*}}<6 by 4 by i8, panels, 3>
// CHECK: pack.expert_linear {{.*}}<4 by 6 by f32, panels, 3>
// DIFFER: weights: the patterns give 'l.experts.0.w2.weight' and 'l.experts.1.w2.weight' different formats; the experts of a layer have one
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
  %m = lm.moe %x scores %s top_k 2 normalize : tensor<?x4xf32>, tensor<?x3xf32> -> tensor<?x4xf32> {
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
