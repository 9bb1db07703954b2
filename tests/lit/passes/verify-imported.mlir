// A graph as import makes it passes: gated and plain FFNs, experts, a norm after the residual, and
// layers without heads or neurons, which add a constant or nothing.
// RUN: coppice-opt %s --lm-verify-imported | FileCheck %s

// CHECK: lm.block attention layer 0
module attributes {lm.model_type = "opt", lm.context = 8 : i32} {
  lm.tensor private @w : tensor<2x2xf32>
  lm.tensor private @b : tensor<2xf32>
  func.func @model(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x2xf32> {
    %w = lm.weight @w : tensor<2x2xf32>
    %0 = lm.embed %tokens, %w : tensor<?xi32>, tensor<2x2xf32> -> tensor<?x2xf32>
    %1 = lm.block attention layer 0 (%a = %0) : tensor<?x2xf32> {
      %q = lm.linear %a, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %r = lm.rope %q at %positions head_dim 2 inv_freq [1.0] : tensor<?x2xf32>, tensor<?xi32> -> tensor<?x2xf32>
      %k = lm.linear %a, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %v = lm.linear %a, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %h = lm.attention %r, %k, %v head_dim 2 kv_map [0] scale 1.0 : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      %o = lm.linear %h, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %s = lm.add %a, %o : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      %n = lm.layer_norm %s eps 1.0e-05 : tensor<?x2xf32> -> tensor<?x2xf32>
      lm.yield %n : tensor<?x2xf32>
    }
    %2 = lm.block ffn layer 0 (%a = %1) : tensor<?x2xf32> {
      %g = lm.linear %a, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %u = lm.linear %a, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %f = lm.activation silu %g : tensor<?x2xf32> -> tensor<?x2xf32>
      %p = lm.mul %f, %u : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      %d = lm.linear %p, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %s = lm.add %a, %d : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      lm.yield %s : tensor<?x2xf32>
    }
    %b = lm.weight @b : tensor<2xf32>
    %3 = lm.block attention layer 1 (%a = %2) : tensor<?x2xf32> {
      %k = lm.linear %a, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %s = lm.add %a, %b : tensor<?x2xf32>, tensor<2xf32> -> tensor<?x2xf32>
      lm.yield %s : tensor<?x2xf32>
    }
    %4 = lm.block ffn layer 1 (%a = %3) : tensor<?x2xf32> {
      lm.yield %a : tensor<?x2xf32>
    }
    return %4 : tensor<?x2xf32>
  }
}
