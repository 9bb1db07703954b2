// KV heads that no query head reads leave the attention.
// RUN: coppice-opt %s --split-input-file --lm-remove-dead-kv-heads | FileCheck %s
// RUN: coppice-opt %s --split-input-file --lm-remove-dead-kv-heads=report=true 2>&1 >/dev/null | FileCheck %s --check-prefix=COUNT
// RUN: coppice-opt %s --split-input-file --lm-remove-dead-kv-heads --lm-propagate-selections | FileCheck %s --check-prefix=ROWS

// Uneven groups: heads 2, 1 and 2 to the KV heads 3, 1 and 0 of four. KV head 2 goes, 3 becomes 2.
// The selections end in the rows of key and value projections, through rope.
// COUNT: remark: lm-remove-dead-kv-heads: KV heads 1
// CHECK-LABEL: func.func @uneven(
// ROWS-LABEL: func.func @uneven(
lm.tensor private @k : tensor<8x2xf32>
lm.tensor private @v : tensor<8x2xf32>
func.func @uneven(%q: tensor<?x10xf32>, %x: tensor<?x2xf32>, %p: tensor<?xi32>) -> tensor<?x10xf32> {
  %wk = lm.weight @k : tensor<8x2xf32>
  %wv = lm.weight @v : tensor<8x2xf32>
  %l = lm.linear %x, %wk : tensor<?x2xf32>, tensor<8x2xf32> -> tensor<?x8xf32>
  %k = lm.rope %l at %p head_dim 2 inv_freq [1.0] : tensor<?x8xf32>, tensor<?xi32> -> tensor<?x8xf32>
  %v = lm.linear %x, %wv : tensor<?x2xf32>, tensor<8x2xf32> -> tensor<?x8xf32>
  // CHECK: %[[K:.+]] = lm.rope
  // CHECK: %[[V:.+]] = lm.linear
  // CHECK-DAG: %[[SK:.+]] = lm.select %[[K]] cols <0 to 3, 6, 7>
  // CHECK-DAG: %[[SV:.+]] = lm.select %[[V]] cols <0 to 3, 6, 7>
  // CHECK: lm.attention %{{.+}}, %[[SK]], %[[SV]] head_dim 2 kv_map [2, 2, 1, 0, 0]
  // ROWS-DAG: lm.weight @k rows <0 to 3, 6, 7> : tensor<6x2xf32>
  // ROWS-DAG: lm.weight @v rows <0 to 3, 6, 7> : tensor<6x2xf32>
  // ROWS-NOT: lm.select
  // ROWS: lm.attention {{.*}} : tensor<?x10xf32>, tensor<?x6xf32>, tensor<?x6xf32>
  %a = lm.attention %q, %k, %v head_dim 2 kv_map [3, 3, 1, 0, 0] scale 1.0 : tensor<?x10xf32>, tensor<?x8xf32>, tensor<?x8xf32> -> tensor<?x10xf32>
  return %a : tensor<?x10xf32>
}

// -----

// No query head: no KV head either.
// COUNT: remark: lm-remove-dead-kv-heads: KV heads 2
// CHECK-LABEL: func.func @none(
func.func @none(%q: tensor<?x0xf32>, %k: tensor<?x4xf32>, %v: tensor<?x4xf32>) -> tensor<?x0xf32> {
  // CHECK: lm.attention {{.*}} kv_map [] {{.*}} : tensor<?x0xf32>, tensor<?x0xf32>, tensor<?x0xf32>
  %a = lm.attention %q, %k, %v head_dim 2 kv_map [] scale 1.0 : tensor<?x0xf32>, tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x0xf32>
  return %a : tensor<?x0xf32>
}

// -----

// What must not change: every KV head is read; the keys are read elsewhere too.
// COUNT: remark: lm-remove-dead-kv-heads: KV heads 0
// CHECK-LABEL: func.func @unchanged(
// CHECK-NOT: lm.select
// CHECK: kv_map [1, 0]
// CHECK: kv_map [1, 1]
// CHECK-NOT: lm.select
func.func @unchanged(%q: tensor<?x4xf32>, %k: tensor<?x4xf32>, %v: tensor<?x4xf32>, %u: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %a = lm.attention %q, %u, %v head_dim 2 kv_map [1, 0] scale 1.0 : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  %b = lm.attention %q, %k, %k head_dim 2 kv_map [1, 1] scale 1.0 : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  %c = lm.add %a, %b : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  return %c : tensor<?x4xf32>
}
