// What a command reads must not be overwritten by what it writes, whatever name that has.
#pragma once
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace coppice {

/// An error if `output` is one of `files` (empty names are none), or a file of the model's folder
/// that compilers and tokenizers look for, whether this command needs it or not. `work` is what the
/// error calls it: "compilation".
llvm::Error checkOutput(const std::string &output, const std::string &modelDir,
                        llvm::ArrayRef<std::string> files, llvm::StringRef work);

} // namespace coppice
