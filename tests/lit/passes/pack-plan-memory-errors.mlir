// The logits must be written by a linear of their own.
// RUN: coppice-opt %s --split-input-file --verify-diagnostics --pack-plan-memory

pack.step @model {
  %e = pack.constant "embed" [0] : !pack.weight<1 by 1 by f32, rows>
  %x = pack.embed token of %e offset 0 : !pack.weight<1 by 1 by f32, rows> -> !pack.buffer<1, logits>
  // expected-error @+1 {{must return the result of a linear without residual}}
  pack.return %x : !pack.buffer<1, logits>
}
