// Whatever is masked still is an error that names the block, with a note on the likely culprit.
// RUN: coppice-opt %s --split-input-file --lm-verify-unmasked --verify-diagnostics

// A masked value that a norm reads.
lm.tensor private @n : tensor<3xf32>
func.func @norm(%x: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %n = lm.weight @n : tensor<3xf32>
  %1 = lm.block ffn layer 7 (%a = %x) : tensor<?x3xf32> {
    // expected-error @+1 {{the ffn block of layer 7: a mask of 2 of 3 columns is left}}
    %m = lm.mask %a dead <0, 2> : tensor<?x3xf32>
    // expected-note @+1 {{it is read by lm.rms_norm, which needs every column}}
    %2 = lm.rms_norm %m scale %n eps 1.0e-05 : tensor<?x3xf32>, tensor<3xf32> -> tensor<?x3xf32>
    lm.yield %2 : tensor<?x3xf32>
  }
  return %1 : tensor<?x3xf32>
}

// -----

// Nothing in the way: the pass has not run.
lm.tensor private @w : tensor<3x3xf32>
func.func @forgotten(%x: tensor<?x3xf32>) -> tensor<?x3xf32> {
  // expected-error @+2 {{the graph outside the blocks: a mask of 1 of 3 columns is left}}
  // expected-note @+1 {{run lm-masks-to-selections}}
  %m = lm.mask %x dead <0> : tensor<?x3xf32>
  %w = lm.weight @w : tensor<3x3xf32>
  %2 = lm.linear %m, %w : tensor<?x3xf32>, tensor<3x3xf32> -> tensor<?x3xf32>
  return %2 : tensor<?x3xf32>
}

// -----

// A block that a plan cuts.
func.func @skipped(%x: tensor<?x3xf32>) -> tensor<?x3xf32> {
  // expected-error @+1 {{the attention block of layer 2: the block is skipped, and still there; run lm-remove-skipped-blocks}}
  %1 = lm.block attention layer 2 skip (%a = %x) : tensor<?x3xf32> {
    lm.yield %a : tensor<?x3xf32>
  }
  return %1 : tensor<?x3xf32>
}

// -----

// Experts that a plan cuts.
func.func @experts(%x: tensor<?x3xf32>, %s: tensor<?x2xf32>) -> tensor<?x3xf32> {
  %0 = lm.block ffn layer 2 (%a = %x) : tensor<?x3xf32> {
    // expected-error @+1 {{the ffn block of layer 2: 1 dead experts are left; run lm-remove-dead-experts}}
    %1 = lm.moe %a scores %s top_k 1 dead <0> : tensor<?x3xf32>, tensor<?x2xf32> -> tensor<?x3xf32> {
    ^bb0(%e: tensor<?x3xf32>):
      lm.yield %e : tensor<?x3xf32>
    }, {
    ^bb0(%e: tensor<?x3xf32>):
      lm.yield %e : tensor<?x3xf32>
    }
    lm.yield %1 : tensor<?x3xf32>
  }
  return %0 : tensor<?x3xf32>
}

// -----

// A selection of a marked value.
func.func @marked(%x: tensor<?x3xf32>) -> tensor<?x2xf32> {
  // expected-note @+1 {{it selects from lm.observe, across which nothing moves}}
  %o = lm.observe "o" %x : tensor<?x3xf32>
  // expected-error @+1 {{a selection of 2 of 3 columns is left}}
  %s = lm.select %o cols <0, 2> : tensor<?x3xf32> -> tensor<?x2xf32>
  return %s : tensor<?x2xf32>
}

// -----

// A selection beside a reader of the whole.
lm.tensor private @w : tensor<3x3xf32>
func.func @shared(%x: tensor<?x3xf32>) -> (tensor<?x2xf32>, tensor<?x3xf32>) {
  %w = lm.weight @w : tensor<3x3xf32>
  %1 = lm.linear %x, %w : tensor<?x3xf32>, tensor<3x3xf32> -> tensor<?x3xf32>
  // expected-error @+1 {{a selection of 2 of 3 columns is left}}
  %s = lm.select %1 cols <0, 2> : tensor<?x3xf32> -> tensor<?x2xf32>
  // expected-note @+1 {{what it selects from is read whole by lm.activation}}
  %2 = lm.activation relu %1 : tensor<?x3xf32> -> tensor<?x3xf32>
  return %s, %2 : tensor<?x2xf32>, tensor<?x3xf32>
}

// -----

// A selection of half a head.
func.func @half(%x: tensor<?x4xf32>) -> tensor<?x1xf32> {
  // expected-note @+1 {{it selects parts of heads from lm.attention}}
  %1 = lm.attention %x, %x, %x head_dim 2 kv_map [0, 1] scale 1.0 : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  // expected-error @+1 {{a selection of 1 of 4 columns is left}}
  %s = lm.select %1 cols <0> : tensor<?x4xf32> -> tensor<?x1xf32>
  return %s : tensor<?x1xf32>
}

// -----

// A selection of the residual.
lm.tensor private @w : tensor<3x2xf32>
func.func @residual(%x: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %w = lm.weight @w : tensor<3x2xf32>
  %0 = lm.block ffn layer 1 (%a = %x) : tensor<?x3xf32> {
    // expected-error @+2 {{the ffn block of layer 1: a selection of 2 of 3 columns is left}}
    // expected-note @+1 {{it selects from the residual}}
    %s = lm.select %a cols <0, 2> : tensor<?x3xf32> -> tensor<?x2xf32>
    %1 = lm.linear %s, %w : tensor<?x2xf32>, tensor<3x2xf32> -> tensor<?x3xf32>
    lm.yield %1 : tensor<?x3xf32>
  }
  return %0 : tensor<?x3xf32>
}

// -----

// Nothing in the way: the pass has not run.
func.func @forgotten(%x: tensor<?x3xf32>) -> tensor<?x2xf32> {
  // expected-note @+1 {{it selects from lm.activation; run lm-propagate-selections}}
  %1 = lm.activation relu %x : tensor<?x3xf32> -> tensor<?x3xf32>
  // expected-error @+1 {{a selection of 2 of 3 columns is left}}
  %s = lm.select %1 cols <0, 2> : tensor<?x3xf32> -> tensor<?x2xf32>
  return %s : tensor<?x2xf32>
}
