// The checkpoint must be given, and be the one that was imported.
// RUN: %python %S/Inputs/zeros.py %t
// RUN: not coppice-opt %s --lm-find-dead 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not coppice-opt %s --lm-find-dead=checkpoint=%t/nowhere 2>&1 | FileCheck %s --check-prefix=NOWHERE
// RUN: not coppice-opt %s --lm-find-dead=checkpoint=%t 2>&1 | FileCheck %s --check-prefix=MISSING
// RUN: sed s/@lost/@o/ %s > %t/shape.mlir
// RUN: not coppice-opt %t/shape.mlir --lm-find-dead=checkpoint=%t 2>&1 | FileCheck %s --check-prefix=SHAPE

// NONE: error: lm-find-dead: has no weights to look at; give checkpoint=DIR
// NOWHERE: error: lm-find-dead: {{.*}}nowhere
// MISSING: error: lm-find-dead: tensor lost (F32 [2, 4]) is not in the checkpoint
// SHAPE: error: lm-find-dead: tensor o is F32 [2, 8] in the checkpoint, but F32 [2, 4] in the graph
lm.tensor private @full : tensor<2x4xf32>
lm.tensor private @lost : tensor<2x4xf32>
func.func @f(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %0 = lm.block ffn layer 4 (%a = %x) : tensor<?x2xf32> {
    %u = lm.weight @full transposed : tensor<4x2xf32>
    %d = lm.weight @lost : tensor<2x4xf32>
    %2 = lm.linear %a, %u : tensor<?x2xf32>, tensor<4x2xf32> -> tensor<?x4xf32>
    %3 = lm.activation relu %2 : tensor<?x4xf32> -> tensor<?x4xf32>
    %4 = lm.linear %3, %d : tensor<?x4xf32>, tensor<2x4xf32> -> tensor<?x2xf32>
    %5 = lm.add %a, %4 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    lm.yield %5 : tensor<?x2xf32>
  }
  return %0 : tensor<?x2xf32>
}
