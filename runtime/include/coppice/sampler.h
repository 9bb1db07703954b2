/* Choosing the next token from logits. Part of the C11 core: no allocation, no globals, and no
 * calls outside the core, so the same seed and logits give the same tokens everywhere.
 *
 * A sampler is a plain value that its caller owns; a copy continues as the original would. Two
 * threads may use two samplers, never one at the same time.
 */
#ifndef COPPICE_SAMPLER_H
#define COPPICE_SAMPLER_H

#include "coppice/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Applied in this order: temperature, top_k, top_p (of what top_k left). */
typedef struct coppice_sampling {
  float temperature; /* finite, not negative; 0 is greedy: the largest logit, the lowest id of
                        equals */
  uint32_t top_k;    /* keep this many of the largest logits; 0 keeps all */
  float top_p;       /* in (0, 1]: keep the fewest of the likeliest tokens that together have at
                        least this much of the probability; 1 keeps all */
  uint64_t seed;
} coppice_sampling;

typedef struct coppice_sampler {
  coppice_sampling sampling;
  uint64_t state[4];
} coppice_sampler;

/* COPPICE_BAD_ARGUMENT if a setting is out of its range. */
COPPICE_MUST_USE coppice_status coppice_sampler_init(coppice_sampler *sampler,
                                                     const coppice_sampling *sampling);

/* Bytes of scratch that coppice_sampler_next wants for |vocabulary| logits; 0 for a greedy one. */
size_t coppice_sampler_scratch_bytes(const coppice_sampler *sampler, uint32_t vocabulary);

/* Chooses one of |vocabulary| logits and puts its id into |out_token|. |scratch| (8-byte aligned,
 * may be null for a greedy sampler) is free to reuse afterwards. A logit that is not a number is
 * never chosen; COPPICE_BAD_LOGITS if none is a number. A sampler that is not greedy takes exactly
 * one random number per call that succeeds. */
COPPICE_MUST_USE coppice_status coppice_sampler_next(coppice_sampler *sampler, const float *logits,
                                                     uint32_t vocabulary, void *scratch,
                                                     size_t scratch_bytes, int32_t *out_token);

#ifdef __cplusplus
}
#endif

#endif /* COPPICE_SAMPLER_H */
