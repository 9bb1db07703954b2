// Caches are in the format asked for; each KV head lists its query heads, those without any too.
// RUN: coppice-opt %s --lm-to-pack=kv=bf16 | FileCheck %s --check-prefix=BF16
// RUN: coppice-opt %s --lm-to-pack=kv=i8 | FileCheck %s --check-prefix=I8
// RUN: not coppice-opt %s --lm-to-pack=kv=f64 2>&1 | FileCheck %s --check-prefix=BAD
// BF16: pack.kv_write %{{.+}} -> {{(!pack.cache)?}}<3 by 2 by bf16>
// BF16: pack.constant "kv_map" [0, 2, 2, 5, 1, 3, 0, 2, 4]
// I8: pack.kv_write %{{.+}} -> {{(!pack.cache)?}}<3 by 2 by i8>
// BAD: unknown KV cache format 'f64'; use f32, bf16 or i8

lm.tensor private @"embed.weight" : tensor<16x10xf32>
lm.tensor private @"k.weight" : tensor<6x10xf32>

func.func @model(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x16xf32> {
  %e = lm.weight @"embed.weight" : tensor<16x10xf32>
  %x = lm.embed %tokens, %e : tensor<?xi32>, tensor<16x10xf32> -> tensor<?x10xf32>
  %w = lm.weight @"k.weight" : tensor<6x10xf32>
  %k = lm.linear %x, %w : tensor<?x10xf32>, tensor<6x10xf32> -> tensor<?x6xf32>
  %a = lm.attention %x, %k, %k head_dim 2 kv_map [2, 0, 2, 0, 2] scale 0.5 : tensor<?x10xf32>, tensor<?x6xf32>, tensor<?x6xf32> -> tensor<?x10xf32>
  %l = lm.linear %a, %e : tensor<?x10xf32>, tensor<16x10xf32> -> tensor<?x16xf32>
  return %l : tensor<?x16xf32>
}
