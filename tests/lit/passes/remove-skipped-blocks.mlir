// A skipped block is its input, and its weights are gone; a block that is not skipped stays.
// RUN: coppice-opt %s --lm-remove-skipped-blocks | FileCheck %s
// RUN: coppice-opt %s --lm-remove-skipped-blocks=report=true 2>&1 >/dev/null | FileCheck %s --check-prefix=COUNT

// Bytes of what the blocks read: 16 in the first, 16 and two vectors of 4 in the second.
// COUNT: remark: lm-remove-skipped-blocks: blocks 2, bytes 40
lm.tensor private @w : tensor<2x2xf32>
lm.tensor private @n : tensor<2xf16>

// Two skipped blocks in a row, the second with a norm after the residual, lead to the input; what
// read the last reads that.
// CHECK-LABEL: func.func @skipped(
// CHECK-SAME: %[[X:.+]]: tensor<?x2xf32>)
func.func @skipped(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  // CHECK-NOT: layer 3
  %1 = lm.block attention layer 3 skip (%a = %x) : tensor<?x2xf32> {
    %w = lm.weight @w : tensor<2x2xf32>
    %2 = lm.linear %a, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
    %3 = lm.add %a, %2 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    lm.yield %3 : tensor<?x2xf32>
  }
  %4 = lm.block ffn layer 3 skip (%a = %1) : tensor<?x2xf32> {
    %w = lm.weight @w : tensor<2x2xf32>
    %n = lm.weight @n : tensor<2xf16>
    %m = lm.weight @n : tensor<2xf16>
    %2 = lm.linear %a, %w : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
    %3 = lm.add %a, %2 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    %5 = lm.layer_norm %3 scale %n : tensor<2xf16> bias %m : tensor<2xf16> eps 1.0e-05 : tensor<?x2xf32> -> tensor<?x2xf32>
    lm.yield %5 : tensor<?x2xf32>
  }
  // CHECK: %[[Y:.+]] = lm.block attention layer 4 (%[[A:.+]] = %[[X]])
  %6 = lm.block attention layer 4 (%a = %4) : tensor<?x2xf32> {
    // CHECK: lm.add %[[A]], %[[A]]
    %7 = lm.add %a, %a : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    lm.yield %7 : tensor<?x2xf32>
  }
  // CHECK: return %[[Y]]
  return %6 : tensor<?x2xf32>
}
