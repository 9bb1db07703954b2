// What the phase mask hands on: masks and skipped blocks may stand if so asked, and only then.
// RUN: coppice-opt %s --lm-verify-imported=masked=true | FileCheck %s
// RUN: not coppice-opt %s --lm-verify-imported 2>&1 | FileCheck %s --check-prefix=PLAIN
// PLAIN: error: import: lm.mask stands in an imported graph

module attributes {lm.model_type = "opt", lm.context = 8 : i32} {
  lm.tensor private @w : tensor<2x2xf32>
  // CHECK-LABEL: func.func @model
  func.func @model(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x2xf32> {
    %w = lm.weight @w : tensor<2x2xf32>
    %0 = lm.embed %tokens, %w : tensor<?xi32>, tensor<2x2xf32> -> tensor<?x2xf32>
    // CHECK: lm.mask
    %1 = lm.block attention layer 0 (%a = %0) : tensor<?x2xf32> {
      %q = lm.linear %a, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %h = lm.attention %q, %q, %q head_dim 2 kv_map [0] scale 1.0 : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      %m = lm.mask %h dead <0, 1> : tensor<?x2xf32>
      %o = lm.linear %m, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      lm.yield %o : tensor<?x2xf32>
    }
    // CHECK: lm.block ffn layer 0 skip
    %2 = lm.block ffn layer 0 skip (%a = %1) : tensor<?x2xf32> {
      %u = lm.linear %a, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %f = lm.activation relu %u : tensor<?x2xf32> -> tensor<?x2xf32>
      %d = lm.linear %f, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      lm.yield %d : tensor<?x2xf32>
    }
    return %2 : tensor<?x2xf32>
  }
}
