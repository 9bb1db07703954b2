// Every error that a verifier or a parser of lm can give for lists, weights and arithmetic, one case
// each; lm-region-errors.mlir has the rest.
// RUN: coppice-opt %s -split-input-file -verify-diagnostics

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
  // expected-error@+1 {{'lm.mul' op result is 'tensor<4xf32>', but its operands give 'tensor<?x4xf32>'}}
  %0 = lm.mul %x, %c : tensor<?x4xf32>, tensor<4xf32> -> tensor<4xf32>
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

func.func @f(%x: tensor<?x4xf32>, %s: tensor<3xf32>) {
  // expected-error@+1 {{'lm.rms_norm' op input has 4 columns, which is not a multiple of group 3}}
  %0 = lm.rms_norm %x scale %s group 3 eps 1.0e-6 : tensor<?x4xf32>, tensor<3xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %s: tensor<4xf32>) {
  // expected-error@+1 {{'lm.rms_norm' op scale has 4 values, but a group has 2}}
  %0 = lm.rms_norm %x scale %s group 2 eps 1.0e-6 : tensor<?x4xf32>, tensor<4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %s: tensor<4xf32>) {
  // expected-error@+1 {{'lm.rms_norm' op group is 0, but must be at least 1}}
  %0 = lm.rms_norm %x scale %s group 0 eps 1.0e-6 : tensor<?x4xf32>, tensor<4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>) {
  // expected-error@+1 {{'lm.softcap' op cap is not a finite number above 0}}
  %0 = lm.softcap %x cap 0.0 : tensor<?x4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>) {
  // expected-error@+1 {{'lm.softcap' op result is 'tensor<?x5xf32>', but its operands give 'tensor<?x4xf32>'}}
  %0 = lm.softcap %x cap 1.0 : tensor<?x4xf32> -> tensor<?x5xf32>
  return
}

// -----

func.func @f() {
  // expected-error@+1 {{'lm.splat' op value is not finite}}
  %0 = lm.splat 0x7FF0000000000000 : tensor<4xf32>
  return
}

// -----

func.func @f() {
  // expected-error@+1 {{'lm.splat' op result is 'tensor<4xf16>', but its operands give 'tensor<4xf32>'}}
  %0 = lm.splat 1.0 : tensor<4xf16>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %p: tensor<?xi32>) {
  // expected-error@+1 {{'lm.rope' op magnitude is not a finite number above 0}}
  %0 = lm.rope %x at %p head_dim 2 inv_freq [1.0] magnitude -1.0 : tensor<?x4xf32>, tensor<?xi32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>) {
  // expected-error@+1 {{'lm.attention' op window is 0, but must be at least 1}}
  %0 = lm.attention %x, %x, %x head_dim 2 kv_map [0, 1] scale 0.5 window 0 : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>) {
  // expected-error@+1 {{'lm.attention' op softcap is not a finite number above 0}}
  %0 = lm.attention %x, %x, %x head_dim 2 kv_map [0, 1] scale 0.5 softcap 0.0 : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  return
}
