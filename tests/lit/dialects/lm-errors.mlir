// Every error that a verifier or a parser of lm can give, one case each.
// Unknown ops are let in for the one case that needs a foreign terminator.
// RUN: coppice-opt %s -split-input-file -verify-diagnostics -allow-unregistered-dialect

// A list that runs backwards.
lm.tensor private @w : tensor<4xf32>
func.func @f() {
  // expected-error@+1 {{range 3 to 1 runs backwards; list the numbers one by one instead}}
  %0 = lm.weight @w rows <3 to 1> : tensor<3xf32>
  return
}

// -----

// A claimed range is refused before it is allocated.
func.func @f(%x: tensor<?x4xf32>) {
  // expected-error@+1 {{a list holds at most 16777216 numbers}}
  %0 = lm.mask %x dead <0 to 2147483646> : tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>) {
  // expected-error@+1 {{list holds -1, which is negative}}
  %0 = lm.mask %x dead <-1> : tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>) {
  // expected-error@+1 {{list holds 16777216, and no model has more than 16777216 rows}}
  %0 = lm.mask %x dead <16777216> : tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>) {
  // expected-error@+1 {{list holds 2 twice}}
  %0 = lm.mask %x dead <2, 0 to 3> : tensor<?x4xf32>
  return
}

// -----

// A list that is no list.
func.func @f(%x: tensor<?x4xf32>) {
  // expected-error@+1 {{expected integer value}}
  %0 = lm.mask %x dead <a> : tensor<?x4xf32>
  return
}

// -----

// expected-error@+1 {{'lm.tensor' op needs a name}}
lm.tensor private @"" : tensor<4xf32>

// -----

// expected-error@+1 {{attribute 'type' failed to satisfy constraint}}
lm.tensor private @w : tensor<4xf64>

// -----

// expected-error@+1 {{attribute 'type' failed to satisfy constraint}}
lm.tensor private @w : tensor<4x4x4xf32>

// -----

// expected-error@+1 {{attribute 'type' failed to satisfy constraint}}
lm.tensor private @w : tensor<?x4xf32>

// -----

lm.tensor private @w : tensor<4xf32>
func.func @f() {
  // expected-error@+1 {{'lm.weight' op is a vector, which has no columns to list}}
  %0 = lm.weight @w cols <0> : tensor<4xf32>
  return
}

// -----

lm.tensor private @w : tensor<4xf32>
func.func @f() {
  // expected-error@+1 {{'lm.weight' op is a vector, which cannot be transposed}}
  %0 = lm.weight @w transposed : tensor<4xf32>
  return
}

// -----

func.func @f() {
  // expected-error@+1 {{'lm.weight' op reads @w, which is not declared; add an lm.tensor}}
  %0 = lm.weight @w : tensor<4xf32>
  return
}

// -----

func.func @f() {
  // expected-error@+1 {{'lm.weight' op reads @f, which is not an lm.tensor}}
  %0 = lm.weight @f : tensor<4xf32>
  return
}

// -----

lm.tensor private @w : tensor<4xf32>
func.func @f() {
  // expected-error@+1 {{'lm.weight' op is of rank 2, but @w is of rank 1}}
  %0 = lm.weight @w : tensor<4x1xf32>
  return
}

// -----

lm.tensor private @w : tensor<4xf32>
func.func @f() {
  // expected-error@+1 {{'lm.weight' op holds 'f16', but @w holds 'f32'}}
  %0 = lm.weight @w : tensor<4xf16>
  return
}

// -----

lm.tensor private @w : tensor<4x3xf32>
func.func @f() {
  // expected-error@+1 {{'lm.weight' op rows lists 4, but @w has 4}}
  %0 = lm.weight @w rows <4> : tensor<1x3xf32>
  return
}

// -----

// Transposed, the declared columns are the rows.
lm.tensor private @w : tensor<4x3xf32>
func.func @f() {
  // expected-error@+1 {{'lm.weight' op rows lists 3, but @w has 3}}
  %0 = lm.weight @w rows <3> transposed : tensor<1x4xf32>
  return
}

// -----

lm.tensor private @w : tensor<4x3xf32>
func.func @f() {
  // expected-error@+1 {{'lm.weight' op cols lists 3, but @w has 3}}
  %0 = lm.weight @w cols <0, 3> : tensor<4x2xf32>
  return
}

// -----

lm.tensor private @w : tensor<4x3xf32>
func.func @f() {
  // expected-error@+1 {{'lm.weight' op keeps 2 rows of @w, but the result has 3}}
  %0 = lm.weight @w rows <0, 1> : tensor<3x3xf32>
  return
}

// -----

lm.tensor private @w : tensor<4x3xf32>
func.func @f() {
  // expected-error@+1 {{'lm.weight' op keeps 3 rows of @w, but the result has 4}}
  %0 = lm.weight @w transposed : tensor<4x3xf32>
  return
}

// -----

lm.tensor private @w : tensor<4x3xf32>
func.func @f() {
  // expected-error@+1 {{'lm.weight' op keeps 3 cols of @w, but the result has 2}}
  %0 = lm.weight @w : tensor<4x2xf32>
  return
}

// -----

func.func @f(%ids: tensor<?xi32>, %t: tensor<8x4xf32>) {
  // expected-error@+1 {{'lm.embed' op offset is -1, which is negative}}
  %0 = lm.embed %ids, %t offset -1 : tensor<?xi32>, tensor<8x4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%ids: tensor<?xi32>, %t: tensor<8x4xf32>) {
  // expected-error@+1 {{'lm.embed' op result is 'tensor<?x8xf32>', but its operands give 'tensor<?x4xf32>'}}
  %0 = lm.embed %ids, %t : tensor<?xi32>, tensor<8x4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%ids: tensor<?xi64>, %t: tensor<8x4xf32>) {
  // expected-error@+1 {{'lm.embed' op operand #0 must be tensor<?xi32>, one number per token}}
  %0 = lm.embed %ids, %t : tensor<?xi64>, tensor<8x4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>) {
  // expected-error@+1 {{'lm.layer_norm' op eps is not a finite number of at least 0}}
  %0 = lm.layer_norm %x eps -1.0e-5 : tensor<?x4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %s: tensor<4xf32>) {
  // expected-error@+1 {{'lm.rms_norm' op eps is not a finite number of at least 0}}
  %0 = lm.rms_norm %x scale %s eps 0x7FF0000000000000 : tensor<?x4xf32>, tensor<4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %s: tensor<3xf32>) {
  // expected-error@+1 {{'lm.layer_norm' op scale has 3 values, but the row has 4}}
  %0 = lm.layer_norm %x scale %s : tensor<3xf32> eps 0.0 : tensor<?x4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %s: tensor<3xf32>) {
  // expected-error@+1 {{'lm.layer_norm' op bias has 3 values, but the row has 4}}
  %0 = lm.layer_norm %x bias %s : tensor<3xf32> eps 0.0 : tensor<?x4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>) {
  // expected-error@+1 {{'lm.layer_norm' op result is 'tensor<?x3xf32>', but its operands give 'tensor<?x4xf32>'}}
  %0 = lm.layer_norm %x eps 0.0 : tensor<?x4xf32> -> tensor<?x3xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %s: tensor<3xf32>) {
  // expected-error@+1 {{'lm.rms_norm' op scale has 3 values, but the row has 4}}
  %0 = lm.rms_norm %x scale %s eps 0.0 : tensor<?x4xf32>, tensor<3xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %s: tensor<4xf32>) {
  // expected-error@+1 {{'lm.rms_norm' op result is 'tensor<?x3xf32>', but its operands give 'tensor<?x4xf32>'}}
  %0 = lm.rms_norm %x scale %s eps 0.0 : tensor<?x4xf32>, tensor<4xf32> -> tensor<?x3xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %w: tensor<5x3xf32>) {
  // expected-error@+1 {{'lm.linear' op input has 4 columns, but the weight has 3}}
  %0 = lm.linear %x, %w : tensor<?x4xf32>, tensor<5x3xf32> -> tensor<?x5xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %w: tensor<5x4xf32>, %b: tensor<4xf32>) {
  // expected-error@+1 {{'lm.linear' op bias has 4 values, but the weight has 5 rows}}
  %0 = lm.linear %x, %w bias %b : tensor<?x4xf32>, tensor<5x4xf32>, tensor<4xf32> -> tensor<?x5xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %w: tensor<5x4xf32>) {
  // expected-error@+1 {{'lm.linear' op result is 'tensor<?x4xf32>', but its operands give 'tensor<?x5xf32>'}}
  %0 = lm.linear %x, %w : tensor<?x4xf32>, tensor<5x4xf32> -> tensor<?x4xf32>
  return
}

// -----

// A constant in is a constant out.
func.func @f(%x: tensor<4xf32>, %w: tensor<5x4xf32>) {
  // expected-error@+1 {{'lm.linear' op result is 'tensor<?x5xf32>', but its operands give 'tensor<5xf32>'}}
  %0 = lm.linear %x, %w : tensor<4xf32>, tensor<5x4xf32> -> tensor<?x5xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf16>) {
  // expected-error@+1 {{'lm.activation' op result is 'tensor<4xf16>', but its operands give 'tensor<4xf32>'}}
  %0 = lm.activation relu %x : tensor<4xf16> -> tensor<4xf16>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %c: tensor<4xf32>) {
  // expected-error@+1 {{'lm.mul' op multiplies a constant row with token rows; give two of one kind}}
  %0 = lm.mul %x, %c : tensor<?x4xf32>, tensor<4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %y: tensor<?x5xf32>) {
  // expected-error@+1 {{'lm.mul' op has 4 columns on the left, but 5 on the right}}
  %0 = lm.mul %x, %y : tensor<?x4xf32>, tensor<?x5xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>) {
  // expected-error@+1 {{'lm.mul' op result is 'tensor<?x5xf32>', but its operands give 'tensor<?x4xf32>'}}
  %0 = lm.mul %x, %x : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x5xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %c: tensor<5xf32>) {
  // expected-error@+1 {{'lm.add' op has 4 columns on the left, but 5 on the right}}
  %0 = lm.add %x, %c : tensor<?x4xf32>, tensor<5xf32> -> tensor<?x4xf32>
  return
}

// -----

// Token rows on one side give token rows.
func.func @f(%x: tensor<?x4xf32>, %c: tensor<4xf32>) {
  // expected-error@+1 {{'lm.add' op result is 'tensor<4xf32>', but its operands give 'tensor<?x4xf32>'}}
  %0 = lm.add %c, %x : tensor<4xf32>, tensor<?x4xf32> -> tensor<4xf32>
  return
}

// -----

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
