// A layer whose checkpoint has no heads and no neurons: its blocks add a bias, or nothing.
module attributes {lm.model_type = "opt", lm.context = 8 : i32} {
  lm.tensor private @w : tensor<2x2xf32>
  lm.tensor private @b : tensor<2xf32>
  func.func @model(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x2xf32> {
    %w = lm.weight @w : tensor<2x2xf32>
    %b = lm.weight @b : tensor<2xf32>
    %0 = lm.embed %tokens, %w : tensor<?xi32>, tensor<2x2xf32> -> tensor<?x2xf32>
    %1 = lm.block attention layer 0 (%a = %0) : tensor<?x2xf32> {
      %s = lm.add %a, %b : tensor<?x2xf32>, tensor<2xf32> -> tensor<?x2xf32>
      lm.yield %s : tensor<?x2xf32>
    }
    %2 = lm.block ffn layer 0 (%a = %1) : tensor<?x2xf32> {
      lm.yield %a : tensor<?x2xf32>
    }
    return %2 : tensor<?x2xf32>
  }
}
