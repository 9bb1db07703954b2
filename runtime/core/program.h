/* A verified program: what a step needs, in plain arrays that others own. The host part builds one
 * from a mapped artifact, firmware gets one as constants. It never changes after it is built, so
 * any number of threads may read it.
 */
#ifndef COPPICE_CORE_PROGRAM_H
#define COPPICE_CORE_PROGRAM_H

#include "coppice/kernel_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct coppice_stage {
  coppice_kernel kernel;
  const uint32_t *args; /* words as the kernel expects them */
  uint32_t count;       /* items, or items per row if |per_row| */
  uint16_t set;         /* below COPPICE_ROW_SETS */
  uint8_t per_row;      /* 0 or 1 */
  uint8_t joined;       /* 1: needs no barrier between the stage before it and itself */
} coppice_stage;

typedef struct coppice_program {
  const coppice_stage *stages;
  uint32_t stage_count;
  uint32_t vocabulary;              /* logits per row */
  uint32_t token_limit;             /* token ids lie in [0, token_limit) */
  uint32_t picks;                   /* rows of a routed set for each row; 0: there are none */
  uint32_t context;                 /* positions lie in [0, context) */
  const uint8_t *weights;           /* 64-byte aligned */
  uint64_t arena_bytes_per_row;     /* a multiple of 64 */
  uint64_t kv_bytes_per_position;   /* over the layers whose cache is no ring */
  uint64_t ring_bytes_per_position; /* over the others; 0: there are none */
  uint32_t ring_positions;          /* of a ring, a multiple of COPPICE_KV_RING */
  uint32_t largest_step;            /* rows of one session in a step, at most, once it wraps: a ring
                                       has room for them beside the widest window */
} coppice_program;

#ifdef __cplusplus
}
#endif

#endif /* COPPICE_CORE_PROGRAM_H */
