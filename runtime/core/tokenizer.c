/* Making a tokenizer: everything that its tables claim is checked here, once. */
#include "runtime/core/tokenizer.h"
#include "runtime/core/tokenizer_merge.h"
#include "runtime/core/tokenizer_text.h"
#include <string.h>

/* Longer replacements, prefixes and suffixes are damage, and would make scratch sizes absurd. */
enum { MAX_AFFIX = 64 };

static bool is_present(const coppice_tokenizer_tables *t, uint32_t id) {
  return id < t->id_count && (t->kinds[id] & COPPICE_PIECE_PRESENT);
}

static bool is_present_or_none(const coppice_tokenizer_tables *t, uint32_t id) {
  return id == COPPICE_TOKENIZER_NONE || is_present(t, id);
}

static bool check_pieces(const coppice_tokenizer_tables *t, size_t *out_longest) {
  *out_longest = 0;
  /* Tokens go out as int32_t. */
  if (t->id_count > INT32_MAX || t->piece_offsets[0] != 0 ||
      t->piece_offsets[t->id_count] != t->pieces.bytes)
    return false;
  for (size_t i = 0; i < t->id_count; ++i) {
    uint32_t begin = t->piece_offsets[i], end = t->piece_offsets[i + 1];
    if (end < begin || end > t->pieces.bytes)
      return false;
    if (t->kinds[i] & ~(COPPICE_PIECE_PRESENT | COPPICE_PIECE_SPECIAL) ||
        (!(t->kinds[i] & COPPICE_PIECE_PRESENT) && (t->kinds[i] || end > begin)))
      return false;
    if (t->decoder != COPPICE_DECODER_BYTES &&
        !coppice_is_utf8(t->pieces.data + begin, end - begin))
      return false;
    if (end - begin > *out_longest)
      *out_longest = end - begin;
  }
  return true;
}

static bool check_symbols(const coppice_tokenizer_tables *t) {
  for (size_t i = 0; i < 256; ++i)
    if (!is_present_or_none(t, t->byte_ids[i]))
      return false;
  for (size_t i = 0; i < t->char_count; ++i) {
    uint32_t code = t->chars[i].code;
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000) || !is_present(t, t->chars[i].id) ||
        (i > 0 && code <= t->chars[i - 1].code))
      return false;
  }
  return is_present_or_none(t, t->unknown);
}

static bool check_merges(const coppice_tokenizer_tables *t) {
  if (t->merge_begin[0] != 0 || t->merge_begin[t->id_count] != t->merge_count)
    return false;
  for (size_t left = 0; left < t->id_count; ++left) {
    size_t begin = t->merge_begin[left], end = t->merge_begin[left + 1];
    if (end < begin || end > t->merge_count)
      return false;
    for (size_t i = begin; i < end; ++i)
      if (!is_present(t, t->merges[i].right) || !is_present(t, t->merges[i].id) ||
          t->merges[i].rank >= t->merge_count ||
          (i > begin && t->merges[i].right <= t->merges[i - 1].right))
        return false;
  }
  return true;
}

/* Whether text |a| stands before text |b|. */
static bool is_before(const uint8_t *a, size_t a_bytes, const uint8_t *b, size_t b_bytes) {
  int order = memcmp(a, b, a_bytes < b_bytes ? a_bytes : b_bytes);
  return order < 0 || (order == 0 && a_bytes < b_bytes);
}

static bool check_by_text(const coppice_tokenizer_tables *t) {
  for (size_t i = 0; i < t->by_text_count; ++i) {
    uint32_t id = t->by_text[i];
    if (!is_present(t, id))
      return false;
    if (i > 0) {
      const uint32_t *now = t->piece_offsets + id, *last = t->piece_offsets + t->by_text[i - 1];
      if (!is_before(t->pieces.data + last[0], last[1] - last[0], t->pieces.data + now[0],
                     now[1] - now[0]))
        return false;
    }
  }
  return true;
}

static bool check_added(const coppice_tokenizer_tables *t, const coppice_added_token *tokens,
                        size_t count, uint8_t first[32]) {
  const uint32_t flags = COPPICE_ADDED_SPECIAL | COPPICE_ADDED_SINGLE_WORD | COPPICE_ADDED_LSTRIP |
                         COPPICE_ADDED_RSTRIP;
  memset(first, 0, 32);
  for (size_t i = 0; i < count; ++i) {
    const coppice_added_token *token = &tokens[i];
    if (token->bytes == 0 || token->begin > t->added_text.bytes ||
        token->bytes > t->added_text.bytes - token->begin || token->flags & ~flags ||
        !is_present(t, token->id))
      return false;
    const uint8_t *text = t->added_text.data + token->begin;
    if (!coppice_is_utf8(text, token->bytes))
      return false;
    if (i > 0 &&
        !is_before(t->added_text.data + token[-1].begin, token[-1].bytes, text, token->bytes))
      return false;
    first[text[0] / 8] = (uint8_t)(first[text[0] / 8] | 1u << text[0] % 8);
  }
  return true;
}

static bool check_affixes(const coppice_tokenizer_tables *t) {
  const coppice_bytes texts[] = {t->prepend, t->space, t->decode_from, t->decode_to};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; ++i)
    if (texts[i].bytes > MAX_AFFIX || !coppice_is_utf8(texts[i].data, texts[i].bytes))
      return false;
  if (t->prefix_count > MAX_AFFIX || t->suffix_count > MAX_AFFIX)
    return false;
  for (size_t i = 0; i < t->prefix_count; ++i)
    if (!is_present(t, t->prefix_ids[i]))
      return false;
  for (size_t i = 0; i < t->suffix_count; ++i)
    if (!is_present(t, t->suffix_ids[i]))
      return false;
  return true;
}

static bool check_settings(const coppice_tokenizer_tables *t) {
  if (t->symbols > COPPICE_SYMBOLS_CHARS || t->words >= COPPICE_WORDS_COUNT ||
      t->digits >= COPPICE_CUT_COUNT || t->punctuation >= COPPICE_CUT_COUNT ||
      t->byte_digits >= COPPICE_CUT_COUNT || t->prepend_when >= COPPICE_PREPEND_COUNT ||
      t->decoder >= COPPICE_DECODER_COUNT || t->fuse_unknown > 1 || t->space_in_normalizer > 1 ||
      t->decode_first_stays > 1 || t->nfc > 1)
    return false;
  /* Characters are not cut in the middle. */
  if ((t->byte_digits != COPPICE_CUT_NEVER || t->digit_group > 0) &&
      t->symbols != COPPICE_SYMBOLS_BYTES)
    return false;
  if (t->space_in_normalizer && t->space.bytes == 0)
    return false;
  if ((t->prepend_when != COPPICE_PREPEND_NEVER) != (t->prepend.bytes > 0))
    return false;
  if (t->words == COPPICE_WORDS_METASPACE && t->space.bytes == 0)
    return false;
  if (t->decoder == COPPICE_DECODER_METASPACE && t->decode_from.bytes == 0)
    return false;
  /* One buffer holds what the normalizer or the pre-tokenizer writes: they do not both write, and
   * the normalizer does one thing or the other. */
  bool normalizer = t->prepend_when == COPPICE_PREPEND_NORMALIZER || t->space_in_normalizer;
  bool pre_tokenizer = t->prepend_when == COPPICE_PREPEND_UNLESS ||
                       t->prepend_when == COPPICE_PREPEND_FIRST ||
                       (t->space.bytes > 0 && !t->space_in_normalizer);
  return normalizer + pre_tokenizer + t->nfc <= 1;
}

coppice_status coppice_tokenizer_init(const coppice_tokenizer_tables *tables,
                                      coppice_tokenizer *out_tokenizer) {
  if (!tables || !out_tokenizer)
    return COPPICE_BAD_ARGUMENT;
  coppice_tokenizer *k = out_tokenizer;
  memset(k, 0, sizeof *k);
  k->t = *tables;
  if (!check_settings(&k->t) || !check_pieces(&k->t, &k->longest_piece) || !check_symbols(&k->t) ||
      !check_merges(&k->t) || !check_by_text(&k->t) ||
      !check_added(&k->t, k->t.added, k->t.added_count, k->added_first) ||
      !check_added(&k->t, k->t.added_normalized, k->t.added_normalized_count,
                   k->added_normalized_first) ||
      !check_affixes(&k->t)) {
    memset(k, 0, sizeof *k);
    return COPPICE_BAD_ARTIFACT;
  }
  k->space_symbols = coppice_word_symbols(&k->t, k->t.space.data, k->t.space.bytes, NULL);
  k->prepend_symbols = coppice_word_symbols(&k->t, k->t.prepend.data, k->t.prepend.bytes, NULL);
  if (k->space_symbols == 0)
    k->space_symbols = 1;
  return COPPICE_OK;
}
