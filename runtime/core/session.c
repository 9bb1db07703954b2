/* All sizes are computed with checks before anything is written: the numbers come from an artifact
 * and from the caller. */
#include "runtime/core/session.h"

#include <string.h>

static const uint64_t CHECK = 0x6e6f697373657363u;

static uint64_t round_up(uint64_t n, uint64_t to) { return (n + to - 1) / to * to; }

static uint64_t ring_capacity(const coppice_program *program, uint64_t capacity) {
  if (program->ring_bytes_per_position == 0)
    return 0;
  return capacity < program->ring_positions ? capacity : program->ring_positions;
}

/* Whether positions take the places of earlier ones in a ring. */
static int wraps(const coppice_session *session) {
  uint64_t ring = ring_capacity(session->program, session->capacity);
  return ring != 0 && ring < session->capacity;
}

/* Adds |per_position| * |positions|, rounded up to lines, to |*bytes|; 0 if that does not fit. */
static int add_part(uint64_t *bytes, uint64_t per_position, uint64_t positions) {
  uint64_t room = SIZE_MAX - (COPPICE_SESSION_ALIGN - 1) - *bytes; /* bytes: whole lines */
  if (*bytes > SIZE_MAX - (COPPICE_SESSION_ALIGN - 1) ||
      (positions != 0 && per_position > room / positions))
    return 0;
  *bytes += round_up(per_position * positions, COPPICE_SESSION_ALIGN);
  return 1;
}

size_t coppice_core_session_bytes(const coppice_program *program, uint32_t positions) {
  if (positions == 0 || positions > program->context)
    return 0;
  uint64_t capacity = round_up(positions, COPPICE_KV_BLOCK), bytes = sizeof(coppice_session);
  if (!add_part(&bytes, program->kv_bytes_per_position, capacity) ||
      !add_part(&bytes, program->ring_bytes_per_position, ring_capacity(program, capacity)))
    return 0;
  return (size_t)bytes;
}

coppice_status coppice_core_session_init(const coppice_program *program, uint32_t positions,
                                         void *memory, size_t bytes,
                                         coppice_session **out_session) {
  size_t needed = coppice_core_session_bytes(program, positions);
  if (positions > program->context)
    return COPPICE_CONTEXT_FULL;
  if (needed == 0 || !memory || (uintptr_t)memory % COPPICE_SESSION_ALIGN)
    return COPPICE_BAD_ARGUMENT;
  if (bytes < needed)
    return COPPICE_TOO_SMALL;
  coppice_session *session = memory;
  memset(session, 0, sizeof *session);
  session->check = CHECK;
  session->program = program;
  session->capacity = round_up(positions, COPPICE_KV_BLOCK);
  session->limit = positions;
  *out_session = session;
  return COPPICE_OK;
}

coppice_status coppice_core_session_check(const coppice_session *session,
                                          const coppice_program *program) {
  if (!session || (uintptr_t)session % COPPICE_SESSION_ALIGN || session->check != CHECK)
    return COPPICE_BAD_SESSION;
  return program && session->program != program ? COPPICE_BAD_SESSION : COPPICE_OK;
}

uint32_t coppice_core_session_largest_step(const coppice_session *session) {
  return wraps(session) ? session->program->largest_step : UINT32_MAX;
}

coppice_status coppice_core_session_truncate(coppice_session *session, uint32_t position) {
  if (position > session->position)
    return COPPICE_BAD_ARGUMENT;
  const coppice_program *program = session->program;
  if (position == 0)
    session->reached = 0;
  else if (wraps(session) && session->reached > program->ring_positions &&
           session->reached - position > program->largest_step)
    return COPPICE_FORGOTTEN;
  session->position = position;
  return COPPICE_OK;
}

coppice_status coppice_core_session_push(coppice_session *session, int32_t token,
                                         coppice_row *out_row) {
  const coppice_program *program = session->program;
  if (token < 0 || (uint32_t)token >= program->token_limit)
    return COPPICE_BAD_TOKEN;
  if (session->position >= session->limit)
    return COPPICE_CONTEXT_FULL;
  if (session->pushed >= coppice_core_session_largest_step(session))
    return COPPICE_LONG_STEP;
  out_row->kv = (uint8_t *)session + sizeof *session;
  out_row->kv_capacity = session->capacity;
  out_row->token = token;
  out_row->position = (int32_t)session->position++;
  out_row->kv_ring = out_row->kv + round_up(program->kv_bytes_per_position * session->capacity,
                                            COPPICE_SESSION_ALIGN);
  out_row->kv_ring_capacity = ring_capacity(program, session->capacity);
  ++session->pushed;
  return COPPICE_OK;
}

void coppice_core_session_settle(coppice_session *session, int done) {
  if (!done)
    session->position -= session->pushed;
  session->pushed = 0;
  if (session->reached < session->position)
    session->reached = session->position;
}
