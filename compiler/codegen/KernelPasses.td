// Passes over kernels.
#ifndef COPPICE_KERNEL_PASSES
#define COPPICE_KERNEL_PASSES

include "mlir/Pass/PassBase.td"

def LowerDot4 : Pass<"lower-dot4"> {
  let summary = "Turns pack.dot4 into the target's instructions";
  let description = [{
    Every target gives the same integers, for any codes and values:

    - with VNNI, `vpdpbusd`, 512 bits wide or twice 256;
    - without it, codes of 7 bits or fewer go through `pmaddubsw`, whose 16-bit sums of two products
      cannot saturate then (2 * 127 * 128 = 32512), and `pmaddwd` with ones;
    - codes of 8 bits could saturate there (2 * 255 * 127), so even and odd bytes are widened in
      place to 16 bits, codes with zeros and values with their sign, and `pmaddwd` takes each half.

    ```mlir
    %r = pack.dot4 %acc, %codes, %values bits 4 : vector<16xi32>, vector<64xi8>
    ```

    becomes with `lower-dot4=target=x86-64-v4-vnni`

    ```mlir
    %u = vector.bitcast %codes : vector<64xi8> to vector<16xi32>
    %s = vector.bitcast %values : vector<64xi8> to vector<16xi32>
    %r = llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"(%acc, %u, %s)
         : (vector<16xi32>, vector<16xi32>, vector<16xi32>) -> vector<16xi32>
    ```
  }];
  let options = [Option<"target", "target", "std::string", "\"x86-64-v3\"",
                        "the target, by the name that coppice compile takes">];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::LLVM::LLVMDialect",
                           "mlir::vector::VectorDialect"];
}

#endif // COPPICE_KERNEL_PASSES
