// Heads that share groups of 32 keep the matrix that reads them from i8, unless it is named.
// RUN: coppice-opt %s --split-input-file --pack-choose-formats=weights=i8 | FileCheck %s
// RUN: coppice-opt %s --split-input-file --pack-choose-formats=weights=i8,*=i8 | FileCheck %s --check-prefix=NAMED
// RUN: coppice-opt %s --split-input-file --pack-choose-formats=weights=i4 | FileCheck %s --check-prefix=I4

lm.tensor private @o : tensor<48x48xf32>
lm.tensor private @e : tensor<48x48xf32>
// Two heads of 24: the first group holds all of one and a part of the other.
// CHECK-LABEL: pack.step @mixed
pack.step @mixed {
  %ow = lm.weight @o : tensor<48x48xf32>
  %ew = lm.weight @e : tensor<48x48xf32>
  // CHECK: pack.weight "o" {{.*}}<48 by 48 by f16, panels>
  // NAMED: pack.weight "o" {{.*}}<48 by 48 by i8, panels>
  // I4: pack.weight "o" {{.*}}<48 by 48 by i4, panels>
  %o = pack.weight "o" %ow : tensor<48x48xf32> -> !pack.weight<48 by 48 by f32, panels>
  // CHECK: pack.weight "e" {{.*}}<48 by 48 by i8, panels>
  %e = pack.weight "e" %ew : tensor<48x48xf32> -> !pack.weight<48 by 48 by f32, panels>
  %map = pack.constant "kv_map" [0, 1, 2, 0, 1] : !pack.weight<1 by 5 by i32, rows>
  %x = pack.embed token of %e offset 0 : !pack.weight<48 by 48 by f32, panels> -> !pack.buffer<48, all>
  %c = pack.kv_write %x, %x : !pack.buffer<48, all>, !pack.buffer<48, all> -> !pack.cache<2 by 24 by f32>
  %a = pack.attention %x over %c kv_map %map : !pack.weight<1 by 5 by i32, rows> scale 0.25 : !pack.buffer<48, all>, !pack.cache<2 by 24 by f32> -> !pack.buffer<48, all>
  %y = pack.linear %a, %o : !pack.buffer<48, all>, !pack.weight<48 by 48 by f32, panels> -> !pack.buffer<48, all>
  %g = pack.gather %y : !pack.buffer<48, all> -> !pack.buffer<48, logits>
  %l = pack.linear %g, %e : !pack.buffer<48, logits>, !pack.weight<48 by 48 by f32, panels> -> !pack.buffer<48, logits>
  pack.return %l : !pack.buffer<48, logits>
}

// -----

lm.tensor private @o : tensor<64x64xf32>
lm.tensor private @e : tensor<64x64xf32>
// Heads of whole groups: nothing is kept back.
// CHECK-LABEL: pack.step @whole
pack.step @whole {
  %ow = lm.weight @o : tensor<64x64xf32>
  %ew = lm.weight @e : tensor<64x64xf32>
  // CHECK: pack.weight "o" {{.*}}<64 by 64 by i8, panels>
  %o = pack.weight "o" %ow : tensor<64x64xf32> -> !pack.weight<64 by 64 by f32, panels>
  %e = pack.weight "e" %ew : tensor<64x64xf32> -> !pack.weight<64 by 64 by f32, panels>
  %map = pack.constant "kv_map" [0, 1, 2, 0, 1] : !pack.weight<1 by 5 by i32, rows>
  %x = pack.embed token of %e offset 0 : !pack.weight<64 by 64 by f32, panels> -> !pack.buffer<64, all>
  %c = pack.kv_write %x, %x : !pack.buffer<64, all>, !pack.buffer<64, all> -> !pack.cache<2 by 32 by f32>
  %a = pack.attention %x over %c kv_map %map : !pack.weight<1 by 5 by i32, rows> scale 0.25 : !pack.buffer<64, all>, !pack.cache<2 by 32 by f32> -> !pack.buffer<64, all>
  %y = pack.linear %a, %o : !pack.buffer<64, all>, !pack.weight<64 by 64 by f32, panels> -> !pack.buffer<64, all>
  %g = pack.gather %y : !pack.buffer<64, all> -> !pack.buffer<64, logits>
  %l = pack.linear %g, %e : !pack.buffer<64, logits>, !pack.weight<64 by 64 by f32, panels> -> !pack.buffer<64, logits>
  pack.return %l : !pack.buffer<64, logits>
}
