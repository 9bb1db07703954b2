/* Kernels of a toy model whose logits have a closed formula: with tokens t_0 .. t_p of a session,
 * the logit of v is sum((i + 1) * t_i) + v * w, w the first float of the weights. Every kernel
 * starts at a multiple of 512 in section .toy, in this order. Built alone, used as bytes. */
#include "coppice/kernel_abi.h"

#define KERNEL __attribute__((section(".toy"), aligned(512)))
typedef const coppice_frame *frame_ptr;

/* Per row: the session's cache gets the token at its position. */
KERNEL void toy_write(frame_ptr frame, const uint32_t *args, uint64_t begin, uint64_t end) {
  for (uint64_t i = begin; i < end; ++i) {
    const coppice_row *row = &frame->sets[args[0]].rows[i];
    ((float *)row->kv)[row->position] = (float)row->token;
  }
}

/* Per row: the weighted sum over the cache goes to the row's place in the arena. */
KERNEL void toy_sum(frame_ptr frame, const uint32_t *args, uint64_t begin, uint64_t end) {
  for (uint64_t i = begin; i < end; ++i) {
    const coppice_row *row = &frame->sets[args[0]].rows[i];
    const float *cache = (const float *)row->kv;
    float sum = 0;
    for (int32_t p = 0; p <= row->position; ++p)
      sum = sum + cache[p] * (float)(p + 1);
    ((float *)(frame->arena + args[1] * 64 * frame->row_capacity))[i * 16] = sum;
  }
}

/* Per row that wants logits: args are the set, the arena offset, the vocabulary. */
KERNEL void toy_logits(frame_ptr frame, const uint32_t *args, uint64_t begin, uint64_t end) {
  const coppice_row_set *set = &frame->sets[args[0]];
  const float *in = (const float *)(frame->arena + args[1] * 64 * frame->row_capacity);
  for (uint64_t i = begin; i < end; ++i)
    for (uint32_t v = 0; v < args[2]; ++v)
      frame->logits[i * args[2] + v] =
          in[(uint64_t)set->source[i] * 16] + (float)v * *(const float *)frame->weights;
}
