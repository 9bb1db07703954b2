/* Weights are exp((logit - largest) / temperature) in double with an own exp, so they do not depend
 * on a C library. top_k and top_p take candidates off a heap, likeliest first (equals by the lower
 * id), until enough are taken: the vocabulary is never sorted as a whole.
 *
 * Infinities: the largest logit has weight 1 whatever it is, so one +inf takes everything, and
 * several share it; -inf has weight 0 unless all are.
 */
#include "coppice/sampler.h"

#include <string.h>

typedef struct candidate {
  float logit;
  uint32_t id;
} candidate;

static uint64_t rotate(uint64_t x, unsigned k) { return (x << k) | (x >> (64 - k)); }

/* splitmix64 (Steele, Lea, Flood) spreads the seed; xoshiro256++ (Blackman, Vigna) runs. */
static uint64_t splitmix(uint64_t *x) {
  uint64_t z = (*x += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static uint64_t xoshiro(uint64_t s[4]) {
  uint64_t result = rotate(s[0] + s[3], 23) + s[0], t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotate(s[3], 45);
  return result;
}

/* exp(x) for x <= 0, to a few units in the last place. */
static double exp_of(double x) {
  if (!(x > -700.0))
    return 0.0;
  int n = (int)(x * 1.4426950408889634 - 0.5); /* the nearest, since x <= 0 */
  double r = (x - n * 6.93145751953125e-1) - n * 1.42860682030941723212e-6;
  static const double inverse[] = {0,        1.0,      1.0 / 2,  1.0 / 3, 1.0 / 4,
                                   1.0 / 5,  1.0 / 6,  1.0 / 7,  1.0 / 8, 1.0 / 9,
                                   1.0 / 10, 1.0 / 11, 1.0 / 12, 1.0 / 13};
  double sum = 1.0;
  for (int i = 13; i > 0; --i)
    sum = 1.0 + sum * r * inverse[i];
  uint64_t bits = (uint64_t)(1023 + n) << 52; /* n >= -1010: 2^n is a normal number */
  double scale;
  memcpy(&scale, &bits, sizeof scale);
  return sum * scale;
}

static double weight_of(float logit, float largest, float temperature) {
  if (logit == largest)
    return 1.0;
  return exp_of(((double)logit - (double)largest) / (double)temperature);
}

static int before(candidate a, candidate b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

static void sift(candidate *heap, size_t count, size_t at) {
  candidate moving = heap[at];
  for (size_t child; (child = 2 * at + 1) < count; at = child) {
    if (child + 1 < count && before(heap[child + 1], heap[child]))
      ++child;
    if (!before(heap[child], moving))
      break;
    heap[at] = heap[child];
  }
  heap[at] = moving;
}

/* Moves the first of |*count| heaped candidates to the end of the heap and shrinks that by one. */
static candidate take(candidate *heap, size_t *count) {
  candidate first = heap[0];
  heap[0] = heap[--*count];
  heap[*count] = first;
  if (*count)
    sift(heap, *count, 0);
  return first;
}

/* Cuts |count| candidates as |how| says; those kept end up at the end of |all|, and their number is
 * the result. */
static size_t keep(candidate *all, size_t count, const coppice_sampling *how, float largest) {
  size_t most = how->top_k && how->top_k < count ? how->top_k : count;
  if (most == count && how->top_p >= 1.0f)
    return count;
  for (size_t i = count / 2; i-- > 0;)
    sift(all, count, i);
  size_t heaped = count;
  double total = 0.0;
  if (most < count) {
    while (count - heaped < most)
      total += weight_of(take(all, &heaped).logit, largest, how->temperature);
    if (how->top_p >= 1.0f)
      return most;
  } else {
    for (size_t i = 0; i < count; ++i)
      total += weight_of(all[i].logit, largest, how->temperature);
  }
  double wanted = (double)how->top_p * total, sum = 0.0;
  size_t kept = 0;
  while (kept < most && sum < wanted) {
    if (count - heaped == kept)
      take(all, &heaped);
    ++kept;
    sum += weight_of(all[count - kept].logit, largest, how->temperature);
  }
  return kept;
}

coppice_status coppice_sampler_init(coppice_sampler *sampler, const coppice_sampling *sampling) {
  if (!sampler || !sampling)
    return COPPICE_BAD_ARGUMENT;
  /* Written so that NaN fails. */
  if (!(sampling->temperature >= 0.0f && sampling->temperature <= 3.4e38f))
    return COPPICE_BAD_ARGUMENT;
  if (!(sampling->top_p > 0.0f && sampling->top_p <= 1.0f))
    return COPPICE_BAD_ARGUMENT;
  sampler->sampling = *sampling;
  uint64_t x = sampling->seed;
  for (int i = 0; i < 4; ++i)
    sampler->state[i] = splitmix(&x);
  return COPPICE_OK;
}

size_t coppice_sampler_scratch_bytes(const coppice_sampler *sampler, uint32_t vocabulary) {
  return sampler && sampler->sampling.temperature > 0.0f ? vocabulary * sizeof(candidate) : 0;
}

coppice_status coppice_sampler_next(coppice_sampler *sampler, const float *logits,
                                    uint32_t vocabulary, void *scratch, size_t scratch_bytes,
                                    int32_t *out_token) {
  if (!sampler || !logits || !out_token || vocabulary == 0 || vocabulary > INT32_MAX)
    return COPPICE_BAD_ARGUMENT;
  uint32_t best = vocabulary;
  for (uint32_t i = 0; i < vocabulary; ++i)
    if (logits[i] == logits[i] && (best == vocabulary || logits[i] > logits[best]))
      best = i;
  if (best == vocabulary)
    return COPPICE_BAD_LOGITS;
  const coppice_sampling *how = &sampler->sampling;
  if (how->temperature == 0.0f) {
    *out_token = (int32_t)best;
    return COPPICE_OK;
  }
  if (!scratch || (uintptr_t)scratch % 8)
    return COPPICE_BAD_ARGUMENT;
  if (scratch_bytes < coppice_sampler_scratch_bytes(sampler, vocabulary))
    return COPPICE_TOO_SMALL;

  candidate *all = scratch;
  size_t end = 0;
  float largest = logits[best];
  for (uint32_t i = 0; i < vocabulary; ++i)
    if (logits[i] == logits[i])
      all[end++] = (candidate){logits[i], i};
  size_t first = end - keep(all, end, how, largest);

  double total = 0.0;
  for (size_t i = end; i-- > first;)
    total += weight_of(all[i].logit, largest, how->temperature);
  double target = (double)(xoshiro(sampler->state) >> 11) * 0x1p-53 * total, sum = 0.0;
  for (size_t i = end; i-- > first;) {
    double weight = weight_of(all[i].logit, largest, how->temperature);
    if (weight <= 0.0)
      continue;
    *out_token = (int32_t)all[i].id;
    sum += weight;
    if (sum > target)
      break;
  }
  return COPPICE_OK;
}
