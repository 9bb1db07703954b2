// coppice-opt: mlir-opt with the project's dialects and passes, for lit tests and for trying a pass
// by hand.
#include "compiler/codegen/KernelPasses.h"
#include "compiler/passes/Passes.h"
#include "compiler/passes/pack/PackPasses.h"
#include "compiler/pipeline/PassList.h"
#include "dialects/lm/LM.h"
#include "dialects/pack/Pack.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry
      .insert<coppice::lm::LMDialect, coppice::pack::PackDialect, mlir::func::FuncDialect,
              mlir::arith::ArithDialect, mlir::LLVM::LLVMDialect, mlir::vector::VectorDialect>();
  mlir::registerTransformsPasses();
  coppice::registerPasses();
  coppice::registerCoppicePackPasses();
  coppice::registerCoppiceKernelPasses();
  coppice::registerPipelines();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "Coppice's dialects and passes\n", registry));
}
