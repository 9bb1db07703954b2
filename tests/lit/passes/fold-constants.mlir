// Linears without columns, and constants on the residual, go into biases.
// RUN: coppice-opt %s --split-input-file --lm-fold-constants | FileCheck %s
// RUN: coppice-opt %s --split-input-file --lm-fold-constants=report=true 2>&1 >/dev/null | FileCheck %s --check-prefix=COUNT

// All heads of layer 1 are gone: the bias of its output projection joins the bias before it on the
// residual, over the edge of the blocks, and the block is gone. Its norm, dead, was no reader.
// COUNT: remark: lm-fold-constants: constants 1, blocks 1
// CHECK-LABEL: func.func @across_blocks(
lm.tensor private @w : tensor<2x2xf32>
lm.tensor private @b : tensor<2xf16>
lm.tensor private @bo : tensor<2xf16>
lm.tensor private @n : tensor<2xf32>
func.func @across_blocks(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  // CHECK: %[[Y:.+]] = lm.block ffn layer 0 (%[[A:.+]] =
  %1 = lm.block ffn layer 0 (%a = %x) : tensor<?x2xf32> {
    %w = lm.weight @w : tensor<2x2xf32>
    %b = lm.weight @b : tensor<2xf16>
    // CHECK-DAG: %[[B:.+]] = lm.weight @b
    // CHECK-DAG: %[[C:.+]] = lm.weight @bo
    // CHECK: %[[S:.+]] = lm.add %[[B]], %[[C]] : tensor<2xf16>, tensor<2xf16> -> tensor<2xf32>
    // CHECK: %[[L:.+]] = lm.linear %[[A]], %{{.+}} bias %[[S]]
    // CHECK: %[[R:.+]] = lm.add %[[A]], %[[L]]
    // CHECK: lm.yield %[[R]]
    %2 = lm.linear %a, %w bias %b : tensor<?x2xf32>, tensor<2x2xf32>, tensor<2xf16> -> tensor<?x2xf32>
    %3 = lm.add %a, %2 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    lm.yield %3 : tensor<?x2xf32>
  }
  // CHECK-NOT: layer 1
  %2 = lm.block attention layer 1 (%a = %1) : tensor<?x2xf32> {
    %n = lm.weight @n : tensor<2xf32>
    %3 = lm.rms_norm %a scale %n eps 1.0e-05 : tensor<?x2xf32>, tensor<2xf32> -> tensor<?x2xf32>
    %e = lm.weight @w rows <> : tensor<0x2xf32>
    %4 = lm.linear %3, %e : tensor<?x2xf32>, tensor<0x2xf32> -> tensor<?x0xf32>
    %5 = lm.attention %4, %4, %4 head_dim 2 kv_map [] scale 1.0 : tensor<?x0xf32>, tensor<?x0xf32>, tensor<?x0xf32> -> tensor<?x0xf32>
    %o = lm.weight @w cols <> : tensor<2x0xf32>
    %b = lm.weight @bo : tensor<2xf16>
    %6 = lm.linear %5, %o bias %b : tensor<?x0xf32>, tensor<2x0xf32>, tensor<2xf16> -> tensor<?x2xf32>
    %7 = lm.add %a, %6 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    lm.yield %7 : tensor<?x2xf32>
  }
  // CHECK: return %[[Y]]
  return %2 : tensor<?x2xf32>
}

// -----

// Without a bias it is zero, and vanishes with its block.
// COUNT: remark: lm-fold-constants: constants 0, blocks 1
// CHECK-LABEL: func.func @zero(
// CHECK-SAME: %[[X:.+]]: tensor<?x2xf32>)
// CHECK-NEXT: return %[[X]]
lm.tensor private @w : tensor<2x2xf32>
func.func @zero(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %1 = lm.block ffn layer 0 (%a = %x) : tensor<?x2xf32> {
    %s = lm.select %a cols <> : tensor<?x2xf32> -> tensor<?x0xf32>
    %w = lm.weight @w cols <> : tensor<2x0xf32>
    %2 = lm.linear %s, %w : tensor<?x0xf32>, tensor<2x0xf32> -> tensor<?x2xf32>
    %3 = lm.add %a, %2 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    lm.yield %3 : tensor<?x2xf32>
  }
  return %1 : tensor<?x2xf32>
}

// -----

// The first blocks are constant: an embedding has no bias, so the first stays one addition, which
// the next constants join: 3 blocks become 1.
// COUNT: remark: lm-fold-constants: constants 2, blocks 2
// CHECK-LABEL: func.func @first_blocks(
// CHECK-SAME: %[[T:.+]]: tensor<?xi32>)
lm.tensor private @e : tensor<5x2xf32>
lm.tensor private @b0 : tensor<2xf32>
lm.tensor private @b1 : tensor<2xf32>
lm.tensor private @b2 : tensor<2xf32>
func.func @first_blocks(%t: tensor<?xi32>) -> tensor<?x2xf32> {
  // CHECK: %[[E:.+]] = lm.embed
  // CHECK-NEXT: %[[Y:.+]] = lm.block attention layer 0 (%[[A:.+]] = %[[E]])
  // CHECK: %[[B0:.+]] = lm.weight @b0
  // CHECK: %[[B1:.+]] = lm.weight @b1
  // CHECK: %[[S:.+]] = lm.add %[[B0]], %[[B1]]
  // CHECK: %[[B2:.+]] = lm.weight @b2
  // CHECK: %[[U:.+]] = lm.add %[[S]], %[[B2]]
  // CHECK: %[[R:.+]] = lm.add %[[A]], %[[U]] : tensor<?x2xf32>, tensor<2xf32>
  // CHECK: lm.yield %[[R]]
  // CHECK-NOT: lm.block
  // CHECK: return %[[Y]]
  %e = lm.weight @e : tensor<5x2xf32>
  %0 = lm.embed %t, %e : tensor<?xi32>, tensor<5x2xf32> -> tensor<?x2xf32>
  %1 = lm.block attention layer 0 (%a = %0) : tensor<?x2xf32> {
    %b = lm.weight @b0 : tensor<2xf32>
    %2 = lm.add %a, %b : tensor<?x2xf32>, tensor<2xf32> -> tensor<?x2xf32>
    lm.yield %2 : tensor<?x2xf32>
  }
  %2 = lm.block ffn layer 0 (%a = %1) : tensor<?x2xf32> {
    %b = lm.weight @b1 : tensor<2xf32>
    %3 = lm.add %b, %a : tensor<2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    lm.yield %3 : tensor<?x2xf32>
  }
  %3 = lm.block attention layer 1 (%a = %2) : tensor<?x2xf32> {
    %b = lm.weight @b2 : tensor<2xf32>
    %4 = lm.add %a, %b : tensor<?x2xf32>, tensor<2xf32> -> tensor<?x2xf32>
    lm.yield %4 : tensor<?x2xf32>
  }
  return %3 : tensor<?x2xf32>
}

// -----

// A projection into the residual has a bias to give, or gets one.
// COUNT: remark: lm-fold-constants: constants 1, blocks 1
// CHECK-LABEL: func.func @project_in(
lm.tensor private @w : tensor<2x3xf32>
lm.tensor private @b : tensor<2xf32>
func.func @project_in(%x: tensor<?x3xf32>, %p: tensor<?x2xf32>) -> tensor<?x2xf32> {
  // CHECK: %[[B:.+]] = lm.weight @b
  // CHECK: lm.linear %{{.+}}, %{{.+}} bias %[[B]]
  // CHECK-NOT: lm.block
  %w = lm.weight @w : tensor<2x3xf32>
  %0 = lm.linear %x, %w : tensor<?x3xf32>, tensor<2x3xf32> -> tensor<?x2xf32>
  %1 = lm.add %0, %p : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
  %2 = lm.block attention layer 0 (%a = %1) : tensor<?x2xf32> {
    %b = lm.weight @b : tensor<2xf32>
    %3 = lm.add %a, %b : tensor<?x2xf32>, tensor<2xf32> -> tensor<?x2xf32>
    lm.yield %3 : tensor<?x2xf32>
  }
  return %2 : tensor<?x2xf32>
}

// -----

// Post-norm: the norm after the residual keeps its block, and a norm before keeps the constant out
// of the bias behind it: one addition stays in each.
// COUNT: remark: lm-fold-constants: constants 0, blocks 0
// CHECK-LABEL: func.func @post_norm(
lm.tensor private @w : tensor<2x2xf32>
lm.tensor private @b : tensor<2xf32>
lm.tensor private @n : tensor<2xf32>
func.func @post_norm(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  // CHECK: lm.block ffn layer 0
  %1 = lm.block ffn layer 0 (%a = %x) : tensor<?x2xf32> {
    // CHECK: lm.linear %{{.+}}, %{{.+}} : tensor<?x2xf32>, tensor<2x2xf32>
    %w = lm.weight @w : tensor<2x2xf32>
    %n = lm.weight @n : tensor<2xf32>
    %2 = lm.linear %a, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
    %3 = lm.add %a, %2 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    %4 = lm.layer_norm %3 scale %n : tensor<2xf32> eps 1.0e-05 : tensor<?x2xf32> -> tensor<?x2xf32>
    lm.yield %4 : tensor<?x2xf32>
  }
  // CHECK: lm.block attention layer 1 (%[[A:.+]] =
  %2 = lm.block attention layer 1 (%a = %1) : tensor<?x2xf32> {
    // CHECK: %[[B:.+]] = lm.weight @b
    // CHECK: %[[S:.+]] = lm.add %[[A]], %[[B]] : tensor<?x2xf32>, tensor<2xf32>
    // CHECK: lm.layer_norm %[[S]]
    %n = lm.weight @n : tensor<2xf32>
    %s = lm.select %a cols <> : tensor<?x2xf32> -> tensor<?x0xf32>
    %w = lm.weight @w cols <> : tensor<2x0xf32>
    %b = lm.weight @b : tensor<2xf32>
    %3 = lm.linear %s, %w bias %b : tensor<?x0xf32>, tensor<2x0xf32>, tensor<2xf32> -> tensor<?x2xf32>
    %4 = lm.add %a, %3 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    %5 = lm.layer_norm %4 scale %n : tensor<2xf32> eps 1.0e-05 : tensor<?x2xf32> -> tensor<?x2xf32>
    lm.yield %5 : tensor<?x2xf32>
  }
  return %2 : tensor<?x2xf32>
}

// -----

// The sum of two linears without columns is one constant in token rows: it stays a linear.
// CHECK-LABEL: func.func @two_empty(
lm.tensor private @w : tensor<2x2xf32>
lm.tensor private @b : tensor<2xf32>
func.func @two_empty(%x: tensor<?x0xf32>) -> tensor<?x2xf32> {
  // CHECK: %[[B:.+]] = lm.add
  // CHECK: %[[Y:.+]] = lm.linear %{{.+}}, %{{.+}} bias %[[B]] : tensor<?x0xf32>
  // CHECK: return %[[Y]]
  %w = lm.weight @w cols <> : tensor<2x0xf32>
  %b = lm.weight @b : tensor<2xf32>
  %1 = lm.linear %x, %w bias %b : tensor<?x0xf32>, tensor<2x0xf32>, tensor<2xf32> -> tensor<?x2xf32>
  %2 = lm.linear %x, %w bias %b : tensor<?x0xf32>, tensor<2x0xf32>, tensor<2xf32> -> tensor<?x2xf32>
  %3 = lm.add %1, %2 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
  return %3 : tensor<?x2xf32>
}

// -----

// What must not change: the value between is read by a norm that lives, by a mark, or from outside
// the block; the constant of a skipped block stays in it.
// COUNT: remark: lm-fold-constants: constants 0, blocks 0
// CHECK-LABEL: func.func @unchanged(
lm.tensor private @w : tensor<2x2xf32>
lm.tensor private @b : tensor<2xf32>
lm.tensor private @n : tensor<2xf32>
func.func @unchanged(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  // CHECK-NOT: bias
  %w = lm.weight @w : tensor<2x2xf32>
  %b = lm.weight @b : tensor<2xf32>
  %n = lm.weight @n : tensor<2xf32>
  %1 = lm.linear %x, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
  %2 = lm.block ffn layer 0 (%a = %1) : tensor<?x2xf32> {
    // CHECK: lm.rms_norm
    %3 = lm.rms_norm %a scale %n eps 1.0e-05 : tensor<?x2xf32>, tensor<2xf32> -> tensor<?x2xf32>
    %4 = lm.add %a, %3 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    // CHECK: lm.add %{{.+}}, %{{.+}} : tensor<?x2xf32>, tensor<2xf32>
    %5 = lm.add %4, %b : tensor<?x2xf32>, tensor<2xf32> -> tensor<?x2xf32>
    lm.yield %5 : tensor<?x2xf32>
  }
  %3 = lm.linear %2, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
  %o = lm.observe "o" %3 : tensor<?x2xf32>
  // CHECK: lm.add %{{.+}}, %{{.+}} : tensor<?x2xf32>, tensor<2xf32>
  %4 = lm.add %o, %b : tensor<?x2xf32>, tensor<2xf32> -> tensor<?x2xf32>
  %5 = lm.linear %4, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
  %6 = lm.block attention layer 1 (%a = %5) : tensor<?x2xf32> {
    // CHECK: lm.add %{{.+}}, %{{.+}} : tensor<?x2xf32>, tensor<2xf32>
    %7 = lm.add %a, %b : tensor<?x2xf32>, tensor<2xf32> -> tensor<?x2xf32>
    lm.yield %7 : tensor<?x2xf32>
  }
  %7 = lm.add %5, %6 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
  %8 = lm.linear %7, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
  // CHECK: lm.block attention layer 2 skip
  %9 = lm.block attention layer 2 skip (%a = %8) : tensor<?x2xf32> {
    // CHECK: lm.add %{{.+}}, %{{.+}} : tensor<?x2xf32>, tensor<2xf32>
    %10 = lm.add %a, %b : tensor<?x2xf32>, tensor<2xf32> -> tensor<?x2xf32>
    lm.yield %10 : tensor<?x2xf32>
  }
  return %9 : tensor<?x2xf32>
}

// -----

// A norm of a row that is the same for all tokens is a constant row as well; of zeros it is zero.
// COUNT: remark: lm-fold-constants: constants 0, blocks 1
// CHECK-LABEL: func.func @norm_after(
// CHECK-SAME: %[[X:.+]]: tensor<?x2xf32>)
// CHECK-NEXT: return %[[X]]
lm.tensor private @w : tensor<2x2xf32>
lm.tensor private @n : tensor<2xf32>
func.func @norm_after(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %1 = lm.block ffn layer 0 (%a = %x) : tensor<?x2xf32> {
    %s = lm.select %a cols <> : tensor<?x2xf32> -> tensor<?x0xf32>
    %w = lm.weight @w cols <> : tensor<2x0xf32>
    %n = lm.weight @n : tensor<2xf32>
    %2 = lm.linear %s, %w : tensor<?x0xf32>, tensor<2x0xf32> -> tensor<?x2xf32>
    %3 = lm.rms_norm %2 scale %n eps 1.0e-05 : tensor<?x2xf32>, tensor<2xf32> -> tensor<?x2xf32>
    %4 = lm.add %a, %3 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    lm.yield %4 : tensor<?x2xf32>
  }
  return %1 : tensor<?x2xf32>
}

// -----

// With a bias before the norm, the norm of the bias is added.
// COUNT: remark: lm-fold-constants: constants 0, blocks 0
// CHECK-LABEL: func.func @norm_after_bias(
// CHECK-SAME: %[[X:.+]]: tensor<?x2xf32>)
lm.tensor private @w : tensor<2x2xf32>
lm.tensor private @n : tensor<2xf32>
func.func @norm_after_bias(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  // CHECK: %[[N:.+]] = lm.weight @n
  // CHECK: %[[R:.+]] = lm.rms_norm %[[N]] scale %[[N]] eps 1.000000e-05 : tensor<2xf32>, tensor<2xf32> -> tensor<2xf32>
  // CHECK: %[[C:.+]] = lm.layer_norm %[[R]] eps 1.000000e-05 : tensor<2xf32> -> tensor<2xf32>
  // CHECK: lm.add %[[X]], %[[C]] : tensor<?x2xf32>, tensor<2xf32> -> tensor<?x2xf32>
  %s = lm.select %x cols <> : tensor<?x2xf32> -> tensor<?x0xf32>
  %w = lm.weight @w cols <> : tensor<2x0xf32>
  %n = lm.weight @n : tensor<2xf32>
  %2 = lm.linear %s, %w bias %n : tensor<?x0xf32>, tensor<2x0xf32>, tensor<2xf32> -> tensor<?x2xf32>
  %3 = lm.rms_norm %2 scale %n eps 1.0e-05 : tensor<?x2xf32>, tensor<2xf32> -> tensor<?x2xf32>
  %4 = lm.layer_norm %3 eps 1.0e-05 : tensor<?x2xf32> -> tensor<?x2xf32>
  %5 = lm.add %x, %4 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
  return %5 : tensor<?x2xf32>
}

// -----

// Without eps the norm of zeros is not a number, and a norm of what tokens differ in is none.
// COUNT: remark: lm-fold-constants: constants 0, blocks 0
// CHECK-LABEL: func.func @norm_stays(
lm.tensor private @w : tensor<2x2xf32>
lm.tensor private @n : tensor<2xf32>
func.func @norm_stays(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  // CHECK: lm.rms_norm {{.*}} eps 0.000000e+00 : tensor<?x2xf32>
  // CHECK: lm.rms_norm {{.*}} eps 1.000000e-05 : tensor<?x2xf32>
  %s = lm.select %x cols <> : tensor<?x2xf32> -> tensor<?x0xf32>
  %w = lm.weight @w cols <> : tensor<2x0xf32>
  %n = lm.weight @n : tensor<2xf32>
  %2 = lm.linear %s, %w : tensor<?x0xf32>, tensor<2x0xf32> -> tensor<?x2xf32>
  %3 = lm.rms_norm %2 scale %n eps 0.0 : tensor<?x2xf32>, tensor<2xf32> -> tensor<?x2xf32>
  %4 = lm.add %x, %3 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
  %5 = lm.rms_norm %x scale %n eps 1.0e-05 : tensor<?x2xf32>, tensor<2xf32> -> tensor<?x2xf32>
  %6 = lm.add %4, %5 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
  return %6 : tensor<?x2xf32>
}
