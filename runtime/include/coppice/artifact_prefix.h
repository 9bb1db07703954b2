/* The first 128 bytes of an artifact: the only statement of them, for the compiler that writes
 * artifacts and the runtime that verifies them.
 *
 *   offset 0     coppice_prefix
 *   offset 128   metadata: one FlatBuffer, runtime/schema/artifact.fbs
 *   code         all code segments, one area; starts at the next multiple of 4096
 *   weights      one area to the end of the file; starts at the next multiple of 4096
 *
 * The areas stand in this order, each at the first offset of its alignment after the one before
 * it; the bytes between them are zero. The whole is little-endian, and every byte lies under one of
 * the two checksums (runtime/core/checksum.h).
 */
#ifndef COPPICE_ARTIFACT_PREFIX_H
#define COPPICE_ARTIFACT_PREFIX_H

#include "coppice/kernel_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Eight bytes, without a terminating zero. */
#define COPPICE_ARTIFACT_MAGIC "COPPICE\n"
#define COPPICE_ARTIFACT_VERSION 1u

#define COPPICE_METADATA_ALIGN 64u
#define COPPICE_AREA_ALIGN 4096u /* of code and weights, and of each code segment */
#define COPPICE_WEIGHT_ALIGN 64u /* of each item in the weights */

typedef struct coppice_range {
  uint64_t offset; /* from the start of the file */
  uint64_t bytes;
} coppice_range;

typedef struct coppice_prefix {
  uint8_t magic[8];
  uint32_t version;    /* COPPICE_ARTIFACT_VERSION */
  uint32_t kernel_abi; /* COPPICE_KERNEL_ABI_VERSION */
  uint64_t file_bytes;
  coppice_range metadata;
  coppice_range code;
  coppice_range weights;     /* ends where the file ends */
  uint64_t head_checksum;    /* bytes [0, weights.offset), this field taken as zero */
  uint64_t weights_checksum; /* bytes [weights.offset, file_bytes) */
  uint8_t reserved[40];      /* zero */
} coppice_prefix;

COPPICE_STATIC_ASSERT(sizeof(coppice_prefix) == 128, "coppice_prefix");
COPPICE_STATIC_ASSERT(offsetof(coppice_prefix, file_bytes) == 16, "coppice_prefix");
COPPICE_STATIC_ASSERT(offsetof(coppice_prefix, metadata) == 24, "coppice_prefix");
COPPICE_STATIC_ASSERT(offsetof(coppice_prefix, weights) == 56, "coppice_prefix");
COPPICE_STATIC_ASSERT(offsetof(coppice_prefix, head_checksum) == 72, "coppice_prefix");
COPPICE_STATIC_ASSERT(offsetof(coppice_prefix, reserved) == 88, "coppice_prefix");

#ifdef __cplusplus
}
#endif

#endif /* COPPICE_ARTIFACT_PREFIX_H */
