// What is inside an artifact: for people, for programs (docs/inspect-json.md), and drawn.
#pragma once
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

namespace coppice {

/// Verifies the artifact at `path`, every byte of it, and describes it on `out`. It need not be for
/// this machine. Nothing is printed on an error, which says what is wrong with the file.
llvm::Error inspectArtifact(llvm::StringRef path, bool json, llvm::raw_ostream &out);

/// Verifies the artifact at `path` and draws it as one HTML page that needs no other file, no
/// network and no scripts. The page appears at `output` whole or not at all.
llvm::Error drawArtifact(llvm::StringRef path, llvm::StringRef output);

} // namespace coppice
