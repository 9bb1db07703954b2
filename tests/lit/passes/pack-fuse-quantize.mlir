// Norms and activations quantize what they make if nothing else reads it.
// RUN: coppice-opt %s --pack-fuse-quantize | FileCheck %s

lm.tensor private @m : tensor<4x4xf32>

// CHECK-LABEL: pack.step @model
pack.step @model {
  %w = lm.weight @m : tensor<4x4xf32>
  %p = pack.weight "m" %w : tensor<4x4xf32> -> !pack.weight<4 by 4 by i4, panels>
  %e = pack.weight "e" %w : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %x = pack.embed token of %e offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  // CHECK: %[[N:.+]] = pack.norm layer %{{.+}} -> {{.*}}<4 zero 8, logits>
  // CHECK-NEXT: %[[A:.+]] = pack.linear %[[N]]
  %n = pack.norm layer %x eps 1.0e-5 : !pack.buffer<4, logits> -> !pack.buffer<4, logits>
  %nq = pack.quantize %n : !pack.buffer<4, logits> -> !pack.quantized<4 zero 8, logits>
  %a = pack.linear %nq, %p : !pack.quantized<4 zero 8, logits>, !pack.weight<4 by 4 by i4, panels> -> !pack.buffer<4, logits>
  // CHECK-NEXT: %[[S:.+]] = pack.activation silu %[[A]] times %{{.+}} -> {{.*}}<4 zero 8, logits>
  // CHECK-NEXT: %[[B:.+]] = pack.linear %[[S]]
  %s = pack.activation silu %a times %x : !pack.buffer<4, logits> : !pack.buffer<4, logits> -> !pack.buffer<4, logits>
  %sq = pack.quantize %s : !pack.buffer<4, logits> -> !pack.quantized<4 zero 8, logits>
  %b = pack.linear %sq, %p : !pack.quantized<4 zero 8, logits>, !pack.weight<4 by 4 by i4, panels> -> !pack.buffer<4, logits>
  // The residual reads the norm's plain rows too: it stays as it is.
  // CHECK-NEXT: %[[M:.+]] = pack.norm layer %[[B]] {{.*}} -> {{.*}}<4, logits>
  // CHECK-NEXT: %[[MQ:.+]] = pack.quantize %[[M]]
  // CHECK-NEXT: %[[C:.+]] = pack.linear %[[MQ]], %{{.+}} residual %[[M]]
  %m = pack.norm layer %b eps 1.0e-5 : !pack.buffer<4, logits> -> !pack.buffer<4, logits>
  %mq = pack.quantize %m : !pack.buffer<4, logits> -> !pack.quantized<4 zero 8, logits>
  %c = pack.linear %mq, %p residual %m : !pack.buffer<4, logits> : !pack.quantized<4 zero 8, logits>, !pack.weight<4 by 4 by i4, panels> -> !pack.buffer<4, logits>
  // A linear cannot quantize: its items are output rows, not groups of them.
  // CHECK-NEXT: %[[CQ:.+]] = pack.quantize %[[C]]
  %cq = pack.quantize %c : !pack.buffer<4, logits> -> !pack.quantized<4 zero 8, logits>
  // CHECK-NEXT: pack.linear %[[CQ]]
  %l = pack.linear %cq, %p : !pack.quantized<4 zero 8, logits>, !pack.weight<4 by 4 by i4, panels> -> !pack.buffer<4, logits>
  pack.return %l : !pack.buffer<4, logits>
}
