// Errors of the pack types, of the step, of weights, embeddings, norms and linears.
// RUN: coppice-opt %s --split-input-file --verify-diagnostics --allow-unregistered-dialect

// A step ends in its return.
// expected-error @+1 {{must end in pack.return}}
"pack.step"() <{sym_name = "model"}> ({
  "test.end"() : () -> ()
}) : () -> ()

// -----

// An arena is in cache lines.
// expected-error @+1 {{has an arena of 65 bytes per row, not a multiple of 64}}
pack.step @model attributes {arena = 65 : i64} {
  %ew = pack.constant "e" [0] : !pack.weight<1 by 1 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<1 by 1 by f32, rows> -> !pack.buffer<1, logits>
  pack.return %end : !pack.buffer<1, logits>
}

// -----

// A cache is not negative.
// expected-error @+1 {{has a cache of -1 bytes per position}}
pack.step @model attributes {kv = -1 : i64} {
  %ew = pack.constant "e" [0] : !pack.weight<1 by 1 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<1 by 1 by f32, rows> -> !pack.buffer<1, logits>
  pack.return %end : !pack.buffer<1, logits>
}

// -----

// Of rings all is said or nothing.
// expected-error @+1 {{needs all of ring, ringPositions and largestStep, or none}}
pack.step @model attributes {ring = 64 : i64, ringPositions = 128 : i64} {
  %ew = pack.constant "e" [0] : !pack.weight<1 by 1 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<1 by 1 by f32, rows> -> !pack.buffer<1, logits>
  pack.return %end : !pack.buffer<1, logits>
}

// -----

// A ring has room for a step.
// expected-error @+1 {{has rings of 64 bytes per position and 128 positions for steps of 129 rows}}
pack.step @model attributes {largestStep = 129 : i64, ring = 64 : i64, ringPositions = 128 : i64} {
  %ew = pack.constant "e" [0] : !pack.weight<1 by 1 by f32, rows>
  %end = pack.embed token of %ew offset 0 : !pack.weight<1 by 1 by f32, rows> -> !pack.buffer<1, logits>
  pack.return %end : !pack.buffer<1, logits>
}

// -----

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
  // expected-error @+1 {{the input must have the width and rows of the result}}
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
  // expected-error @+1 {{needs a weight in panels}}
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

// A buffer has a width.
// expected-error @+1 {{a buffer cannot be -1 wide}}
func.func private @type(!pack.buffer<-1, all>)

// -----

// A weight has extents.
// expected-error @+1 {{a weight cannot be -1 by 2}}
func.func private @type(!pack.weight<-1 by 2 by f32, rows>)

// -----

// Elements have a format.
// expected-error @+1 {{a weight's elements are f32, f16, bf16, i8, i4 or i32}}
func.func private @type(!pack.weight<1 by 2 by f64, rows>)

// -----

// Heads have a width.
// expected-error @+1 {{a cache cannot have 1 heads of 0}}
func.func private @type(!pack.cache<1 by 0 by f32>)

// -----

// A cache has a format.
// expected-error @+1 {{a cache's elements are f32, bf16 or i8, not 'f16'}}
func.func private @type(!pack.cache<1 by 4 by f16>)
