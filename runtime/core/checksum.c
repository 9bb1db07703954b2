/* Eight lanes of 64 bits; word i of the input goes to lane i % 8 as
 *
 *   lane = rotate(lane ^ word, 29) * odd
 *
 * Why a change of one word always shows: for a fixed lane the step is a bijection of the word, and
 * for a fixed word a bijection of the lane (xor, rotation and multiplication by an odd number are
 * each invertible modulo 2^64). So if exactly one word differs, its lane differs after that step
 * and after every later one, while the other seven lanes agree. The fold takes one lane at a time
 * by the same kind of step, so it is injective in each lane with the others fixed, and the finish
 * is a bijection. The input is padded with zeros to whole blocks of eight words; the length in the
 * fold's start tells paddings apart.
 *
 * The rotation brings high bits down: without it a flip of the top bit in two words of a lane
 * would cancel. Eight lanes hide the multiplier's latency, which makes the loop as fast as memory.
 */
#include "runtime/core/checksum.h"

#include <string.h>

#define BLOCK 64u
static const uint64_t ODD = 0x9e3779b97f4a7c15u;

static uint64_t step(uint64_t lane, uint64_t word) {
  uint64_t x = lane ^ word;
  return ((x << 29) | (x >> 35)) * ODD;
}

static uint64_t load(const uint8_t *p) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  uint64_t word;
  memcpy(&word, p, sizeof word);
  return word;
#else
  uint64_t word = 0;
  for (unsigned i = 0; i < 8; ++i)
    word |= (uint64_t)p[i] << (8 * i);
  return word;
#endif
}

static void blocks(uint64_t lanes[8], const uint8_t *p, size_t count) {
  uint64_t a = lanes[0], b = lanes[1], c = lanes[2], d = lanes[3];
  uint64_t e = lanes[4], f = lanes[5], g = lanes[6], h = lanes[7];
  for (; count; --count, p += BLOCK) {
    a = step(a, load(p));
    b = step(b, load(p + 8));
    c = step(c, load(p + 16));
    d = step(d, load(p + 24));
    e = step(e, load(p + 32));
    f = step(f, load(p + 40));
    g = step(g, load(p + 48));
    h = step(h, load(p + 56));
  }
  lanes[0] = a, lanes[1] = b, lanes[2] = c, lanes[3] = d;
  lanes[4] = e, lanes[5] = f, lanes[6] = g, lanes[7] = h;
}

void coppice_checksum_init(coppice_checksum *sum) {
  memset(sum, 0, sizeof *sum);
  for (unsigned i = 0; i < 8; ++i)
    sum->lanes[i] = (i + 1) * 0xd1b54a32d192ed03u;
}

void coppice_checksum_update(coppice_checksum *sum, const void *data, size_t bytes) {
  if (!bytes)
    return;
  const uint8_t *p = data;
  size_t held = (size_t)(sum->length % BLOCK);
  sum->length += bytes;
  if (held) {
    size_t take = BLOCK - held < bytes ? BLOCK - held : bytes;
    memcpy(sum->pending + held, p, take);
    p += take;
    bytes -= take;
    if (held + take < BLOCK)
      return;
    blocks(sum->lanes, sum->pending, 1);
  }
  blocks(sum->lanes, p, bytes / BLOCK);
  if (bytes % BLOCK)
    memcpy(sum->pending, p + (bytes - bytes % BLOCK), bytes % BLOCK);
}

uint64_t coppice_checksum_final(const coppice_checksum *sum) {
  uint64_t lanes[8];
  memcpy(lanes, sum->lanes, sizeof lanes);
  size_t held = (size_t)(sum->length % BLOCK);
  if (held) {
    uint8_t last[BLOCK] = {0};
    memcpy(last, sum->pending, held);
    blocks(lanes, last, 1);
  }
  uint64_t h = sum->length * ODD;
  for (unsigned i = 0; i < 8; ++i)
    h = step(h, lanes[i]);
  h ^= h >> 32;
  h *= 0xd6e8feb86659fd93u;
  return h ^ (h >> 32);
}
