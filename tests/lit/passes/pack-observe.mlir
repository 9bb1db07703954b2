// A mark keeps what it marks: alive in the plan of memory up to its place, and out of fusion.
// RUN: coppice-opt %s --pack-fuse-quantize --pack-plan-memory | FileCheck %s

lm.tensor private @"w" : tensor<16x16xf32>

// CHECK-LABEL: pack.step @lives
pack.step @lives {
  %w = lm.weight @w : tensor<16x16xf32>
  %t = pack.weight "t" %w : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, rows>
  %p = pack.weight "w" %w : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  // CHECK: pack.embed {{.+}} {place = 0 : i64}
  %x = pack.embed token of %t offset 0 : !pack.weight<16 by 16 by f32, rows> -> !pack.buffer<16, logits>
  // The activation may not lie on what is still to be seen, though no stage reads it again.
  // CHECK: pack.activation relu {{.+}} {place = 64 : i64}
  %a = pack.activation relu %x : !pack.buffer<16, logits> -> !pack.buffer<16, logits>
  // CHECK-NEXT: pack.observe "x" %{{.+}} : {{(!pack.buffer)?}}<16, logits>
  pack.observe "x" %x : !pack.buffer<16, logits>
  // Here it has ended.
  // CHECK-NEXT: pack.norm layer {{.+}} {place = 0 : i64}
  %n = pack.norm layer %a eps 1.0e-5 : !pack.buffer<16, logits> -> !pack.buffer<16, logits>
  // CHECK-NEXT: pack.observe "n"
  pack.observe "n" %n : !pack.buffer<16, logits>
  %l = pack.linear %n, %p : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}

lm.tensor private @"e" : tensor<16x16xf32>

// Rows that are looked at are written out plainly, and quantized after.
// CHECK-LABEL: pack.step @plain
pack.step @plain {
  %w = lm.weight @e : tensor<16x16xf32>
  %t = pack.weight "t" %w : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, rows>
  %p = pack.weight "w" %w : tensor<16x16xf32> -> !pack.weight<16 by 16 by i4, panels>
  %x = pack.embed token of %t offset 0 : !pack.weight<16 by 16 by f32, rows> -> !pack.buffer<16, logits>
  // CHECK: %[[N:.+]] = pack.norm layer {{.+}} : {{.*}}<16, logits> -> {{(!pack.buffer)?}}<16, logits>
  %n = pack.norm layer %x eps 1.0e-5 : !pack.buffer<16, logits> -> !pack.buffer<16, logits>
  // CHECK-NEXT: pack.observe "n" %[[N]]
  pack.observe "n" %n : !pack.buffer<16, logits>
  // CHECK-NEXT: pack.quantize %[[N]]
  %q = pack.quantize %n : !pack.buffer<16, logits> -> !pack.quantized<16 zero 8, logits>
  %l = pack.linear %q, %p : !pack.quantized<16 zero 8, logits>, !pack.weight<16 by 16 by i4, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}
