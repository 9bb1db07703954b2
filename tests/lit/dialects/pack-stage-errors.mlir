// Errors of the other pack stages.
// RUN: coppice-opt %s --split-input-file --verify-diagnostics

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
  %c = pack.kv_write %x, %x : !pack.buffer<4, logits>, !pack.buffer<4, logits> -> !pack.cache<1 by 4 by f32>
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
  %c = pack.kv_write %k, %k : !pack.buffer<4, all>, !pack.buffer<4, all> -> !pack.cache<1 by 4 by f32>
  %m = pack.constant "m" [0, 0] : !pack.weight<1 by 2 by i32, rows>
  // expected-error @+1 {{the query must be like the result}}
  %a = pack.attention %k over %c kv_map %m : !pack.weight<1 by 2 by i32, rows> scale 0.5 : !pack.buffer<4, all>, !pack.cache<1 by 4 by f32> -> !pack.buffer<8, all>
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
  %c = pack.kv_write %k, %k : !pack.buffer<4, all>, !pack.buffer<4, all> -> !pack.cache<1 by 4 by f32>
  %qt = pack.constant "t" [0, 0, 0, 0, 0, 0] : !pack.weight<1 by 6 by f32, rows>
  %q = pack.embed token of %qt offset 0 : !pack.weight<1 by 6 by f32, rows> -> !pack.buffer<6, all>
  %m = pack.constant "m" [0] : !pack.weight<1 by 1 by i32, rows>
  // expected-error @+1 {{heads of 4 do not divide}}
  %a = pack.attention %q over %c kv_map %m : !pack.weight<1 by 1 by i32, rows> scale 0.5 : !pack.buffer<6, all>, !pack.cache<1 by 4 by f32> -> !pack.buffer<6, all>
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
  %c = pack.kv_write %k, %k : !pack.buffer<4, all>, !pack.buffer<4, all> -> !pack.cache<1 by 4 by f32>
  %m = pack.constant "m" [0, 0] : !pack.weight<1 by 2 by i32, rows>
  // expected-error @+1 {{the map must be 1 by 3 of i32}}
  %a = pack.attention %k over %c kv_map %m : !pack.weight<1 by 2 by i32, rows> scale 0.5 : !pack.buffer<4, all>, !pack.cache<1 by 4 by f32> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// The bounds of the map end with its query heads.
pack.step @model {
  %kt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %k = pack.embed token of %kt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %c = pack.kv_write %k, %k : !pack.buffer<4, all>, !pack.buffer<4, all> -> !pack.cache<1 by 4 by f32>
  %m = pack.constant "m" [0, 2, 0] : !pack.weight<1 by 3 by i32, rows>
  // expected-error @+1 {{the map's bounds must rise from 0 to its 1 query heads}}
  %a = pack.attention %k over %c kv_map %m : !pack.weight<1 by 3 by i32, rows> scale 0.5 : !pack.buffer<4, all>, !pack.cache<1 by 4 by f32> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// The map lists heads that exist.
pack.step @model {
  %kt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %k = pack.embed token of %kt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %c = pack.kv_write %k, %k : !pack.buffer<4, all>, !pack.buffer<4, all> -> !pack.cache<1 by 4 by f32>
  %m = pack.constant "m" [0, 1, 3] : !pack.weight<1 by 3 by i32, rows>
  // expected-error @+1 {{the map must list each of the 1 query heads once, not 3}}
  %a = pack.attention %k over %c kv_map %m : !pack.weight<1 by 3 by i32, rows> scale 0.5 : !pack.buffer<4, all>, !pack.cache<1 by 4 by f32> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// And each of them once.
pack.step @model {
  %kt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %k = pack.embed token of %kt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %st = pack.constant "t" [0, 0] : !pack.weight<1 by 2 by f32, rows>
  %s = pack.embed token of %st offset 0 : !pack.weight<1 by 2 by f32, rows> -> !pack.buffer<2, all>
  %c = pack.kv_write %s, %s : !pack.buffer<2, all>, !pack.buffer<2, all> -> !pack.cache<1 by 2 by f32>
  %m = pack.constant "m" [0, 2, 0, 0] : !pack.weight<1 by 4 by i32, rows>
  // expected-error @+1 {{the map must list each of the 2 query heads once, not 0 again}}
  %a = pack.attention %k over %c kv_map %m : !pack.weight<1 by 4 by i32, rows> scale 0.5 : !pack.buffer<4, all>, !pack.cache<1 by 2 by f32> -> !pack.buffer<4, all>
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
  // expected-error @+1 {{the input must have the width and rows of the result}}
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

lm.tensor private @m : tensor<4x4xf32>
// The norm of heads wants whole heads.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %three = pack.constant "t" [0, 0, 0] : !pack.weight<1 by 3 by f32, rows>
  // expected-error @+1 {{heads of 3 do not divide}}
  %h = pack.head_norm %x scale %three eps 1.0e-6 : !pack.buffer<4, all>, !pack.weight<1 by 3 by f32, rows> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// Its scale is floats.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %ints = pack.constant "t" [0, 0] : !pack.weight<1 by 2 by i32, rows>
  // expected-error @+1 {{the scale must be 1 by 2 of f32}}
  %h = pack.head_norm %x scale %ints eps 1.0e-6 : !pack.buffer<4, all>, !pack.weight<1 by 2 by i32, rows> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// Its result is like its input.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  // expected-error @+1 {{the input must be like the result}}
  %h = pack.head_norm %x scale %xt eps 1.0e-6 : !pack.buffer<4, all>, !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<8, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// A cap is above zero.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  // expected-error @+1 {{cap is not a finite number above 0}}
  %h = pack.softcap %x cap 0.0 : !pack.buffer<4, all> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// Its result is like its input.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  // expected-error @+1 {{the input must be like the result}}
  %h = pack.softcap %x cap 1.0 : !pack.buffer<4, all> -> !pack.buffer<4, logits>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// A magnitude is above zero.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %f = pack.constant "rope" [0, 0] : !pack.weight<1 by 2 by f32, rows>
  // expected-error @+1 {{magnitude is not a finite number above 0}}
  %h = pack.rope_table %f magnitude 0.0 : !pack.weight<1 by 2 by f32, rows> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// A window holds a token at least.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %map = pack.constant "kv_map" [0, 2, 1, 0] : !pack.weight<1 by 4 by i32, rows>
  %f = pack.constant "rope" [0, 0] : !pack.weight<1 by 2 by f32, rows>
  %t = pack.rope_table %f : !pack.weight<1 by 2 by f32, rows> -> !pack.buffer<4, all>
  %q = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %map1 = pack.constant "kv_map" [0, 1, 0] : !pack.weight<1 by 3 by i32, rows>
  %c = pack.kv_write %t, %t : !pack.buffer<4, all>, !pack.buffer<4, all> -> !pack.cache<1 by 4 by f32>
  // expected-error @+1 {{has a window of 0 tokens}}
  %a = pack.attention %q over %c kv_map %map1 : !pack.weight<1 by 3 by i32, rows> scale 0.5 window 0 : !pack.buffer<4, all>, !pack.cache<1 by 4 by f32> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// A cap of scores is above zero.
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %map = pack.constant "kv_map" [0, 2, 1, 0] : !pack.weight<1 by 4 by i32, rows>
  %f = pack.constant "rope" [0, 0] : !pack.weight<1 by 2 by f32, rows>
  %t = pack.rope_table %f : !pack.weight<1 by 2 by f32, rows> -> !pack.buffer<4, all>
  %q = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %map1 = pack.constant "kv_map" [0, 1, 0] : !pack.weight<1 by 3 by i32, rows>
  %c = pack.kv_write %t, %t : !pack.buffer<4, all>, !pack.buffer<4, all> -> !pack.cache<1 by 4 by f32>
  // expected-error @+1 {{softcap is not a finite number above 0}}
  %a = pack.attention %q over %c kv_map %map1 : !pack.weight<1 by 3 by i32, rows> scale 0.5 softcap 0.0 : !pack.buffer<4, all>, !pack.cache<1 by 4 by f32> -> !pack.buffer<4, all>
  %e = lm.weight @m : tensor<4x4xf32>
  %ew = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}
