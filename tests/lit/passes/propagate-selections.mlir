// Selections move up into the rows of weights.
// RUN: coppice-opt %s --split-input-file --lm-propagate-selections | FileCheck %s
// RUN: coppice-opt %s --split-input-file --lm-propagate-selections=report=true 2>&1 >/dev/null | FileCheck %s --check-prefix=COUNT

// Through product and activation into both linears; biases are listed with the rows, whatever list
// and order the weight had before. Rows 2 + 2 of 2 columns of f32 go.
// COUNT: remark: lm-propagate-selections: rows 4, bytes 32
// CHECK-LABEL: func.func @gated(
// CHECK-SAME: %[[X:.+]]: tensor<?x2xf32>)
lm.tensor private @gate : tensor<4x2xf32>
lm.tensor private @up : tensor<9x2xf32>
lm.tensor private @bias : tensor<4xf16>
func.func @gated(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  // CHECK-DAG: %[[G:.+]] = lm.weight @gate rows <3, 0> : tensor<2x2xf32>
  // CHECK-DAG: %[[B:.+]] = lm.weight @bias rows <3, 0> : tensor<2xf16>
  // CHECK-DAG: %[[U:.+]] = lm.weight @up rows <5, 8> : tensor<2x2xf32>
  // CHECK-DAG: %[[LG:.+]] = lm.linear %[[X]], %[[G]] bias %[[B]]
  // CHECK-DAG: %[[LU:.+]] = lm.linear %[[X]], %[[U]] :
  // CHECK-DAG: %[[A:.+]] = lm.activation silu %[[LG]]
  // CHECK: %[[P:.+]] = lm.mul %[[A]], %[[LU]]
  // CHECK-NEXT: return %[[P]]
  %g = lm.weight @gate : tensor<4x2xf32>
  %u = lm.weight @up rows <8, 7, 6, 5> : tensor<4x2xf32>
  %b = lm.weight @bias : tensor<4xf16>
  %1 = lm.linear %x, %g bias %b : tensor<?x2xf32>, tensor<4x2xf32>, tensor<4xf16> -> tensor<?x4xf32>
  %2 = lm.linear %x, %u : tensor<?x2xf32>, tensor<4x2xf32> -> tensor<?x4xf32>
  %3 = lm.activation silu %1 : tensor<?x4xf32> -> tensor<?x4xf32>
  %4 = lm.mul %3, %2 : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  %5 = lm.select %4 cols <3, 0> : tensor<?x4xf32> -> tensor<?x2xf32>
  return %5 : tensor<?x2xf32>
}

// -----

// Whole heads through attention and rope. Keys and values stay, and so does the KV head that nobody
// reads any more; the map follows the heads' new order. A sum takes the selection on both sides, of
// a constant row too.
// CHECK-LABEL: func.func @heads(
// CHECK-SAME: %[[X:.+]]: tensor<?x2xf32>, %[[K:.+]]: tensor<?x4xf32>, %[[V:.+]]: tensor<?x4xf32>, %[[P:.+]]: tensor<?xi32>)
lm.tensor private @q : tensor<6x2xf32>
lm.tensor private @c : tensor<6xf32>
func.func @heads(%x: tensor<?x2xf32>, %k: tensor<?x4xf32>, %v: tensor<?x4xf32>, %p: tensor<?xi32>) -> tensor<?x4xf32> {
  // CHECK-DAG: %[[Q:.+]] = lm.weight @q rows <4, 5, 0, 1> : tensor<4x2xf32>
  // CHECK-DAG: %[[C:.+]] = lm.weight @c rows <4, 5, 0, 1> : tensor<4xf32>
  // CHECK: %[[L:.+]] = lm.linear %[[X]], %[[Q]]
  // CHECK: %[[S:.+]] = lm.add %[[L]], %[[C]] : tensor<?x4xf32>, tensor<4xf32> -> tensor<?x4xf32>
  // CHECK: %[[R:.+]] = lm.rope %[[S]] at %[[P]] head_dim 2
  // CHECK: lm.attention %[[R]], %[[K]], %[[V]] head_dim 2 kv_map [1, 0]
  // CHECK-NOT: lm.select
  %q = lm.weight @q : tensor<6x2xf32>
  %c = lm.weight @c : tensor<6xf32>
  %1 = lm.linear %x, %q : tensor<?x2xf32>, tensor<6x2xf32> -> tensor<?x6xf32>
  %2 = lm.add %1, %c : tensor<?x6xf32>, tensor<6xf32> -> tensor<?x6xf32>
  %3 = lm.rope %2 at %p head_dim 2 inv_freq [1.0] : tensor<?x6xf32>, tensor<?xi32> -> tensor<?x6xf32>
  %4 = lm.attention %3, %k, %v head_dim 2 kv_map [0, 0, 1] scale 1.0 : tensor<?x6xf32>, tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x6xf32>
  %5 = lm.select %4 cols <4, 5, 0, 1> : tensor<?x6xf32> -> tensor<?x4xf32>
  return %5 : tensor<?x4xf32>
}

// -----

// No head at all: the query is no columns, the attention none, with nothing mapped.
// CHECK-LABEL: func.func @no_heads(
lm.tensor private @q : tensor<2x2xf32>
func.func @no_heads(%x: tensor<?x2xf32>, %k: tensor<?x2xf32>) -> tensor<?x0xf32> {
  // CHECK: lm.weight @q rows <> : tensor<0x2xf32>
  // CHECK: lm.attention {{.*}} kv_map [] {{.*}} : tensor<?x0xf32>, tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x0xf32>
  %q = lm.weight @q : tensor<2x2xf32>
  %1 = lm.linear %x, %q : tensor<?x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
  %4 = lm.attention %1, %k, %k head_dim 2 kv_map [0] scale 1.0 : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
  %5 = lm.select %4 cols <> : tensor<?x2xf32> -> tensor<?x0xf32>
  return %5 : tensor<?x0xf32>
}

// -----

// Through a mask, whose list and fill are renumbered; a selection of a selection is one.
// CHECK-LABEL: func.func @mask(
// CHECK-SAME: %[[X:.+]]: tensor<?x4xf32>, %[[C:.+]]: tensor<2xf32>)
func.func @mask(%x: tensor<?x4xf32>, %c: tensor<2xf32>) -> tensor<?x2xf32> {
  // CHECK-DAG: %[[S:.+]] = lm.select %[[X]] cols <2, 3>
  // CHECK-DAG: %[[F:.+]] = lm.select %[[C]] cols <0>
  // CHECK: lm.mask %[[S]] dead <1> fill %[[F]]
  %m = lm.mask %x dead <3, 1> fill %c : tensor<?x4xf32>, tensor<2xf32>
  %1 = lm.select %m cols <3, 2, 1> : tensor<?x4xf32> -> tensor<?x3xf32>
  %2 = lm.select %1 cols <1, 0> : tensor<?x3xf32> -> tensor<?x2xf32>
  return %2 : tensor<?x2xf32>
}

// -----

// Expressions over constant rows, transposed weights included, shrink although the whole is read
// too: it costs nothing at run time.
// CHECK-LABEL: func.func @constants(
lm.tensor private @c : tensor<2xf32>
lm.tensor private @w : tensor<2x4xf32>
func.func @constants() -> (tensor<1xf32>, tensor<4xf32>) {
  // CHECK-DAG: %[[C:.+]] = lm.weight @c : tensor<2xf32>
  // CHECK-DAG: %[[W:.+]] = lm.weight @w rows <3> transposed : tensor<1x2xf32>
  // CHECK-DAG: %[[P:.+]] = lm.linear %[[C]], %[[W]] : tensor<2xf32>, tensor<1x2xf32> -> tensor<1xf32>
  // CHECK-DAG: %[[A:.+]] = lm.activation relu %{{.+}} : tensor<4xf32>
  // CHECK: return %{{.+}}, %[[A]] : tensor<1xf32>, tensor<4xf32>
  %c = lm.weight @c : tensor<2xf32>
  %w = lm.weight @w transposed : tensor<4x2xf32>
  %1 = lm.linear %c, %w : tensor<2xf32>, tensor<4x2xf32> -> tensor<4xf32>
  %2 = lm.activation relu %1 : tensor<4xf32> -> tensor<4xf32>
  %3 = lm.select %2 cols <3> : tensor<4xf32> -> tensor<1xf32>
  return %3, %2 : tensor<1xf32>, tensor<4xf32>
}

// -----

// Two selections that together are no more than the whole: two linears, nothing of the old one.
// COUNT: remark: lm-propagate-selections: rows 1, bytes 8
// CHECK-LABEL: func.func @two_parts(
lm.tensor private @w : tensor<4x2xf32>
func.func @two_parts(%x: tensor<?x2xf32>) -> (tensor<?x2xf32>, tensor<?x1xf32>) {
  // CHECK-NOT: lm.select
  // CHECK-DAG: lm.weight @w rows <0, 1>
  // CHECK-DAG: lm.weight @w rows <3>
  // CHECK-NOT: lm.select
  %w = lm.weight @w : tensor<4x2xf32>
  %1 = lm.linear %x, %w : tensor<?x2xf32>, tensor<4x2xf32> -> tensor<?x4xf32>
  %2 = lm.select %1 cols <0, 1> : tensor<?x4xf32> -> tensor<?x2xf32>
  %3 = lm.select %1 cols <3> : tensor<?x4xf32> -> tensor<?x1xf32>
  return %2, %3 : tensor<?x2xf32>, tensor<?x1xf32>
}

// -----

// What must not change: the whole is read beside the part; parts that are more than the whole; half
// a head; a marked value; a norm, the residual, an embedding.
// COUNT: remark: lm-propagate-selections: rows 0, bytes 0
// CHECK-LABEL: func.func @unchanged(
lm.tensor private @w : tensor<4x4xf32>
lm.tensor private @n : tensor<4xf32>
func.func @unchanged(%x: tensor<?x4xf32>, %p: tensor<?xi32>) -> tensor<?x3xf32> {
  // CHECK: %[[L:.+]] = lm.linear
  // CHECK: lm.select %[[L]] cols <0, 1, 3>
  %w = lm.weight @w : tensor<4x4xf32>
  %n = lm.weight @n : tensor<4xf32>
  %1 = lm.linear %x, %w : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
  %2 = lm.select %1 cols <0, 1, 3> : tensor<?x4xf32> -> tensor<?x3xf32>
  // CHECK: %[[T:.+]] = lm.linear
  // CHECK: lm.select %[[T]] cols <0 to 2>
  // CHECK: lm.select %[[T]] cols <0, 1, 3>
  %3 = lm.linear %1, %w : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
  %4 = lm.select %3 cols <0, 1, 2> : tensor<?x4xf32> -> tensor<?x3xf32>
  %5 = lm.select %3 cols <0, 1, 3> : tensor<?x4xf32> -> tensor<?x3xf32>
  // CHECK: %[[R:.+]] = lm.rope
  // CHECK: lm.select %[[R]] cols <0 to 2>
  %6 = lm.rope %x at %p head_dim 2 inv_freq [1.0] : tensor<?x4xf32>, tensor<?xi32> -> tensor<?x4xf32>
  %7 = lm.select %6 cols <0, 1, 2> : tensor<?x4xf32> -> tensor<?x3xf32>
  // CHECK: %[[O:.+]] = lm.observe
  // CHECK: lm.select %[[O]]
  %8 = lm.observe "o" %x : tensor<?x4xf32>
  %9 = lm.select %8 cols <0, 1, 2> : tensor<?x4xf32> -> tensor<?x3xf32>
  // CHECK: %[[N:.+]] = lm.rms_norm
  // CHECK: lm.select %[[N]]
  %10 = lm.rms_norm %x scale %n eps 1.0e-05 : tensor<?x4xf32>, tensor<4xf32> -> tensor<?x4xf32>
  %11 = lm.select %10 cols <0, 1, 2> : tensor<?x4xf32> -> tensor<?x3xf32>
  // CHECK: %[[E:.+]] = lm.embed
  // CHECK: lm.select %[[E]]
  %12 = lm.embed %p, %w : tensor<?xi32>, tensor<4x4xf32> -> tensor<?x4xf32>
  %13 = lm.select %12 cols <0, 1, 2> : tensor<?x4xf32> -> tensor<?x3xf32>
  // CHECK: %[[B:.+]] = lm.block
  %14 = lm.block ffn layer 0 (%a = %x) : tensor<?x4xf32> {
    // CHECK: lm.select %{{.+}} cols <0 to 2>
    %15 = lm.select %a cols <0, 1, 2> : tensor<?x4xf32> -> tensor<?x3xf32>
    %v = lm.weight @w cols <0, 1, 2> : tensor<4x3xf32>
    %16 = lm.linear %15, %v : tensor<?x3xf32>, tensor<4x3xf32> -> tensor<?x4xf32>
    lm.yield %16 : tensor<?x4xf32>
  }
  // CHECK: lm.select %[[B]]
  %17 = lm.select %14 cols <0, 1, 2> : tensor<?x4xf32> -> tensor<?x3xf32>
  %18 = lm.add %2, %4 : tensor<?x3xf32>, tensor<?x3xf32> -> tensor<?x3xf32>
  %19 = lm.add %5, %7 : tensor<?x3xf32>, tensor<?x3xf32> -> tensor<?x3xf32>
  %20 = lm.add %9, %11 : tensor<?x3xf32>, tensor<?x3xf32> -> tensor<?x3xf32>
  %21 = lm.add %13, %17 : tensor<?x3xf32>, tensor<?x3xf32> -> tensor<?x3xf32>
  %22 = lm.add %18, %19 : tensor<?x3xf32>, tensor<?x3xf32> -> tensor<?x3xf32>
  %23 = lm.add %20, %21 : tensor<?x3xf32>, tensor<?x3xf32> -> tensor<?x3xf32>
  %24 = lm.add %22, %23 : tensor<?x3xf32>, tensor<?x3xf32> -> tensor<?x3xf32>
  return %24 : tensor<?x3xf32>
}

// -----

// Whole heads through the norm of heads, whose one scale stays; through a soft cap; a splat gets
// narrower.
// CHECK-LABEL: func.func @head_norm(
// CHECK-SAME: %[[X:.+]]: tensor<?x2xf32>)
lm.tensor private @q : tensor<6x2xf32>
lm.tensor private @n : tensor<2xf32>
func.func @head_norm(%x: tensor<?x2xf32>) -> tensor<?x4xf32> {
  // CHECK-DAG: %[[Q:.+]] = lm.weight @q rows <4, 5, 0, 1> : tensor<4x2xf32>
  // CHECK-DAG: %[[C:.+]] = lm.splat 2.000000e+00 : tensor<4xf32>
  // CHECK-DAG: %[[N:.+]] = lm.weight @n : tensor<2xf32>
  // CHECK: %[[L:.+]] = lm.linear %[[X]], %[[Q]]
  // CHECK: %[[M:.+]] = lm.mul %[[L]], %[[C]]
  // CHECK: %[[S:.+]] = lm.softcap %[[M]] cap 3.000000e+00 : tensor<?x4xf32>
  // CHECK: %[[R:.+]] = lm.rms_norm %[[S]] scale %[[N]] group 2 eps 1.000000e-05 : tensor<?x4xf32>, tensor<2xf32>
  // CHECK: return %[[R]]
  %q = lm.weight @q : tensor<6x2xf32>
  %n = lm.weight @n : tensor<2xf32>
  %c = lm.splat 2.0 : tensor<6xf32>
  %1 = lm.linear %x, %q : tensor<?x2xf32>, tensor<6x2xf32> -> tensor<?x6xf32>
  %2 = lm.mul %1, %c : tensor<?x6xf32>, tensor<6xf32> -> tensor<?x6xf32>
  %3 = lm.softcap %2 cap 3.0 : tensor<?x6xf32> -> tensor<?x6xf32>
  %4 = lm.rms_norm %3 scale %n group 2 eps 1.0e-05 : tensor<?x6xf32>, tensor<2xf32> -> tensor<?x6xf32>
  %5 = lm.select %4 cols <4, 5, 0, 1> : tensor<?x6xf32> -> tensor<?x4xf32>
  return %5 : tensor<?x4xf32>
}

// -----

// A norm over the whole row wants every column, and one over heads wants whole heads.
// CHECK-LABEL: func.func @norms_stay(
func.func @norms_stay(%x: tensor<?x4xf32>, %s: tensor<4xf32>, %h: tensor<2xf32>) -> tensor<?x2xf32> {
  // CHECK: lm.rms_norm %{{.+}} scale %{{.+}} eps {{.*}} : tensor<?x4xf32>
  // CHECK: lm.select
  // CHECK: lm.rms_norm %{{.+}} scale %{{.+}} group 2 eps {{.*}} : tensor<?x4xf32>
  // CHECK: lm.select
  %1 = lm.rms_norm %x scale %s eps 1.0e-05 : tensor<?x4xf32>, tensor<4xf32> -> tensor<?x4xf32>
  %2 = lm.select %1 cols <0, 1> : tensor<?x4xf32> -> tensor<?x2xf32>
  %3 = lm.rms_norm %x scale %h group 2 eps 1.0e-05 : tensor<?x4xf32>, tensor<2xf32> -> tensor<?x4xf32>
  %4 = lm.select %3 cols <1, 2> : tensor<?x4xf32> -> tensor<?x2xf32>
  %5 = lm.add %2, %4 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
  return %5 : tensor<?x2xf32>
}
