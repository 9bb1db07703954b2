// dot4 prints as it is read, and takes codes of 1 to 8 bits in vectors of one size only.
// RUN: coppice-opt %s --split-input-file --verify-diagnostics --verify-roundtrip | FileCheck %s

// CHECK-LABEL: func @dot4(
// CHECK: pack.dot4 %{{.+}}, %{{.+}}, %{{.+}} bits 4 : vector<16xi32>, vector<64xi8>
func.func @dot4(%acc: vector<16xi32>, %codes: vector<64xi8>, %values: vector<64xi8>) -> vector<16xi32> {
  %r = pack.dot4 %acc, %codes, %values bits 4 : vector<16xi32>, vector<64xi8>
  return %r : vector<16xi32>
}

// -----

func.func @wide(%acc: vector<16xi32>, %codes: vector<64xi8>) -> vector<16xi32> {
  // expected-error @+1 {{has codes of 9 bits, not of 1 to 8}}
  %r = pack.dot4 %acc, %codes, %codes bits 9 : vector<16xi32>, vector<64xi8>
  return %r : vector<16xi32>
}

// -----

func.func @none(%acc: vector<16xi32>, %codes: vector<64xi8>) -> vector<16xi32> {
  // expected-error @+1 {{has codes of 0 bits, not of 1 to 8}}
  %r = pack.dot4 %acc, %codes, %codes bits 0 : vector<16xi32>, vector<64xi8>
  return %r : vector<16xi32>
}

// -----

func.func @short(%acc: vector<8xi32>, %codes: vector<32xi8>) -> vector<8xi32> {
  // expected-error @+1 {{operand #0 must be vector of 32-bit signless integer values of length 16}}
  %r = pack.dot4 %acc, %codes, %codes bits 8 : vector<8xi32>, vector<32xi8>
  return %r : vector<8xi32>
}
