// The kernels that exist, by the names that stages use.
#pragma once
#include "compiler/codegen/Target.h"
#include "mlir/IR/BuiltinOps.h"

namespace coppice {

/// Every kernel's name, sorted.
std::vector<std::string> kernelNames();

/// Adds the kernel's function, kSymbolPrefix + name, to the module. An unknown name is an error.
llvm::Error buildKernel(mlir::ModuleOp module, llvm::StringRef name, const Target &target);

} // namespace coppice
