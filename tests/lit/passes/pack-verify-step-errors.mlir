// A module that memory cannot be planned for is refused.
// RUN: coppice-opt %s --split-input-file --verify-diagnostics --pack-verify-step

// The logits must be written by a linear of their own.
pack.step @model {
  %e = pack.constant "embed" [0] : !pack.weight<1 by 1 by f32, rows>
  %x = pack.embed token of %e offset 0 : !pack.weight<1 by 1 by f32, rows> -> !pack.buffer<1, logits>
  // expected-error @+1 {{must return the result of a linear without residual}}
  pack.return %x : !pack.buffer<1, logits>
}

// -----

// expected-error @+1 {{must hold one pack.step, not 0}}
module {
}

// -----

// A function beside the step was not converted.
pack.step @model {
  %e = pack.constant "embed" [0] : !pack.weight<1 by 1 by f32, rows>
  %x = pack.embed token of %e offset 0 : !pack.weight<1 by 1 by f32, rows> -> !pack.buffer<1, logits>
  pack.return %x : !pack.buffer<1, logits>
}
// expected-error @+1 {{is still a function beside the step}}
func.func @other(%x: tensor<?x1xf32>) -> tensor<?x1xf32> {
  return %x : tensor<?x1xf32>
}
