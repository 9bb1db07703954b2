// Every error of the pack ops and types.
// RUN: coppice-opt %s --split-input-file --verify-diagnostics

// The logits are rows of the logits set.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  // expected-error @+1 {{returns the rows of the logits set}}
  pack.return %x : !pack.buffer<4, all>
}

// -----

lm.tensor private @m4x4 : tensor<4x4xf32>
lm.tensor private @m : tensor<4x4xf32>
// A weight keeps its shape.
pack.step @model {
  %s = lm.weight @m4x4 : tensor<4x4xf32>
  // expected-error @+1 {{packs}}
  %w = pack.weight "w" %s : tensor<4x4xf32> -> !pack.weight<4 by 5 by f32, panels>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m4x4 : tensor<4x4xf32>
lm.tensor private @m : tensor<4x4xf32>
// A weight of the checkpoint is not made of integers.
pack.step @model {
  %s = lm.weight @m4x4 : tensor<4x4xf32>
  // expected-error @+1 {{packs floats}}
  %w = pack.weight "w" %s : tensor<4x4xf32> -> !pack.weight<4 by 4 by i32, panels>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// A table has as many words as its type says.
pack.step @model {
  // expected-error @+1 {{holds 2 words}}
  %w = pack.constant "w" [1, 2] : !pack.weight<1 by 3 by i32, rows>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m4x4 : tensor<4x4xf32>
lm.tensor private @m : tensor<4x4xf32>
// A row of the table fills the buffer.
pack.step @model {
  %ws = lm.weight @m4x4 : tensor<4x4xf32>
  %w = pack.weight "w" %ws : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  // expected-error @+1 {{gathers rows of}}
  %x = pack.embed token of %w offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<5, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m4x4 : tensor<4x4xf32>
lm.tensor private @m : tensor<4x4xf32>
// The offset is a row of the table.
pack.step @model {
  %ws = lm.weight @m4x4 : tensor<4x4xf32>
  %w = pack.weight "w" %ws : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  // expected-error @+1 {{offset 4 is outside of}}
  %x = pack.embed token of %w offset 4 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// A norm keeps the width.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  // expected-error @+1 {{the input must be like the result}}
  %n = pack.norm layer %x eps 1.0e-5 : !pack.buffer<4, all> -> !pack.buffer<5, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// The scale has an element for each column.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %s = pack.constant "s" [0, 0, 0] : !pack.weight<1 by 3 by f32, rows>
  // expected-error @+1 {{the scale must be 1 by 4 of f32}}
  %n = pack.norm layer %x scale %s : !pack.weight<1 by 3 by f32, rows> eps 1.0e-5 : !pack.buffer<4, all> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// So has the bias.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %s = pack.constant "s" [0, 0, 0, 0] : !pack.weight<1 by 4 by i32, rows>
  // expected-error @+1 {{the bias must be 1 by 4 of f32}}
  %n = pack.norm layer %x bias %s : !pack.weight<1 by 4 by i32, rows> eps 1.0e-5 : !pack.buffer<4, all> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// An RMS norm has a scale.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  // expected-error @+1 {{of kind rms has a scale and no bias}}
  %n = pack.norm rms %x eps 1.0e-5 : !pack.buffer<4, all> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m8x4 : tensor<8x4xf32>
lm.tensor private @m : tensor<4x4xf32>
// A linear stays within a row set.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %ws = lm.weight @m8x4 : tensor<8x4xf32>
  %w = pack.weight "w" %ws : tensor<8x4xf32> -> !pack.weight<8 by 4 by f32, panels>
  // expected-error @+1 {{the input works on the rows of another set}}
  %y = pack.linear %x, %w : !pack.buffer<4, all>, !pack.weight<8 by 4 by f32, panels> -> !pack.buffer<8, logits>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m8x4 : tensor<8x4xf32>
lm.tensor private @m : tensor<4x4xf32>
// A linear reads panels.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %ws = lm.weight @m8x4 : tensor<8x4xf32>
  %w = pack.weight "w" %ws : tensor<8x4xf32> -> !pack.weight<8 by 4 by f32, rows>
  // expected-error @+1 {{needs a weight of floats in panels}}
  %y = pack.linear %x, %w : !pack.buffer<4, all>, !pack.weight<8 by 4 by f32, rows> -> !pack.buffer<8, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m8x4 : tensor<8x4xf32>
lm.tensor private @m : tensor<4x4xf32>
// A linear maps the width of its input.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0, 0] : !pack.weight<1 by 5 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 5 by f32, rows> -> !pack.buffer<5, all>
  %ws = lm.weight @m8x4 : tensor<8x4xf32>
  %w = pack.weight "w" %ws : tensor<8x4xf32> -> !pack.weight<8 by 4 by f32, panels>
  // expected-error @+1 {{maps}}
  %y = pack.linear %x, %w : !pack.buffer<5, all>, !pack.weight<8 by 4 by f32, panels> -> !pack.buffer<8, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m8x4 : tensor<8x4xf32>
lm.tensor private @m : tensor<4x4xf32>
// Its bias has an element for each output.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %ws = lm.weight @m8x4 : tensor<8x4xf32>
  %w = pack.weight "w" %ws : tensor<8x4xf32> -> !pack.weight<8 by 4 by f32, panels>
  %b = pack.constant "b" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  // expected-error @+1 {{the bias must be 1 by 8 of f32}}
  %y = pack.linear %x, %w bias %b : !pack.weight<1 by 4 by f32, rows> : !pack.buffer<4, all>, !pack.weight<8 by 4 by f32, panels> -> !pack.buffer<8, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m8x4 : tensor<8x4xf32>
lm.tensor private @m : tensor<4x4xf32>
// Its residual is like its result.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %ws = lm.weight @m8x4 : tensor<8x4xf32>
  %w = pack.weight "w" %ws : tensor<8x4xf32> -> !pack.weight<8 by 4 by f32, panels>
  // expected-error @+1 {{the residual must be like the result}}
  %y = pack.linear %x, %w residual %x : !pack.buffer<4, all> : !pack.buffer<4, all>, !pack.weight<8 by 4 by f32, panels> -> !pack.buffer<8, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// A table holds pairs.
pack.step @model {
  %f = pack.constant "f" [0] : !pack.weight<1 by 1 by f32, rows>
  // expected-error @+1 {{holds a cosine and a sine for each pair}}
  %t = pack.rope_table %f : !pack.weight<1 by 1 by f32, rows> -> !pack.buffer<3, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// It has a frequency for each pair.
pack.step @model {
  %f = pack.constant "f" [0] : !pack.weight<1 by 1 by f32, rows>
  // expected-error @+1 {{the frequencies must be 1 by 2 of f32}}
  %t = pack.rope_table %f : !pack.weight<1 by 1 by f32, rows> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// Rotation keeps the width.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %tt = pack.constant "t" [0, 0] : !pack.weight<1 by 2 by f32, rows>
  %t = pack.embed token of %tt offset 0 : !pack.weight<1 by 2 by f32, rows> -> !pack.buffer<2, all>
  // expected-error @+1 {{the input must be like the result}}
  %r = pack.rope %x by %t head_dim 4 : !pack.buffer<4, all>, !pack.buffer<2, all> -> !pack.buffer<8, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// The table is of the same rows.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %tt = pack.constant "t" [0, 0] : !pack.weight<1 by 2 by f32, rows>
  %t = pack.embed token of %tt offset 0 : !pack.weight<1 by 2 by f32, rows> -> !pack.buffer<2, logits>
  // expected-error @+1 {{the table works on the rows of another set}}
  %r = pack.rope %x by %t head_dim 4 : !pack.buffer<4, all>, !pack.buffer<2, logits> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// Heads divide the width.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %tt = pack.constant "t" [0, 0] : !pack.weight<1 by 2 by f32, rows>
  %t = pack.embed token of %tt offset 0 : !pack.weight<1 by 2 by f32, rows> -> !pack.buffer<2, all>
  // expected-error @+1 {{heads of 3 do not divide}}
  %r = pack.rope %x by %t head_dim 3 : !pack.buffer<4, all>, !pack.buffer<2, all> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// A head holds what is rotated.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %tt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %t = pack.embed token of %tt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  // expected-error @+1 {{rotates 4 of a head of 2}}
  %r = pack.rope %x by %t head_dim 2 : !pack.buffer<4, all>, !pack.buffer<4, all> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// The cache takes keys and values of all rows.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, logits>
  // expected-error @+1 {{writes buffers of all rows, 4 wide}}
  %c = pack.kv_write %x, %x : !pack.buffer<4, logits>, !pack.buffer<4, logits> -> !pack.cache<1 by 4>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// Attention keeps the width of its query.
pack.step @model {
  %kt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %k = pack.embed token of %kt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %c = pack.kv_write %k, %k : !pack.buffer<4, all>, !pack.buffer<4, all> -> !pack.cache<1 by 4>
  %m = pack.constant "m" [0, 0] : !pack.weight<1 by 2 by i32, rows>
  // expected-error @+1 {{the query must be like the result}}
  %a = pack.attention %k over %c kv_map %m : !pack.weight<1 by 2 by i32, rows> scale 0.5 : !pack.buffer<4, all>, !pack.cache<1 by 4> -> !pack.buffer<8, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// Its heads are as wide as the cache holds them.
pack.step @model {
  %kt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %k = pack.embed token of %kt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %c = pack.kv_write %k, %k : !pack.buffer<4, all>, !pack.buffer<4, all> -> !pack.cache<1 by 4>
  %qt = pack.constant "t" [0, 0, 0, 0, 0, 0] : !pack.weight<1 by 6 by f32, rows>
  %q = pack.embed token of %qt offset 0 : !pack.weight<1 by 6 by f32, rows> -> !pack.buffer<6, all>
  %m = pack.constant "m" [0] : !pack.weight<1 by 1 by i32, rows>
  // expected-error @+1 {{heads of 4 do not divide}}
  %a = pack.attention %q over %c kv_map %m : !pack.weight<1 by 1 by i32, rows> scale 0.5 : !pack.buffer<6, all>, !pack.cache<1 by 4> -> !pack.buffer<6, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// Each head has its KV head.
pack.step @model {
  %kt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %k = pack.embed token of %kt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %c = pack.kv_write %k, %k : !pack.buffer<4, all>, !pack.buffer<4, all> -> !pack.cache<1 by 4>
  %m = pack.constant "m" [0, 0] : !pack.weight<1 by 2 by i32, rows>
  // expected-error @+1 {{the map must be 1 by 1 of i32}}
  %a = pack.attention %k over %c kv_map %m : !pack.weight<1 by 2 by i32, rows> scale 0.5 : !pack.buffer<4, all>, !pack.cache<1 by 4> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// An activation keeps the width.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  // expected-error @+1 {{the input must be like the result}}
  %a = pack.activation relu %x : !pack.buffer<4, all> -> !pack.buffer<5, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// Its factor is like its result.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %yt = pack.constant "t" [0, 0, 0, 0, 0] : !pack.weight<1 by 5 by f32, rows>
  %y = pack.embed token of %yt offset 0 : !pack.weight<1 by 5 by f32, rows> -> !pack.buffer<5, all>
  // expected-error @+1 {{the factor must be like the result}}
  %a = pack.activation relu %x times %y : !pack.buffer<5, all> : !pack.buffer<4, all> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// A sum has two sides.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  // expected-error @+1 {{has nothing to combine its input with}}
  %a = pack.add %x : !pack.buffer<4, all> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// Both are like the result.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %yt = pack.constant "t" [0, 0, 0, 0, 0] : !pack.weight<1 by 5 by f32, rows>
  %y = pack.embed token of %yt offset 0 : !pack.weight<1 by 5 by f32, rows> -> !pack.buffer<5, all>
  // expected-error @+1 {{the second buffer must be like the result}}
  %a = pack.add %x, %y : !pack.buffer<5, all> : !pack.buffer<4, all> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// The first one too.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %yt = pack.constant "t" [0, 0, 0, 0, 0] : !pack.weight<1 by 5 by f32, rows>
  %y = pack.embed token of %yt offset 0 : !pack.weight<1 by 5 by f32, rows> -> !pack.buffer<5, all>
  // expected-error @+1 {{the input must be like the result}}
  %a = pack.mul %x, %y : !pack.buffer<5, all> : !pack.buffer<4, all> -> !pack.buffer<5, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// A constant row is as wide.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %c = pack.constant "c" [0, 0, 0, 0, 0] : !pack.weight<1 by 5 by f32, rows>
  // expected-error @+1 {{the constant row must be 1 by 4 of f32}}
  %a = pack.mul %x constant %c : !pack.weight<1 by 5 by f32, rows> : !pack.buffer<4, all> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// A selection stays within a row set.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %i = pack.constant "i" [0, 0] : !pack.weight<1 by 2 by i32, rows>
  // expected-error @+1 {{the input works on the rows of another set}}
  %s = pack.select %x by %i : !pack.buffer<4, all>, !pack.weight<1 by 2 by i32, rows> -> !pack.buffer<2, logits>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// It lists a column for each of its own.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %i = pack.constant "i" [0, 0] : !pack.weight<1 by 2 by i32, rows>
  // expected-error @+1 {{the index list must be 1 by 3 of i32}}
  %s = pack.select %x by %i : !pack.buffer<4, all>, !pack.weight<1 by 2 by i32, rows> -> !pack.buffer<3, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// A mask keeps the width.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %i = pack.constant "i" [0, 0] : !pack.weight<1 by 2 by i32, rows>
  // expected-error @+1 {{the input must be like the result}}
  %s = pack.mask %x by %i : !pack.buffer<4, all>, !pack.weight<1 by 2 by i32, rows> -> !pack.buffer<3, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// Its list is of integers.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %i = pack.constant "i" [0, 0] : !pack.weight<1 by 2 by f32, rows>
  // expected-error @+1 {{the index list must be 1 by 2 of i32}}
  %s = pack.mask %x by %i : !pack.buffer<4, all>, !pack.weight<1 by 2 by f32, rows> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// Its fill has a value for each dead column.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %i = pack.constant "i" [0, 0] : !pack.weight<1 by 2 by i32, rows>
  %f = pack.constant "f" [0] : !pack.weight<1 by 1 by f32, rows>
  // expected-error @+1 {{the fill must be 1 by 2 of f32}}
  %s = pack.mask %x by %i fill %f : !pack.weight<1 by 1 by f32, rows> : !pack.buffer<4, all>, !pack.weight<1 by 2 by i32, rows> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// A gather goes from all rows to the logits rows.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  // expected-error @+1 {{goes from all rows to the logits rows}}
  %g = pack.gather %x : !pack.buffer<4, all> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

// A buffer has a width.
// expected-error @+1 {{a buffer cannot be -1 wide}}
func.func private @type(!pack.buffer<-1, all>)

// -----

// A weight has extents.
// expected-error @+1 {{a weight cannot be -1 by 2}}
func.func private @type(!pack.weight<-1 by 2 by f32, rows>)

// -----

// Elements have a format.
// expected-error @+1 {{a weight's elements are f32, f16, bf16 or i32}}
func.func private @type(!pack.weight<1 by 2 by f64, rows>)

// -----

// Heads have a width.
// expected-error @+1 {{a cache cannot have 1 heads of 0}}
func.func private @type(!pack.cache<1 by 0>)
