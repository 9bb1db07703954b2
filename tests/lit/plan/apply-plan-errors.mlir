// What the model does not have is an error, said once, and nothing is written. Errors of the plan
// alone are in the unit tests.
// RUN: not coppice-opt %S/Inputs/model.mlir --lm-apply-plan 2>&1 | FileCheck %s --check-prefix=NONE
// NONE: error: lm-apply-plan: has no plan; give it as plan=FILE

// RUN: not coppice-opt %S/Inputs/model.mlir --lm-apply-plan=plan=%t.nowhere 2>&1 | FileCheck %s --check-prefix=NOWHERE
// NOWHERE: error: {{.*}}.nowhere: cannot read it: No such file or directory

// RUN: echo '{"version": 1, "model_type": "llama", "remove": [{"layer": 0, "heads": [0, 3]}]}' > %t.head
// RUN: not coppice-opt %S/Inputs/model.mlir --lm-apply-plan=plan=%t.head 2>&1 | FileCheck %s --check-prefix=HEAD --implicit-check-not=lm.mask
// HEAD: error: {{.*}}.head: remove[0].heads[1]: layer 0: head 3 is out of range, the layer has 3 (0 to 2)
