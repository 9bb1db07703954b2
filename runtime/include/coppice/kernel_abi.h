/* The ABI between generated kernels and the runtime: the only statement of it.
 *
 * A kernel is one function per (operation, types, layout, target). It works on the items
 * [begin, end) of one stage; what an item is belongs to the operation (a panel of output rows, a
 * token row, a row and head). Items of one stage never write the same bytes, so any split of them
 * over threads gives the same result. Generated code asserts the offsets below by reading them
 * from this header (compiler/codegen), the runtime by the static assertions at the end.
 */
#ifndef COPPICE_KERNEL_ABI_H
#define COPPICE_KERNEL_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version of everything in this header and of the argument words of each kernel. An artifact of
 * another version is refused. */
#define COPPICE_KERNEL_ABI_VERSION 3u

/* Positions per block of a KV cache; blocks start at multiples of it. */
#define COPPICE_KV_BLOCK 16u

/* Positions of a ring are a multiple of it: as many as kernels take together. */
#define COPPICE_KV_RING 64u

/* One token of a step. Layers that attend to a window keep their keys and values in a ring:
 * position p lies where p % kv_ring_capacity would. */
typedef struct coppice_row {
  uint8_t *kv;          /* the session's KV cache, 64-byte aligned */
  uint64_t kv_capacity; /* positions it holds, a multiple of COPPICE_KV_BLOCK */
  int32_t token;
  int32_t position;          /* 0-based, below kv_capacity */
  uint8_t *kv_ring;          /* its rings, 64-byte aligned */
  uint64_t kv_ring_capacity; /* positions they hold: a multiple of COPPICE_KV_RING, or kv_capacity
                                if that is less; 0 if the model has no ring */
} coppice_row;

/* A set of rows that a stage works on. */
typedef struct coppice_row_set {
  const coppice_row *rows;
  const uint32_t *source; /* for each row its number among all rows; null for all rows */
  uint64_t count;
} coppice_row_set;

enum {
  COPPICE_ROWS_ALL = 0,    /* every token of the step */
  COPPICE_ROWS_LOGITS = 1, /* the tokens whose logits are wanted, in step order */
  /* Rows of either as often as they choose experts, in the order of experts: which is which stands
   * in the arena. These have no entries in |rows|. */
  COPPICE_ROWS_ROUTED = 2,
  COPPICE_ROWS_ROUTED_LOGITS = 3,
  COPPICE_ROW_SETS = 4
};

/* One step, the same for all its stages and threads. */
typedef struct coppice_frame {
  const uint8_t *weights;                 /* the weight segment, 64-byte aligned */
  uint8_t *arena;                         /* activations, 64-byte aligned */
  float *logits;                          /* [sets[LOGITS].count][vocabulary] */
  uint64_t row_capacity;                  /* rows that the arena has room for */
  coppice_row_set sets[COPPICE_ROW_SETS]; /* counts at most row_capacity, of routed rows so many
                                             times the experts that each chooses */
} coppice_frame;

enum {
  /* Of linear_* and expert_linear_*, by which a runtime counts multiplications: the words of how
   * wide the rows are that go in and come out. */
  COPPICE_LINEAR_INS = 6,
  COPPICE_LINEAR_OUTS = 7
};

/* |args| are the stage's argument words, laid out per operation (compiler/codegen/KernelArgs.h):
 * extents, strides, weight offsets in units of 64 bytes, arena offsets in units of 64 bytes per
 * row (a buffer of n-row width w lies at arena + offset * 64 * row_capacity, its rows
 * round_up(w, 16) floats apart). */
typedef void (*coppice_kernel)(const coppice_frame *frame, const uint32_t *args, uint64_t begin,
                               uint64_t end);

#ifdef __cplusplus
#define COPPICE_STATIC_ASSERT static_assert
#else
#define COPPICE_STATIC_ASSERT _Static_assert
#endif
COPPICE_STATIC_ASSERT(sizeof(void *) != 8 || sizeof(coppice_row) == 40, "coppice_row");
COPPICE_STATIC_ASSERT(sizeof(void *) != 8 || sizeof(coppice_row_set) == 24, "coppice_row_set");
COPPICE_STATIC_ASSERT(sizeof(void *) != 8 || sizeof(coppice_frame) == 128, "coppice_frame");

#ifdef __cplusplus
}
#endif

#endif /* COPPICE_KERNEL_ABI_H */
