// Passes from lm to stages; see PackPasses.td.
#pragma once
#include "dialects/pack/Pack.h"
#include "mlir/Pass/Pass.h"

namespace coppice {
#define GEN_PASS_DECL
#include "compiler/passes/pack/PackPasses.h.inc"

#define GEN_PASS_REGISTRATION
#include "compiler/passes/pack/PackPasses.h.inc"

/// Discardable attributes that carry a layer's number from a block to what became of it.
constexpr llvm::StringLiteral kLmLayer = "lm.layer";
constexpr llvm::StringLiteral kPackLayer = "pack.layer";
} // namespace coppice
