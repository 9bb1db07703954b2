// A mark says what it is of, and stands on plain rows.
// RUN: coppice-opt %s --split-input-file --verify-diagnostics

lm.tensor private @m : tensor<4x4xf32>
pack.step @unnamed {
  %e = lm.weight @m : tensor<4x4xf32>
  %w = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %x = pack.embed token of %w offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  // expected-error @+1 {{'pack.observe' op needs a name}}
  pack.observe "" %x : !pack.buffer<4, logits>
  pack.return %x : !pack.buffer<4, logits>
}

// -----

lm.tensor private @m : tensor<4x4xf32>
pack.step @codes {
  %e = lm.weight @m : tensor<4x4xf32>
  %w = pack.weight "e" %e : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %x = pack.embed token of %w offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  %q = pack.quantize %x : !pack.buffer<4, logits> -> !pack.quantized<4 zero 8, logits>
  // expected-error @+1 {{'pack.observe' op operand #0 must be}}
  "pack.observe"(%q) <{name = "codes"}> : (!pack.quantized<4 zero 8, logits>) -> ()
  pack.return %x : !pack.buffer<4, logits>
}
