/* NFC: decompose, bring marks into order, compose again.
 *
 * A text falls into segments, each of which begins with a character that nothing before it can
 * change: one without properties in the table. Most segments are one such character, or one with
 * marks that are in order and compose with nothing; they are copied. Of the others the characters
 * go, decomposed, to an array of words (combining class << 56 | place << 21 | code point): sorting
 * words of one run of marks is the order that Unicode wants, and stable. A hostile text may be one
 * segment, and one run: so the sort is a heap sort.
 *
 * The words lie behind the room that their segment may need in the result, at most
 * COPPICE_NFC_GROWTH times its bytes; so nothing is written over that is still to be read. */
#include "runtime/core/tokenizer_nfc.h"
#include "runtime/core/tokenizer_text.h"
#include <string.h>

#include "runtime/core/tokenizer_nfc.inc"

/* A test counts steps of sorting here. */
#ifndef COPPICE_NFC_STEP
#define COPPICE_NFC_STEP() ((void)0)
#endif

enum {
  ORDER = 0xFF,     /* the combining class; 0: a starter */
  CHANGES = 0x100,  /* NFC never has it */
  COMPOSES = 0x200, /* with some characters before it */
  CODE_BITS = 21,
  CODE = (1 << CODE_BITS) - 1,
  ORDER_SHIFT = 56,
  NO_CODE = 0 /* U+0000 composes with nothing */
};

/* Hangul syllables: a leading consonant, a vowel and perhaps a trailing consonant. */
enum {
  HANGUL_LEAD = 0x1100,
  HANGUL_VOWEL = 0x1161,
  HANGUL_TRAIL = 0x11A7, /* one before the first */
  HANGUL_SYLLABLE = 0xAC00,
  HANGUL_LEADS = 19,
  HANGUL_VOWELS = 21,
  HANGUL_TRAILS = 28
};

static uint32_t properties(uint32_t code) {
  size_t low = 0, high = sizeof runs / sizeof runs[0];
  if (code < 0x300)
    return 0;
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (runs[middle] >> 10 <= code)
      low = middle;
    else
      high = middle;
  }
  return runs[low] & (CHANGES | COMPOSES | ORDER);
}

/* Whether a character of these properties, behind one of order |last|, leaves its segment as it
 * is. */
static bool stays(uint32_t property, uint32_t last) {
  uint32_t order = property & ORDER;
  return !(property & (CHANGES | COMPOSES)) && (order == 0 || order >= last);
}

size_t coppice_nfc_prefix(const uint8_t *text, size_t bytes) {
  size_t segment = 0;
  uint32_t last = 0;
  for (size_t at = 0; at < bytes;) {
    size_t begin = at;
    uint32_t property = properties(coppice_next_char(text, &at));
    if (property == 0)
      segment = begin;
    else if (!stays(property, last))
      return segment;
    last = property & ORDER;
  }
  return bytes;
}

/* The end of the segment that begins at |at| < bytes. */
static size_t segment_end(const uint8_t *text, size_t bytes, size_t at) {
  size_t end = at;
  (void)coppice_next_char(text, &end);
  for (size_t next = end; next < bytes; end = next)
    if (properties(coppice_next_char(text, &next)) == 0)
      break;
  return end;
}

/* The words of a segment. */
typedef struct word_list {
  uint64_t *words;
  size_t count, capacity;
} word_list;

static uint32_t code_of(uint64_t word) { return (uint32_t)word & CODE; }

static bool put_word(word_list *list, uint32_t code) {
  if (list->count == list->capacity)
    return false;
  list->words[list->count] = (uint64_t)(properties(code) & ORDER) << ORDER_SHIFT |
                             (uint64_t)list->count << CODE_BITS | code;
  ++list->count;
  return true;
}

static const uint64_t *find_pair(uint32_t code) {
  size_t low = 0, high = sizeof pairs / sizeof pairs[0];
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (pairs[middle] >> 2 * CODE_BITS < code)
      low = middle + 1;
    else
      high = middle;
  }
  return low < sizeof pairs / sizeof pairs[0] && pairs[low] >> 2 * CODE_BITS == code ? &pairs[low]
                                                                                     : NULL;
}

/* Puts a character decomposed. Hangul syllables may stay: their parts would come together again. */
static bool put_decomposed(word_list *list, uint32_t code) {
  uint32_t seconds[3]; /* no decomposition is longer than four */
  size_t depth = 0;
  for (const uint64_t *pair; (pair = find_pair(code)) != NULL;) {
    uint32_t second = code_of(*pair);
    if (second != NO_CODE && depth < sizeof seconds / sizeof seconds[0])
      seconds[depth++] = second;
    code = code_of(*pair >> CODE_BITS);
  }
  if (!put_word(list, code))
    return false;
  while (depth > 0)
    if (!put_word(list, seconds[--depth]))
      return false;
  return true;
}

/* Lets the word at |at| sink to its place in a heap of |count|, the greatest on top. */
static void sink_word(uint64_t *words, size_t count, size_t at) {
  uint64_t word = words[at];
  for (;;) {
    size_t child = 2 * at + 1;
    if (child >= count)
      break;
    if (child + 1 < count && words[child + 1] > words[child])
      ++child;
    if (words[child] <= word)
      break;
    words[at] = words[child];
    at = child;
    COPPICE_NFC_STEP();
  }
  words[at] = word;
}

static void sort_words(uint64_t *words, size_t count) {
  for (size_t at = count / 2; at-- > 0;)
    sink_word(words, count, at);
  for (size_t last = count; last-- > 1;) {
    uint64_t greatest = words[0];
    words[0] = words[last];
    words[last] = greatest;
    sink_word(words, last, 0);
  }
}

/* Each run of marks into order; most runs are in order already. */
static void sort_marks(word_list *list) {
  for (size_t at = 0; at < list->count;) {
    size_t begin = at;
    bool ordered = true;
    for (; at < list->count && list->words[at] >> ORDER_SHIFT != 0; ++at)
      ordered = ordered && (at == begin || list->words[at - 1] < list->words[at]);
    if (!ordered)
      sort_words(list->words + begin, at - begin);
    if (at == begin)
      ++at;
  }
}

/* What two characters compose to, or NO_CODE. */
static uint32_t composite(uint32_t first, uint32_t second) {
  if (first - HANGUL_LEAD < HANGUL_LEADS && second - HANGUL_VOWEL < HANGUL_VOWELS)
    return HANGUL_SYLLABLE +
           ((first - HANGUL_LEAD) * HANGUL_VOWELS + (second - HANGUL_VOWEL)) * HANGUL_TRAILS;
  if (first - HANGUL_SYLLABLE < HANGUL_LEADS * HANGUL_VOWELS * HANGUL_TRAILS &&
      (first - HANGUL_SYLLABLE) % HANGUL_TRAILS == 0 && second > HANGUL_TRAIL &&
      second - HANGUL_TRAIL < HANGUL_TRAILS)
    return first + (second - HANGUL_TRAIL);
  const uint64_t both = ((uint64_t)1 << 2 * CODE_BITS) - 1;
  uint64_t wanted = (uint64_t)first << CODE_BITS | second;
  size_t low = 0, high = sizeof composites / sizeof composites[0];
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    uint64_t pair = pairs[composites[middle]];
    if ((pair & both) == wanted)
      return (uint32_t)(pair >> 2 * CODE_BITS);
    if ((pair & both) < wanted)
      low = middle + 1;
    else
      high = middle;
  }
  return NO_CODE;
}

/* Composes the words in place: each with the last starter, unless what lies between is of its order
 * or a higher one. */
static void compose_words(word_list *list) {
  size_t count = 0, starter = 0;
  bool has_starter = false;
  uint32_t last = 0;
  for (size_t at = 0; at < list->count; ++at) {
    uint32_t order = (uint32_t)(list->words[at] >> ORDER_SHIFT);
    uint32_t code = code_of(list->words[at]);
    if (has_starter && (count == starter + 1 || last < order)) {
      uint32_t both = composite(code_of(list->words[starter]), code);
      if (both != NO_CODE) {
        list->words[starter] = both;
        continue;
      }
    }
    if (order == 0) {
      has_starter = true;
      starter = count;
    }
    last = order;
    list->words[count++] = list->words[at];
  }
  list->count = count;
}

static size_t put_utf8(uint8_t *out, uint32_t code) {
  if (code < 0x80) {
    out[0] = (uint8_t)code;
    return 1;
  }
  size_t follow = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static const uint8_t lead[] = {0, 0xC0, 0xE0, 0xF0};
  out[0] = (uint8_t)(lead[follow] | code >> 6 * follow);
  for (size_t i = 1; i <= follow; ++i)
    out[i] = (uint8_t)(0x80 | (code >> 6 * (follow - i) & 0x3F));
  return follow + 1;
}

/* Writes the NFC of one segment behind the |at| bytes in the scratch. Returns the bytes that lie
 * there then; SIZE_MAX if there is no room. */
static size_t put_segment(const uint8_t *text, size_t bytes, uint64_t *scratch, size_t room,
                          size_t at) {
  uint8_t *out = (uint8_t *)scratch;
  if (bytes > (SIZE_MAX - 7 - at) / COPPICE_NFC_GROWTH)
    return SIZE_MAX;
  size_t behind = (at + COPPICE_NFC_GROWTH * bytes + 7) / 8 * 8;
  if (behind > room)
    return SIZE_MAX;
  word_list list = {scratch + behind / 8, 0, (room - behind) / 8};
  for (size_t next = 0; next < bytes;)
    if (!put_decomposed(&list, coppice_next_char(text, &next)))
      return SIZE_MAX;
  sort_marks(&list);
  compose_words(&list);
  for (size_t i = 0; i < list.count; ++i)
    at += put_utf8(out + at, code_of(list.words[i]));
  return at;
}

size_t coppice_nfc(const uint8_t *text, size_t bytes, void *scratch, size_t scratch_bytes) {
  uint8_t *out = scratch;
  size_t count = 0;
  for (size_t at = 0; at < bytes;) {
    size_t same = coppice_nfc_prefix(text + at, bytes - at);
    if (same > scratch_bytes - count)
      return SIZE_MAX;
    if (same > 0)
      memcpy(out + count, text + at, same);
    count += same;
    at += same;
    if (at == bytes)
      break;
    size_t end = segment_end(text, bytes, at);
    count = put_segment(text + at, end - at, scratch, scratch_bytes, count);
    if (count == SIZE_MAX)
      return SIZE_MAX;
    at = end;
  }
  return count;
}
