/* The runtime's interface, for C11 and C++.
 *
 * A model is a mapped, verified artifact. An engine has threads and room for activations. A session
 * is one text: its KV cache and position, in the caller's memory. One step of an engine takes one
 * token of each of many sessions, or many tokens of one, in any mixture.
 *
 * Every function that can fail returns a coppice_status, which must be looked at; on a failure
 * nothing has changed unless the function says otherwise. Pointers named |out_...| are written on
 * success only, and never null unless said. No function keeps a pointer past its return unless it
 * says so. No function prints, exits or throws.
 *
 * Threads: a model may be used from any number of threads. An engine runs one step at a time, and a
 * session belongs to at most one running call; apart from that, threads do not matter.
 */
#ifndef COPPICE_COPPICE_H
#define COPPICE_COPPICE_H

#include "coppice/sampler.h"
#include "coppice/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct coppice_model coppice_model;
typedef struct coppice_engine coppice_engine;
typedef struct coppice_session coppice_session;

/* What went wrong, in one sentence without a line's end. Always zero-terminated after a failure. */
typedef struct coppice_error {
  char message[512];
} coppice_error;

/* A status in a few words; never null. */
const char *coppice_status_text(coppice_status status);

/* -- model ------------------------------------------------------------------------------------ */

typedef struct coppice_open_options {
  bool skip_weight_check; /* leave out the checksum of the weights (and reading them all) */
  const char *target;     /* run the code for this one, "x86-64-v3"; null: the best that the
                             machine can run. Results do not depend on it. Not kept. */
} coppice_open_options;

/* Maps the artifact at |path| and verifies all of it. |options| may be null: everything is checked.
 * |error| may be null; after a failure it says what is wrong with the file. The file must not be
 * changed or cut while it is open (replacing it by a rename is fine). Close with
 * coppice_model_close. */
COPPICE_MUST_USE coppice_status coppice_model_open(const char *path,
                                                   const coppice_open_options *options,
                                                   coppice_model **out_model, coppice_error *error);

/* Gives the model back; null is allowed. Engines on it go on living until they are destroyed and
 * hold the mapping so long. Its sessions and strings are void. */
void coppice_model_close(coppice_model *model);

typedef struct coppice_info {
  const char *family;   /* "llama", ...; strings live as long as the model */
  const char *target;   /* "x86-64-v3", ... */
  uint32_t vocabulary;  /* logits per row */
  uint32_t token_limit; /* token ids lie in [0, token_limit) */
  uint32_t context;     /* positions at most */
  uint32_t layers;
  uint64_t parameters;        /* of what the plan left */
  uint64_t parameters_before; /* of the checkpoint */
  uint64_t active_parameters; /* of |parameters|, those that one token needs */
  uint64_t file_bytes;
  uint64_t code_bytes;
  uint64_t weight_bytes;
  uint64_t kv_bytes_per_position;   /* of the layers whose cache is no ring */
  uint64_t ring_bytes_per_position; /* of the others: layers that attend to a window; else 0 */
  uint32_t ring_positions;          /* that a ring holds, or as many as the session; else 0 */
  uint32_t largest_step; /* tokens of one session in a step, at most, if the session is longer than
                            ring_positions; 0: any number */
  uint64_t arena_bytes_per_row;
  uint32_t stages; /* of a step; one barrier less */
  bool has_tokenizer;
} coppice_info;

COPPICE_MUST_USE coppice_status coppice_model_info(const coppice_model *model,
                                                   coppice_info *out_info);

/* Whether |token| ends a text. */
bool coppice_is_stop_token(const coppice_model *model, int32_t token);

/* -- session ---------------------------------------------------------------------------------- */

#define COPPICE_SESSION_ALIGNMENT 64u

/* Bytes of memory for a session of |positions| positions, a multiple of 64. 0 if |positions| is 0
 * or more than the model's context. */
size_t coppice_session_bytes(const coppice_model *model, uint32_t positions);

/* Makes |memory| (|bytes| bytes, aligned to 64; its contents do not matter) an empty session. The
 * session is the memory: to end it, free the memory, when no step uses it. A copy elsewhere of
 * all its bytes is a session of its own. COPPICE_TOO_SMALL if |bytes| is less than
 * coppice_session_bytes says, COPPICE_CONTEXT_FULL if the model's context is less than
 * |positions|. */
COPPICE_MUST_USE coppice_status coppice_session_init(const coppice_model *model, uint32_t positions,
                                                     void *memory, size_t bytes,
                                                     coppice_session **out_session);

/* The position that the next token gets: the number of tokens taken. 0 for what is no session. */
uint32_t coppice_session_position(const coppice_session *session);

/* Positions the session was made for. 0 for what is no session. */
uint32_t coppice_session_limit(const coppice_session *session);

/* Forgets every token from |position| on; then the session is as it was at that position.
 * COPPICE_BAD_ARGUMENT if |position| lies past the session's. Layers that attend to a window keep
 * |ring_positions| positions (coppice_model_info): in a session that has gone further, |position|
 * must be 0, or within |largest_step| of the furthest that the session has been since it was 0;
 * else COPPICE_FORGOTTEN. */
COPPICE_MUST_USE coppice_status coppice_session_truncate(coppice_session *session,
                                                         uint32_t position);

/* -- engine ----------------------------------------------------------------------------------- */

/* An engine with |threads| threads, the caller's among them (0: one for each CPU this process may
 * use, fewer, often one, for a model so small that they would mostly wait for one another; at most
 * 1024). It uses fewer of them for as long as all of them together are slower than one, because
 * the machine is busy or has not so many processors. It has
 * room for |max_rows| tokens a step (0: 64). It keeps the model's mapping alive. Destroy with
 * coppice_engine_destroy. |error| may be null. */
COPPICE_MUST_USE coppice_status coppice_engine_create(coppice_model *model, uint32_t threads,
                                                      uint32_t max_rows,
                                                      coppice_engine **out_engine,
                                                      coppice_error *error);

/* Binds each of the engine's threads to a processor of its own of those this process may use; the
 * thread that calls this, as the engine's first, too. COPPICE_BAD_ARGUMENT, and nothing is bound,
 * where there are fewer processors than threads or the system refuses; COPPICE_BUSY during a
 * step. */
COPPICE_MUST_USE coppice_status coppice_engine_pin(coppice_engine *engine);

/* Ends the engine's threads and frees it; null is allowed. No step may be running. */
void coppice_engine_destroy(coppice_engine *engine);

uint32_t coppice_engine_threads(const coppice_engine *engine);
uint32_t coppice_engine_max_rows(const coppice_engine *engine);

typedef struct coppice_token {
  coppice_session *session;
  int32_t token;
  bool wants_logits;
} coppice_token;

/* Takes |count| tokens, 1 to the engine's max_rows, each to its session's next position; several
 * tokens of one session in their order here. |out_logits| receives [rows that want logits]
 * [vocabulary] floats in the order of |tokens|; it may be null if no row wants any. The logits of
 * a row depend on nothing but its session's tokens up to it: not on the other rows, the number of
 * threads, or how the tokens were cut into steps. COPPICE_LONG_STEP if a session gets more tokens
 * than |largest_step| of coppice_model_info allows. */
COPPICE_MUST_USE coppice_status coppice_engine_step(coppice_engine *engine,
                                                    const coppice_token *tokens, size_t count,
                                                    float *out_logits);

/* Feeds |count| tokens to one session, in as many steps as it takes, and puts the logits of the
 * last one, [vocabulary] floats, into |out_logits| (may be null). All tokens are checked before
 * the first step. */
COPPICE_MUST_USE coppice_status coppice_engine_feed(coppice_engine *engine,
                                                    coppice_session *session, const int32_t *tokens,
                                                    size_t count, float *out_logits);

/* -- where the time goes ---------------------------------------------------------------------- */

typedef struct coppice_stage_info {
  const char *kernel; /* what it runs, for people; lives as long as the model */
  int32_t layer;      /* of the checkpoint; -1 for none */
} coppice_stage_info;

/* COPPICE_BAD_ARGUMENT if the model's step has no stage of that number. */
COPPICE_MUST_USE coppice_status coppice_model_stage(const coppice_model *model, uint32_t stage,
                                                    coppice_stage_info *out_stage);

/* What one token asks of the machine, beside attention. */
typedef struct coppice_work {
  uint64_t weight_bytes;   /* read to take it alone; of a table that is looked up, one row */
  uint64_t products;       /* multiplications of weights with its values, */
  uint64_t logit_products; /* and if its logits are wanted so many more: those of the output head,
                              and of what the last layer does for such tokens only */
} coppice_work;

COPPICE_MUST_USE coppice_status coppice_model_work(const coppice_model *model,
                                                   coppice_work *out_work);

/* Called on the thread that takes the step when all threads are done with |stage|. */
typedef void (*coppice_watch)(void *context, uint32_t stage);

/* As coppice_engine_step, stage by stage: |watch| is called with |context| after each, those
 * without anything to do among them. The threads meet after every stage, and that takes time of its
 * own. The engine is busy meanwhile. */
COPPICE_MUST_USE coppice_status coppice_engine_step_watched(coppice_engine *engine,
                                                            const coppice_token *tokens,
                                                            size_t count, float *out_logits,
                                                            coppice_watch watch, void *context);

/* -- text ------------------------------------------------------------------------------------- */

/* All of these give COPPICE_NO_TOKENIZER for an artifact whose checkpoint had none. Text is UTF-8
 * with an explicit length; nothing is terminated by a zero. */

enum {
  COPPICE_ENCODE_BARE = 1,   /* without the special tokens around a text, such as the first one */
  COPPICE_ENCODE_SPELLED = 2 /* special tokens that are spelled out in the text are such tokens:
                                not for text from strangers */
};

/* Encodes |text| of |bytes| bytes (null if |bytes| is 0); |flags| is 0 or of the above.
 * |out_count| receives the number of tokens, also if there are more than |capacity|: then the
 * first |capacity| are in |out_tokens| (null if |capacity| is 0) and the result is
 * COPPICE_TOO_SMALL. A text of n bytes makes rarely more than n + 2 tokens. COPPICE_BAD_TEXT if it
 * is not UTF-8. */
COPPICE_MUST_USE coppice_status coppice_encode(const coppice_model *model, const char *text,
                                               size_t bytes, uint32_t flags, int32_t *out_tokens,
                                               size_t capacity, size_t *out_count);

enum {
  COPPICE_DECODE_SPECIAL = 1 /* special tokens are written out too; else they give no text */
};

/* Decodes |count| tokens; |flags| is 0 or of the above. |out_bytes| receives the text's length,
 * also if that is more than |capacity|: then the first |capacity| bytes are in |out_text| (null if
 * |capacity| is 0) and the result is COPPICE_TOO_SMALL. What is no UTF-8 becomes U+FFFD. */
COPPICE_MUST_USE coppice_status coppice_decode(const coppice_model *model, const int32_t *tokens,
                                               size_t count, uint32_t flags, char *out_text,
                                               size_t capacity, size_t *out_bytes);

/* Decodes token by token, in whole characters at any time; together the pieces are what
 * coppice_decode gives. One thread at a time. */
typedef struct coppice_decoder coppice_decoder;

/* A decoder with coppice_decode's |flags|. It keeps the model's mapping alive. Destroy with
 * coppice_decoder_destroy. */
COPPICE_MUST_USE coppice_status coppice_decoder_create(coppice_model *model, uint32_t flags,
                                                       coppice_decoder **out_decoder);

/* Takes one token. |*out_text|, |*out_bytes| bytes (perhaps none), is the text that became
 * complete; it belongs to the decoder and lives until the next call on it. */
COPPICE_MUST_USE coppice_status coppice_decoder_push(coppice_decoder *decoder, int32_t token,
                                                     const char **out_text, size_t *out_bytes);

/* Gives what is held back, as coppice_decoder_push does; the next token begins a new text. */
COPPICE_MUST_USE coppice_status coppice_decoder_finish(coppice_decoder *decoder,
                                                       const char **out_text, size_t *out_bytes);

/* Null is allowed. */
void coppice_decoder_destroy(coppice_decoder *decoder);

#ifdef __cplusplus
}
#endif

#endif /* COPPICE_COPPICE_H */
