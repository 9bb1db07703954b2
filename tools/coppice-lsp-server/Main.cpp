// coppice-lsp-server: mlir-lsp-server with the project's dialects. An editor that speaks the
// Language Server Protocol shows errors, definitions and hovers in .mlir files as they are typed.
#include "dialects/lm/LM.h"
#include "dialects/pack/Pack.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry.insert<coppice::lm::LMDialect, coppice::pack::PackDialect, mlir::func::FuncDialect,
                  mlir::arith::ArithDialect>();
  return mlir::failed(mlir::MlirLspServerMain(argc, argv, registry));
}
