// Places and barriers that would let threads disturb each other.
// RUN: coppice-opt %s --split-input-file --verify-diagnostics --pack-verify-schedule

lm.tensor private @m : tensor<16x16xf32>
// Nothing is known before places are.
// expected-error @+1 {{has no memory plan: run pack-plan-memory before}}
pack.step @model {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %x = pack.embed token of %w offset 0 {place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  %l = pack.linear %x, %w : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}

// -----

lm.tensor private @m : tensor<16x16xf32>
// A row of 16 floats from byte 64 on ends at 128.
pack.step @model attributes {arena = 64 : i64, kv = 0 : i64} {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  // expected-error @+1 {{writes bytes 64 to 128 of the arena, which has 64}}
  %x = pack.embed token of %w offset 0 {place = 64 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  %l = pack.linear %x, %w : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}

// -----

lm.tensor private @m : tensor<16x16xf32>
// Each panel of a linear reads the whole input: the result may not lie on it.
pack.step @model attributes {arena = 128 : i64, kv = 0 : i64} {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %x = pack.embed token of %w offset 0 {place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  // expected-error @+1 {{writes bytes 0 to 64 of the arena while other items of it read bytes 0 to 64 of the arena}}
  %y = pack.linear %x, %w {place = 0 : i64} : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  %l = pack.linear %y, %w : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}

// -----

lm.tensor private @m : tensor<16x16xf32>
// Rows of another width share bytes with rows of other items.
pack.step @model attributes {arena = 128 : i64, kv = 0 : i64} {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %i = pack.constant "select" [0] {offset = 1024 : i64} : !pack.weight<1 by 1 by i32, rows>
  %t = pack.constant "t" [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] {offset = 1088 : i64} : !pack.weight<1 by 17 by f32, rows>
  %x = pack.embed token of %t offset 0 {place = 0 : i64} : !pack.weight<1 by 17 by f32, rows> -> !pack.buffer<17, logits>
  // expected-error @+1 {{writes bytes 0 to 64 of the arena while other items of it read bytes 0 to 128 of the arena}}
  %y = pack.select %x by %i {place = 0 : i64} : !pack.buffer<17, logits>, !pack.weight<1 by 1 by i32, rows> -> !pack.buffer<1, logits>
  %v = pack.embed position of %w offset 0 {place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  %l = pack.linear %v, %w : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}

// -----

lm.tensor private @m : tensor<16x16xf32>
// A joined stage that reads what another one still writes.
pack.step @model attributes {arena = 192 : i64, kv = 0 : i64} {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %x = pack.embed token of %w offset 0 {place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  // expected-note @+1 {{this stage since the last barrier writes bytes 64 to 128 of the arena}}
  %y = pack.linear %x, %w {place = 64 : i64} : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  %z = pack.linear %x, %w {pack.joined, place = 128 : i64} : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  // expected-error @+1 {{needs a barrier before it: it reads bytes 64 to 128 of the arena}}
  %l = pack.linear %y, %w {pack.joined} : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}

// -----

lm.tensor private @m : tensor<16x16xf32>
// A joined stage that writes what another one still reads.
pack.step @model attributes {arena = 128 : i64, kv = 0 : i64} {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %x = pack.embed token of %w offset 0 {place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  // expected-note @+1 {{this stage since the last barrier reads bytes 0 to 64 of the arena}}
  %y = pack.linear %x, %w {place = 64 : i64} : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  // expected-error @+1 {{needs a barrier before it: it writes bytes 0 to 64 of the arena}}
  %z = pack.embed position of %w offset 0 {pack.joined, place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  %l = pack.linear %z, %w : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}

// -----

lm.tensor private @m : tensor<16x16xf32>
// Rings are apart from caches, with a size of their own: 16 floats of a key and of a value.
pack.step @model attributes {arena = 64 : i64, kv = 128 : i64, largestStep = 64 : i64, ring = 64 : i64, ringPositions = 128 : i64} {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %x = pack.embed token of %w offset 0 {place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, all>
  %c = pack.kv_write %x, %x {place = 0 : i64} : !pack.buffer<16, all>, !pack.buffer<16, all> -> !pack.cache<1 by 16 by f32>
  // expected-error @+1 {{writes bytes 0 to 128 of the ring, which has 64}}
  %r = pack.kv_write %x, %x {place = 0 : i64, ring} : !pack.buffer<16, all>, !pack.buffer<16, all> -> !pack.cache<1 by 16 by f32>
  %l = pack.embed token of %w offset 0 : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}
