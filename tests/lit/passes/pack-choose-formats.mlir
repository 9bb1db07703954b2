// Formats by use and by pattern, and quantized inputs for quantized weights.
// RUN: coppice-opt %s --pack-choose-formats=weights=i4 | FileCheck %s --check-prefix=I4
// RUN: coppice-opt %s --pack-choose-formats=weights=i4,head=f16,embed=bf16,*.v.weight=i8 | FileCheck %s --check-prefix=SOME
// RUN: coppice-opt %s --pack-choose-formats=weights=*.weight=i4,*.q.*=stored | FileCheck %s --check-prefix=LAST
// RUN: coppice-opt %s --pack-choose-formats=weights=0.q.weight=i4,0.k*=i8,0.v.weigh?=bf16,e*=f16 | FileCheck %s --check-prefix=LITERAL
// RUN: coppice-opt %s --pack-choose-formats > %t.stored
// RUN: coppice-opt %s | diff - %t.stored

lm.tensor private @embed : tensor<16x4xf32>
lm.tensor private @head : tensor<16x4xf32>
lm.tensor private @"0.q.weight" : tensor<4x4xf32>
lm.tensor private @"0.k.weight" : tensor<4x4xf32>
lm.tensor private @"0.v.weight" : tensor<4x4xf32>
lm.tensor private @bias : tensor<4xf32>

pack.step @model {
  %e = lm.weight @embed : tensor<16x4xf32>
  %h = lm.weight @head : tensor<16x4xf32>
  %qw = lm.weight @"0.q.weight" : tensor<4x4xf32>
  %kw = lm.weight @"0.k.weight" : tensor<4x4xf32>
  %vw = lm.weight @"0.v.weight" : tensor<4x4xf32>
  %bw = lm.weight @bias : tensor<4xf32>
  // A table and a head are i8 beside i4 unless something is said; rules of use come before that.
  // I4: pack.weight "embed" {{.*}}<16 by 4 by i8, rows>
  // SOME: pack.weight "embed" {{.*}}<16 by 4 by bf16, rows>
  // Without a format for all, what no pattern fits stays as it is stored.
  // LAST: pack.weight "embed" {{.*}}<16 by 4 by f32, rows>
  %pe = pack.weight "embed" %e : tensor<16x4xf32> -> !pack.weight<16 by 4 by f32, rows>
  // The last rule that fits counts.
  // Patterns that begin with letters, short ones among them, side by side.
  // LITERAL: pack.weight "embed" {{.*}}<16 by 4 by f16, rows>
  // LITERAL: pack.weight "q" {{.*}}<4 by 4 by i4, panels>
  // LITERAL: pack.weight "k" {{.*}}<4 by 4 by i8, panels>
  // LITERAL: pack.weight "v" {{.*}}<4 by 4 by bf16, panels>
  // I4: %[[Q:.+]] = pack.weight "q" {{.*}}<4 by 4 by i4, panels>
  // LAST: %[[Q:.+]] = pack.weight "q" {{.*}}<4 by 4 by f32, panels>
  %pq = pack.weight "q" %qw : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, panels>
  // I4: %[[K:.+]] = pack.weight "k" {{.*}}<4 by 4 by i4, panels>
  // LAST: %[[K:.+]] = pack.weight "k" {{.*}}<4 by 4 by i4, panels>
  %pk = pack.weight "k" %kw : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, panels>
  // SOME: %[[V:.+]] = pack.weight "v" {{.*}}<4 by 4 by i8, panels>
  %pv = pack.weight "v" %vw : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, panels>
  // Rows of constants are never quantized.
  // I4: pack.weight "bias" {{.*}}<1 by 4 by f32, rows>
  %pb = pack.weight "bias" %bw : tensor<4xf32> -> !pack.weight<1 by 4 by f32, rows>
  // I4: %[[H:.+]] = pack.weight "head" {{.*}}<16 by 4 by i8, panels>
  // SOME: pack.weight "head" {{.*}}<16 by 4 by f16, panels>
  %ph = pack.weight "head" %h : tensor<16x4xf32> -> !pack.weight<16 by 4 by f32, panels>
  // I4: %[[X:.+]] = pack.embed
  // SOME: %[[X:.+]] = pack.embed
  %x = pack.embed token of %pe offset 0 : !pack.weight<16 by 4 by f32, rows> -> !pack.buffer<4, logits>
  // Quantized once for the linears that read it alike, and again for another zero point.
  // I4: %[[QX:.+]] = pack.quantize %[[X]] : {{.*}}<4, logits> -> {{.*}}<4 zero 8, logits>
  // I4-NEXT: pack.linear %[[QX]], %[[Q]] bias
  // I4-NEXT: pack.linear %[[QX]], %[[K]]
  // I4-NEXT: pack.linear %[[QX]]
  // SOME: %[[S4:.+]] = pack.quantize %[[X]] : {{.*}} -> {{.*}}<4 zero 8, logits>
  // SOME: pack.linear %[[S4]]
  // SOME: pack.linear %[[S4]]
  // SOME: %[[S8:.+]] = pack.quantize %[[X]] : {{.*}} -> {{.*}}<4 zero 128, logits>
  // SOME: pack.linear %[[S8]], %[[V]]
  // A stored weight reads plain rows.
  // LAST: %[[X:.+]] = pack.embed
  // LAST-NEXT: pack.linear %[[X]], %[[Q]]
  %q = pack.linear %x, %pq bias %pb : !pack.weight<1 by 4 by f32, rows> : !pack.buffer<4, logits>, !pack.weight<4 by 4 by f32, panels> -> !pack.buffer<4, logits>
  %k = pack.linear %x, %pk residual %q : !pack.buffer<4, logits> : !pack.buffer<4, logits>, !pack.weight<4 by 4 by f32, panels> -> !pack.buffer<4, logits>
  %v = pack.linear %x, %pv residual %k : !pack.buffer<4, logits> : !pack.buffer<4, logits>, !pack.weight<4 by 4 by f32, panels> -> !pack.buffer<4, logits>
  // I4: %[[QV:.+]] = pack.quantize %{{.+}} -> {{.*}}<4 zero 128, logits>
  // I4: pack.linear %[[QV]], %[[H]]
  %l = pack.linear %v, %ph : !pack.buffer<4, logits>, !pack.weight<16 by 4 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}
