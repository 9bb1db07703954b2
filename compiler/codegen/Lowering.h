// A module of kernels, scf to object code, in-process. Nothing here knows a particular kernel.
#pragma once
#include "compiler/codegen/Target.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SmallVector.h"

namespace coppice {

enum class CodeForm { LLVM, Assembly, Object }; // LLVM: textual IR after optimisation

/// The dialects that kernels are made of, and their translation to LLVM IR.
void registerKernelDialects(mlir::DialectRegistry &registry);

/// Lowers the module in place and returns code in the given form. The code is position
/// independent, hidden, free of unwind tables, and no call to a library is ever made up for it.
llvm::Expected<llvm::SmallVector<char, 0>> lowerModule(mlir::ModuleOp module, const Target &target,
                                                       CodeForm form);

} // namespace coppice
