// A plain read of memory, the yardstick of decoding: a token cannot be had faster than its weights
// can be read.
#pragma once
#include <cstddef>

/// Reads `bytes` (rounded down to whole KiB per thread) of fresh anonymous memory with `threads`
/// threads once, and gives bytes per second. The memory is kept between calls of the same size.
double streamBytesPerSecond(size_t bytes, unsigned threads);
