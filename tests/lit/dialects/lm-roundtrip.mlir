// Every op of lm survives printing and parsing, in its own form and in the generic one, and prints
// as the reference says.
// RUN: coppice-opt %s | coppice-opt --verify-roundtrip | FileCheck %s
// RUN: coppice-opt --mlir-print-op-generic %s | coppice-opt | FileCheck %s
// RUN: coppice-opt --mlir-print-op-generic %s | FileCheck %s --check-prefix=GENERIC

// Declarations: names with dots and spaces, every element type, vectors and matrices, extents of 0.
// CHECK: lm.tensor private @embed.weight : tensor<8x4xf16>
// CHECK: lm.tensor private @"odd name/0" : tensor<8xbf16>
// CHECK: lm.tensor private @bias : tensor<8xf32>
// CHECK: lm.tensor private @none : tensor<0x4xf32>
// CHECK: lm.tensor @public : tensor<4xf32>
// GENERIC: "lm.tensor"() <{sym_name = "embed.weight", sym_visibility = "private", type = tensor<8x4xf16>}> : () -> ()
lm.tensor private @embed.weight : tensor<8x4xf16>
lm.tensor private @"odd name/0" : tensor<8xbf16>
lm.tensor private @bias : tensor<8xf32>
lm.tensor private @none : tensor<0x4xf32>
lm.tensor @public : tensor<4xf32>

// Lists print with inclusive ranges, two neighbours as two numbers, in the given order.
// CHECK-LABEL: func.func @weights
func.func @weights() {
  // CHECK: lm.weight @embed.weight : tensor<8x4xf16>
  %0 = lm.weight @embed.weight : tensor<8x4xf16>
  // CHECK: lm.weight @embed.weight rows <0 to 2, 7> : tensor<4x4xf16>
  // GENERIC: "lm.weight"() <{rows = #lm.list<0 to 2, 7>, tensor = @embed.weight}>
  %1 = lm.weight @embed.weight rows <0, 1, 2, 7> : tensor<4x4xf16>
  // CHECK: lm.weight @embed.weight rows <7, 5, 6> cols <> : tensor<3x0xf16>
  %2 = lm.weight @embed.weight rows <7, 5 to 6> cols <> : tensor<3x0xf16>
  // CHECK: lm.weight @embed.weight cols <3, 0> : tensor<8x2xf16>
  %3 = lm.weight @embed.weight cols <3, 0> : tensor<8x2xf16>
  // CHECK: lm.weight @embed.weight rows <1> transposed : tensor<1x8xf16>
  %4 = lm.weight @embed.weight rows <1> transposed : tensor<1x8xf16>
  // CHECK: lm.weight @"odd name/0" rows <4> : tensor<1xbf16>
  %5 = lm.weight @"odd name/0" rows <4> : tensor<1xbf16>
  // CHECK: lm.weight @none : tensor<0x4xf32>
  %6 = lm.weight @none : tensor<0x4xf32>
  return
}

// CHECK-LABEL: func.func @rows(
// CHECK-SAME: %[[IDS:.*]]: tensor<?xi32>, %[[POS:.*]]: tensor<?xi32>, %[[X:.*]]: tensor<?x4xf32>
func.func @rows(%ids: tensor<?xi32>, %pos: tensor<?xi32>, %x: tensor<?x4xf32>) {
  // CHECK: %[[TABLE:.*]] = lm.weight
  %table = lm.weight @embed.weight : tensor<8x4xf16>
  // CHECK: %[[BIAS:.*]] = lm.weight
  %bias = lm.weight @bias : tensor<8xf32>
  // CHECK: %[[SCALE:.*]] = lm.weight
  %scale = lm.weight @public : tensor<4xf32>
  // CHECK: lm.embed %[[IDS]], %[[TABLE]] : tensor<?xi32>, tensor<8x4xf16> -> tensor<?x4xf32>
  %0 = lm.embed %ids, %table : tensor<?xi32>, tensor<8x4xf16> -> tensor<?x4xf32>
  // CHECK: lm.embed %[[POS]], %[[TABLE]] offset 2 :
  %1 = lm.embed %pos, %table offset 2 : tensor<?xi32>, tensor<8x4xf16> -> tensor<?x4xf32>
  // CHECK: lm.layer_norm %[[X]] eps 1.000000e-05 : tensor<?x4xf32> -> tensor<?x4xf32>
  %2 = lm.layer_norm %x eps 1.0e-5 : tensor<?x4xf32> -> tensor<?x4xf32>
  // CHECK: lm.layer_norm %[[X]] scale %[[SCALE]] : tensor<4xf32> bias %[[SCALE]] : tensor<4xf32> eps
  %3 = lm.layer_norm %x scale %scale : tensor<4xf32> bias %scale : tensor<4xf32> eps 1.0e-5
    : tensor<?x4xf32> -> tensor<?x4xf32>
  // CHECK: %[[PAIR:.*]] = lm.splat 1.500000e+00 : tensor<2xf32>
  %pair = lm.splat 1.5 : tensor<2xf32>
  // CHECK: lm.rms_norm %[[X]] scale %[[PAIR]] group 2 eps 1.000000e-05 : tensor<?x4xf32>, tensor<2xf32> -> tensor<?x4xf32>
  %n0 = lm.rms_norm %x scale %pair group 2 eps 1.0e-5 : tensor<?x4xf32>, tensor<2xf32> -> tensor<?x4xf32>
  // CHECK: lm.rms_norm %[[PAIR]] scale %[[PAIR]] eps 1.000000e-05 : tensor<2xf32>, tensor<2xf32> -> tensor<2xf32>
  %n1 = lm.rms_norm %pair scale %pair eps 1.0e-5 : tensor<2xf32>, tensor<2xf32> -> tensor<2xf32>
  // CHECK: lm.mul %[[X]], %[[SCALE]] : tensor<?x4xf32>, tensor<4xf32> -> tensor<?x4xf32>
  %n2 = lm.mul %x, %scale : tensor<?x4xf32>, tensor<4xf32> -> tensor<?x4xf32>
  // CHECK: lm.softcap %[[X]] cap 3.000000e+01 : tensor<?x4xf32> -> tensor<?x4xf32>
  %n3 = lm.softcap %x cap 30.0 : tensor<?x4xf32> -> tensor<?x4xf32>
  // CHECK: lm.rope %[[X]] at %[[POS]] head_dim 2 inv_freq [1.000000e+00] magnitude 1.250000e+00 :
  %n4 = lm.rope %x at %pos head_dim 2 inv_freq [1.0] magnitude 1.25 : tensor<?x4xf32>, tensor<?xi32> -> tensor<?x4xf32>
  // CHECK: lm.attention %[[X]], %[[X]], %[[X]] head_dim 2 kv_map [0, 1] scale 5.000000e-01 window 3 softcap 5.000000e+01 :
  %n5 = lm.attention %x, %x, %x head_dim 2 kv_map [0, 1] scale 0.5 window 3 softcap 50.0
    : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  // CHECK: lm.layer_norm %[[X]] bias %[[SCALE]] : tensor<4xf32> eps 0.000000e+00
  %4 = lm.layer_norm %x bias %scale : tensor<4xf32> eps 0.0 : tensor<?x4xf32> -> tensor<?x4xf32>
  // CHECK: lm.rms_norm %[[X]] scale %[[SCALE]] eps 1.000000e-05 : tensor<?x4xf32>, tensor<4xf32> -> tensor<?x4xf32>
  %5 = lm.rms_norm %x scale %scale eps 1.0e-5 : tensor<?x4xf32>, tensor<4xf32> -> tensor<?x4xf32>
  // CHECK: lm.linear %[[X]], %[[TABLE]] : tensor<?x4xf32>, tensor<8x4xf16> -> tensor<?x8xf32>
  %6 = lm.linear %x, %table : tensor<?x4xf32>, tensor<8x4xf16> -> tensor<?x8xf32>
  // CHECK: lm.linear %[[X]], %[[TABLE]] bias %[[BIAS]] : tensor<?x4xf32>, tensor<8x4xf16>, tensor<8xf32> -> tensor<?x8xf32>
  %7 = lm.linear %x, %table bias %bias
    : tensor<?x4xf32>, tensor<8x4xf16>, tensor<8xf32> -> tensor<?x8xf32>
  // CHECK: lm.linear %[[SCALE]], %[[TABLE]] : tensor<4xf32>, tensor<8x4xf16> -> tensor<8xf32>
  %8 = lm.linear %scale, %table : tensor<4xf32>, tensor<8x4xf16> -> tensor<8xf32>
  // CHECK: lm.activation relu %[[X]] : tensor<?x4xf32> -> tensor<?x4xf32>
  // GENERIC: kind = #lm<activation_kind relu>
  %9 = lm.activation relu %x : tensor<?x4xf32> -> tensor<?x4xf32>
  // CHECK: lm.activation gelu %
  %10 = lm.activation gelu %x : tensor<?x4xf32> -> tensor<?x4xf32>
  // CHECK: lm.activation gelu_tanh %
  %11 = lm.activation gelu_tanh %x : tensor<?x4xf32> -> tensor<?x4xf32>
  // CHECK: lm.activation silu %[[BIAS]] : tensor<8xf32> -> tensor<8xf32>
  %12 = lm.activation silu %bias : tensor<8xf32> -> tensor<8xf32>
  // CHECK: lm.mul %[[X]], %[[X]] : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  %13 = lm.mul %x, %x : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  // CHECK: lm.add %[[X]], %[[SCALE]] : tensor<?x4xf32>, tensor<4xf32> -> tensor<?x4xf32>
  %14 = lm.add %x, %scale : tensor<?x4xf32>, tensor<4xf32> -> tensor<?x4xf32>
  // CHECK: lm.mask %[[X]] dead <1, 3> : tensor<?x4xf32>
  %15 = lm.mask %x dead <1, 3> : tensor<?x4xf32>
  // CHECK: lm.mask %[[X]] dead <0 to 3> fill %[[SCALE]] : tensor<?x4xf32>, tensor<4xf32>
  %16 = lm.mask %x dead <0 to 3> fill %scale : tensor<?x4xf32>, tensor<4xf32>
  // CHECK: lm.select %[[X]] cols <3, 0> : tensor<?x4xf32> -> tensor<?x2xf32>
  %17 = lm.select %x cols <3, 0> : tensor<?x4xf32> -> tensor<?x2xf32>
  // CHECK: lm.select %[[BIAS]] cols <> : tensor<8xf32> -> tensor<0xf32>
  %18 = lm.select %bias cols <> : tensor<8xf32> -> tensor<0xf32>
  // CHECK: lm.observe "layer 0: \22up\22" %[[X]] : tensor<?x4xf32>
  %19 = lm.observe "layer 0: \"up\"" %x : tensor<?x4xf32>
  return
}

// The frequencies keep every bit: nine digits where six would not do.
// CHECK-LABEL: func.func @attention(
// CHECK-SAME: %[[X:.*]]: tensor<?x12xf32>, %[[K:.*]]: tensor<?x8xf32>, %[[POS:.*]]: tensor<?xi32>
func.func @attention(%x: tensor<?x12xf32>, %k: tensor<?x8xf32>, %pos: tensor<?xi32>) {
  // CHECK: lm.rope %[[X]] at %[[POS]] head_dim 4 inv_freq [1.000000e+00, 0.00999999977] : tensor<?x12xf32>, tensor<?xi32> -> tensor<?x12xf32>
  %0 = lm.rope %x at %pos head_dim 4 inv_freq [1.0, 0.01]
    : tensor<?x12xf32>, tensor<?xi32> -> tensor<?x12xf32>
  // CHECK: lm.rope %[[X]] at %[[POS]] head_dim 4 inv_freq [] :
  %1 = lm.rope %x at %pos head_dim 4 inv_freq []
    : tensor<?x12xf32>, tensor<?xi32> -> tensor<?x12xf32>
  // CHECK: lm.rope %[[X]] at %[[POS]] head_dim 4 inv_freq [-2.500000e-01, 0.333333343] :
  %2 = lm.rope %x at %pos head_dim 4 inv_freq [-0.25, 0.333333343]
    : tensor<?x12xf32>, tensor<?xi32> -> tensor<?x12xf32>
  // CHECK: lm.attention %[[X]], %[[K]], %[[K]] head_dim 4 kv_map [0, 1, 1] scale 5.000000e-01 : tensor<?x12xf32>, tensor<?x8xf32>, tensor<?x8xf32> -> tensor<?x12xf32>
  %3 = lm.attention %x, %k, %k head_dim 4 kv_map [0, 1, 1] scale 0.5
    : tensor<?x12xf32>, tensor<?x8xf32>, tensor<?x8xf32> -> tensor<?x12xf32>
  %4 = lm.select %x cols <> : tensor<?x12xf32> -> tensor<?x0xf32>
  // No heads at all.
  // CHECK: lm.attention %{{.*}} head_dim 4 kv_map [] scale
  %5 = lm.attention %4, %4, %4 head_dim 4 kv_map [] scale 0.5
    : tensor<?x0xf32>, tensor<?x0xf32>, tensor<?x0xf32> -> tensor<?x0xf32>
  return
}

// CHECK-LABEL: func.func @regions(
// CHECK-SAME: %[[H:.*]]: tensor<?x4xf32>, %[[S:.*]]: tensor<?x2xf32>
func.func @regions(%h: tensor<?x4xf32>, %s: tensor<?x2xf32>) -> tensor<?x4xf32> {
  // CHECK: %[[B:.*]] = lm.block attention layer 0 (%[[X:.*]] = %[[H]]) : tensor<?x4xf32> {
  // CHECK-NEXT: %[[Y:.*]] = lm.add %[[X]], %[[X]]
  // CHECK-NEXT: lm.yield %[[Y]] : tensor<?x4xf32>
  // GENERIC: kind = #lm<block_kind attention>
  %0 = lm.block attention layer 0 (%x = %h) : tensor<?x4xf32> {
    %y = lm.add %x, %x : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
    lm.yield %y : tensor<?x4xf32>
  }
  // CHECK: lm.block ffn layer 31 skip (%{{.*}} = %[[B]]) {note = "kept"} : tensor<?x4xf32> {
  %1 = lm.block ffn layer 31 skip (%x = %0) {note = "kept"} : tensor<?x4xf32> {
    lm.yield %x : tensor<?x4xf32>
  }
  // CHECK: lm.moe %[[H]] scores %[[S]] top_k 1 : tensor<?x4xf32>, tensor<?x2xf32> -> tensor<?x4xf32> {
  // CHECK-NEXT: ^bb0(%[[E:.*]]: tensor<?x4xf32>):
  // CHECK-NEXT: lm.yield %[[E]]
  %2 = lm.moe %h scores %s top_k 1 : tensor<?x4xf32>, tensor<?x2xf32> -> tensor<?x4xf32> {
  ^bb0(%x: tensor<?x4xf32>):
    lm.yield %x : tensor<?x4xf32>
  }, {
  ^bb0(%x: tensor<?x4xf32>):
    %y = lm.activation relu %x : tensor<?x4xf32> -> tensor<?x4xf32>
    lm.yield %y : tensor<?x4xf32>
  }
  // CHECK: lm.moe %[[H]] scores %[[S]] top_k 1 normalize dead <1> :
  %3 = lm.moe %h scores %s top_k 1 normalize dead <1>
    : tensor<?x4xf32>, tensor<?x2xf32> -> tensor<?x4xf32> {
  ^bb0(%x: tensor<?x4xf32>):
    lm.yield %x : tensor<?x4xf32>
  }, {
  ^bb0(%x: tensor<?x4xf32>):
    lm.yield %x : tensor<?x4xf32>
  }
  return %1 : tensor<?x4xf32>
}
