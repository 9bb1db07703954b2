// An input is observed in the checkpoint's columns, under a tensor's name.
// RUN: coppice-opt %s --split-input-file --lm-observe-inputs --verify-diagnostics

lm.tensor private @w : tensor<4x6xf32>
func.func @removed(%x: tensor<?x2xf32>) -> tensor<?x4xf32> {
  %w = lm.weight @w cols <1, 5> : tensor<4x2xf32>
  // expected-error @+1 {{reads 2 columns by a list of 'w': inputs are observed in the checkpoint's own columns; run lm-observe-inputs before masks are removed}}
  %y = lm.linear %x, %w : tensor<?x2xf32>, tensor<4x2xf32> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

func.func @unnamed(%x: tensor<?x2xf32>, %w: tensor<4x2xf32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{multiplies with what is no tensor of the checkpoint: its input has no name to be observed under}}
  %y = lm.linear %x, %w : tensor<?x2xf32>, tensor<4x2xf32> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
