// A step as lm-to-pack makes it passes, and is not changed.
// RUN: coppice-opt %s --pack-verify-step | FileCheck %s

lm.tensor private @"w" : tensor<4x4xf32>

// CHECK-LABEL: pack.step @model
// CHECK-NEXT: lm.weight
// CHECK-NEXT: pack.weight
// CHECK-NEXT: pack.weight
// CHECK-NEXT: pack.embed
// CHECK-NEXT: pack.linear
// CHECK-NEXT: pack.return
pack.step @model {
  %w = lm.weight @w : tensor<4x4xf32>
  %e = pack.weight "embed" %w : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %p = pack.weight "head" %w : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, panels>
  %x = pack.embed token of %e offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  %l = pack.linear %x, %p : !pack.buffer<4, logits>, !pack.weight<4 by 4 by f32, panels> -> !pack.buffer<4, logits>
  pack.return %l : !pack.buffer<4, logits>
}
