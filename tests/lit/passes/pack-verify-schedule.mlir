// A schedule whose stages share no bytes without a barrier passes, and is not changed.
// RUN: coppice-opt %s > %t.before
// RUN: coppice-opt %s --pack-verify-schedule | diff %t.before -

lm.tensor private @m : tensor<16x16xf32>
pack.step @model attributes {arena = 128 : i64, kv = 0 : i64} {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %x = pack.embed token of %w offset 0 {place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  %p = pack.embed position of %w offset 0 {pack.joined, place = 64 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  // On its operand, item by item.
  %y = pack.add %x, %p : !pack.buffer<16, logits> {place = 0 : i64} : !pack.buffer<16, logits> -> !pack.buffer<16, logits>
  %l = pack.linear %y, %w : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}
