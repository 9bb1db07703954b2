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

// -----

// Routed rows are as many for each row in all layers.
pack.step @model {
  %t = pack.constant "t" [0, 0, 0] : !pack.weight<1 by 3 by f32, rows>
  %s = pack.embed token of %t offset 0 : !pack.weight<1 by 3 by f32, rows> -> !pack.buffer<3, logits>
  %c = pack.route %s : !pack.buffer<3, logits> -> !pack.choices<2 of 3, logits>
  // expected-error @+1 {{picks 1 experts for each row, and another 2: all of a step must pick as many}}
  %d = pack.route %s : !pack.buffer<3, logits> -> !pack.choices<1 of 3, logits>
  pack.return %s : !pack.buffer<3, logits>
}
