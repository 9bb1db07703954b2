// Experts that have no stages.
// RUN: coppice-opt %s --split-input-file --verify-diagnostics --lm-to-pack

// Experts of a layer are packed side by side: they are equally wide.
lm.tensor private @"l.gate.weight" : tensor<3x4xf16>
lm.tensor private @"embed.weight" : tensor<16x4xf32>
lm.tensor private @"l.experts.0.w1.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.0.w3.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.0.w2.weight" : tensor<4x6xf16>
lm.tensor private @"l.experts.1.w1.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.1.w3.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.1.w2.weight" : tensor<4x6xf16>
lm.tensor private @"l.experts.2.w1.weight" : tensor<5x4xf16>
lm.tensor private @"l.experts.2.w3.weight" : tensor<5x4xf16>
lm.tensor private @"l.experts.2.w2.weight" : tensor<4x5xf16>
func.func @widths(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x16xf32> {
  %e = lm.weight @"embed.weight" : tensor<16x4xf32>
  %x = lm.embed %tokens, %e : tensor<?xi32>, tensor<16x4xf32> -> tensor<?x4xf32>
  %wg = lm.weight @"l.gate.weight" : tensor<3x4xf16>
  %s = lm.linear %x, %wg : tensor<?x4xf32>, tensor<3x4xf16> -> tensor<?x3xf32>
  %m = lm.moe %x scores %s top_k 2 : tensor<?x4xf32>, tensor<?x3xf32> -> tensor<?x4xf32> {
  ^bb0(%r: tensor<?x4xf32>):
    %g = lm.weight @"l.experts.0.w1.weight" : tensor<6x4xf16>
    %u = lm.weight @"l.experts.0.w3.weight" : tensor<6x4xf16>
    %d = lm.weight @"l.experts.0.w2.weight" : tensor<4x6xf16>
    %0 = lm.linear %r, %g : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %1 = lm.linear %r, %u : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %2 = lm.activation silu %0 : tensor<?x6xf32> -> tensor<?x6xf32>
    %3 = lm.mul %2, %1 : tensor<?x6xf32>, tensor<?x6xf32> -> tensor<?x6xf32>
    %4 = lm.linear %3, %d : tensor<?x6xf32>, tensor<4x6xf16> -> tensor<?x4xf32>
    lm.yield %4 : tensor<?x4xf32>
  }, {
  ^bb0(%r: tensor<?x4xf32>):
    %g = lm.weight @"l.experts.1.w1.weight" : tensor<6x4xf16>
    %u = lm.weight @"l.experts.1.w3.weight" : tensor<6x4xf16>
    %d = lm.weight @"l.experts.1.w2.weight" : tensor<4x6xf16>
    %0 = lm.linear %r, %g : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %1 = lm.linear %r, %u : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %2 = lm.activation silu %0 : tensor<?x6xf32> -> tensor<?x6xf32>
    %3 = lm.mul %2, %1 : tensor<?x6xf32>, tensor<?x6xf32> -> tensor<?x6xf32>
    %4 = lm.linear %3, %d : tensor<?x6xf32>, tensor<4x6xf16> -> tensor<?x4xf32>
    lm.yield %4 : tensor<?x4xf32>
  }, {
  ^bb0(%r: tensor<?x4xf32>):
    // expected-error @+1 {{tensor 'l.experts.2.w1.weight' is read as 'tensor<5x4xf16>', and 'l.experts.0.w1.weight' as 'tensor<6x4xf16>': the experts of a layer must be equally wide and of one type}}
    %g = lm.weight @"l.experts.2.w1.weight" : tensor<5x4xf16>
    %u = lm.weight @"l.experts.2.w3.weight" : tensor<5x4xf16>
    %d = lm.weight @"l.experts.2.w2.weight" : tensor<4x5xf16>
    %0 = lm.linear %r, %g : tensor<?x4xf32>, tensor<5x4xf16> -> tensor<?x5xf32>
    %1 = lm.linear %r, %u : tensor<?x4xf32>, tensor<5x4xf16> -> tensor<?x5xf32>
    %2 = lm.activation silu %0 : tensor<?x5xf32> -> tensor<?x5xf32>
    %3 = lm.mul %2, %1 : tensor<?x5xf32>, tensor<?x5xf32> -> tensor<?x5xf32>
    %4 = lm.linear %3, %d : tensor<?x5xf32>, tensor<4x5xf16> -> tensor<?x4xf32>
    lm.yield %4 : tensor<?x4xf32>
  }
  %h = lm.add %x, %m : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  %l = lm.linear %h, %e : tensor<?x4xf32>, tensor<16x4xf32> -> tensor<?x16xf32>
  return %l : tensor<?x16xf32>
}

// -----

// All have one activation.
lm.tensor private @"l.gate.weight" : tensor<3x4xf16>
lm.tensor private @"embed.weight" : tensor<16x4xf32>
lm.tensor private @"l.experts.0.w1.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.0.w3.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.0.w2.weight" : tensor<4x6xf16>
lm.tensor private @"l.experts.1.w1.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.1.w3.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.1.w2.weight" : tensor<4x6xf16>
lm.tensor private @"l.experts.2.w1.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.2.w3.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.2.w2.weight" : tensor<4x6xf16>
func.func @activations(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x16xf32> {
  %e = lm.weight @"embed.weight" : tensor<16x4xf32>
  %x = lm.embed %tokens, %e : tensor<?xi32>, tensor<16x4xf32> -> tensor<?x4xf32>
  %wg = lm.weight @"l.gate.weight" : tensor<3x4xf16>
  %s = lm.linear %x, %wg : tensor<?x4xf32>, tensor<3x4xf16> -> tensor<?x3xf32>
  // expected-error @+1 {{expert 1 has no stages to compile to: it must be a gated FFN without biases, and its activation is not that of expert 0}}
  %m = lm.moe %x scores %s top_k 2 : tensor<?x4xf32>, tensor<?x3xf32> -> tensor<?x4xf32> {
  ^bb0(%r: tensor<?x4xf32>):
    %g = lm.weight @"l.experts.0.w1.weight" : tensor<6x4xf16>
    %u = lm.weight @"l.experts.0.w3.weight" : tensor<6x4xf16>
    %d = lm.weight @"l.experts.0.w2.weight" : tensor<4x6xf16>
    %0 = lm.linear %r, %g : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %1 = lm.linear %r, %u : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %2 = lm.activation silu %0 : tensor<?x6xf32> -> tensor<?x6xf32>
    %3 = lm.mul %2, %1 : tensor<?x6xf32>, tensor<?x6xf32> -> tensor<?x6xf32>
    %4 = lm.linear %3, %d : tensor<?x6xf32>, tensor<4x6xf16> -> tensor<?x4xf32>
    lm.yield %4 : tensor<?x4xf32>
  }, {
  ^bb0(%r: tensor<?x4xf32>):
    %g = lm.weight @"l.experts.1.w1.weight" : tensor<6x4xf16>
    %u = lm.weight @"l.experts.1.w3.weight" : tensor<6x4xf16>
    %d = lm.weight @"l.experts.1.w2.weight" : tensor<4x6xf16>
    %0 = lm.linear %r, %g : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %1 = lm.linear %r, %u : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %2 = lm.activation relu %0 : tensor<?x6xf32> -> tensor<?x6xf32>
    %3 = lm.mul %2, %1 : tensor<?x6xf32>, tensor<?x6xf32> -> tensor<?x6xf32>
    %4 = lm.linear %3, %d : tensor<?x6xf32>, tensor<4x6xf16> -> tensor<?x4xf32>
    lm.yield %4 : tensor<?x4xf32>
  }, {
  ^bb0(%r: tensor<?x4xf32>):
    %g = lm.weight @"l.experts.2.w1.weight" : tensor<6x4xf16>
    %u = lm.weight @"l.experts.2.w3.weight" : tensor<6x4xf16>
    %d = lm.weight @"l.experts.2.w2.weight" : tensor<4x6xf16>
    %0 = lm.linear %r, %g : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %1 = lm.linear %r, %u : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %2 = lm.activation silu %0 : tensor<?x6xf32> -> tensor<?x6xf32>
    %3 = lm.mul %2, %1 : tensor<?x6xf32>, tensor<?x6xf32> -> tensor<?x6xf32>
    %4 = lm.linear %3, %d : tensor<?x6xf32>, tensor<4x6xf16> -> tensor<?x4xf32>
    lm.yield %4 : tensor<?x4xf32>
  }
  %h = lm.add %x, %m : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  %l = lm.linear %h, %e : tensor<?x4xf32>, tensor<16x4xf32> -> tensor<?x16xf32>
  return %l : tensor<?x16xf32>
}

// -----

// Gate and up read what the expert is given.
lm.tensor private @"l.gate.weight" : tensor<3x4xf16>
lm.tensor private @"embed.weight" : tensor<16x4xf32>
lm.tensor private @"l.experts.0.w1.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.0.w3.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.0.w2.weight" : tensor<4x6xf16>
lm.tensor private @"l.experts.1.w1.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.1.w3.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.1.w2.weight" : tensor<4x6xf16>
lm.tensor private @"l.experts.2.w1.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.2.w3.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.2.w2.weight" : tensor<4x6xf16>
func.func @inputs(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x16xf32> {
  %e = lm.weight @"embed.weight" : tensor<16x4xf32>
  %x = lm.embed %tokens, %e : tensor<?xi32>, tensor<16x4xf32> -> tensor<?x4xf32>
  %wg = lm.weight @"l.gate.weight" : tensor<3x4xf16>
  %s = lm.linear %x, %wg : tensor<?x4xf32>, tensor<3x4xf16> -> tensor<?x3xf32>
  // expected-error @+1 {{expert 0 has no stages to compile to: it must be a gated FFN without biases, and gate and up do not both read the expert's input}}
  %m = lm.moe %x scores %s top_k 2 : tensor<?x4xf32>, tensor<?x3xf32> -> tensor<?x4xf32> {
  ^bb0(%r: tensor<?x4xf32>):
    %g = lm.weight @"l.experts.0.w1.weight" : tensor<6x4xf16>
    %u = lm.weight @"l.experts.0.w3.weight" : tensor<6x4xf16>
    %d = lm.weight @"l.experts.0.w2.weight" : tensor<4x6xf16>
    %0 = lm.linear %r, %g : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %1 = lm.linear %x, %u : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %2 = lm.activation silu %0 : tensor<?x6xf32> -> tensor<?x6xf32>
    %3 = lm.mul %2, %1 : tensor<?x6xf32>, tensor<?x6xf32> -> tensor<?x6xf32>
    %4 = lm.linear %3, %d : tensor<?x6xf32>, tensor<4x6xf16> -> tensor<?x4xf32>
    lm.yield %4 : tensor<?x4xf32>
  }, {
  ^bb0(%r: tensor<?x4xf32>):
    %g = lm.weight @"l.experts.1.w1.weight" : tensor<6x4xf16>
    %u = lm.weight @"l.experts.1.w3.weight" : tensor<6x4xf16>
    %d = lm.weight @"l.experts.1.w2.weight" : tensor<4x6xf16>
    %0 = lm.linear %r, %g : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %1 = lm.linear %r, %u : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %2 = lm.activation silu %0 : tensor<?x6xf32> -> tensor<?x6xf32>
    %3 = lm.mul %2, %1 : tensor<?x6xf32>, tensor<?x6xf32> -> tensor<?x6xf32>
    %4 = lm.linear %3, %d : tensor<?x6xf32>, tensor<4x6xf16> -> tensor<?x4xf32>
    lm.yield %4 : tensor<?x4xf32>
  }, {
  ^bb0(%r: tensor<?x4xf32>):
    %g = lm.weight @"l.experts.2.w1.weight" : tensor<6x4xf16>
    %u = lm.weight @"l.experts.2.w3.weight" : tensor<6x4xf16>
    %d = lm.weight @"l.experts.2.w2.weight" : tensor<4x6xf16>
    %0 = lm.linear %r, %g : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %1 = lm.linear %r, %u : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %2 = lm.activation silu %0 : tensor<?x6xf32> -> tensor<?x6xf32>
    %3 = lm.mul %2, %1 : tensor<?x6xf32>, tensor<?x6xf32> -> tensor<?x6xf32>
    %4 = lm.linear %3, %d : tensor<?x6xf32>, tensor<4x6xf16> -> tensor<?x4xf32>
    lm.yield %4 : tensor<?x4xf32>
  }
  %h = lm.add %x, %m : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  %l = lm.linear %h, %e : tensor<?x4xf32>, tensor<16x4xf32> -> tensor<?x16xf32>
  return %l : tensor<?x16xf32>
}

// -----

// There is no product.
lm.tensor private @"l.gate.weight" : tensor<3x4xf16>
lm.tensor private @"embed.weight" : tensor<16x4xf32>
lm.tensor private @"l.experts.0.w1.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.0.w3.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.0.w2.weight" : tensor<4x6xf16>
lm.tensor private @"l.experts.1.w1.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.1.w3.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.1.w2.weight" : tensor<4x6xf16>
lm.tensor private @"l.experts.2.w1.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.2.w3.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.2.w2.weight" : tensor<4x6xf16>
func.func @plain(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x16xf32> {
  %e = lm.weight @"embed.weight" : tensor<16x4xf32>
  %x = lm.embed %tokens, %e : tensor<?xi32>, tensor<16x4xf32> -> tensor<?x4xf32>
  %wg = lm.weight @"l.gate.weight" : tensor<3x4xf16>
  %s = lm.linear %x, %wg : tensor<?x4xf32>, tensor<3x4xf16> -> tensor<?x3xf32>
  // expected-error @+1 {{expert 2 has no stages to compile to: it must be a gated FFN without biases, and what it reads does not come from an lm.mul}}
  %m = lm.moe %x scores %s top_k 2 : tensor<?x4xf32>, tensor<?x3xf32> -> tensor<?x4xf32> {
  ^bb0(%r: tensor<?x4xf32>):
    %g = lm.weight @"l.experts.0.w1.weight" : tensor<6x4xf16>
    %u = lm.weight @"l.experts.0.w3.weight" : tensor<6x4xf16>
    %d = lm.weight @"l.experts.0.w2.weight" : tensor<4x6xf16>
    %0 = lm.linear %r, %g : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %1 = lm.linear %r, %u : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %2 = lm.activation silu %0 : tensor<?x6xf32> -> tensor<?x6xf32>
    %3 = lm.mul %2, %1 : tensor<?x6xf32>, tensor<?x6xf32> -> tensor<?x6xf32>
    %4 = lm.linear %3, %d : tensor<?x6xf32>, tensor<4x6xf16> -> tensor<?x4xf32>
    lm.yield %4 : tensor<?x4xf32>
  }, {
  ^bb0(%r: tensor<?x4xf32>):
    %g = lm.weight @"l.experts.1.w1.weight" : tensor<6x4xf16>
    %u = lm.weight @"l.experts.1.w3.weight" : tensor<6x4xf16>
    %d = lm.weight @"l.experts.1.w2.weight" : tensor<4x6xf16>
    %0 = lm.linear %r, %g : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %1 = lm.linear %r, %u : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %2 = lm.activation silu %0 : tensor<?x6xf32> -> tensor<?x6xf32>
    %3 = lm.mul %2, %1 : tensor<?x6xf32>, tensor<?x6xf32> -> tensor<?x6xf32>
    %4 = lm.linear %3, %d : tensor<?x6xf32>, tensor<4x6xf16> -> tensor<?x4xf32>
    lm.yield %4 : tensor<?x4xf32>
  }, {
  ^bb0(%r: tensor<?x4xf32>):
    %g = lm.weight @"l.experts.2.w1.weight" : tensor<6x4xf16>
    %u = lm.weight @"l.experts.2.w3.weight" : tensor<6x4xf16>
    %d = lm.weight @"l.experts.2.w2.weight" : tensor<4x6xf16>
    %0 = lm.linear %r, %g : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %1 = lm.linear %r, %u : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %2 = lm.activation silu %0 : tensor<?x6xf32> -> tensor<?x6xf32>
    %3 = lm.mul %2, %1 : tensor<?x6xf32>, tensor<?x6xf32> -> tensor<?x6xf32>
    %4 = lm.linear %2, %d : tensor<?x6xf32>, tensor<4x6xf16> -> tensor<?x4xf32>
    lm.yield %4 : tensor<?x4xf32>
  }
  %h = lm.add %x, %m : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  %l = lm.linear %h, %e : tensor<?x4xf32>, tensor<16x4xf32> -> tensor<?x16xf32>
  return %l : tensor<?x16xf32>
}

// -----

// A bias has no stage.
lm.tensor private @"l.gate.weight" : tensor<3x4xf16>
lm.tensor private @"embed.weight" : tensor<16x4xf32>
lm.tensor private @bias : tensor<6xf16>
lm.tensor private @"l.experts.0.w1.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.0.w3.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.0.w2.weight" : tensor<4x6xf16>
lm.tensor private @"l.experts.1.w1.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.1.w3.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.1.w2.weight" : tensor<4x6xf16>
lm.tensor private @"l.experts.2.w1.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.2.w3.weight" : tensor<6x4xf16>
lm.tensor private @"l.experts.2.w2.weight" : tensor<4x6xf16>
func.func @biased(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x16xf32> {
  %e = lm.weight @"embed.weight" : tensor<16x4xf32>
  %x = lm.embed %tokens, %e : tensor<?xi32>, tensor<16x4xf32> -> tensor<?x4xf32>
  %wg = lm.weight @"l.gate.weight" : tensor<3x4xf16>
  %s = lm.linear %x, %wg : tensor<?x4xf32>, tensor<3x4xf16> -> tensor<?x3xf32>
  // expected-error @+1 {{expert 0 has no stages to compile to: it must be a gated FFN without biases, and a linear has a bias}}
  %m = lm.moe %x scores %s top_k 2 : tensor<?x4xf32>, tensor<?x3xf32> -> tensor<?x4xf32> {
  ^bb0(%r: tensor<?x4xf32>):
    %g = lm.weight @"l.experts.0.w1.weight" : tensor<6x4xf16>
    %u = lm.weight @"l.experts.0.w3.weight" : tensor<6x4xf16>
    %d = lm.weight @"l.experts.0.w2.weight" : tensor<4x6xf16>
    %c = lm.weight @bias : tensor<6xf16>
    %0 = lm.linear %r, %g bias %c : tensor<?x4xf32>, tensor<6x4xf16>, tensor<6xf16> -> tensor<?x6xf32>
    %1 = lm.linear %r, %u : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %2 = lm.activation silu %0 : tensor<?x6xf32> -> tensor<?x6xf32>
    %3 = lm.mul %2, %1 : tensor<?x6xf32>, tensor<?x6xf32> -> tensor<?x6xf32>
    %4 = lm.linear %3, %d : tensor<?x6xf32>, tensor<4x6xf16> -> tensor<?x4xf32>
    lm.yield %4 : tensor<?x4xf32>
  }, {
  ^bb0(%r: tensor<?x4xf32>):
    %g = lm.weight @"l.experts.1.w1.weight" : tensor<6x4xf16>
    %u = lm.weight @"l.experts.1.w3.weight" : tensor<6x4xf16>
    %d = lm.weight @"l.experts.1.w2.weight" : tensor<4x6xf16>
    %0 = lm.linear %r, %g : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %1 = lm.linear %r, %u : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %2 = lm.activation silu %0 : tensor<?x6xf32> -> tensor<?x6xf32>
    %3 = lm.mul %2, %1 : tensor<?x6xf32>, tensor<?x6xf32> -> tensor<?x6xf32>
    %4 = lm.linear %3, %d : tensor<?x6xf32>, tensor<4x6xf16> -> tensor<?x4xf32>
    lm.yield %4 : tensor<?x4xf32>
  }, {
  ^bb0(%r: tensor<?x4xf32>):
    %g = lm.weight @"l.experts.2.w1.weight" : tensor<6x4xf16>
    %u = lm.weight @"l.experts.2.w3.weight" : tensor<6x4xf16>
    %d = lm.weight @"l.experts.2.w2.weight" : tensor<4x6xf16>
    %0 = lm.linear %r, %g : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %1 = lm.linear %r, %u : tensor<?x4xf32>, tensor<6x4xf16> -> tensor<?x6xf32>
    %2 = lm.activation silu %0 : tensor<?x6xf32> -> tensor<?x6xf32>
    %3 = lm.mul %2, %1 : tensor<?x6xf32>, tensor<?x6xf32> -> tensor<?x6xf32>
    %4 = lm.linear %3, %d : tensor<?x6xf32>, tensor<4x6xf16> -> tensor<?x4xf32>
    lm.yield %4 : tensor<?x4xf32>
  }
  %h = lm.add %x, %m : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  %l = lm.linear %h, %e : tensor<?x4xf32>, tensor<16x4xf32> -> tensor<?x16xf32>
  return %l : tensor<?x16xf32>
}
