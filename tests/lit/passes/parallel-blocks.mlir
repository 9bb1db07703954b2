// Blocks of a layer side by side: the ffn block adds to the attention block's result what it
// computes from that block's input. Whichever half a plan skips, the norm that the other half reads
// stays, and where neither is skipped one norm serves both.
// RUN: coppice-opt %s --lm-verify-imported=masked=true | FileCheck %s --check-prefix=IMPORTED
// RUN: coppice-opt %s --lm-remove-skipped-blocks --lm-inline-blocks --cse | FileCheck %s

module attributes {lm.model_type = "phi", lm.context = 8 : i32} {
  lm.tensor private @t : tensor<2x2xf32>
  lm.tensor private @n : tensor<2xf32>
  lm.tensor private @a : tensor<2x2xf32>
  lm.tensor private @f : tensor<2x2xf32>

  // IMPORTED-LABEL: func.func @model(
  // IMPORTED: %[[X0:.+]] = lm.embed
  // IMPORTED: %[[A0:.+]] = lm.block attention layer 0 skip (%{{.+}} = %[[X0]])
  // IMPORTED: %[[F0:.+]] = lm.block ffn layer 0 (%[[R0:.+]] = %[[A0]])
  // IMPORTED: lm.layer_norm %[[X0]]
  // IMPORTED: lm.add %[[R0]]

  // CHECK-LABEL: func.func @model(
  func.func @model(%tokens: tensor<?xi32>, %positions: tensor<?xi32>) -> tensor<?x2xf32> {
    // CHECK: %[[H0:.+]] = lm.embed
    %t = lm.weight @t : tensor<2x2xf32>
    %0 = lm.embed %tokens, %t : tensor<?xi32>, tensor<2x2xf32> -> tensor<?x2xf32>

    // Attention skipped: the ffn block's norm reads what both read, and the sum has the input itself.
    // CHECK-NOT: lm.attention
    // CHECK: %[[N0:.+]] = lm.layer_norm %[[H0]]
    // CHECK: %[[U0:.+]] = lm.linear %[[N0]]
    // CHECK: %[[D0:.+]] = lm.linear
    // CHECK: %[[H1:.+]] = lm.add %[[H0]], %[[D0]]
    %1 = lm.block attention layer 0 skip (%x = %0) : tensor<?x2xf32> {
      %w = lm.weight @a : tensor<2x2xf32>
      %s = lm.weight @n : tensor<2xf32>
      %n = lm.layer_norm %x scale %s : tensor<2xf32> eps 1.0e-05 : tensor<?x2xf32> -> tensor<?x2xf32>
      %q = lm.linear %n, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %h = lm.attention %q, %q, %q head_dim 2 kv_map [0] scale 1.0 : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      %o = lm.linear %h, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %y = lm.add %x, %o : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      lm.yield %y : tensor<?x2xf32>
    }
    %2 = lm.block ffn layer 0 (%x = %1) : tensor<?x2xf32> {
      %w = lm.weight @f : tensor<2x2xf32>
      %s = lm.weight @n : tensor<2xf32>
      %n = lm.layer_norm %0 scale %s : tensor<2xf32> eps 1.0e-05 : tensor<?x2xf32> -> tensor<?x2xf32>
      %u = lm.linear %n, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %g = lm.activation gelu %u : tensor<?x2xf32> -> tensor<?x2xf32>
      %d = lm.linear %g, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %y = lm.add %x, %d : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      lm.yield %y : tensor<?x2xf32>
    }

    // The ffn block skipped: attention keeps its norm.
    // CHECK: %[[N1:.+]] = lm.layer_norm %[[H1]]
    // CHECK: %[[Q1:.+]] = lm.linear %[[N1]]
    // CHECK: lm.attention %[[Q1]]
    // CHECK: %[[O1:.+]] = lm.linear
    // CHECK: %[[H2:.+]] = lm.add %[[H1]], %[[O1]]
    // CHECK-NOT: lm.activation
    %3 = lm.block attention layer 1 (%x = %2) : tensor<?x2xf32> {
      %w = lm.weight @a : tensor<2x2xf32>
      %s = lm.weight @n : tensor<2xf32>
      %n = lm.layer_norm %x scale %s : tensor<2xf32> eps 1.0e-05 : tensor<?x2xf32> -> tensor<?x2xf32>
      %q = lm.linear %n, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %h = lm.attention %q, %q, %q head_dim 2 kv_map [0] scale 1.0 : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      %o = lm.linear %h, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %y = lm.add %x, %o : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      lm.yield %y : tensor<?x2xf32>
    }
    %4 = lm.block ffn layer 1 skip (%x = %3) : tensor<?x2xf32> {
      %w = lm.weight @f : tensor<2x2xf32>
      %s = lm.weight @n : tensor<2xf32>
      %n = lm.layer_norm %2 scale %s : tensor<2xf32> eps 1.0e-05 : tensor<?x2xf32> -> tensor<?x2xf32>
      %u = lm.linear %n, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %g = lm.activation gelu %u : tensor<?x2xf32> -> tensor<?x2xf32>
      %d = lm.linear %g, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %y = lm.add %x, %d : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      lm.yield %y : tensor<?x2xf32>
    }

    // Both stay: one norm is left of the two, and both halves read it.
    // CHECK: %[[N2:.+]] = lm.layer_norm %[[H2]]
    // CHECK: %[[Q2:.+]] = lm.linear %[[N2]]
    // CHECK: lm.attention %[[Q2]]
    // CHECK: %[[H3:.+]] = lm.add %[[H2]]
    // CHECK-NOT: lm.layer_norm
    // CHECK: %[[U2:.+]] = lm.linear %[[N2]]
    // CHECK: lm.activation gelu %[[U2]]
    // CHECK: lm.add %[[H3]]
    %5 = lm.block attention layer 2 (%x = %4) : tensor<?x2xf32> {
      %w = lm.weight @a : tensor<2x2xf32>
      %s = lm.weight @n : tensor<2xf32>
      %n = lm.layer_norm %x scale %s : tensor<2xf32> eps 1.0e-05 : tensor<?x2xf32> -> tensor<?x2xf32>
      %q = lm.linear %n, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %h = lm.attention %q, %q, %q head_dim 2 kv_map [0] scale 1.0 : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      %o = lm.linear %h, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %y = lm.add %x, %o : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      lm.yield %y : tensor<?x2xf32>
    }
    %6 = lm.block ffn layer 2 (%x = %5) : tensor<?x2xf32> {
      %w = lm.weight @f : tensor<2x2xf32>
      %s = lm.weight @n : tensor<2xf32>
      %n = lm.layer_norm %4 scale %s : tensor<2xf32> eps 1.0e-05 : tensor<?x2xf32> -> tensor<?x2xf32>
      %u = lm.linear %n, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %g = lm.activation gelu %u : tensor<?x2xf32> -> tensor<?x2xf32>
      %d = lm.linear %g, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      %y = lm.add %x, %d : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
      lm.yield %y : tensor<?x2xf32>
    }
    return %6 : tensor<?x2xf32>
  }
}
