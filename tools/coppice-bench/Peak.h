// What the processor multiplies at most: the yardstick of prefill.
#pragma once

/// Multiplications per second of int8 dot products into int32 (VNNI) on `threads` threads; 0 where
/// the machine has none.
double dotPeak(unsigned threads);

/// Likewise of float32 fused multiply-adds; 0 where the machine has none.
double fmaPeak(unsigned threads);
