// Elementary functions expanded into arithmetic, on scalars and vectors of f32 alike. The same bits
// on every target: every operation is rounded once and in a fixed order, and only fma() is fused.
#pragma once
#include "compiler/codegen/KernelBuilder.h"

namespace coppice::math {

/// e^x within 1.1 ulp, subnormal results included; overflow is +inf, NaN stays NaN.
mlir::Value exp(KernelBuilder &k, mlir::Value x);

/// e^x of x <= 0 within 1.1 ulp, and 0 below -87; NaN stays NaN. Shorter than exp().
mlir::Value expOfNegative(KernelBuilder &k, mlir::Value x);

struct SinCos {
  mlir::Value sin, cos;
};
/// Of an angle in radians, |x| <= 2^24, within 1 ulp: the argument is reduced in f64.
SinCos sinCos(KernelBuilder &k, mlir::Value x);

/// The exact GELU, x times the normal distribution's cumulative function, within
/// 1.5e-7 * max(1, |x|).
mlir::Value gelu(KernelBuilder &k, mlir::Value x);

/// The GELU of the tanh formula, 0.5 x (1 + tanh u) = x / (1 + e^-2u), within 2e-7 * max(1, |x|).
mlir::Value geluTanh(KernelBuilder &k, mlir::Value x);

/// tanh x within 2 ulp; NaN stays NaN.
mlir::Value tanh(KernelBuilder &k, mlir::Value x);

/// x / (1 + e^-x).
mlir::Value silu(KernelBuilder &k, mlir::Value x);

/// 0 for x < 0, else x; NaN stays NaN.
mlir::Value relu(KernelBuilder &k, mlir::Value x);

} // namespace coppice::math
