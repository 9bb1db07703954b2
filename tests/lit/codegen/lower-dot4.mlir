// What a dot4 becomes on each level: one instruction of dot products, two halves of it, or exact
// 16-bit products.
// RUN: coppice-opt %s --lower-dot4=target=x86-64-v4-vnni | FileCheck %s --check-prefix=V4VNNI
// RUN: coppice-opt %s --lower-dot4=target=x86-64-v4-bf16 | FileCheck %s --check-prefix=V4VNNI
// RUN: coppice-opt %s --lower-dot4=target=x86-64-v3-vnni | FileCheck %s --check-prefix=V3VNNI
// RUN: coppice-opt %s --lower-dot4=target=x86-64-v4 | FileCheck %s --check-prefix=V4
// RUN: coppice-opt %s --lower-dot4=target=x86-64-v3 | FileCheck %s --check-prefix=V3
// RUN: not coppice-opt %s --lower-dot4=target=pentium 2>&1 | FileCheck %s --check-prefix=ERROR

// RUN: not coppice-opt %s --lower-dot4=target=all-x86 2>&1 | FileCheck %s --check-prefix=ALL
// ALL: error: target "all-x86" stands for several, and one is wanted here; name it

// ERROR: error: target "pentium" is not known; known are native, all-x86, x86-64-v3,

// Codes of half a byte, where the products of pairs fit 16 bits.
// V4VNNI-LABEL: func @narrow(
// V4VNNI-SAME: %[[ACC:.+]]: vector<16xi32>, %[[CODES:.+]]: vector<64xi8>, %[[VALUES:.+]]: vector<64xi8>)
// V4VNNI-DAG: %[[U:.+]] = vector.bitcast %[[CODES]] : vector<64xi8> to vector<16xi32>
// V4VNNI-DAG: %[[S:.+]] = vector.bitcast %[[VALUES]] : vector<64xi8> to vector<16xi32>
// V4VNNI: %[[R:.+]] = llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"(%[[ACC]], %[[U]], %[[S]])
// V4VNNI-NEXT: return %[[R]]

// V3VNNI-LABEL: func @narrow(
// V3VNNI: %[[L:.+]] = llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.256"({{.*}}) : (vector<8xi32>, vector<8xi32>, vector<8xi32>) -> vector<8xi32>
// V3VNNI: %[[H:.+]] = llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.256"
// V3VNNI: %[[R:.+]] = vector.shuffle %[[L]], %[[H]] [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
// V3VNNI-NEXT: return %[[R]]

// V4-LABEL: func @narrow(
// V4-SAME: %[[ACC:.+]]: vector<16xi32>, %[[CODES:.+]]: vector<64xi8>, %[[VALUES:.+]]: vector<64xi8>)
// V4: %[[PAIRS:.+]] = llvm.call_intrinsic "llvm.x86.avx512.pmaddubs.w.512"
// V4: %[[ONES:.+]] = arith.constant dense<1> : vector<32xi16>
// V4: %[[SUMS:.+]] = llvm.call_intrinsic "llvm.x86.avx512.pmaddw.d.512"(%[[PAIRS]], %[[ONES]])
// V4: %[[R:.+]] = arith.addi %[[ACC]], %[[SUMS]]
// V4-NEXT: return %[[R]]

// V3-LABEL: func @narrow(
// V3-COUNT-2: "llvm.x86.avx2.pmadd.ub.sw"({{.*}}) : (vector<32xi8>, vector<32xi8>) -> vector<16xi16>
func.func @narrow(%acc: vector<16xi32>, %codes: vector<64xi8>, %values: vector<64xi8>) -> vector<16xi32> {
  %r = pack.dot4 %acc, %codes, %values bits 7 : vector<16xi32>, vector<64xi8>
  return %r : vector<16xi32>
}

// Whole bytes would saturate: the saturating instruction must not appear without VNNI.
// V4VNNI-LABEL: func @bytes(
// V4VNNI: vpdpbusd.512
// V3VNNI-LABEL: func @bytes(
// V3VNNI-COUNT-2: vpdpbusd.256

// V4-LABEL: func @bytes(
// V4-NOT: pmaddubs
// V4-DAG: %[[EIGHT:.+]] = arith.constant dense<8> : vector<32xi16>
// V4-DAG: %[[MASK:.+]] = arith.constant dense<255> : vector<32xi16>
// V4: %[[LOW:.+]] = arith.andi %[[U:.+]], %[[MASK]]
// V4: %[[LEFT:.+]] = arith.shli %[[S:.+]], %[[EIGHT]]
// V4: %[[EVEN:.+]] = arith.shrsi %[[LEFT]], %[[EIGHT]]
// V4: %[[A:.+]] = llvm.call_intrinsic "llvm.x86.avx512.pmaddw.d.512"(%[[LOW]], %[[EVEN]])
// V4: %[[HIGH:.+]] = arith.shrui %[[U]], %[[EIGHT]]
// V4: %[[ODD:.+]] = arith.shrsi %[[S]], %[[EIGHT]]
// V4: %[[B:.+]] = llvm.call_intrinsic "llvm.x86.avx512.pmaddw.d.512"(%[[HIGH]], %[[ODD]])
// V4: %[[AB:.+]] = arith.addi %[[A]], %[[B]]
// V4: arith.addi %{{.+}}, %[[AB]]

// V3-LABEL: func @bytes(
// V3-NOT: pmadd.ub.sw
// V3-COUNT-4: "llvm.x86.avx2.pmadd.wd"({{.*}}) : (vector<16xi16>, vector<16xi16>) -> vector<8xi32>
// V3-NOT: pmadd
func.func @bytes(%acc: vector<16xi32>, %codes: vector<64xi8>, %values: vector<64xi8>) -> vector<16xi32> {
  %r = pack.dot4 %acc, %codes, %values bits 8 : vector<16xi32>, vector<64xi8>
  return %r : vector<16xi32>
}

// What is no dot4 stays.
// V3-LABEL: func @other(
// V3-NEXT: arith.addi
// V3-NEXT: return
func.func @other(%a: vector<16xi32>) -> vector<16xi32> {
  %r = arith.addi %a, %a : vector<16xi32>
  return %r : vector<16xi32>
}
