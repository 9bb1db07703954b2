/* How large the numbers in an artifact may be: the only statement of it, for the compiler, which
 * refuses a model beyond them, and the runtime, which refuses a file that says more. */
#ifndef COPPICE_LIMITS_H
#define COPPICE_LIMITS_H

#include "coppice/kernel_abi.h"

/* Vocabulary, token limit and context at most: tokens and positions are int32, and positions are
 * rounded up to whole KV blocks. */
#define COPPICE_MAX_ID (0x7fffffffu - COPPICE_KV_BLOCK)

/* Layers at most, thirty times as many as models have: their numbers, with -1 for what lies outside
 * of layers, are 0 to 4095. */
#define COPPICE_MAX_LAYERS 4096u

/* Bytes of the weight segment at most: a stage finds a weight by a word of 32 bits that counts 64
 * bytes, and whose largest value means none. */
#define COPPICE_MAX_WEIGHT_BYTES (0xffffffffull * 64)

#endif /* COPPICE_LIMITS_H */
