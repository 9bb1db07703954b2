// Which caches become rings, where they lie, and how long they are.
// RUN: coppice-opt %s --pack-plan-memory | FileCheck %s
// RUN: coppice-opt %s --pack-plan-memory='context=613' | FileCheck %s
// RUN: coppice-opt %s --pack-plan-memory='context=612 largest-step=540' | FileCheck %s --check-prefix=SOME
// RUN: coppice-opt %s --pack-plan-memory='context=576' | FileCheck %s --check-prefix=NONE
// RUN: not coppice-opt %s --pack-plan-memory='largest-step=0' 2>&1 | FileCheck %s --check-prefix=STEP

lm.tensor private @"v" : tensor<20xf32>

// The widest window that is in a ring, 64, and 512 rows are 576 positions, and all rings have as
// many. Offsets among rings are their own: 80 bytes of bf16, then 56 of i8 and its scales.
// CHECK-LABEL: pack.step @model
// CHECK-SAME: kv = 320 : i64
// CHECK-SAME: largestStep = 512 : i64
// CHECK-SAME: ring = 136 : i64
// CHECK-SAME: ringPositions = 576 : i64
// A window of 64 and 540 rows are 640 positions, as many as the context in whole blocks, and so no
// ring; 30 and 540 are 576.
// SOME-LABEL: pack.step @model
// SOME-SAME: kv = 400 : i64
// SOME-SAME: largestStep = 540 : i64
// SOME-SAME: ring = 56 : i64
// SOME-SAME: ringPositions = 576 : i64
// A ring that is no shorter than the context is none.
// NONE-LABEL: pack.step @model
// NONE-NOT: ring
// STEP: context is 0 and largest-step 0; they lie from 0 and 1 to 2147483631
pack.step @model {
  %v = lm.weight @v : tensor<20xf32>
  %e = pack.weight "embed" %v : tensor<20xf32> -> !pack.weight<1 by 20 by f32, rows>
  %m = pack.constant "kv_map" [0, 1, 2, 0, 1] : !pack.weight<1 by 5 by i32, rows>
  %x = pack.embed token of %e offset 0 : !pack.weight<1 by 20 by f32, rows> -> !pack.buffer<20, all>
  // Its attention sees everything.
  // CHECK: pack.kv_write %{{.+}} {place = 0 : i64}
  %plain = pack.kv_write %x, %x : !pack.buffer<20, all>, !pack.buffer<20, all> -> !pack.cache<2 by 10 by f32>
  %a = pack.attention %x over %plain kv_map %m : !pack.weight<1 by 5 by i32, rows> scale 1.0 : !pack.buffer<20, all>, !pack.cache<2 by 10 by f32> -> !pack.buffer<20, all>
  // CHECK: pack.kv_write %{{.+}} {place = 0 : i64, ring}
  // SOME: pack.kv_write %{{.+}} {place = 0 : i64}
  // SOME: pack.kv_write %{{.+}} {place = 160 : i64}
  %wide = pack.kv_write %a, %a : !pack.buffer<20, all>, !pack.buffer<20, all> -> !pack.cache<2 by 10 by bf16>
  %b = pack.attention %a over %wide kv_map %m : !pack.weight<1 by 5 by i32, rows> scale 1.0 window 64 : !pack.buffer<20, all>, !pack.cache<2 by 10 by bf16> -> !pack.buffer<20, all>
  // CHECK: pack.kv_write %{{.+}} {place = 80 : i64, ring}
  // SOME: pack.kv_write %{{.+}} {place = 0 : i64, ring}
  %narrow = pack.kv_write %b, %b : !pack.buffer<20, all>, !pack.buffer<20, all> -> !pack.cache<2 by 10 by i8>
  %c = pack.attention %b over %narrow kv_map %m : !pack.weight<1 by 5 by i32, rows> scale 1.0 window 30 : !pack.buffer<20, all>, !pack.cache<2 by 10 by i8> -> !pack.buffer<20, all>
  // One of two that read it sees everything.
  // CHECK: pack.kv_write %{{.+}} {place = 160 : i64}
  // SOME: pack.kv_write %{{.+}} {place = 240 : i64}
  %both = pack.kv_write %c, %c : !pack.buffer<20, all>, !pack.buffer<20, all> -> !pack.cache<2 by 10 by f32>
  %d = pack.attention %c over %both kv_map %m : !pack.weight<1 by 5 by i32, rows> scale 1.0 window 30 : !pack.buffer<20, all>, !pack.cache<2 by 10 by f32> -> !pack.buffer<20, all>
  %f = pack.attention %d over %both kv_map %m : !pack.weight<1 by 5 by i32, rows> scale 1.0 : !pack.buffer<20, all>, !pack.cache<2 by 10 by f32> -> !pack.buffer<20, all>
  %g = pack.gather %f : !pack.buffer<20, all> -> !pack.buffer<20, logits>
  %w = pack.weight "w" %v : tensor<20xf32> -> !pack.weight<1 by 20 by f32, panels>
  %l = pack.linear %g, %w : !pack.buffer<20, logits>, !pack.weight<1 by 20 by f32, panels> -> !pack.buffer<1, logits>
  pack.return %l : !pack.buffer<1, logits>
}
