// Kernels by name to a flat, position-independent code image, or to text.
#pragma once
#include "compiler/artifact/Program.h"
#include "compiler/codegen/Lowering.h"
#include "compiler/codegen/Target.h"
#include "llvm/ADT/ArrayRef.h"

namespace coppice {

/// Code and read-only data of an ELF object as one image to be mapped read and execute at any
/// page-aligned address. References between the object's own sections are resolved here; any
/// other relocation and any undefined symbol is an error. Kernels come sorted by name.
llvm::Expected<CodeImage> linkImage(llvm::ArrayRef<char> object);

/// Emits the kernels (names may repeat, order does not matter) for the target. Entry 0 of the
/// image is the first kernel by name.
llvm::Expected<CodeImage> generateCode(llvm::ArrayRef<std::string> kernelNames,
                                       const Target &target);

/// The same kernels as text: LLVM IR after optimisation, or assembly.
llvm::Expected<std::string> generateText(llvm::ArrayRef<std::string> kernelNames,
                                         const Target &target, CodeForm form);

} // namespace coppice
