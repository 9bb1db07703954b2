// The subcommands of coppice. Each takes its arguments without program and command name and returns
// the exit code: 0 success, 1 an error in the input, 2 a wrong call.
#pragma once
#include "llvm/ADT/ArrayRef.h"

namespace coppice {

int calibrateMain(llvm::ArrayRef<const char *> arguments);
int compileMain(llvm::ArrayRef<const char *> arguments);
int inspectMain(llvm::ArrayRef<const char *> arguments);
int synthMain(llvm::ArrayRef<const char *> arguments);

} // namespace coppice
