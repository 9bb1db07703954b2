/* Encoding: cut the text at added tokens, normalize what lies between, cut that at added tokens
 * that want it normalized, cut the rest into words, merge each.
 *
 * What is written of a section, or of a piece of it, lies at the front of the scratch; words are
 * merged behind it.
 *
 * Added tokens are found leftmost first, the longest of several; what one takes, and what one
 * discarded because a word touches it, is not looked at again. */
#include "runtime/core/tokenizer_merge.h"
#include "runtime/core/tokenizer_nfc.h"
#include "runtime/core/tokenizer_text.h"
#include <string.h>

typedef struct encoder {
  const coppice_tokenizer *tokenizer;
  bool parse_special;
  coppice_token_sink sink;
  uint8_t *scratch; /* aligned to 8 */
  size_t room;
  size_t written; /* at its front, a multiple of 8: normalized text */
} encoder;

/* Added tokens of one kind, in order of their texts. */
typedef struct added_set {
  const coppice_added_token *tokens;
  size_t count;
  const uint8_t *first; /* bit b: a token begins with byte b */
} added_set;

/* The longest token that |text| begins with, or null. */
static const coppice_added_token *longest_added(const coppice_tokenizer_tables *t, added_set set,
                                                const uint8_t *text, size_t bytes) {
  const coppice_added_token *best = NULL;
  if (!(set.first[text[0] / 8] >> text[0] % 8 & 1))
    return NULL;
  /* Tokens in [low, high) begin with the first |depth| bytes of the text. */
  size_t low = 0, high = set.count;
  for (size_t depth = 0; low < high; ++depth) {
    if (set.tokens[low].bytes == depth)
      best = &set.tokens[low++];
    if (depth == bytes)
      break;
    size_t bounds[2];
    for (int upper = 0; upper < 2; ++upper) {
      size_t from = low, to = high;
      while (from < to) {
        size_t middle = from + (to - from) / 2;
        uint8_t byte = t->added_text.data[set.tokens[middle].begin + depth];
        if (upper ? byte <= text[depth] : byte < text[depth])
          from = middle + 1;
        else
          to = middle;
      }
      bounds[upper] = from;
    }
    low = bounds[0];
    high = bounds[1];
  }
  return best;
}

static uint32_t class_before(const uint8_t *text, size_t at) {
  size_t from = coppice_previous_char(text, at);
  return coppice_char_class(coppice_next_char(text, &from));
}

static uint32_t class_behind(const uint8_t *text, size_t at) {
  return coppice_char_class(coppice_next_char(text, &at));
}

/* A text that is being cut at the added tokens of |set|. */
typedef struct splitter {
  added_set set;
  const uint8_t *text;
  size_t bytes;
  bool first; /* the whole text begins here */
  bool ended;
  size_t at;   /* looked at so far */
  size_t done; /* given away so far */
  /* The last run of white space taken by a token: runs are walked once, however many tokens lie in
   * one. */
  size_t run_begin, run_end;
} splitter;

/* A token with the text before it, which may be empty; the last part has no token. */
typedef struct part {
  const uint8_t *text;
  size_t bytes;
  bool first;
  const coppice_added_token *token;
} part;

static bool next_part(const encoder *e, splitter *s, part *out) {
  const uint8_t *text = s->text;
  size_t bytes = s->bytes;
  if (s->ended)
    return false;
  while (s->set.count > 0 && s->at < bytes) {
    const coppice_added_token *token =
        longest_added(&e->tokenizer->t, s->set, text + s->at, bytes - s->at);
    if (!token) {
      ++s->at;
      continue;
    }
    size_t begin = s->at, end = s->at + token->bytes;
    s->at = end;
    if (token->flags & COPPICE_ADDED_SPECIAL && !e->parse_special)
      continue;
    if (token->flags & COPPICE_ADDED_SINGLE_WORD &&
        ((begin > 0 && class_before(text, begin) & COPPICE_CLASS_WORD) ||
         (end < bytes && class_behind(text, end) & COPPICE_CLASS_WORD)))
      continue;
    /* White space that the token before took along: the original finds an empty piece there. */
    if (token->flags & COPPICE_ADDED_LSTRIP && end <= s->done)
      continue;
    if (token->flags & COPPICE_ADDED_LSTRIP)
      while (begin > s->done && class_before(text, begin) & COPPICE_CLASS_SPACE)
        begin = coppice_previous_char(text, begin);
    if (token->flags & COPPICE_ADDED_RSTRIP) {
      if (end < s->run_begin || end >= s->run_end) {
        s->run_begin = s->run_end = end;
        while (s->run_end < bytes && class_behind(text, s->run_end) & COPPICE_CLASS_SPACE)
          (void)coppice_next_char(text, &s->run_end);
      }
      end = s->run_end;
    }
    *out = (part){text + s->done, begin > s->done ? begin - s->done : 0, s->first && s->done == 0,
                  token};
    s->done = end;
    return true;
  }
  s->ended = true;
  *out =
      (part){text + s->done, s->done < bytes ? bytes - s->done : 0, s->first && s->done == 0, NULL};
  return true;
}

static bool encode_symbols(encoder *e, const uint8_t *text, size_t bytes) {
  return bytes == 0 || coppice_encode_word(&e->tokenizer->t, text, bytes, e->scratch + e->written,
                                           e->room - e->written, &e->sink);
}

/* Cuts the first |group| of each |group| digits of ASCII in a row out of what lies around. */
static bool encode_groups(encoder *e, const uint8_t *text, size_t bytes, size_t group) {
  size_t begin = 0, digits = 0;
  for (size_t at = 0; group > 0 && at < bytes; ++at) {
    digits = text[at] >= '0' && text[at] <= '9' ? digits + 1 : 0;
    if (digits < group)
      continue;
    size_t first = at + 1 - group;
    if (!encode_symbols(e, text + begin, first - begin) || !encode_symbols(e, text + first, group))
      return false;
    begin = at + 1;
    digits = 0;
  }
  return encode_symbols(e, text + begin, bytes - begin);
}

/* Whether the character that byte-level vocabularies write for |byte| is a digit. */
static bool is_byte_digit(uint8_t byte) {
  return (byte >= '0' && byte <= '9') || byte == 0xB2 || byte == 0xB3 || byte == 0xB9 ||
         (byte >= 0xBC && byte <= 0xBE);
}

/* Encodes a word: what is cut in it, by bytes. */
static bool encode_word(encoder *e, const uint8_t *word, size_t bytes) {
  const coppice_tokenizer_tables *t = &e->tokenizer->t;
  for (size_t at = 0; at < bytes;) {
    size_t end = bytes;
    if (t->byte_digits != COPPICE_CUT_NEVER) {
      bool digit = is_byte_digit(word[at]);
      end = at + 1;
      while (end < bytes && is_byte_digit(word[end]) == digit &&
             !(digit && t->byte_digits == COPPICE_CUT_EACH))
        ++end;
    }
    if (!encode_groups(e, word + at, end - at, t->digit_group))
      return false;
    at = end;
  }
  return true;
}

/* Encodes words of normalized text. */
static bool encode_words(encoder *e, const uint8_t *text, size_t bytes) {
  const coppice_tokenizer_tables *t = &e->tokenizer->t;
  for (size_t at = 0; at < bytes;) {
    size_t end = bytes;
    if (t->words == COPPICE_WORDS_METASPACE) {
      const coppice_bytes mark = t->space;
      for (end = at + 1; end < bytes; ++end)
        if (bytes - end >= mark.bytes && memcmp(text + end, mark.data, mark.bytes) == 0)
          break;
    } else if (t->words != COPPICE_WORDS_WHOLE) {
      end = coppice_word_end(t->words, text, bytes, at);
    }
    if (!encode_word(e, text + at, end - at))
      return false;
    at = end;
  }
  return true;
}

/* Cuts at digits and at punctuation, if the tokenizer wants it, before the words. */
static bool encode_cuts(encoder *e, const uint8_t *text, size_t bytes) {
  const coppice_tokenizer_tables *t = &e->tokenizer->t;
  const struct {
    uint8_t cut;
    uint32_t class;
  } kinds[] = {{t->digits, COPPICE_CLASS_NUMBER}, {t->punctuation, COPPICE_CLASS_PUNCTUATION}};
  uint32_t cut = 0, each = 0, before = 0;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; ++i) {
    cut |= kinds[i].cut != COPPICE_CUT_NEVER ? kinds[i].class : 0;
    each |= kinds[i].cut == COPPICE_CUT_EACH ? kinds[i].class : 0;
  }
  size_t begin = 0;
  for (size_t at = 0; cut && at < bytes;) {
    size_t next = at;
    uint32_t class = coppice_char_class(coppice_next_char(text, &next)) & cut;
    if (at > begin && (class != before || class & each)) {
      if (!encode_words(e, text + begin, at - begin))
        return false;
      begin = at;
    }
    before = class;
    at = next;
  }
  return encode_words(e, text + begin, bytes - begin);
}

/* Takes |bytes| bytes at the front of the scratch, where a text was written. */
static void keep_written(encoder *e, size_t bytes) {
  size_t rest = bytes % 8 == 0 ? 0 : 8 - bytes % 8;
  e->written = rest > e->room - bytes ? e->room : bytes + rest;
}

/* Writes |text| with spaces replaced and, if wanted, something before it. Returns its bytes, or
 * SIZE_MAX if there is no room. */
static size_t normalize(encoder *e, const uint8_t *text, size_t bytes, bool prepend, bool replace) {
  const coppice_tokenizer_tables *t = &e->tokenizer->t;
  size_t at = 0, room = e->room;
  const coppice_bytes space = t->space;
  bool spaces = replace && space.bytes > 0;
  if (prepend && t->prepend.bytes > 0) {
    if (t->prepend.bytes > room)
      return SIZE_MAX;
    memcpy(e->scratch, t->prepend.data, t->prepend.bytes);
    at = t->prepend.bytes;
  }
  for (size_t i = 0; i < bytes; ++i) {
    bool is_space = spaces && text[i] == ' ';
    size_t length = is_space ? space.bytes : 1;
    if (length > room - at)
      return SIZE_MAX;
    if (is_space)
      memcpy(e->scratch + at, space.data, length);
    else
      e->scratch[at] = text[i];
    at += length;
  }
  keep_written(e, at);
  return at;
}

static bool begins_with(const uint8_t *text, size_t bytes, coppice_bytes what) {
  return bytes >= what.bytes && memcmp(text, what.data, what.bytes) == 0;
}

/* What the pre-tokenizer does to a piece, then its words. */
static bool encode_piece(encoder *e, const uint8_t *text, size_t bytes, bool first) {
  const coppice_tokenizer_tables *t = &e->tokenizer->t;
  bool replace = t->space.bytes > 0 && !t->space_in_normalizer, prepend = false;
  if (t->prepend_when == COPPICE_PREPEND_UNLESS ||
      (t->prepend_when == COPPICE_PREPEND_FIRST && first)) {
    bool space_becomes_it =
        replace && text[0] == ' ' && begins_with(t->space.data, t->space.bytes, t->prepend);
    prepend = !space_becomes_it && !begins_with(text, bytes, t->prepend);
  }
  if (!replace && !prepend)
    return encode_cuts(e, text, bytes);
  size_t length = normalize(e, text, bytes, prepend, replace);
  if (length == SIZE_MAX || !encode_cuts(e, e->scratch, length))
    return false;
  e->written = 0;
  return true;
}

/* What the normalizer does to a piece, then its added tokens. */
static bool encode_section(encoder *e, const uint8_t *text, size_t bytes, bool first) {
  const coppice_tokenizer *k = e->tokenizer;
  added_set set = {k->t.added_normalized, k->t.added_normalized_count, k->added_normalized_first};
  bool prepend = k->t.prepend_when == COPPICE_PREPEND_NORMALIZER;
  if (prepend || k->t.space_in_normalizer) {
    bytes = normalize(e, text, bytes, prepend, k->t.space_in_normalizer);
    if (bytes == SIZE_MAX)
      return false;
    text = e->scratch;
  } else if (k->t.nfc && coppice_nfc_prefix(text, bytes) < bytes) {
    bytes = coppice_nfc(text, bytes, e->scratch, e->room);
    if (bytes == SIZE_MAX)
      return false;
    keep_written(e, bytes);
    text = e->scratch;
  }
  splitter pieces = {.set = set, .text = text, .bytes = bytes, .first = first};
  part piece;
  while (next_part(e, &pieces, &piece)) {
    if (piece.bytes > 0 && !encode_piece(e, piece.text, piece.bytes, piece.first))
      return false;
    if (piece.token)
      coppice_put_token(&e->sink, piece.token->id);
  }
  e->written = 0;
  return true;
}

size_t coppice_tokenizer_scratch_bytes(const coppice_tokenizer *tokenizer, size_t bytes) {
  uint64_t total;
  if (bytes > COPPICE_ENCODE_MAX_BYTES)
    return SIZE_MAX;
  const coppice_tokenizer_tables *t = &tokenizer->t;
  /* Composing takes less than merging what it made. */
  size_t growth = t->nfc ? COPPICE_NFC_GROWTH : 1;
  total = (uint64_t)bytes * growth * tokenizer->space_symbols + tokenizer->prepend_symbols;
  total = total * COPPICE_MERGE_SYMBOL_BYTES + 7;
  if (t->nfc || t->space.bytes > 0 || t->prepend.bytes > 0)
    total += (uint64_t)bytes * (t->nfc ? growth : t->space.bytes + 1) + t->prepend.bytes + 8;
  return total > SIZE_MAX - 1 ? SIZE_MAX : (size_t)total;
}

coppice_status coppice_tokenizer_encode(const coppice_tokenizer *tokenizer, const char *text,
                                        size_t bytes, uint32_t flags, int32_t *out_tokens,
                                        size_t capacity, size_t *out_count, void *scratch,
                                        size_t scratch_bytes) {
  if (!tokenizer || (!text && bytes) || (!out_tokens && capacity) || !out_count ||
      (!scratch && scratch_bytes))
    return COPPICE_BAD_ARGUMENT;
  *out_count = 0;
  if (bytes > COPPICE_ENCODE_MAX_BYTES || !coppice_is_utf8((const uint8_t *)text, bytes))
    return COPPICE_BAD_TEXT;

  size_t skew = (8 - (uintptr_t)scratch % 8) % 8;
  size_t room = scratch_bytes > skew ? scratch_bytes - skew : 0;
  uint64_t nothing = 0; /* in place of a scratch without room, which may be null */
  uint8_t *aligned = room > 0 ? (uint8_t *)scratch + skew : (uint8_t *)&nothing;
  encoder e = {tokenizer,
               (flags & COPPICE_ENCODE_PARSE_SPECIAL) != 0,
               {out_tokens, capacity, 0},
               aligned,
               room,
               0};

  const coppice_tokenizer_tables *t = &tokenizer->t;
  added_set set = {t->added, t->added_count, tokenizer->added_first};
  bool special = (flags & COPPICE_ENCODE_ADD_SPECIAL) != 0;
  for (size_t i = 0; special && i < t->prefix_count; ++i)
    coppice_put_token(&e.sink, t->prefix_ids[i]);
  splitter sections = {.set = set, .text = (const uint8_t *)text, .bytes = bytes, .first = true};
  part section;
  while (next_part(&e, &sections, &section)) {
    if (section.bytes > 0 && !encode_section(&e, section.text, section.bytes, section.first))
      return COPPICE_TOO_SMALL;
    if (section.token)
      coppice_put_token(&e.sink, section.token->id);
  }
  for (size_t i = 0; special && i < t->suffix_count; ++i)
    coppice_put_token(&e.sink, t->suffix_ids[i]);
  *out_count = e.sink.count;
  return e.sink.count > capacity ? COPPICE_TOO_SMALL : COPPICE_OK;
}
