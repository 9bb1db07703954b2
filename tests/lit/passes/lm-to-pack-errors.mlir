// What has no stages is refused by name.
// RUN: coppice-opt %s --split-input-file --verify-diagnostics --allow-unregistered-dialect --lm-to-pack

func.func @experts(%tokens: tensor<?xi32>, %x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{has no stages to compile to}}
  %0 = lm.moe %x scores %x top_k 1 : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32> {
  ^bb0(%r: tensor<?x4xf32>):
    lm.yield %r : tensor<?x4xf32>
  }, {
  ^bb0(%r: tensor<?x4xf32>):
    lm.yield %r : tensor<?x4xf32>
  }, {
  ^bb0(%r: tensor<?x4xf32>):
    lm.yield %r : tensor<?x4xf32>
  }, {
  ^bb0(%r: tensor<?x4xf32>):
    lm.yield %r : tensor<?x4xf32>
  }
  return %0 : tensor<?x4xf32>
}

// -----

lm.tensor private @"embed.weight" : tensor<16x4xf32>
func.func @third(%tokens: tensor<?xi32>) -> tensor<?x4xf32> {
  %e = lm.weight @"embed.weight" : tensor<16x4xf32>
  %ids = "test.other_ids"() : () -> tensor<?xi32>
  // expected-error @+1 {{looks up neither tokens nor positions}}
  %x = lm.embed %ids, %e : tensor<?xi32>, tensor<16x4xf32> -> tensor<?x4xf32>
  return %x : tensor<?x4xf32>
}
