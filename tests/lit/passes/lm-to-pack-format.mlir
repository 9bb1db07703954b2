// A format that is not known is refused by name.
// RUN: not coppice-opt %s --lm-to-pack=weights=i3 2>&1 | FileCheck %s
// CHECK: error: unknown weight format 'i3'; use stored, f32, f16 or bf16
module {}
