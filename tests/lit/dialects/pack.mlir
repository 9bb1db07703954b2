// Every op of pack prints as it is read.
// RUN: coppice-opt %s --verify-roundtrip | coppice-opt | FileCheck %s

lm.tensor private @"w" : tensor<32x8xf16>
lm.tensor private @"b" : tensor<32xf32>

// CHECK-LABEL: pack.step @model
pack.step @model {
  %w = lm.weight @w : tensor<32x8xf16>
  %b = lm.weight @b : tensor<32xf32>
  // CHECK: %[[W:.+]] = pack.weight "fc1" %{{.+}} : tensor<32x8xf16> -> {{(!pack.weight)?}}<32 by 8 by f16, panels>
  %pw = pack.weight "fc1" %w : tensor<32x8xf16> -> !pack.weight<32 by 8 by f16, panels>
  %rows = pack.weight "embed" %w : tensor<32x8xf16> -> !pack.weight<32 by 8 by f16, rows>
  %pb = pack.weight "fc1.bias" %b : tensor<32xf32> -> !pack.weight<1 by 32 by f32, rows>
  // CHECK: pack.constant "rope" [1065353216, 0] : {{(!pack.weight)?}}<1 by 2 by f32, rows>
  %f = pack.constant "rope" [1065353216, 0] : !pack.weight<1 by 2 by f32, rows>
  %map = pack.constant "kv_map" [0, 2, 1, 0] : !pack.weight<1 by 4 by i32, rows>
  %kept = pack.constant "select" [0, 0] : !pack.weight<1 by 2 by i32, rows>
  %one = pack.constant "kv_map" [3] : !pack.weight<1 by 1 by i32, rows>
  %fill = pack.constant "fill" [0] : !pack.weight<1 by 1 by f32, rows>
  %eight = pack.constant "scale" [0, 0, 0, 0, 0, 0, 0, 0] : !pack.weight<1 by 8 by f32, rows>
  // CHECK: pack.embed token of %{{.+}} offset 2
  %x = pack.embed token of %rows offset 2 : !pack.weight<32 by 8 by f16, rows> -> !pack.buffer<8, all>
  // CHECK: pack.embed position of
  %p = pack.embed position of %rows offset 0 : !pack.weight<32 by 8 by f16, rows> -> !pack.buffer<8, all>
  // CHECK: pack.norm layer %{{.+}} scale %{{.+}} : {{(!pack.weight)?}}<1 by 8 by f32, rows> bias
  %n = pack.norm layer %x scale %eight : !pack.weight<1 by 8 by f32, rows> bias %eight : !pack.weight<1 by 8 by f32, rows> eps 1.0e-5 : !pack.buffer<8, all> -> !pack.buffer<8, all>
  // CHECK: pack.norm rms
  %r = pack.norm rms %n scale %eight : !pack.weight<1 by 8 by f32, rows> eps 1.0e-5 {place = 64 : i64} : !pack.buffer<8, all> -> !pack.buffer<8, all>
  // CHECK: pack.head_norm %{{.+}} scale %{{.+}} eps 9.99999997E-7 : {{(!pack.buffer)?}}<8, all>, {{(!pack.weight)?}}<1 by 2 by f32, rows>
  %hn = pack.head_norm %r scale %f eps 1.0e-6 : !pack.buffer<8, all>, !pack.weight<1 by 2 by f32, rows> -> !pack.buffer<8, all>
  // CHECK: pack.softcap %{{.+}} cap 3.000000e+01
  %cap = pack.softcap %r cap 30.0 : !pack.buffer<8, all> -> !pack.buffer<8, all>
  // CHECK: pack.rope_table %{{.+}} magnitude 1.250000e+00
  %tm = pack.rope_table %f magnitude 1.25 : !pack.weight<1 by 2 by f32, rows> -> !pack.buffer<4, all>
  // CHECK: pack.rope_table
  %t = pack.rope_table %f : !pack.weight<1 by 2 by f32, rows> -> !pack.buffer<4, all>
  // CHECK: pack.rope %{{.+}} by %{{.+}} head_dim 4
  %q = pack.rope %r by %t head_dim 4 : !pack.buffer<8, all>, !pack.buffer<4, all> -> !pack.buffer<8, all>
  // CHECK: pack.kv_write
  %c = pack.kv_write %t, %t : !pack.buffer<4, all>, !pack.buffer<4, all> -> !pack.cache<1 by 4 by f32>
  // CHECK: pack.attention %{{.+}} over %{{.+}} kv_map
  %a = pack.attention %q over %c kv_map %map : !pack.weight<1 by 4 by i32, rows> scale 0.5 : !pack.buffer<8, all>, !pack.cache<1 by 4 by f32> -> !pack.buffer<8, all>
  // CHECK: scale 5.000000e-01 window 3 softcap 5.000000e+01
  %aw = pack.attention %q over %c kv_map %map : !pack.weight<1 by 4 by i32, rows> scale 0.5 window 3 softcap 50.0 : !pack.buffer<8, all>, !pack.cache<1 by 4 by f32> -> !pack.buffer<8, all>
  // CHECK: pack.kv_write %{{.+}} -> {{(!pack.cache)?}}<1 by 4 by bf16>
  %c16 = pack.kv_write %t, %t : !pack.buffer<4, all>, !pack.buffer<4, all> -> !pack.cache<1 by 4 by bf16>
  // CHECK: pack.kv_write %{{.+}} -> {{(!pack.cache)?}}<1 by 4 by i8>
  %c8 = pack.kv_write %t, %t : !pack.buffer<4, all>, !pack.buffer<4, all> -> !pack.cache<1 by 4 by i8>
  // CHECK: pack.activation silu %{{.+}} times
  %s = pack.activation silu %a times %x : !pack.buffer<8, all> : !pack.buffer<8, all> -> !pack.buffer<8, all>
  // CHECK: pack.add %{{.+}}, %{{.+}} : {{(!pack.buffer)?}}<8, all> constant
  %d = pack.add %s, %p : !pack.buffer<8, all> constant %eight : !pack.weight<1 by 8 by f32, rows> : !pack.buffer<8, all> -> !pack.buffer<8, all>
  // CHECK: pack.mul
  %m = pack.mul %d, %d : !pack.buffer<8, all> : !pack.buffer<8, all> -> !pack.buffer<8, all>
  // CHECK: pack.mask %{{.+}} by %{{.+}} fill
  %k = pack.mask %m by %one fill %fill : !pack.weight<1 by 1 by f32, rows> : !pack.buffer<8, all>, !pack.weight<1 by 1 by i32, rows> -> !pack.buffer<8, all>
  // CHECK: pack.select
  %e = pack.select %k by %kept : !pack.buffer<8, all>, !pack.weight<1 by 2 by i32, rows> -> !pack.buffer<2, all>
  // CHECK: pack.gather
  %g = pack.gather %k : !pack.buffer<8, all> -> !pack.buffer<8, logits>
  // CHECK: pack.linear %{{.+}}, %[[W]] bias
  %l = pack.linear %g, %pw bias %pb : !pack.weight<1 by 32 by f32, rows> : !pack.buffer<8, logits>, !pack.weight<32 by 8 by f16, panels> -> !pack.buffer<32, logits>
  // CHECK: pack.return
  pack.return %l : !pack.buffer<32, logits>
}
