// One layer of 3 heads, 2 KV heads and 4 neurons, and one layer of 3 experts, as import makes them.
module attributes {lm.model_type = "llama", lm.context = 8 : i32} {
  lm.tensor private @e : tensor<5x4xf32>
  lm.tensor private @q : tensor<6x4xf32>
  lm.tensor private @k : tensor<4x4xf32>
  lm.tensor private @o : tensor<4x6xf32>
  lm.tensor private @u : tensor<4x4xf32>
  lm.tensor private @r : tensor<3x4xf32>
  func.func @model(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x4xf32> {
    %e = lm.weight @e : tensor<5x4xf32>
    %q = lm.weight @q : tensor<6x4xf32>
    %k = lm.weight @k : tensor<4x4xf32>
    %o = lm.weight @o : tensor<4x6xf32>
    %u = lm.weight @u : tensor<4x4xf32>
    %r = lm.weight @r : tensor<3x4xf32>
    %0 = lm.embed %tokens, %e : tensor<?xi32>, tensor<5x4xf32> -> tensor<?x4xf32>
    %1 = lm.block attention layer 0 (%x = %0) : tensor<?x4xf32> {
      %3 = lm.linear %x, %q : tensor<?x4xf32>, tensor<6x4xf32> -> tensor<?x6xf32>
      %4 = lm.linear %x, %k : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
      %5 = lm.linear %x, %k : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
      %6 = lm.attention %3, %4, %5 head_dim 2 kv_map [0, 0, 1] scale 1.0 : tensor<?x6xf32>, tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x6xf32>
      %7 = lm.linear %6, %o : tensor<?x6xf32>, tensor<4x6xf32> -> tensor<?x4xf32>
      %8 = lm.add %x, %7 : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
      lm.yield %8 : tensor<?x4xf32>
    }
    %2 = lm.block ffn layer 0 (%x = %1) : tensor<?x4xf32> {
      %3 = lm.linear %x, %u : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
      %4 = lm.activation silu %3 : tensor<?x4xf32> -> tensor<?x4xf32>
      %5 = lm.linear %x, %u : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
      %6 = lm.mul %4, %5 : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
      %7 = lm.linear %6, %u : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
      %8 = lm.add %x, %7 : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
      lm.yield %8 : tensor<?x4xf32>
    }
    %9 = lm.block attention layer 1 (%x = %2) : tensor<?x4xf32> {
      %3 = lm.linear %x, %q : tensor<?x4xf32>, tensor<6x4xf32> -> tensor<?x6xf32>
      %4 = lm.linear %x, %k : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
      %5 = lm.linear %x, %k : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
      %6 = lm.attention %3, %4, %5 head_dim 2 kv_map [0, 0, 1] scale 1.0 : tensor<?x6xf32>, tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x6xf32>
      %7 = lm.linear %6, %o : tensor<?x6xf32>, tensor<4x6xf32> -> tensor<?x4xf32>
      %8 = lm.add %x, %7 : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
      lm.yield %8 : tensor<?x4xf32>
    }
    %10 = lm.block ffn layer 1 (%x = %9) : tensor<?x4xf32> {
      %3 = lm.linear %x, %r : tensor<?x4xf32>, tensor<3x4xf32> -> tensor<?x3xf32>
      %4 = lm.moe %x scores %3 top_k 2 normalize : tensor<?x4xf32>, tensor<?x3xf32> -> tensor<?x4xf32> {
      ^bb0(%t: tensor<?x4xf32>):
        lm.yield %t : tensor<?x4xf32>
      }, {
      ^bb0(%t: tensor<?x4xf32>):
        lm.yield %t : tensor<?x4xf32>
      }, {
      ^bb0(%t: tensor<?x4xf32>):
        lm.yield %t : tensor<?x4xf32>
      }
      %5 = lm.add %x, %4 : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
      lm.yield %5 : tensor<?x4xf32>
    }
    return %10 : tensor<?x4xf32>
  }
}
