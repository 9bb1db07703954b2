/* All sizes are computed with checks before anything is written: the numbers come from an artifact
 * and from the caller. */
#include "runtime/core/session.h"

#include <string.h>

static const uint64_t CHECK = 0x6e6f697373657363u;

static uint64_t round_to_blocks(uint32_t positions) {
  return ((uint64_t)positions + COPPICE_KV_BLOCK - 1) / COPPICE_KV_BLOCK * COPPICE_KV_BLOCK;
}

size_t coppice_core_session_bytes(const coppice_program *program, uint32_t positions) {
  if (positions == 0 || positions > program->context)
    return 0;
  uint64_t per_position = program->kv_bytes_per_position;
  uint64_t most = SIZE_MAX - sizeof(coppice_session) - (COPPICE_SESSION_ALIGN - 1);
  uint64_t capacity = round_to_blocks(positions);
  if (per_position > most / capacity)
    return 0;
  uint64_t cache = (per_position * capacity + COPPICE_SESSION_ALIGN - 1) / COPPICE_SESSION_ALIGN *
                   COPPICE_SESSION_ALIGN;
  return sizeof(coppice_session) + (size_t)cache;
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
  session->capacity = round_to_blocks(positions);
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

coppice_status coppice_core_session_truncate(coppice_session *session, uint32_t position) {
  if (position > session->position)
    return COPPICE_BAD_ARGUMENT;
  session->position = position;
  return COPPICE_OK;
}

coppice_status coppice_core_session_push(coppice_session *session, int32_t token,
                                         coppice_row *out_row) {
  if (token < 0 || (uint32_t)token >= session->program->token_limit)
    return COPPICE_BAD_TOKEN;
  if (session->position >= session->limit)
    return COPPICE_CONTEXT_FULL;
  out_row->kv = (uint8_t *)session + sizeof *session;
  out_row->kv_capacity = session->capacity;
  out_row->token = token;
  out_row->position = (int32_t)session->position++;
  return COPPICE_OK;
}
