/* A session: one text's KV cache and position, in memory that the caller owns.
 *
 *   offset 0    struct coppice_session, 64 bytes
 *   offset 64   KV cache: capacity * kv_bytes_per_position bytes, rounded up to 64
 *   then        rings: min(capacity, ring_positions) * ring_bytes_per_position, rounded up to 64
 *
 * The capacity is |positions| rounded up to whole KV blocks; positions past |positions| are never
 * written. The cache needs no initial contents: a kernel reads only what was written before.
 *
 * In a session with more positions than a ring, later ones take the places of earlier ones. A step
 * of at most |largest_step| rows leaves each row its whole window, and so does going back by at
 * most as many positions from the furthest that was reached: more of either is refused.
 */
#ifndef COPPICE_CORE_SESSION_H
#define COPPICE_CORE_SESSION_H

#include "coppice/status.h"
#include "runtime/core/program.h"

#ifdef __cplusplus
extern "C" {
#endif

#define COPPICE_SESSION_ALIGN 64u

typedef struct coppice_session {
  uint64_t check; /* tells a session from other memory */
  const coppice_program *program;
  uint64_t capacity; /* positions the cache has room for, a multiple of COPPICE_KV_BLOCK */
  uint32_t limit;    /* positions that may be used */
  uint32_t position; /* of the next token */
  uint32_t reached;  /* the furthest that position has been after a step since it was 0 */
  uint32_t pushed;   /* rows of the step that is being put together */
  uint8_t pad[64 - 32 - sizeof(void *)];
} coppice_session;

COPPICE_STATIC_ASSERT(sizeof(coppice_session) == 64, "coppice_session");

/* Bytes of a session of |positions| positions, a multiple of 64; 0 if |positions| is 0 or more than
 * the program's context, or if the size does not fit size_t. */
size_t coppice_core_session_bytes(const coppice_program *program, uint32_t positions);

/* Makes |memory|, 64-byte aligned and of at least |bytes| bytes, a session at position 0. */
COPPICE_MUST_USE coppice_status coppice_core_session_init(const coppice_program *program,
                                                          uint32_t positions, void *memory,
                                                          size_t bytes,
                                                          coppice_session **out_session);

/* COPPICE_OK, or what is wrong with using |session| on |program|. |program| may be null: then any
 * program's session will do. */
COPPICE_MUST_USE coppice_status coppice_core_session_check(const coppice_session *session,
                                                           const coppice_program *program);

/* Rows of the session that one step can take at most. */
uint32_t coppice_core_session_largest_step(const coppice_session *session);

/* Forgets all positions from |position| on. |position| is at most the session's, and in a session
 * whose rings have been overwritten 0, or at most |largest_step| before the furthest reached:
 * COPPICE_FORGOTTEN otherwise. */
COPPICE_MUST_USE coppice_status coppice_core_session_truncate(coppice_session *session,
                                                              uint32_t position);

/* Fills |out_row| with |token| at the session's position and moves that on by one. On an error
 * neither changes. The rows pushed until coppice_core_session_settle are of one step. */
COPPICE_MUST_USE coppice_status coppice_core_session_push(coppice_session *session, int32_t token,
                                                          coppice_row *out_row);

/* Ends a step: its rows have been run if |done|, else the session is where it was before them. For
 * each session of the step once, or more often. */
void coppice_core_session_settle(coppice_session *session, int done);

#ifdef __cplusplus
}
#endif

#endif /* COPPICE_CORE_SESSION_H */
