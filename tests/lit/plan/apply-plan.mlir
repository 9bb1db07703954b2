// A plan becomes masks, and nothing else changes.
// RUN: coppice-opt %S/Inputs/model.mlir -o %t.before
// RUN: echo '{"version": 1, "model_type": "llama", "remove": [{"layer": 0, "heads": [2, 0], "neurons": ["1-2"]}, {"layer": 1, "experts": [1]}]}' > %t.parts
// RUN: coppice-opt %S/Inputs/model.mlir --lm-apply-plan=plan=%t.parts | FileCheck %s --check-prefix=PARTS
// RUN: coppice-opt %S/Inputs/model.mlir --lm-apply-plan="plan=%t.parts report=true" -o /dev/null 2>&1 | FileCheck %s --check-prefix=COUNTS
// COUNTS: remark: lm-apply-plan: heads 2, neurons 2, experts 1, blocks 0
// RUN: echo '{"version": 1, "model_type": "llama", "remove": [{"layer": 1, "whole": true}, {"layer": 0, "ffn": true, "heads": ["0-2"]}]}' > %t.blocks
// RUN: coppice-opt %S/Inputs/model.mlir --lm-apply-plan=plan=%t.blocks | FileCheck %s --check-prefix=BLOCKS
// RUN: echo '{"version": 1, "model_type": "llama", "remove": [{"layer": 0, "heads": [], "neurons": []}]}' > %t.nothing
// RUN: coppice-opt %S/Inputs/model.mlir --lm-apply-plan=plan=%t.nothing | diff %t.before -

// Heads are masked right after attention, columns of heads 0 and 2; neurons right before the down
// projection, after the product; the expert in the router.
// PARTS: lm.block attention layer 0 (
// PARTS: %[[A:.+]] = lm.attention
// PARTS-NEXT: %[[M:.+]] = lm.mask %[[A]] dead <0, 1, 4, 5> : tensor<?x6xf32>
// PARTS-NEXT: lm.linear %[[M]]
// PARTS: lm.block ffn layer 0 (
// PARTS: %[[P:.+]] = lm.mul
// PARTS-NEXT: %[[N:.+]] = lm.mask %[[P]] dead <1, 2> : tensor<?x4xf32>
// PARTS-NEXT: lm.linear %[[N]]
// PARTS: lm.block attention layer 1 (
// PARTS-NOT: lm.mask
// PARTS: lm.moe {{.*}} top_k 2 normalize dead <1>

// Whole blocks are marked, and not touched inside.
// BLOCKS: lm.block attention layer 0 (
// BLOCKS: lm.mask {{.*}} dead <0 to 5>
// BLOCKS: lm.block ffn layer 0 skip (
// BLOCKS: lm.block attention layer 1 skip (
// BLOCKS: lm.block ffn layer 1 skip (
// BLOCKS-NOT: lm.mask
