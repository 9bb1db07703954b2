/* How far the answers of artifacts are from those of a reference, token by token.
 *
 * usage: coppice-divergence WINDOW FILE REFERENCE ARTIFACT...
 *
 * FILE is a text, or, if it ends in .tokens, token ids as text with spaces between them. Standard
 * output receives float64: for each artifact, the reference first, and each token predicted
 * [minus log of its probability, KL(reference || artifact), 1 if both would choose the same token].
 * All in nats. A text is cut into windows of WINDOW tokens, the last one perhaps shorter, each
 * after the special tokens that begin a text. All of a .tokens file is one window. Artifacts are of
 * one tokenizer. Written for measurements: faults end the program with a message.
 */
#include "coppice/coppice.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 64, MAX_ARTIFACTS = 32, VALUES = 3 };

static void die(const char *what, const char *of) {
  fprintf(stderr, "error: %s: %s\n", of, what);
  exit(1);
}

static void *get(size_t bytes) {
  void *memory = aligned_alloc(64, (bytes + 64) / 64 * 64);
  if (!memory)
    die("no memory", "coppice-divergence");
  return memory;
}

typedef struct artifact {
  const char *path;
  coppice_model *model;
  coppice_engine *engine;
  coppice_info info;
  coppice_session *session;
  float *logits;   /* of a window */
  double *results; /* of the text */
} artifact;

static void open_artifact(artifact *one, const char *path) {
  coppice_error error;
  one->path = path;
  if (coppice_model_open(path, NULL, &one->model, &error) ||
      coppice_engine_create(one->model, 0, ROWS, &one->engine, &error))
    die(error.message, path);
  if (coppice_model_info(one->model, &one->info))
    die("no information", path);
}

static void run_window(artifact *one, const int32_t *tokens, size_t count) {
  coppice_token step[ROWS];
  if (coppice_session_truncate(one->session, 0))
    die("cannot begin again", one->path);
  for (size_t at = 0; at < count; at += ROWS) {
    size_t rows = count - at < ROWS ? count - at : ROWS;
    for (size_t i = 0; i < rows; ++i)
      step[i] = (coppice_token){one->session, tokens[at + i], true};
    coppice_status status =
        coppice_engine_step(one->engine, step, rows, one->logits + at * one->info.vocabulary);
    if (status)
      die(coppice_status_text(status), one->path);
  }
}

static uint32_t largest(const float *logits, uint32_t count) {
  uint32_t best = 0;
  for (uint32_t i = 1; i < count; ++i)
    if (logits[i] > logits[best])
      best = i;
  return best;
}

static double log_sum(const float *logits, uint32_t count) {
  double most = logits[largest(logits, count)], sum = 0;
  for (uint32_t i = 0; i < count; ++i)
    sum += exp(logits[i] - most);
  return most + log(sum);
}

static void compare(const float *reference, const float *logits, uint32_t count, int32_t next,
                    double *out) {
  double reference_sum = log_sum(reference, count), sum = log_sum(logits, count), kl = 0;
  for (uint32_t i = 0; i < count; ++i) {
    double p = reference[i] - reference_sum;
    kl += exp(p) * (p - (logits[i] - sum));
  }
  out[0] = sum - logits[next];
  out[1] = kl;
  out[2] = largest(reference, count) == largest(logits, count);
}

static char *read_file(const char *path, size_t *bytes) {
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END))
    die("cannot be read", path);
  long size = ftell(file);
  char *text = get((size_t)size + 1);
  rewind(file);
  if (size < 0 || fread(text, 1, (size_t)size, file) != (size_t)size)
    die("cannot be read", path);
  fclose(file);
  text[size] = 0;
  *bytes = (size_t)size;
  return text;
}

int main(int argc, char **argv) {
  static artifact all[MAX_ARTIFACTS];
  if (argc < 4 || argc - 3 > MAX_ARTIFACTS)
    die("takes WINDOW FILE REFERENCE ARTIFACT...", argv[0]);
  size_t window = strtoul(argv[1], NULL, 10), artifacts = (size_t)argc - 3, bytes, count = 0;
  for (size_t i = 0; i < artifacts; ++i)
    open_artifact(&all[i], argv[i + 3]);

  char *text = read_file(argv[2], &bytes);
  int32_t *tokens = get((bytes + 1) * sizeof *tokens);
  int32_t prefix[16];
  size_t prefix_count = 0;
  const char *ending = strrchr(argv[2], '.');
  if (ending && strcmp(ending, ".tokens") == 0) {
    char *end = text;
    for (long token; token = strtol(text, &end, 10), end != text; text = end)
      tokens[count++] = (int32_t)token;
    window = count - 1;
    prefix[prefix_count++] = *tokens++;
    --count;
  } else {
    /* An empty text is its special tokens. */
    if (coppice_encode(all[0].model, text, bytes, COPPICE_ENCODE_BARE, tokens, bytes, &count) ||
        coppice_encode(all[0].model, NULL, 0, 0, prefix, 16, &prefix_count) || prefix_count == 0)
      die("cannot be made tokens", argv[2]);
  }
  if (window == 0 || count < window)
    die("has fewer tokens than a window", argv[2]);

  size_t length = prefix_count + window - 1;
  int32_t *fed = get((length + 1) * sizeof *fed);
  for (size_t i = 0; i < artifacts; ++i) {
    size_t memory = coppice_session_bytes(all[i].model, (uint32_t)length);
    if (all[i].info.vocabulary != all[0].info.vocabulary || memory == 0 ||
        coppice_session_init(all[i].model, (uint32_t)length, get(memory), memory, &all[i].session))
      die("takes no windows of this length, or has another vocabulary", argv[i + 3]);
    all[i].logits = get(length * all[i].info.vocabulary * sizeof(float));
    all[i].results = get(count * VALUES * sizeof(double));
  }
  memcpy(fed, prefix, prefix_count * sizeof *fed);
  uint32_t vocabulary = all[0].info.vocabulary;
  for (size_t begin = 0; begin < count; begin += window) {
    size_t predicted = count - begin < window ? count - begin : window;
    memcpy(fed + prefix_count, tokens + begin, (predicted - 1) * sizeof *fed);
    for (size_t i = 0; i < artifacts; ++i) {
      run_window(&all[i], fed, prefix_count + predicted - 1);
      for (size_t t = 0; t < predicted; ++t) {
        size_t row = (prefix_count - 1 + t) * vocabulary;
        compare(all[0].logits + row, all[i].logits + row, vocabulary, tokens[begin + t],
                all[i].results + (begin + t) * VALUES);
      }
    }
  }
  for (size_t i = 0; i < artifacts; ++i)
    if (fwrite(all[i].results, sizeof(double) * VALUES, count, stdout) != count)
      die("cannot be written", "standard output");
  return fflush(stdout) ? 1 : 0;
}
