// Windows, soft caps of scores and magnitudes of rotations reach their stages; a window as wide as
// the context hides nothing.
// RUN: coppice-opt %s --lm-to-pack | FileCheck %s
// RUN: coppice-opt %s --lm-to-pack=context=8 | FileCheck %s
// RUN: coppice-opt %s --lm-to-pack=context=7 | FileCheck %s --check-prefix=SHORT

lm.tensor private @e : tensor<16x4xf32>

// CHECK-LABEL: pack.step @model
// SHORT-LABEL: pack.step @model
func.func @model(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x16xf32> {
  %e = lm.weight @e : tensor<16x4xf32>
  %x = lm.embed %tokens, %e : tensor<?xi32>, tensor<16x4xf32> -> tensor<?x4xf32>
  // Tables of one set of frequencies differ if their magnitudes do.
  // CHECK-DAG: pack.rope_table %{{.+}} magnitude 1.500000e+00
  // CHECK-DAG: pack.rope_table %{{[^ ]+}} :
  %q = lm.rope %x at %positions head_dim 4 inv_freq [1.0] magnitude 1.5 : tensor<?x4xf32>, tensor<?xi32> -> tensor<?x4xf32>
  %k = lm.rope %x at %positions head_dim 4 inv_freq [1.0] : tensor<?x4xf32>, tensor<?xi32> -> tensor<?x4xf32>
  // CHECK: pack.attention {{.*}} scale 5.000000e-01 window 7 softcap 3.000000e+01
  // SHORT: pack.attention {{.*}} scale 5.000000e-01 softcap 3.000000e+01
  %a = lm.attention %q, %k, %x head_dim 4 kv_map [0] scale 0.5 window 7 softcap 30.0 : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  %l = lm.linear %a, %e : tensor<?x4xf32>, tensor<16x4xf32> -> tensor<?x16xf32>
  return %l : tensor<?x16xf32>
}
