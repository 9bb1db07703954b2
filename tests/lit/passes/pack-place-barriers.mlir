// Stages that touch none of each other's bytes start together.
// RUN: coppice-opt %s --pack-plan-memory --pack-place-barriers --pack-verify-schedule | FileCheck %s

lm.tensor private @m : tensor<16x16xf32>

// CHECK-LABEL: pack.step @model
pack.step @model {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %map = pack.constant "kv_map" [0, 1, 0] : !pack.weight<1 by 3 by i32, rows>
  // The first stage of a step waits for nothing, and joins nothing.
  // CHECK: pack.embed
  // CHECK-NOT: pack.joined
  // CHECK-SAME: ->
  %x = pack.embed token of %w offset 0 : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, all>
  // CHECK: pack.norm
  // CHECK-NOT: pack.joined
  // CHECK-SAME: ->
  %n = pack.norm layer %x eps 1.0e-5 : !pack.buffer<16, all> -> !pack.buffer<16, all>
  // Reads what the norm writes; key and value beside it read the same and write elsewhere.
  // CHECK: pack.linear
  // CHECK-NOT: pack.joined
  // CHECK-SAME: ->
  %q = pack.linear %n, %w : !pack.buffer<16, all>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, all>
  // CHECK-NEXT: pack.linear %{{.+}} {pack.joined, place
  %k = pack.linear %n, %w : !pack.buffer<16, all>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, all>
  // CHECK-NEXT: pack.linear %{{.+}} {pack.joined, place
  %v = pack.linear %n, %w : !pack.buffer<16, all>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, all>
  // The cache is written by one and read by the other.
  // CHECK: pack.kv_write
  // CHECK-NOT: pack.joined
  // CHECK-SAME: ->
  %c = pack.kv_write %k, %v : !pack.buffer<16, all>, !pack.buffer<16, all> -> !pack.cache<1 by 16 by f32>
  // CHECK: pack.attention
  // CHECK-NOT: pack.joined
  // CHECK-SAME: ->
  %a = pack.attention %q over %c kv_map %map : !pack.weight<1 by 3 by i32, rows> scale 0.25 : !pack.buffer<16, all>, !pack.cache<1 by 16 by f32> -> !pack.buffer<16, all>
  // CHECK: pack.gather
  // CHECK-NOT: pack.joined
  // CHECK-SAME: ->
  %g = pack.gather %a : !pack.buffer<16, all> -> !pack.buffer<16, logits>
  // CHECK: pack.linear
  // CHECK-NOT: pack.joined
  // CHECK-SAME: ->
  %l = pack.linear %g, %w : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}
