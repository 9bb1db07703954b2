/* A Llama model in plain C loops, one thread, float32: what anyone would write first, and the
 * compiler does the rest. tests/bench/against_plain.py times coppice against it.
 *
 * usage: plain_llama MODEL.safetensors HEADS KV_HEADS EPS THETA greedy COUNT TOKEN...
 *        plain_llama MODEL.safetensors HEADS KV_HEADS EPS THETA time PROMPT STEPS ROUNDS
 *
 * greedy prints the COUNT tokens that follow the given ones. time takes PROMPT tokens, then STEPS
 * more one by one, and prints the tokens per second of the latter, one line for each round; token
 * ids are those of coppice-bench. Sizes come from the tensors' shapes. The file is believed: it is
 * our own. */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct layer {
  const float *norm_attention, *q, *k, *v, *o, *norm_ffn, *gate, *up, *down;
  float *keys, *values; /* [context][kv width] */
} layer;

typedef struct model {
  int hidden, ffn, layers, vocabulary, heads, kv_heads, head, context;
  float eps;
  const float *embedding, *norm, *output;
  layer *layer;
  float *frequencies, *cosines, *sines; /* [head / 2] */
  float *x, *normed, *query, *mixed, *up, *gate, *scores, *logits;
} model;

static void stop(const char *what, const char *name) {
  fprintf(stderr, "plain_llama: %s %s\n", what, name);
  exit(1);
}

static void *take(size_t bytes) {
  void *memory = calloc(1, bytes);
  if (!memory)
    stop("no memory", "");
  return memory;
}

/* -- the file ---------------------------------------------------------------------------------- */

typedef struct file {
  char *header;
  char *data;
} file;

static file read_file(const char *path) {
  FILE *in = fopen(path, "rb");
  uint64_t length;
  if (!in || fread(&length, 8, 1, in) != 1)
    stop("cannot read", path);
  file result;
  result.header = take(length + 1);
  if (fread(result.header, length, 1, in) != 1 || fseek(in, 0, SEEK_END) != 0)
    stop("cannot read", path);
  long bytes = ftell(in) - (long)length - 8;
  result.data = take((size_t)bytes);
  fseek(in, (long)length + 8, SEEK_SET);
  if (fread(result.data, (size_t)bytes, 1, in) != 1)
    stop("cannot read", path);
  fclose(in);
  return result;
}

/* The float32 tensor |name|, or null; |rows| receives its first extent, |columns| its second. */
static const float *find(const file *from, const char *name, int *rows, int *columns) {
  char key[256];
  snprintf(key, sizeof key, "\"%s\"", name);
  char *entry = strstr(from->header, key);
  if (!entry)
    return NULL;
  char *end = strchr(entry, '}');
  char *type = strstr(entry, "\"F32\""), *shape = strstr(entry, "\"shape\"");
  char *offsets = strstr(entry, "\"data_offsets\"");
  if (!type || type > end || !shape || !offsets)
    stop("no float32 tensor:", name);
  long long first = 0, second = 1, begin = 0;
  if (sscanf(strchr(shape, '['), "[%lld , %lld", &first, &second) < 1 ||
      sscanf(strchr(offsets, '['), "[%lld", &begin) != 1)
    stop("no shape:", name);
  if (rows)
    *rows = (int)first;
  if (columns)
    *columns = (int)second;
  return (const float *)(from->data + begin);
}

static const float *need(const file *from, const char *name, int *rows, int *columns) {
  const float *tensor = find(from, name, rows, columns);
  if (!tensor)
    stop("there is no tensor", name);
  return tensor;
}

static const float *of_layer(const file *from, int number, const char *name, int *rows) {
  char full[256];
  snprintf(full, sizeof full, "model.layers.%d.%s.weight", number, name);
  return find(from, full, rows, NULL);
}

static model load(const char *path, int heads, int kv_heads, float eps, float theta, int context) {
  file from = read_file(path);
  model m = {.heads = heads, .kv_heads = kv_heads, .context = context, .eps = eps};
  m.embedding = need(&from, "model.embed_tokens.weight", &m.vocabulary, &m.hidden);
  m.norm = need(&from, "model.norm.weight", NULL, NULL);
  m.output = find(&from, "lm_head.weight", NULL, NULL);
  if (!m.output)
    m.output = m.embedding;
  while (of_layer(&from, m.layers, "input_layernorm", NULL))
    ++m.layers;
  m.head = m.hidden / heads;
  m.layer = take((size_t)m.layers * sizeof(layer));
  size_t cache = (size_t)context * (size_t)(kv_heads * m.head) * sizeof(float);
  for (int i = 0; i < m.layers; ++i) {
    layer *l = &m.layer[i];
    l->norm_attention = of_layer(&from, i, "input_layernorm", NULL);
    l->q = of_layer(&from, i, "self_attn.q_proj", NULL);
    l->k = of_layer(&from, i, "self_attn.k_proj", NULL);
    l->v = of_layer(&from, i, "self_attn.v_proj", NULL);
    l->o = of_layer(&from, i, "self_attn.o_proj", NULL);
    l->norm_ffn = of_layer(&from, i, "post_attention_layernorm", NULL);
    l->gate = of_layer(&from, i, "mlp.gate_proj", &m.ffn);
    l->up = of_layer(&from, i, "mlp.up_proj", NULL);
    l->down = of_layer(&from, i, "mlp.down_proj", NULL);
    l->keys = take(cache);
    l->values = take(cache);
  }
  m.frequencies = take((size_t)m.head * sizeof(float));
  m.cosines = take((size_t)m.head * sizeof(float));
  m.sines = take((size_t)m.head * sizeof(float));
  for (int i = 0; i < m.head / 2; ++i)
    m.frequencies[i] = powf(theta, -2.0f * (float)i / (float)m.head);
  m.x = take((size_t)m.hidden * sizeof(float));
  m.normed = take((size_t)m.hidden * sizeof(float));
  m.query = take((size_t)m.hidden * sizeof(float));
  m.mixed = take((size_t)m.hidden * sizeof(float));
  m.up = take((size_t)m.ffn * sizeof(float));
  m.gate = take((size_t)m.ffn * sizeof(float));
  m.scores = take((size_t)context * sizeof(float));
  m.logits = take((size_t)m.vocabulary * sizeof(float));
  return m;
}

/* -- the model --------------------------------------------------------------------------------- */

/* out[i] = sum over j of matrix[i][j] * in[j] */
static void multiply(float *restrict out, const float *restrict matrix, const float *restrict in,
                     int rows, int columns) {
  for (int i = 0; i < rows; ++i) {
    const float *row = matrix + (size_t)i * (size_t)columns;
    float sum = 0;
    for (int j = 0; j < columns; ++j)
      sum += row[j] * in[j];
    out[i] = sum;
  }
}

static void normalise(float *restrict out, const float *restrict in, const float *restrict scale,
                      int width, float eps) {
  float squares = 0;
  for (int i = 0; i < width; ++i)
    squares += in[i] * in[i];
  float inverse = 1.0f / sqrtf(squares / (float)width + eps);
  for (int i = 0; i < width; ++i)
    out[i] = in[i] * inverse * scale[i];
}

/* Turns each pair (i, i + half) of each head by the angle of its frequency. */
static void rotate(const model *m, float *x, int heads) {
  int half = m->head / 2;
  for (int h = 0; h < heads; ++h) {
    float *low = x + h * m->head, *high = low + half;
    for (int i = 0; i < half; ++i) {
      float a = low[i], b = high[i];
      low[i] = a * m->cosines[i] - b * m->sines[i];
      high[i] = b * m->cosines[i] + a * m->sines[i];
    }
  }
}

static void attend(const model *m, const layer *l, int position) {
  int width = m->kv_heads * m->head, group = m->heads / m->kv_heads;
  float scale = 1.0f / sqrtf((float)m->head);
  for (int h = 0; h < m->heads; ++h) {
    const float *query = m->query + h * m->head;
    const float *keys = l->keys + h / group * m->head, *values = l->values + h / group * m->head;
    float largest = -FLT_MAX, total = 0;
    for (int p = 0; p <= position; ++p) {
      float sum = 0;
      for (int i = 0; i < m->head; ++i)
        sum += query[i] * keys[(size_t)p * (size_t)width + (size_t)i];
      m->scores[p] = sum * scale;
      if (m->scores[p] > largest)
        largest = m->scores[p];
    }
    for (int p = 0; p <= position; ++p) {
      m->scores[p] = expf(m->scores[p] - largest);
      total += m->scores[p];
    }
    float *out = m->mixed + h * m->head;
    memset(out, 0, (size_t)m->head * sizeof(float));
    for (int p = 0; p <= position; ++p) {
      float weight = m->scores[p] / total;
      for (int i = 0; i < m->head; ++i)
        out[i] += weight * values[(size_t)p * (size_t)width + (size_t)i];
    }
  }
}

/* Takes |token| at |position|; its logits are in m->logits then. */
static void step(const model *m, int token, int position) {
  int width = m->kv_heads * m->head;
  memcpy(m->x, m->embedding + (size_t)token * (size_t)m->hidden, (size_t)m->hidden * sizeof(float));
  for (int i = 0; i < m->head / 2; ++i) {
    m->cosines[i] = cosf((float)position * m->frequencies[i]);
    m->sines[i] = sinf((float)position * m->frequencies[i]);
  }
  for (int n = 0; n < m->layers; ++n) {
    const layer *l = &m->layer[n];
    float *key = l->keys + (size_t)position * (size_t)width;
    float *value = l->values + (size_t)position * (size_t)width;
    normalise(m->normed, m->x, l->norm_attention, m->hidden, m->eps);
    multiply(m->query, l->q, m->normed, m->hidden, m->hidden);
    multiply(key, l->k, m->normed, width, m->hidden);
    multiply(value, l->v, m->normed, width, m->hidden);
    rotate(m, m->query, m->heads);
    rotate(m, key, m->kv_heads);
    attend(m, l, position);
    multiply(m->normed, l->o, m->mixed, m->hidden, m->hidden);
    for (int i = 0; i < m->hidden; ++i)
      m->x[i] += m->normed[i];
    normalise(m->normed, m->x, l->norm_ffn, m->hidden, m->eps);
    multiply(m->gate, l->gate, m->normed, m->ffn, m->hidden);
    multiply(m->up, l->up, m->normed, m->ffn, m->hidden);
    for (int i = 0; i < m->ffn; ++i)
      m->gate[i] = m->gate[i] / (1.0f + expf(-m->gate[i])) * m->up[i];
    multiply(m->normed, l->down, m->gate, m->hidden, m->ffn);
    for (int i = 0; i < m->hidden; ++i)
      m->x[i] += m->normed[i];
  }
  normalise(m->normed, m->x, m->norm, m->hidden, m->eps);
  multiply(m->logits, m->output, m->normed, m->vocabulary, m->hidden);
}

static int likeliest(const model *m) {
  int best = 0;
  for (int i = 1; i < m->vocabulary; ++i)
    if (m->logits[i] > m->logits[best])
      best = i;
  return best;
}

/* -- the two uses ------------------------------------------------------------------------------ */

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc < 9)
    stop("see the first comment of", __FILE__);
  int greedy = strcmp(argv[6], "greedy") == 0, count = atoi(argv[7]), second = atoi(argv[8]);
  int context = greedy ? count + argc - 8 : count + second;
  model m = load(argv[1], atoi(argv[2]), atoi(argv[3]), (float)atof(argv[4]), (float)atof(argv[5]),
                 context);
  if (greedy) {
    int position = 0;
    for (int i = 8; i < argc; ++i)
      step(&m, atoi(argv[i]), position++);
    for (int i = 0; i < count; ++i) {
      int token = likeliest(&m);
      printf(i ? " %d" : "%d", token);
      step(&m, token, position++);
    }
    printf("\n");
    return 0;
  }
  for (int round = 0; round < (argc > 9 ? atoi(argv[9]) : 1); ++round) {
    double start = 0;
    for (int i = 0; i < context; ++i) {
      if (i == count)
        start = now();
      uint32_t number = (uint32_t)(i < count ? i : (i - count) % count);
      step(&m, (int)(number * 2654435761u % (uint32_t)m.vocabulary), i);
    }
    printf("%.3f\n", (double)second / (now() - start));
  }
  return 0;
}
