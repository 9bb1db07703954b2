/* A fast 64-bit checksum against damage, not against forgery. The compiler writes it, the runtime
 * verifies it.
 *
 * Any change confined to one aligned 8-byte word of the input (a flipped bit, a torn byte) changes
 * the result, always: see checksum.c. Other changes escape with a chance of about 2^-64.
 */
#ifndef COPPICE_CORE_CHECKSUM_H
#define COPPICE_CORE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct coppice_checksum {
  uint64_t lanes[8];
  uint64_t length; /* bytes taken so far */
  uint8_t pending[64];
} coppice_checksum;

void coppice_checksum_init(coppice_checksum *sum);

/* Takes |bytes| more bytes. The result does not depend on how the input is cut into calls.
 * |data| may be null if |bytes| is zero. */
void coppice_checksum_update(coppice_checksum *sum, const void *data, size_t bytes);

/* The checksum of all bytes taken. Leaves |sum| as it is. */
uint64_t coppice_checksum_final(const coppice_checksum *sum);

#ifdef __cplusplus
}
#endif

#endif /* COPPICE_CORE_CHECKSUM_H */
