// What import owes and did not give is an error that says what.
// RUN: coppice-opt %s --split-input-file --allow-unregistered-dialect --lm-verify-imported --verify-diagnostics

// expected-error @+2 {{import: the module has no lm.model_type}}
// expected-error @+1 {{import: the module has 2 functions; import makes one}}
module attributes {lm.context = 8 : i32} {
  func.func private @f(%t: tensor<?xi32>, %p: tensor<?xi32>, %x: tensor<?x2xf32>) -> tensor<?x2xf32>
  func.func private @model(%t: tensor<?xi32>, %p: tensor<?xi32>) -> tensor<?x2xf32>
}

// -----

// expected-error @+1 {{import: the module has no lm.context, an i32 of at least 1}}
module attributes {lm.model_type = "opt", lm.context = 0 : i32} {
  // expected-error @+1 {{import: the function is '(tensor<?xi32>) -> tensor<?x2xf32>'; it takes tokens and positions}}
  func.func private @model(%t: tensor<?xi32>) -> tensor<?x2xf32>
}

// -----

// A mask, a selection, a matrix that is computed, blocks out of order and skipped, heads read twice.
module attributes {lm.model_type = "opt", lm.context = 8 : i32} {
  lm.tensor private @w : tensor<2x2xf32>
  func.func @model(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x2xf32> {
    %w = lm.weight @w : tensor<2x2xf32>
    %0 = lm.embed %tokens, %w : tensor<?xi32>, tensor<2x2xf32> -> tensor<?x2xf32>
    // expected-error @+1 {{import: lm.mask stands in an imported graph}}
    %m = lm.mask %0 dead <0> : tensor<?x2xf32>
    // expected-error @+1 {{import: lm.select stands in an imported graph}}
    %s = lm.select %m cols <1, 0> : tensor<?x2xf32> -> tensor<?x2xf32>
    %c = "test.matrix"() : () -> tensor<2x2xf32>
    // expected-error @+1 {{import: the matrix of a linear comes from elsewhere than an lm.weight}}
    %l = lm.linear %s, %c : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
    // expected-error @+1 {{import: the attention block of layer 0 is skipped already}}
    %1 = lm.block attention layer 0 skip (%a = %l) : tensor<?x2xf32> {
      %q = lm.linear %a, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %k = lm.linear %a, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %v = lm.linear %a, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %h = lm.attention %q, %k, %v head_dim 2 kv_map [0] scale 1.0 : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      %o = lm.linear %h, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      lm.yield %o : tensor<?x2xf32>
    }
    // expected-error @+2 {{import: the attention block of layer 1 stands where the ffn block of layer 0 should}}
    // expected-error @+1 {{import: the attention block of layer 1 heads are read 2 times, not once}}
    %2 = lm.block attention layer 1 (%a = %1) : tensor<?x2xf32> {
      %q = lm.linear %a, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %h = lm.attention %q, %q, %q head_dim 2 kv_map [0] scale 1.0 : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      %o = lm.linear %h, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %n = lm.add %h, %o : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      lm.yield %n : tensor<?x2xf32>
    }
    // expected-error @+1 {{import: the ffn block of layer 1 holds 0 lm.activation, not one}}
    %3 = lm.block ffn layer 1 (%a = %2) : tensor<?x2xf32> {
      %u = lm.linear %a, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      lm.yield %u : tensor<?x2xf32>
    }
    // expected-error @+1 {{import: the ffn block of layer 2 neurons are read by lm.add, not by lm.linear}}
    %4 = lm.block ffn layer 2 (%a = %3) : tensor<?x2xf32> {
      %u = lm.linear %a, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %f = lm.activation relu %u : tensor<?x2xf32> -> tensor<?x2xf32>
      %n = lm.add %a, %f : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      lm.yield %n : tensor<?x2xf32>
    }
    // expected-error @+1 {{import: the attention block of layer 3 key does not come from an lm.linear}}
    %5 = lm.block attention layer 3 (%a = %4) : tensor<?x2xf32> {
      %q = lm.linear %a, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %h = lm.attention %q, %a, %q head_dim 2 kv_map [0] scale 1.0 : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      %o = lm.linear %h, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      lm.yield %o : tensor<?x2xf32>
    }
    return %5 : tensor<?x2xf32>
  }
}

// -----

// A layer without its ffn block.
module attributes {lm.model_type = "opt", lm.context = 8 : i32} {
  lm.tensor private @w : tensor<2x2xf32>
  func.func @model(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x2xf32> {
    %w = lm.weight @w : tensor<2x2xf32>
    %0 = lm.embed %tokens, %w : tensor<?xi32>, tensor<2x2xf32> -> tensor<?x2xf32>
    // expected-error @+1 {{import: the attention block of layer 0 has no ffn block after it}}
    %1 = lm.block attention layer 0 (%a = %0) : tensor<?x2xf32> {
      %q = lm.linear %a, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %h = lm.attention %q, %q, %q head_dim 2 kv_map [0] scale 1.0 : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      %o = lm.linear %h, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      lm.yield %o : tensor<?x2xf32>
    }
    return %1 : tensor<?x2xf32>
  }
}

// -----

// Experts that are dead before a plan came.
module attributes {lm.model_type = "opt", lm.context = 8 : i32} {
  lm.tensor private @w : tensor<2x2xf32>
  func.func @model(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x2xf32> {
    %w = lm.weight @w : tensor<2x2xf32>
    %0 = lm.embed %tokens, %w : tensor<?xi32>, tensor<2x2xf32> -> tensor<?x2xf32>
    // expected-error @+1 {{import: experts are dead in an imported graph; only plans make them so}}
    %1 = lm.moe %0 scores %0 top_k 1 dead <0> : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32> {
    ^bb0(%e: tensor<?x2xf32>):
      lm.yield %e : tensor<?x2xf32>
    }, {
    ^bb0(%e: tensor<?x2xf32>):
      lm.yield %e : tensor<?x2xf32>
    }
    return %1 : tensor<?x2xf32>
  }
}

// -----

// A gate that is no linear, and neurons that come from none.
module attributes {lm.model_type = "opt", lm.context = 8 : i32} {
  lm.tensor private @w : tensor<2x2xf32>
  func.func @model(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x2xf32> {
    %w = lm.weight @w : tensor<2x2xf32>
    %0 = lm.embed %tokens, %w : tensor<?xi32>, tensor<2x2xf32> -> tensor<?x2xf32>
    %1 = lm.block attention layer 0 (%a = %0) : tensor<?x2xf32> {
      %q = lm.linear %a, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %h = lm.attention %q, %q, %q head_dim 2 kv_map [0] scale 1.0 : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      %o = lm.linear %h, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      lm.yield %o : tensor<?x2xf32>
    }
    // expected-error @+1 {{import: the ffn block of layer 0 gate does not come from an lm.linear}}
    %2 = lm.block ffn layer 0 (%a = %1) : tensor<?x2xf32> {
      %u = lm.linear %a, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %f = lm.activation silu %a : tensor<?x2xf32> -> tensor<?x2xf32>
      %p = lm.mul %f, %u : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      %d = lm.linear %p, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      lm.yield %d : tensor<?x2xf32>
    }
    %3 = lm.block attention layer 1 (%a = %2) : tensor<?x2xf32> {
      %q = lm.linear %a, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %h = lm.attention %q, %q, %q head_dim 2 kv_map [0] scale 1.0 : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      %o = lm.linear %h, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      lm.yield %o : tensor<?x2xf32>
    }
    // expected-error @+1 {{import: the ffn block of layer 1 neurons do not come from an lm.linear}}
    %4 = lm.block ffn layer 1 (%a = %3) : tensor<?x2xf32> {
      %f = lm.activation relu %a : tensor<?x2xf32> -> tensor<?x2xf32>
      %d = lm.linear %f, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      lm.yield %d : tensor<?x2xf32>
    }
    return %4 : tensor<?x2xf32>
  }
}

// -----

// Rows from elsewhere than the residual: an attention block that reads the embedding past its input,
// an ffn block that reads the residual of another layer.
module attributes {lm.model_type = "opt", lm.context = 8 : i32} {
  lm.tensor private @w : tensor<2x2xf32>
  func.func @model(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x2xf32> {
    %w = lm.weight @w : tensor<2x2xf32>
    %0 = lm.embed %tokens, %w : tensor<?xi32>, tensor<2x2xf32> -> tensor<?x2xf32>
    %e = lm.add %0, %0 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    %1 = lm.block attention layer 0 (%a = %e) : tensor<?x2xf32> {
      // expected-error @+1 {{import: the attention block of layer 0 reads rows from outside that are not the residual of its layer}}
      %q = lm.linear %0, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %h = lm.attention %q, %q, %q head_dim 2 kv_map [0] scale 1.0 : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      %o = lm.linear %h, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      lm.yield %o : tensor<?x2xf32>
    }
    %2 = lm.block ffn layer 0 (%a = %1) : tensor<?x2xf32> {
      %u = lm.linear %e, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %f = lm.activation relu %u : tensor<?x2xf32> -> tensor<?x2xf32>
      %d = lm.linear %f, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      lm.yield %d : tensor<?x2xf32>
    }
    %3 = lm.block attention layer 1 (%a = %2) : tensor<?x2xf32> {
      %q = lm.linear %a, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %h = lm.attention %q, %q, %q head_dim 2 kv_map [0] scale 1.0 : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      %o = lm.linear %h, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      lm.yield %o : tensor<?x2xf32>
    }
    %4 = lm.block ffn layer 1 (%a = %3) : tensor<?x2xf32> {
      // expected-error @+1 {{import: the ffn block of layer 1 reads rows from outside that are not the residual of its layer}}
      %u = lm.linear %e, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %f = lm.activation relu %u : tensor<?x2xf32> -> tensor<?x2xf32>
      %d = lm.linear %f, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      lm.yield %d : tensor<?x2xf32>
    }
    return %4 : tensor<?x2xf32>
  }
}
