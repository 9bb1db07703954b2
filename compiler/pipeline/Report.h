// The report of a compilation: what was cut, layer by layer. Its form is documented in
// docs/report-json.md and stable: fields are only added.
#pragma once
#include "compiler/artifact/Program.h"
#include "llvm/Support/JSON.h"

namespace coppice {

/// Nothing in it depends on the machine or the time, so the same input gives the same report.
llvm::json::Value makeReport(const Program &program, uint64_t checkpointBytes,
                             uint64_t artifactBytes);

} // namespace coppice
