// Stages, their row sets, and what they take into themselves.
// RUN: coppice-opt %s --split-input-file --lm-to-pack | FileCheck %s

lm.tensor private @"model.embed_tokens.weight" : tensor<16x4xf32>
lm.tensor private @"model.layers.0.self_attn.q_proj.weight" : tensor<4x4xf32>
lm.tensor private @"model.layers.0.self_attn.q_proj.bias" : tensor<4xf32>

// Keys and values are made for all rows; the query, the residual and what follows only for the rows
// whose logits are wanted. The tied embedding gathers from the head's panels.
// CHECK-LABEL: pack.step @model
func.func @model(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x16xf32> {
  %e = lm.weight @"model.embed_tokens.weight" : tensor<16x4xf32>
  %w = lm.weight @"model.layers.0.self_attn.q_proj.weight" {lm.layer = 0 : i32} : tensor<4x4xf32>
  %b = lm.weight @"model.layers.0.self_attn.q_proj.bias" : tensor<4xf32>
  // CHECK: %[[E:.+]] = pack.weight "embed_tokens" %{{.+}} : tensor<16x4xf32> -> {{(!pack.weight)?}}<16 by 4 by f32, panels>
  // CHECK: %[[X:.+]] = pack.embed token of %[[E]] offset 0 {{.*}} -> {{(!pack.buffer)?}}<4, all>
  %x = lm.embed %tokens, %e : tensor<?xi32>, tensor<16x4xf32> -> tensor<?x4xf32>
  // CHECK-DAG: %[[W:.+]] = pack.weight "q_proj" %{{.+}} {pack.layer = 0 : i32} : tensor<4x4xf32>
  // CHECK-DAG: %[[B:.+]] = pack.weight "q_proj.bias" %{{.+}} -> {{(!pack.weight)?}}<1 by 4 by f32, rows>
  // CHECK: %[[K:.+]] = pack.linear %[[X]], %[[W]] bias %[[B]] {{.*}} {pack.layer = 0 : i32} {{.*}} -> {{(!pack.buffer)?}}<4, all>
  %k = lm.linear %x, %w bias %b {lm.layer = 0 : i32} : tensor<?x4xf32>, tensor<4x4xf32>, tensor<4xf32> -> tensor<?x4xf32>
  // CHECK: %[[XL:.+]] = pack.gather %[[X]]
  // CHECK: %[[Q:.+]] = pack.linear %[[XL]], %[[W]] {{.*}} -> {{(!pack.buffer)?}}<4, logits>
  %q = lm.linear %x, %w : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
  // The table is made once for each row set.
  // CHECK: %[[F:.+]] = pack.constant "rope" [1065353216]
  // CHECK: %[[TL:.+]] = pack.rope_table %[[F]] {{.*}} -> {{(!pack.buffer)?}}<2, logits>
  // CHECK: pack.rope %[[Q]] by %[[TL]] head_dim 2
  %qr = lm.rope %q at %positions head_dim 2 inv_freq [1.0] : tensor<?x4xf32>, tensor<?xi32> -> tensor<?x4xf32>
  // CHECK: %[[TA:.+]] = pack.rope_table %{{.+}} -> {{(!pack.buffer)?}}<2, all>
  // CHECK: %[[KR:.+]] = pack.rope %[[K]] by %[[TA]]
  %kr = lm.rope %k at %positions head_dim 2 inv_freq [1.0] : tensor<?x4xf32>, tensor<?xi32> -> tensor<?x4xf32>
  // CHECK: %[[C:.+]] = pack.kv_write %[[KR]], %[[K]] {{.*}} -> {{(!pack.cache)?}}<2 by 2 by f32>
  // CHECK: pack.constant "kv_map" [0, 1, 2, 0, 1]
  // CHECK: %[[A:.+]] = pack.attention %{{.+}} over %[[C]] {{.*}} -> {{(!pack.buffer)?}}<4, logits>
  %a = lm.attention %qr, %kr, %k head_dim 2 kv_map [0, 1] scale 0.5 : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  // The sum is the linear's residual, the product the activation's factor.
  // CHECK-NOT: pack.add
  // CHECK: %[[H:.+]] = pack.linear %[[A]], %[[W]] residual %[[XL]]
  %o = lm.linear %a, %w : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
  %h = lm.add %x, %o : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  // CHECK: pack.activation silu %[[H]] times %[[XL]]
  %s = lm.activation silu %h : tensor<?x4xf32> -> tensor<?x4xf32>
  %m = lm.mul %s, %x : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  // A constant row is an operand, packed as float32.
  // CHECK: %[[D:.+]] = pack.add %{{.+}} constant %[[B]]
  %d = lm.add %m, %b : tensor<?x4xf32>, tensor<4xf32> -> tensor<?x4xf32>
  // CHECK: %[[L:.+]] = pack.linear %[[D]], %[[E]] {{.*}} -> {{(!pack.buffer)?}}<16, logits>
  %l = lm.linear %d, %e : tensor<?x4xf32>, tensor<16x4xf32> -> tensor<?x16xf32>
  // CHECK: pack.return %[[L]]
  return %l : tensor<?x16xf32>
}

// -----

lm.tensor private @"embed.weight" : tensor<16x4xf16>
lm.tensor private @"lm_head.weight" : tensor<16x4xf16>

// Masks stay masks, an untied embedding keeps its rows, an observed value is itself and marked; a sum whose
// linear something else reads stays a sum.
// CHECK-LABEL: pack.step @masked
func.func @masked(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x16xf32> {
  %e = lm.weight @"embed.weight" : tensor<16x4xf16>
  %w = lm.weight @"lm_head.weight" : tensor<16x4xf16>
  %h = lm.weight @"lm_head.weight" rows <0 to 3> : tensor<4x4xf16>
  // CHECK: pack.embed token of %{{.+}} : {{(!pack.weight)?}}<16 by 4 by f16, rows> -> {{(!pack.buffer)?}}<4, logits>
  %x = lm.embed %tokens, %e : tensor<?xi32>, tensor<16x4xf16> -> tensor<?x4xf32>
  // CHECK: pack.constant "mask" [1, 3]
  // CHECK: %[[M:.+]] = pack.mask
  %m = lm.mask %x dead <1, 3> : tensor<?x4xf32>
  // CHECK: pack.observe "seen" %[[M]] : {{(!pack.buffer)?}}<4, logits>
  %o = lm.observe "seen" %m : tensor<?x4xf32>
  // CHECK: %[[Y:.+]] = pack.linear %[[M]], %{{.+}} : {{(!pack.buffer)?}}<4, logits>
  %y = lm.linear %o, %h : tensor<?x4xf32>, tensor<4x4xf16> -> tensor<?x4xf32>
  // CHECK: pack.add %[[M]], %[[Y]]
  %s = lm.add %o, %y : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  // CHECK: pack.mul
  %p = lm.mul %s, %y : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  %l = lm.linear %p, %w : tensor<?x4xf32>, tensor<16x4xf16> -> tensor<?x16xf32>
  return %l : tensor<?x16xf32>
}
