// Weights that no artifact has room for: said with both numbers, before anything is planned.
// RUN: not coppice-opt %s --pack-plan-memory --split-input-file 2>&1 | FileCheck %s --implicit-check-not=error:

// Two tables that take all but 64 of the bytes that there are.
lm.tensor private @"a" : tensor<65536x524288xf32>
lm.tensor private @"b" : tensor<1073741823x32xf32>
pack.step @fits {
  %a = lm.weight @a : tensor<65536x524288xf32>
  %b = lm.weight @b : tensor<1073741823x32xf32>
  %t = pack.weight "a" %a : tensor<65536x524288xf32> -> !pack.weight<65536 by 524288 by f32, rows>
  %u = pack.weight "b" %b : tensor<1073741823x32xf32> -> !pack.weight<1073741823 by 32 by f32, rows>
  %x = pack.embed token of %t offset 0 : !pack.weight<65536 by 524288 by f32, rows> -> !pack.buffer<524288, logits>
  %y = pack.embed token of %u offset 0 : !pack.weight<1073741823 by 32 by f32, rows> -> !pack.buffer<32, logits>
  pack.return %x : !pack.buffer<524288, logits>
}

// -----

// One row more.
// CHECK: error: the weights take 274877906944 bytes (274.9 GB), and an artifact holds at most 274877906880 (274.9 GB); choose a smaller format with --weights, i8 or i4 say, or cut more with --plan
lm.tensor private @"a" : tensor<65536x524288xf32>
lm.tensor private @"b" : tensor<1073741824x32xf32>
pack.step @one_more {
  %a = lm.weight @a : tensor<65536x524288xf32>
  %b = lm.weight @b : tensor<1073741824x32xf32>
  %t = pack.weight "a" %a : tensor<65536x524288xf32> -> !pack.weight<65536 by 524288 by f32, rows>
  %u = pack.weight "b" %b : tensor<1073741824x32xf32> -> !pack.weight<1073741824 by 32 by f32, rows>
  %x = pack.embed token of %t offset 0 : !pack.weight<65536 by 524288 by f32, rows> -> !pack.buffer<524288, logits>
  %y = pack.embed token of %u offset 0 : !pack.weight<1073741824 by 32 by f32, rows> -> !pack.buffer<32, logits>
  pack.return %x : !pack.buffer<524288, logits>
}
