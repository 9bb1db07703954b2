/* usage: bits FILE. Runs the same tokens through an artifact in every way that must not matter:
 * threads, chunks, another session's rows between, memory full of NaN, a truncated session. Exits
 * with 1 at the first logit whose bits differ. */
#include "coppice/coppice.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 70, KEPT = 3 };

static void check(coppice_status status, const char *what) {
  if (status == COPPICE_OK)
    return;
  fprintf(stderr, "%s: %s\n", what, coppice_status_text(status));
  exit(1);
}
#define CHECK(call) check(call, #call)

static coppice_session *make_session(coppice_model *model, uint32_t positions, int fill) {
  size_t bytes = coppice_session_bytes(model, positions);
  void *memory = memset(aligned_alloc(COPPICE_SESSION_ALIGNMENT, bytes), fill, bytes);
  coppice_session *session = NULL;
  CHECK(coppice_session_init(model, positions, memory, bytes, &session));
  return session;
}

int main(int argc, char **argv) {
  coppice_model *model = NULL;
  coppice_error error;
  if (argc != 2 || coppice_model_open(argv[1], NULL, &model, &error) != COPPICE_OK)
    return 1;
  coppice_info info;
  CHECK(coppice_model_info(model, &info));
  size_t n = info.context < MOST ? info.context : MOST, ways = 0;
  int32_t tokens[MOST];
  for (size_t i = 0; i < n; ++i)
    tokens[i] = (int32_t)((i * 37 + 5) % info.token_limit);
  float *first = NULL, *logits = malloc(n * info.vocabulary * sizeof(float));

  for (int used = 0; used < 2; ++used)
    for (uint32_t threads = 1; threads <= 3; ++threads)
      for (uint32_t chunk = 1; chunk <= MOST; chunk = chunk * 2 + 1) {
        coppice_engine *engine = NULL;
        CHECK(coppice_engine_create(model, threads, chunk * 2, &engine, NULL));
        coppice_session *session = make_session(model, (uint32_t)n, used ? 0xff : 0);
        coppice_session *other = make_session(model, info.context, 0xff);
        /* Other tokens have been where these go, or none. */
        for (size_t i = 0; i < n && used; ++i)
          CHECK(coppice_engine_feed(engine, session, &tokens[i < KEPT ? i : n - 1 - i], 1, NULL));
        if (used)
          CHECK(coppice_session_truncate(session, KEPT));
        else
          CHECK(coppice_engine_feed(engine, session, tokens, KEPT, NULL));
        size_t wanted = 0;
        for (size_t i = KEPT; i < n;) {
          coppice_token rows[2 * MOST];
          size_t count = 0, before = wanted;
          for (uint32_t c = 0; c < chunk && i < n; ++c, ++i, ++wanted) {
            rows[count++] = (coppice_token){session, tokens[i], true};
            if (used && i % 3 == 0)
              rows[count++] = (coppice_token){other, tokens[n - 1 - i], false};
          }
          CHECK(coppice_engine_step(engine, rows, count, logits + before * info.vocabulary));
        }
        size_t bytes = wanted * info.vocabulary * sizeof(float);
        if (!first) {
          first = memcpy(malloc(bytes), logits, bytes);
        } else if (memcmp(first, logits, bytes) != 0) {
          fprintf(stderr, "other bits: %s session, %u threads, %u tokens a step\n",
                  used ? "used" : "new", threads, chunk);
          return 1;
        }
        ++ways;
        coppice_engine_destroy(engine);
        free(session);
        free(other);
      }
  printf("%zu ways, the same bits\n", ways);
  coppice_model_close(model);
  free(first);
  free(logits);
  return 0;
}
