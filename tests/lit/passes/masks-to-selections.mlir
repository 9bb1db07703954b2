// Linears drop masked columns and read selections.
// RUN: coppice-opt %s --split-input-file --lm-masks-to-selections | FileCheck %s
// RUN: coppice-opt %s --split-input-file --lm-masks-to-selections=report=true 2>&1 >/dev/null | FileCheck %s --check-prefix=COUNT

// Masked with zero: the bias stays as it is. One neuron, 4 rows of 2 bytes.
// COUNT: remark: lm-masks-to-selections: heads 0, neurons 1, bytes 8
// CHECK-LABEL: func.func @zero(
// CHECK-SAME: %[[X:.+]]: tensor<?x3xf32>)
lm.tensor private @w : tensor<4x3xf16>
lm.tensor private @b : tensor<4xf16>
func.func @zero(%x: tensor<?x3xf32>) -> tensor<?x4xf32> {
  // CHECK-DAG: %[[B:.+]] = lm.weight @b
  // CHECK-DAG: %[[S:.+]] = lm.select %[[X]] cols <0, 2>
  // CHECK-DAG: %[[W:.+]] = lm.weight @w cols <0, 2> : tensor<4x2xf16>
  // CHECK: %[[Y:.+]] = lm.linear %[[S]], %[[W]] bias %[[B]]
  // CHECK: return %[[Y]]
  %m = lm.mask %x dead <1> : tensor<?x3xf32>
  %w = lm.weight @w : tensor<4x3xf16>
  %b = lm.weight @b : tensor<4xf16>
  %y = lm.linear %m, %w bias %b : tensor<?x3xf32>, tensor<4x3xf16>, tensor<4xf16> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// Masked with a constant: what the dropped columns made of it goes into the bias. The weight keeps a
// part already, so the columns are those of its list; `dead` is in an order of its own, and `fill`
// follows it.
// COUNT: remark: lm-masks-to-selections: heads 0, neurons 2, bytes 16
// CHECK-LABEL: func.func @fill(
// CHECK-SAME: %[[X:.+]]: tensor<?x3xf32>, %[[C:.+]]: tensor<2xf32>)
lm.tensor private @w : tensor<2x9xf32>
func.func @fill(%x: tensor<?x3xf32>, %c: tensor<2xf32>) -> tensor<?x2xf32> {
  // Columns 0 and 2 of the list are 8 and 4; column 0 is filled with entry 1.
  // CHECK-DAG: %[[F:.+]] = lm.select %[[C]] cols <1, 0>
  // CHECK-DAG: %[[D:.+]] = lm.weight @w cols <8, 4> : tensor<2x2xf32>
  // CHECK-DAG: %[[B:.+]] = lm.linear %[[F]], %[[D]] : tensor<2xf32>, tensor<2x2xf32> -> tensor<2xf32>
  // CHECK-DAG: %[[S:.+]] = lm.select %[[X]] cols <1>
  // CHECK-DAG: %[[W:.+]] = lm.weight @w cols <6> : tensor<2x1xf32>
  // CHECK: lm.linear %[[S]], %[[W]] bias %[[B]]
  // CHECK-NOT: lm.mask
  %m = lm.mask %x dead <2, 0> fill %c : tensor<?x3xf32>, tensor<2xf32>
  %w = lm.weight @w cols <8, 6, 4> : tensor<2x3xf32>
  %y = lm.linear %m, %w : tensor<?x3xf32>, tensor<2x3xf32> -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

// Of two masks the one nearest to the linear decides: column 1 is zero, only column 0 is filled.
// CHECK-LABEL: func.func @chain(
// CHECK-SAME: %[[X:.+]]: tensor<?x3xf32>, %[[C:.+]]: tensor<2xf32>)
lm.tensor private @w : tensor<2x3xf32>
func.func @chain(%x: tensor<?x3xf32>, %c: tensor<2xf32>) -> tensor<?x2xf32> {
  // CHECK-DAG: %[[F:.+]] = lm.select %[[C]] cols <0>
  // CHECK-DAG: %[[D:.+]] = lm.weight @w cols <0>
  // CHECK-DAG: %[[B:.+]] = lm.linear %[[F]], %[[D]]
  // CHECK-DAG: %[[S:.+]] = lm.select %[[X]] cols <2>
  // CHECK-DAG: %[[W:.+]] = lm.weight @w cols <2>
  // CHECK: lm.linear %[[S]], %[[W]] bias %[[B]]
  // CHECK-NOT: lm.mask
  %m = lm.mask %x dead <0, 1> fill %c : tensor<?x3xf32>, tensor<2xf32>
  %n = lm.mask %m dead <1> : tensor<?x3xf32>
  %w = lm.weight @w : tensor<2x3xf32>
  %y = lm.linear %n, %w : tensor<?x3xf32>, tensor<2x3xf32> -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

// Everything masked: a linear without columns, for lm-fold-constants to finish. Heads are counted
// as heads.
// COUNT: remark: lm-masks-to-selections: heads 2, neurons 0, bytes 64
// CHECK-LABEL: func.func @all_heads(
lm.tensor private @w : tensor<4x4xf32>
func.func @all_heads(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // CHECK: %[[A:.+]] = lm.attention
  // CHECK: %[[S:.+]] = lm.select %[[A]] cols <> : tensor<?x4xf32> -> tensor<?x0xf32>
  // CHECK: %[[W:.+]] = lm.weight @w cols <> : tensor<4x0xf32>
  // CHECK: lm.linear %[[S]], %[[W]] : tensor<?x0xf32>, tensor<4x0xf32> -> tensor<?x4xf32>
  %a = lm.attention %x, %x, %x head_dim 2 kv_map [0, 1] scale 0.5 : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  %m = lm.mask %a dead <0 to 3> : tensor<?x4xf32>
  %w = lm.weight @w : tensor<4x4xf32>
  %y = lm.linear %m, %w : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// A mask below an activation goes above it, its fill through the activation; zero stays zero.
// CHECK-LABEL: func.func @below_activation(
// CHECK-SAME: %[[X:.+]]: tensor<?x3xf32>, %[[C:.+]]: tensor<1xf32>)
lm.tensor private @w : tensor<2x3xf32>
func.func @below_activation(%x: tensor<?x3xf32>, %c: tensor<1xf32>) -> tensor<?x2xf32> {
  // CHECK-DAG: %[[F:.+]] = lm.activation gelu %[[C]] : tensor<1xf32> -> tensor<1xf32>
  // CHECK-DAG: %[[A:.+]] = lm.activation gelu %[[X]]
  // CHECK-DAG: %[[B:.+]] = lm.linear %[[F]], %{{.+}} : tensor<1xf32>
  // CHECK-DAG: %[[S:.+]] = lm.select %[[A]] cols <1>
  // CHECK: lm.linear %[[S]], %{{.+}} bias %[[B]]
  // CHECK-NOT: lm.mask
  %l = lm.mask %x dead <2> fill %c : tensor<?x3xf32>, tensor<1xf32>
  %m = lm.mask %l dead <0> : tensor<?x3xf32>
  %a = lm.activation gelu %m : tensor<?x3xf32> -> tensor<?x3xf32>
  %w = lm.weight @w : tensor<2x3xf32>
  %y = lm.linear %a, %w : tensor<?x3xf32>, tensor<2x3xf32> -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

// Two linears read one mask: both drop the column, and it counts once.
// COUNT: remark: lm-masks-to-selections: heads 0, neurons 1, bytes 16
// CHECK-LABEL: func.func @two_readers(
lm.tensor private @w : tensor<2x3xf32>
func.func @two_readers(%x: tensor<?x3xf32>) -> tensor<?x2xf32> {
  // CHECK-NOT: lm.mask
  // CHECK-COUNT-2: lm.weight @w cols <1, 2>
  // CHECK-NOT: lm.mask
  %m = lm.mask %x dead <0> : tensor<?x3xf32>
  %w = lm.weight @w : tensor<2x3xf32>
  %y = lm.linear %m, %w : tensor<?x3xf32>, tensor<2x3xf32> -> tensor<?x2xf32>
  %z = lm.linear %m, %w : tensor<?x3xf32>, tensor<2x3xf32> -> tensor<?x2xf32>
  %s = lm.add %y, %z : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
  return %s : tensor<?x2xf32>
}

// -----

// What must not change: a mask read by a norm, one behind a mark, one below a product (zero times
// infinity is not zero), and a matrix that is no lm.weight.
// COUNT: remark: lm-masks-to-selections: heads 0, neurons 0, bytes 0
// CHECK-LABEL: func.func @unchanged(
lm.tensor private @w : tensor<3x3xf32>
lm.tensor private @n : tensor<3xf32>
func.func @unchanged(%x: tensor<?x3xf32>, %v: tensor<3x3xf32>) -> tensor<?x3xf32> {
  // CHECK: %[[M:.+]] = lm.mask
  // CHECK: lm.rms_norm %[[M]]
  // CHECK: %[[O:.+]] = lm.observe "o" %[[M]]
  // CHECK: lm.linear %[[O]]
  // CHECK: lm.mul %[[M]]
  // CHECK: lm.linear %[[M]]
  %m = lm.mask %x dead <1> : tensor<?x3xf32>
  %w = lm.weight @w : tensor<3x3xf32>
  %n = lm.weight @n : tensor<3xf32>
  %0 = lm.rms_norm %m scale %n eps 1.0e-05 : tensor<?x3xf32>, tensor<3xf32> -> tensor<?x3xf32>
  %o = lm.observe "o" %m : tensor<?x3xf32>
  %1 = lm.linear %o, %w : tensor<?x3xf32>, tensor<3x3xf32> -> tensor<?x3xf32>
  %2 = lm.mul %m, %x : tensor<?x3xf32>, tensor<?x3xf32> -> tensor<?x3xf32>
  %3 = lm.linear %2, %w : tensor<?x3xf32>, tensor<3x3xf32> -> tensor<?x3xf32>
  %4 = lm.linear %m, %v : tensor<?x3xf32>, tensor<3x3xf32> -> tensor<?x3xf32>
  %5 = lm.add %0, %1 : tensor<?x3xf32>, tensor<?x3xf32> -> tensor<?x3xf32>
  %6 = lm.add %3, %4 : tensor<?x3xf32>, tensor<?x3xf32> -> tensor<?x3xf32>
  %7 = lm.add %5, %6 : tensor<?x3xf32>, tensor<?x3xf32> -> tensor<?x3xf32>
  return %7 : tensor<?x3xf32>
}
