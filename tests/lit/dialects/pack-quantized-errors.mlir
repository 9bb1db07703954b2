// Errors of quantized rows and weights: each op says which forms it takes.
// RUN: coppice-opt %s --split-input-file --verify-diagnostics

// A row has a width.
// expected-error @+1 {{a row cannot be -1 wide}}
func.func private @type(!pack.quantized<-1 zero 8, all>)

// -----

// Codes are offset by what the weights' format needs.
// expected-error @+1 {{quantized weights have the zero point 8 (i4) or 128 (i8), not 7}}
func.func private @type(!pack.quantized<4 zero 7, all>)

// -----

lm.tensor private @m : tensor<4x4xf32>
// Rows keep their width.
pack.step @model {
  %w = lm.weight @m : tensor<4x4xf32>
  %e = pack.weight "e" %w : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %x = pack.embed token of %e offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  // expected-error @+1 {{the input must have the width and rows of the result}}
  %q = pack.quantize %x : !pack.buffer<4, logits> -> !pack.quantized<8 zero 8, logits>
  pack.return %x : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// A norm's quantized result has its input's rows.
pack.step @model {
  %w = lm.weight @m : tensor<4x4xf32>
  %e = pack.weight "e" %w : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %x = pack.embed token of %e offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  // expected-error @+1 {{the input must have the width and rows of the result}}
  %n = pack.norm layer %x eps 1.0e-5 : !pack.buffer<4, logits> -> !pack.quantized<4 zero 8, all>
  pack.return %x : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// What an activation is multiplied with is like its input.
pack.step @model {
  %w = lm.weight @m : tensor<4x4xf32>
  %e = pack.weight "e" %w : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %x = pack.embed token of %e offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  %a = pack.embed token of %e offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, all>
  // expected-error @+1 {{the factor must be like the result}}
  %s = pack.activation silu %x times %a : !pack.buffer<4, all> : !pack.buffer<4, logits> -> !pack.quantized<4 zero 8, logits>
  pack.return %x : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// A quantized weight reads quantized rows.
pack.step @model {
  %w = lm.weight @m : tensor<4x4xf32>
  %e = pack.weight "e" %w : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %p = pack.weight "p" %w : tensor<4x4xf32> -> !pack.weight<4 by 4 by i4, panels>
  %x = pack.embed token of %e offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  // expected-error @+1 {{i8 weights take rows quantized for zero 128, i4 for zero 8, others plain rows}}
  %l = pack.linear %x, %p : !pack.buffer<4, logits>, !pack.weight<4 by 4 by i4, panels> -> !pack.buffer<4, logits>
  pack.return %l : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
// And those for its own zero point.
pack.step @model {
  %w = lm.weight @m : tensor<4x4xf32>
  %e = pack.weight "e" %w : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %p = pack.weight "p" %w : tensor<4x4xf32> -> !pack.weight<4 by 4 by i8, panels>
  %x = pack.embed token of %e offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  %q = pack.quantize %x : !pack.buffer<4, logits> -> !pack.quantized<4 zero 8, logits>
  // expected-error @+1 {{i8 weights take rows quantized for zero 128}}
  %l = pack.linear %q, %p : !pack.quantized<4 zero 8, logits>, !pack.weight<4 by 4 by i8, panels> -> !pack.buffer<4, logits>
  pack.return %l : !pack.buffer<4, logits>
}
