// A layer without heads or neurons has none to name, and its blocks can be skipped as others can.
// RUN: echo '{"version": 1, "model_type": "opt", "remove": [{"layer": 0, "heads": [0]}]}' > %t.heads
// RUN: not coppice-opt %S/Inputs/empty.mlir --lm-apply-plan=plan=%t.heads 2>&1 | FileCheck %s --check-prefix=HEADS
// HEADS: error: {{.*}}.heads: remove[0].heads: layer 0: has no heads in this checkpoint; leave the key out

// RUN: echo '{"version": 1, "model_type": "opt", "remove": [{"layer": 0, "neurons": [0]}]}' > %t.neurons
// RUN: not coppice-opt %S/Inputs/empty.mlir --lm-apply-plan=plan=%t.neurons 2>&1 | FileCheck %s --check-prefix=NEURONS
// NEURONS: error: {{.*}}.neurons: remove[0].neurons: layer 0: has no neurons in this checkpoint; leave the key out

// RUN: echo '{"version": 1, "model_type": "opt", "remove": [{"layer": 0, "whole": true}]}' > %t.whole
// RUN: coppice-opt %S/Inputs/empty.mlir --lm-apply-plan=plan=%t.whole --lm-remove-skipped-blocks | FileCheck %s
// CHECK: %[[ROWS:.*]] = lm.embed
// CHECK-NEXT: return %[[ROWS]]
