// Every error that a verifier or a parser of lm can give for attention, blocks, masks and experts,
// one case each; lm-errors.mlir has the rest.
// Unknown ops are let in for the one case that needs a foreign terminator.
// RUN: coppice-opt %s -split-input-file -verify-diagnostics -allow-unregistered-dialect

func.func @f(%x: tensor<?x4xf32>, %p: tensor<?xi32>) {
  // expected-error@+1 {{'lm.rope' op head_dim is 0, but must be at least 1}}
  %0 = lm.rope %x at %p head_dim 0 inv_freq [] : tensor<?x4xf32>, tensor<?xi32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %p: tensor<?xi32>) {
  // expected-error@+1 {{'lm.rope' op input has 4 columns, which is not a multiple of head_dim 3}}
  %0 = lm.rope %x at %p head_dim 3 inv_freq [1.0] : tensor<?x4xf32>, tensor<?xi32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %p: tensor<?xi32>) {
  // expected-error@+1 {{'lm.rope' op inv_freq has 2 entries, a pair of columns each, but head_dim is 2}}
  %0 = lm.rope %x at %p head_dim 2 inv_freq [1.0, 0.5] : tensor<?x4xf32>, tensor<?xi32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %p: tensor<?xi32>) {
  // expected-error@+1 {{'lm.rope' op inv_freq has an entry that is not finite}}
  %0 = lm.rope %x at %p head_dim 2 inv_freq [0x7F800000] : tensor<?x4xf32>, tensor<?xi32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %p: tensor<?xi32>) {
  // expected-error@+1 {{'lm.rope' op result is 'tensor<?x2xf32>', but its operands give 'tensor<?x4xf32>'}}
  %0 = lm.rope %x at %p head_dim 2 inv_freq [1.0] : tensor<?x4xf32>, tensor<?xi32> -> tensor<?x2xf32>
  return
}

// -----

// A frequency is a number.
func.func @f(%x: tensor<?x4xf32>, %p: tensor<?xi32>) {
  // expected-error@+1 {{expected floating point literal}}
  %0 = lm.rope %x at %p head_dim 2 inv_freq [a] : tensor<?x4xf32>, tensor<?xi32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%q: tensor<?x4xf32>) {
  // expected-error@+1 {{'lm.attention' op head_dim is -2, but must be at least 1}}
  %0 = lm.attention %q, %q, %q head_dim -2 kv_map [0] scale 1.0 : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%q: tensor<?x4xf32>, %k: tensor<?x3xf32>) {
  // expected-error@+1 {{'lm.attention' op key has 3 columns, which is not a multiple of head_dim 2}}
  %0 = lm.attention %q, %k, %k head_dim 2 kv_map [0, 0] scale 1.0 : tensor<?x4xf32>, tensor<?x3xf32>, tensor<?x3xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%q: tensor<?x4xf32>, %k: tensor<?x2xf32>) {
  // expected-error@+1 {{'lm.attention' op key has 2 columns, but value has 4}}
  %0 = lm.attention %q, %k, %q head_dim 2 kv_map [0, 0] scale 1.0 : tensor<?x4xf32>, tensor<?x2xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%q: tensor<?x4xf32>) {
  // expected-error@+1 {{'lm.attention' op query has 4 columns, but kv_map has 3 heads of head_dim 2}}
  %0 = lm.attention %q, %q, %q head_dim 2 kv_map [0, 0, 1] scale 1.0 : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%q: tensor<?x4xf32>) {
  // expected-error@+1 {{'lm.attention' op kv_map sends head 1 to KV head 2, but there are 2}}
  %0 = lm.attention %q, %q, %q head_dim 2 kv_map [0, 2] scale 1.0 : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%q: tensor<?x4xf32>) {
  // expected-error@+1 {{'lm.attention' op kv_map sends head 0 to KV head -1, but there are 2}}
  %0 = lm.attention %q, %q, %q head_dim 2 kv_map [-1, 0] scale 1.0 : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%q: tensor<?x4xf32>) {
  // expected-error@+1 {{'lm.attention' op scale is not finite}}
  %0 = lm.attention %q, %q, %q head_dim 2 kv_map [0, 1] scale 0x7FF8000000000000 : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%q: tensor<?x4xf32>) {
  // expected-error@+1 {{'lm.attention' op result is 'tensor<?x2xf32>', but its operands give 'tensor<?x4xf32>'}}
  %0 = lm.attention %q, %q, %q head_dim 2 kv_map [0, 1] scale 1.0 : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x2xf32>
  return
}

// -----

func.func @f(%h: tensor<?x4xf32>) {
  // expected-error@+1 {{block kind is 'conv', but must be attention or ffn}}
  %0 = lm.block conv layer 0 (%x = %h) : tensor<?x4xf32> {
    lm.yield %x : tensor<?x4xf32>
  }
  return
}

// -----

func.func @f(%h: tensor<?x4xf32>) {
  // expected-error@+1 {{'lm.block' op layer is -1, which is negative}}
  %0 = lm.block ffn layer -1 (%x = %h) : tensor<?x4xf32> {
    lm.yield %x : tensor<?x4xf32>
  }
  return
}

// -----

func.func @f(%h: tensor<?x4xf32>) {
  // expected-error@+1 {{'lm.block' op takes a residual of 'tensor<?x4xf32>', but gives 'tensor<?x5xf32>'}}
  %0 = "lm.block"(%h) <{kind = #lm<block_kind ffn>, layer = 0 : i32}> ({
  ^bb0(%x: tensor<?x4xf32>):
    "lm.yield"(%x) : (tensor<?x4xf32>) -> ()
  }) : (tensor<?x4xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @f(%h: tensor<?x4xf32>) {
  // expected-error@+1 {{'lm.block' op region must take one argument, the input of type 'tensor<?x4xf32>'}}
  %0 = "lm.block"(%h) <{kind = #lm<block_kind ffn>, layer = 0 : i32}> ({
    "lm.yield"(%h) : (tensor<?x4xf32>) -> ()
  }) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%h: tensor<?x4xf32>) {
  // expected-error@+1 {{'lm.block' op region must end in lm.yield}}
  %0 = lm.block ffn layer 0 (%x = %h) : tensor<?x4xf32> {
    "test.end"() : () -> ()
  }
  return
}

// -----

func.func @f(%h: tensor<?x4xf32>, %i: tensor<?x5xf32>) {
  // expected-error@+1 {{'lm.block' op region yields 'tensor<?x5xf32>', but the result is 'tensor<?x4xf32>'}}
  %0 = lm.block ffn layer 0 (%x = %h) : tensor<?x4xf32> {
    lm.yield %i : tensor<?x5xf32>
  }
  return
}

// -----

func.func @f(%h: tensor<?x4xf32>) {
  // expected-error@+1 {{'lm.yield' op expects parent op to be one of 'lm.block, lm.moe'}}
  lm.yield %h : tensor<?x4xf32>
}

// -----

func.func @f(%x: tensor<?x4xf32>) {
  // expected-error@+1 {{'lm.mask' op dead lists 4, but the row has 4}}
  %0 = lm.mask %x dead <1, 4> : tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %c: tensor<3xf32>) {
  // expected-error@+1 {{'lm.mask' op fill has 3 values, but 2 columns are dead}}
  %0 = lm.mask %x dead <1, 2> fill %c : tensor<?x4xf32>, tensor<3xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>) {
  // expected-error@+1 {{'lm.mask' op failed to verify that the result has the input's type}}
  %0 = "lm.mask"(%x) <{dead = #lm.list<1>}> : (tensor<?x4xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>) {
  // expected-error@+1 {{'lm.select' op cols lists 5, but the row has 4}}
  %0 = lm.select %x cols <5> : tensor<?x4xf32> -> tensor<?x1xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>) {
  // expected-error@+1 {{'lm.select' op result is 'tensor<?x2xf32>', but its operands give 'tensor<?x1xf32>'}}
  %0 = lm.select %x cols <3> : tensor<?x4xf32> -> tensor<?x2xf32>
  return
}

// -----

// A selection of a constant is a constant of the same element type.
func.func @f(%x: tensor<4xf16>) {
  // expected-error@+1 {{'lm.select' op result is 'tensor<1xf32>', but its operands give 'tensor<1xf16>'}}
  %0 = lm.select %x cols <3> : tensor<4xf16> -> tensor<1xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>) {
  // expected-error@+1 {{'lm.observe' op needs a name}}
  %0 = lm.observe "" %x : tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>) {
  // expected-error@+1 {{'lm.observe' op failed to verify that the result has the input's type}}
  %0 = "lm.observe"(%x) <{name = "a"}> : (tensor<?x4xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %s: tensor<?x2xf32>) {
  // expected-error@+1 {{'lm.moe' op scores have 2 columns, but there are 1 experts}}
  %0 = lm.moe %x scores %s top_k 1 : tensor<?x4xf32>, tensor<?x2xf32> -> tensor<?x4xf32> {
  ^bb0(%y: tensor<?x4xf32>):
    lm.yield %y : tensor<?x4xf32>
  }
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %s: tensor<?x1xf32>) {
  // expected-error@+1 {{'lm.moe' op dead lists 1, but the router has 1}}
  %0 = lm.moe %x scores %s top_k 1 dead <1> : tensor<?x4xf32>, tensor<?x1xf32> -> tensor<?x4xf32> {
  ^bb0(%y: tensor<?x4xf32>):
    lm.yield %y : tensor<?x4xf32>
  }
  return
}

// -----

// Fewer experts left than the router picks.
func.func @f(%x: tensor<?x4xf32>, %s: tensor<?x1xf32>) {
  // expected-error@+1 {{'lm.moe' op picks 1 of 0 experts}}
  %0 = lm.moe %x scores %s top_k 1 dead <0> : tensor<?x4xf32>, tensor<?x1xf32> -> tensor<?x4xf32> {
  ^bb0(%y: tensor<?x4xf32>):
    lm.yield %y : tensor<?x4xf32>
  }
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %s: tensor<?x1xf32>) {
  // expected-error@+1 {{'lm.moe' op picks 0 of 1 experts}}
  %0 = lm.moe %x scores %s top_k 0 : tensor<?x4xf32>, tensor<?x1xf32> -> tensor<?x4xf32> {
  ^bb0(%y: tensor<?x4xf32>):
    lm.yield %y : tensor<?x4xf32>
  }
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %s: tensor<?x1xf32>) {
  // expected-error@+1 {{'lm.moe' op region must take one argument, the input of type 'tensor<?x4xf32>'}}
  %0 = lm.moe %x scores %s top_k 1 : tensor<?x4xf32>, tensor<?x1xf32> -> tensor<?x4xf32> {
    lm.yield %x : tensor<?x4xf32>
  }
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %s: tensor<?x1xf32>) {
  // expected-error@+1 {{'lm.moe' op region yields 'tensor<?x1xf32>', but the result is 'tensor<?x4xf32>'}}
  %0 = lm.moe %x scores %s top_k 1 : tensor<?x4xf32>, tensor<?x1xf32> -> tensor<?x4xf32> {
  ^bb0(%y: tensor<?x4xf32>):
    lm.yield %s : tensor<?x1xf32>
  }
  return
}
