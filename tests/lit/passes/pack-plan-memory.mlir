// Places by liveness; weights in the order of their use; results on operands that end.
// RUN: coppice-opt %s --pack-plan-memory | FileCheck %s

lm.tensor private @"w" : tensor<20x20xf32>
lm.tensor private @"v" : tensor<20xf32>

// CHECK-LABEL: pack.step @model
// Two buffers of 20 floats (128 bytes) live at once; 2 heads of 10, keys and values.
// CHECK-SAME: arena = 256 : i64
// CHECK-SAME: kv = 296 : i64
pack.step @model {
  %w = lm.weight @w : tensor<20x20xf32>
  %v = lm.weight @v : tensor<20xf32>
  // Never used by a stage: no place.
  // CHECK: pack.weight "unused" %{{.+}} : tensor<20xf32>
  %unused = pack.weight "unused" %v : tensor<20xf32> -> !pack.weight<1 by 20 by f32, rows>
  // Used second: after the 80 bytes of the scale, at the next multiple of 64.
  // CHECK: pack.weight "w" %{{.+}} {offset = 128 : i64}
  %pw = pack.weight "w" %w : tensor<20x20xf32> -> !pack.weight<20 by 20 by f32, panels>
  // CHECK: pack.weight "embed" %{{.+}} {offset = 0 : i64}
  %e = pack.weight "embed" %v : tensor<20xf32> -> !pack.weight<1 by 20 by f32, rows>
  %x = pack.embed token of %e offset 0 : !pack.weight<1 by 20 by f32, rows> -> !pack.buffer<20, all>
  // CHECK: pack.norm layer %{{.+}} {place = 128 : i64}
  %n = pack.norm layer %x eps 1.0e-5 : !pack.buffer<20, all> -> !pack.buffer<20, all>
  // A cache's place counts bytes per position: 2 * 2 * 10 elements, and for i8 two scales a head.
  // CHECK: pack.kv_write %{{.+}} {place = 0 : i64}
  %c = pack.kv_write %n, %n : !pack.buffer<20, all>, !pack.buffer<20, all> -> !pack.cache<2 by 10 by f32>
  // CHECK: pack.kv_write %{{.+}} {place = 160 : i64}
  %c16 = pack.kv_write %n, %n : !pack.buffer<20, all>, !pack.buffer<20, all> -> !pack.cache<2 by 10 by bf16>
  // CHECK: pack.kv_write %{{.+}} {place = 240 : i64}
  %c8 = pack.kv_write %n, %n : !pack.buffer<20, all>, !pack.buffer<20, all> -> !pack.cache<2 by 10 by i8>
  // The residual ends here, so the result lies on it; the input may not be overwritten.
  // CHECK: pack.linear %{{.+}} residual %{{.+}} {place = 0 : i64}
  %y = pack.linear %n, %pw residual %x : !pack.buffer<20, all> : !pack.buffer<20, all>, !pack.weight<20 by 20 by f32, panels> -> !pack.buffer<20, all>
  // Input and residual are one buffer: the result needs its own place.
  // CHECK: pack.linear %{{.+}} residual %{{.+}} {place = 128 : i64}
  %z = pack.linear %y, %pw residual %y : !pack.buffer<20, all> : !pack.buffer<20, all>, !pack.weight<20 by 20 by f32, panels> -> !pack.buffer<20, all>
  // CHECK: pack.gather %{{.+}} {place = 0 : i64}
  %g = pack.gather %z : !pack.buffer<20, all> -> !pack.buffer<20, logits>
  // The logits have no place in the arena.
  // CHECK: pack.linear %{{[a-z0-9_]+}}, %{{[a-z0-9_]+}} : {{(!pack.buffer)?}}<20, logits>
  %l = pack.linear %g, %pw : !pack.buffer<20, logits>, !pack.weight<20 by 20 by f32, panels> -> !pack.buffer<20, logits>
  pack.return %l : !pack.buffer<20, logits>
}
