// Experts as stages: the choice, the rows in the order of experts, and one weight for all matrices.
// RUN: coppice-opt %s --split-input-file --lm-to-pack | FileCheck %s
// RUN: coppice-opt %s --split-input-file --lm-to-pack --pack-choose-formats=weights=i4 --pack-fuse-quantize | FileCheck %s --check-prefix=I4
// RUN: coppice-opt %s --split-input-file --lm-to-pack --pack-choose-formats=weights=i4 --pack-fuse-quantize --pack-verify-step --pack-plan-memory --pack-place-barriers --pack-verify-schedule | FileCheck %s --check-prefix=PLAN

// The residual is added by the last stage. In i4 the router stays as stored, rows are quantized before
// they are sent to experts, beside the router and without a barrier, and the gated product quantizes
// what it makes. Routed rows take twice the arena's bytes.
// CHECK-LABEL: pack.step @gated
// I4-LABEL: pack.step @gated
// PLAN-LABEL: pack.step @gated
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
  // CHECK: %[[X:.+]] = pack.embed {{.*}} -> {{(!pack.buffer)?}}<4, logits>
  // CHECK: %[[S:.+]] = pack.linear %[[X]], %{{.+}} -> {{(!pack.buffer)?}}<3, logits>
  // CHECK: %[[C:.+]] = pack.route %[[S]] normalize : {{.*}} -> {{(!pack.choices)?}}<2 of 3, logits>
  // CHECK: %[[G:.+]] = pack.group %[[C]] : {{.*}} -> {{(!pack.groups)?}}<2 of 3, logits>
  // CHECK: %[[R:.+]] = pack.dispatch %[[X]] by %[[G]] {{.*}} -> {{(!pack.buffer)?}}<4, routed_logits>
  // CHECK: %[[W1:.+]] = pack.weight "experts.w1" %{{.+}}, %{{.+}}, %{{.+}} : {{.*}} -> {{(!pack.weight)?}}<6 by 4 by f16, panels, 3>
  // CHECK: %[[A:.+]] = pack.expert_linear %[[R]], %[[W1]] by %[[G]] {{.*}} -> {{(!pack.buffer)?}}<6, routed_logits>
  // CHECK: %[[W3:.+]] = pack.weight "experts.w3"
  // CHECK: %[[B:.+]] = pack.expert_linear %[[R]], %[[W3]] by %[[G]]
  // CHECK: %[[P:.+]] = pack.activation silu %[[A]] times %[[B]]
  // CHECK: %[[W2:.+]] = pack.weight "experts.w2" {{.*}} -> {{(!pack.weight)?}}<4 by 6 by f16, panels, 3>
  // CHECK: %[[D:.+]] = pack.expert_linear %[[P]], %[[W2]] by %[[G]]
  // CHECK: pack.combine %[[D]], %[[C]] by %[[G]] residual %[[X]]
  // I4: %[[X:.+]] = pack.embed
  // I4: pack.linear %[[X]], %{{.+}} : {{.*}}, {{(!pack.weight)?}}<3 by 4 by f16, panels>
  // I4: %[[Q:.+]] = pack.quantize %[[X]]
  // I4: pack.route
  // I4: %[[R:.+]] = pack.dispatch %[[Q]] by %{{.+}} -> {{(!pack.quantized)?}}<4 zero 8, routed_logits>
  // I4: pack.expert_linear %[[R]], {{.*}}, {{(!pack.weight)?}}<6 by 4 by i4, panels, 3>
  // I4: pack.activation {{.*}} -> {{(!pack.quantized)?}}<6 zero 8, routed_logits>
  // I4: pack.expert_linear
  // PLAN: pack.quantize {{.*}} {pack.joined, place
  // PLAN: pack.route
  // PLAN-NOT: pack.joined
  // PLAN: pack.group
  // PLAN: pack.dispatch {{.*}} {place = [[P:[0-9]+]] : i64}
  // PLAN: pack.expert_linear {{.*}} {place = [[A:[0-9]+]] : i64}
  // PLAN: pack.expert_linear {{.*}} {pack.joined, place = [[B:[0-9]+]] : i64}
  // PLAN-NOT: pack.joined
  // PLAN: pack.return
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

// -----

// Dead experts' scores are minus infinity in the choice, and there alone; without something to add to
// there is no residual.
// CHECK-LABEL: pack.step @masked
// I4-LABEL: pack.step @masked
// PLAN-LABEL: pack.step @masked
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
func.func @masked(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x16xf32> {
  %e = lm.weight @"embed.weight" : tensor<16x4xf32>
  %x = lm.embed %tokens, %e : tensor<?xi32>, tensor<16x4xf32> -> tensor<?x4xf32>
  %wg = lm.weight @"l.gate.weight" : tensor<3x4xf16>
  %s = lm.linear %x, %wg : tensor<?x4xf32>, tensor<3x4xf16> -> tensor<?x3xf32>
  // CHECK: %[[S:.+]] = pack.linear
  // CHECK-DAG: %[[I:.+]] = pack.constant "mask" [1] : {{.*}}i32
  // CHECK-DAG: %[[F:.+]] = pack.constant "mask" [-8388608] : {{.*}}f32
  // CHECK: %[[M:.+]] = pack.mask %[[S]] by %[[I]] fill %[[F]]
  // CHECK: pack.route %[[M]] : {{.*}} -> {{(!pack.choices)?}}<2 of 3, logits>
  // CHECK: pack.combine
  // CHECK-NOT: residual
  // I4: pack.linear {{.*}}<3 by 4 by f16, panels>
  %m = lm.moe %x scores %s top_k 2 dead <1> : tensor<?x4xf32>, tensor<?x3xf32> -> tensor<?x4xf32> {
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
  %h = lm.activation relu %m : tensor<?x4xf32> -> tensor<?x4xf32>
  %l = lm.linear %h, %e : tensor<?x4xf32>, tensor<16x4xf32> -> tensor<?x16xf32>
  return %l : tensor<?x16xf32>
}
