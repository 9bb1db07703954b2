// The ops of experts, written and read back.
// RUN: coppice-opt %s | coppice-opt | FileCheck %s

lm.tensor private @a : tensor<6x4xf16>
lm.tensor private @b : tensor<6x4xf16>
lm.tensor private @m : tensor<4x4xf32>
// CHECK-LABEL: pack.step @experts
pack.step @experts {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %st = pack.constant "s" [0, 0, 0] : !pack.weight<1 by 3 by f32, rows>
  %s = pack.embed token of %st offset 0 : !pack.weight<1 by 3 by f32, rows> -> !pack.buffer<3, all>
  // CHECK: %[[C:.+]] = pack.route %{{.+}} normalize : {{.*}} -> {{(!pack.choices)?}}<2 of 3, all>
  %c = pack.route %s normalize : !pack.buffer<3, all> -> !pack.choices<2 of 3, all>
  // CHECK: %[[G:.+]] = pack.group %[[C]] : {{.*}} -> {{(!pack.groups)?}}<2 of 3, all>
  %g = pack.group %c : !pack.choices<2 of 3, all> -> !pack.groups<2 of 3, all>
  // CHECK: %[[R:.+]] = pack.dispatch %{{.+}} by %[[G]] {{.*}} -> {{(!pack.buffer)?}}<4, routed>
  %r = pack.dispatch %x by %g : !pack.buffer<4, all>, !pack.groups<2 of 3, all> -> !pack.buffer<4, routed>
  // CHECK: pack.observe "a" %[[R]] expert 2 of %[[G]]
  pack.observe "a" %r expert 2 of %g : !pack.groups<2 of 3, all> : !pack.buffer<4, routed>
  // CHECK: %[[W:.+]] = pack.weight "experts" %{{.+}}, %{{.+}}, %{{.+}} : {{.*}} -> {{(!pack.weight)?}}<6 by 4 by f16, panels, 3>
  %a = lm.weight @a : tensor<6x4xf16>
  %b = lm.weight @b : tensor<6x4xf16>
  %w = pack.weight "experts" %a, %b, %a : tensor<6x4xf16>, tensor<6x4xf16>, tensor<6x4xf16> -> !pack.weight<6 by 4 by f16, panels, 3>
  // CHECK: %[[Y:.+]] = pack.expert_linear %[[R]], %[[W]] by %[[G]]
  %y = pack.expert_linear %r, %w by %g : !pack.buffer<4, routed>, !pack.weight<6 by 4 by f16, panels, 3>, !pack.groups<2 of 3, all> -> !pack.buffer<6, routed>
  %ht = pack.constant "t" [0, 0, 0, 0, 0, 0] : !pack.weight<1 by 6 by f32, rows>
  %h = pack.embed token of %ht offset 0 : !pack.weight<1 by 6 by f32, rows> -> !pack.buffer<6, all>
  // CHECK: pack.combine %[[Y]], %[[C]] by %[[G]] residual %{{.+}}
  %z = pack.combine %y, %c by %g residual %h : !pack.buffer<6, all> : !pack.buffer<6, routed>, !pack.choices<2 of 3, all>, !pack.groups<2 of 3, all> -> !pack.buffer<6, all>
  %ew = lm.weight @m : tensor<4x4xf32>
  %ep = pack.weight "e" %ew : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ep offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}
