// Formats that are none, and rules that name nothing, are refused by name.
// RUN: not coppice-opt %s --pack-choose-formats=weights=i3 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not coppice-opt %s --pack-choose-formats=weights=i4,head=i9 2>&1 | FileCheck %s --check-prefix=INSIDE
// RUN: not coppice-opt %s --pack-choose-formats=weights=i4,i8 2>&1 | FileCheck %s --check-prefix=TWO
// RUN: not coppice-opt %s --pack-choose-formats=weights=i4,=i8 2>&1 | FileCheck %s --check-prefix=NAMELESS
// RUN: not coppice-opt %s --pack-choose-formats=weights=[=i8 2>&1 | FileCheck %s --check-prefix=PATTERN
// RUN: not coppice-opt %s --pack-choose-formats=weights=*.down_proj.weight=i8 2>&1 | FileCheck %s --check-prefix=UNUSED
// RUN: not coppice-opt %s --pack-choose-formats=weights=i4,head=i8,embed=f16 2>&1 | FileCheck %s --check-prefix=TIED
// RUN: not coppice-opt %s --pack-choose-formats=weights=i4,embed=i4 2>&1 | FileCheck %s --check-prefix=TIED
// RUN: coppice-opt %s --pack-choose-formats=weights=i4,embed=i8
// UNKNOWN: error: unknown weight format 'i3'; use stored, f32, f16, bf16, i8 or i4
// INSIDE: error: unknown weight format 'i9' in 'i4,head=i9'; use stored, f32, f16, bf16, i8 or i4
// TWO: error: weights 'i4,i8' give two formats for all matrices; give one, and NAME=FORMAT for those that differ
// NAMELESS: error: '=i8' of weights 'i4,=i8' names no matrix; write head=, embed= or a pattern of tensor names
// PATTERN: error: '[' is no pattern of tensor names:
// TIED: error: weights: embed= does not reach 'm', which is this model's head too: head= chooses its format; leave embed= out, give both one format, or name another table by a pattern
// UNUSED: error: weights: the pattern '*.down_proj.weight' fits no matrix of this model; of each kind one: 'm'
lm.tensor private @m : tensor<4x4xf32>
pack.step @model {
  %w = lm.weight @m : tensor<4x4xf32>
  %p = pack.weight "m" %w : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, panels>
  %x = pack.embed token of %p offset 0 : !pack.weight<4 by 4 by f32, panels> -> !pack.buffer<4, logits>
  %l = pack.linear %x, %p : !pack.buffer<4, logits>, !pack.weight<4 by 4 by f32, panels> -> !pack.buffer<4, logits>
  pack.return %l : !pack.buffer<4, logits>
}
