/* coppice-choices FILE [THREADS]: how likely an artifact holds each answer to be.
 *
 * Standard input: for each question its prompt and its choices, each ended by a zero byte, and an
 * empty one after the last choice. Standard output: for each question a line with the score of each
 * choice, in order: the sum of the log-probabilities of its tokens after the prompt. Prompt and
 * choice are encoded apart, the choice without the special tokens around a text. */
#include "coppice/coppice.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 64 };

typedef struct scorer {
  coppice_model *model;
  coppice_engine *engine;
  coppice_session *session;
  coppice_info info;
  int32_t *tokens; /* info.context of them */
  float *prompt;   /* logits after the prompt */
  float *choice;   /* logits after each token of a choice, ROWS rows */
} scorer;

static void fail(const char *what, const char *why) {
  fprintf(stderr, "error: %s: %s\n", what, why);
  exit(1);
}

static void check(coppice_status status, const char *what) {
  if (status != COPPICE_OK)
    fail(what, coppice_status_text(status));
}

static void *allocate(size_t bytes) {
  void *memory = aligned_alloc(COPPICE_SESSION_ALIGNMENT, (bytes + 63) / 64 * 64);
  if (!memory)
    fail("memory", strerror(ENOMEM));
  return memory;
}

/* All of standard input, and a zero byte after it. */
static char *read_input(size_t *out_bytes) {
  size_t capacity = 1 << 16, bytes = 0;
  char *text = NULL;
  for (;;) {
    text = realloc(text, capacity);
    if (!text)
      fail("memory", strerror(ENOMEM));
    size_t got = fread(text + bytes, 1, capacity - bytes - 1, stdin);
    bytes += got;
    if (got == 0)
      break;
    if (capacity - bytes == 1)
      capacity *= 2;
  }
  if (ferror(stdin))
    fail("standard input", strerror(errno));
  text[bytes] = 0;
  *out_bytes = bytes;
  return text;
}

static double log_probability(const float *logits, uint32_t count, int32_t token) {
  double most = -INFINITY, sum = 0;
  for (uint32_t i = 0; i < count; ++i)
    most = logits[i] > most ? logits[i] : most;
  for (uint32_t i = 0; i < count; ++i)
    sum += exp(logits[i] - most);
  return logits[token] - most - log(sum);
}

static size_t encode(scorer *s, const char *text, uint32_t flags) {
  size_t count = 0;
  check(coppice_encode(s->model, text, strlen(text), flags, s->tokens, s->info.context, &count),
        text);
  return count;
}

/* The session stands after the prompt, and does so again at the end. */
static double score(scorer *s, const char *choice) {
  size_t count = encode(s, choice, COPPICE_ENCODE_BARE);
  if (count == 0 || count > ROWS)
    fail(choice, "a choice has 1 to 64 tokens");
  double sum = log_probability(s->prompt, s->info.vocabulary, s->tokens[0]);
  if (count == 1)
    return sum;
  uint32_t position = coppice_session_position(s->session);
  coppice_token rows[ROWS];
  for (size_t i = 0; i + 1 < count; ++i)
    rows[i] = (coppice_token){s->session, s->tokens[i], true};
  check(coppice_engine_step(s->engine, rows, count - 1, s->choice), choice);
  for (size_t i = 1; i < count; ++i)
    sum +=
        log_probability(s->choice + (i - 1) * s->info.vocabulary, s->info.vocabulary, s->tokens[i]);
  check(coppice_session_truncate(s->session, position), choice);
  return sum;
}

int main(int argc, char **argv) {
  bool help = argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"));
  if (help || (argc != 2 && argc != 3) || argv[1][0] == '-') {
    fputs("usage: coppice-choices FILE [THREADS] < QUESTIONS\n"
          "the score of each choice of each question, a line a question; QUESTIONS holds for each "
          "its\n"
          "prompt, its choices and an empty text, each ended by a zero byte\n",
          help ? stdout : stderr);
    return help ? 0 : 2;
  }
  scorer s;
  coppice_error error;
  if (coppice_model_open(argv[1], NULL, &s.model, &error) != COPPICE_OK)
    fail(argv[1], error.message);
  check(coppice_model_info(s.model, &s.info), argv[1]);
  uint32_t threads = argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
  if (coppice_engine_create(s.model, threads, ROWS, &s.engine, &error) != COPPICE_OK)
    fail(argv[1], error.message);
  size_t bytes = coppice_session_bytes(s.model, s.info.context);
  void *memory = allocate(bytes);
  check(coppice_session_init(s.model, s.info.context, memory, bytes, &s.session), argv[1]);
  s.tokens = allocate(s.info.context * sizeof *s.tokens);
  s.prompt = allocate(s.info.vocabulary * sizeof *s.prompt);
  s.choice = allocate((size_t)ROWS * s.info.vocabulary * sizeof *s.choice);

  size_t size = 0;
  char *input = read_input(&size);
  for (char *at = input; at < input + size;) {
    size_t count = encode(&s, at, 0);
    check(coppice_session_truncate(s.session, 0), at);
    check(coppice_engine_feed(s.engine, s.session, s.tokens, count, s.prompt), at);
    const char *between = "";
    for (at += strlen(at) + 1; at < input + size && *at; at += strlen(at) + 1) {
      printf("%s%.17g", between, score(&s, at));
      between = " ";
    }
    ++at; /* the empty choice */
    putchar('\n');
  }
  free(input);
  free(s.choice);
  free(s.prompt);
  free(s.tokens);
  free(memory);
  coppice_engine_destroy(s.engine);
  coppice_model_close(s.model);
  return fflush(stdout) ? 1 : 0;
}
