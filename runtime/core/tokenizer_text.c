/* UTF-8, character classes, and the families of expressions that cut text into words.
 *
 * The expressions are written out by hand. Each is an ordered choice, tried at the end of the last
 * word, and one of its branches always matches; so words cover the text. `\s+(?!\S)` takes a run of
 * white space but its last character, unless the run ends the text: the last one belongs to the
 * word that follows. */
#include "runtime/core/tokenizer_text.h"

static const uint32_t class_runs[] = {
#include "runtime/core/tokenizer_unicode.inc"
};

uint32_t coppice_char_class(uint32_t code) {
  size_t low = 0, high = sizeof class_runs / sizeof class_runs[0];
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (class_runs[middle] >> 8 <= code)
      low = middle;
    else
      high = middle;
  }
  return class_runs[low] & 0xFF;
}

int coppice_utf8_lead(uint8_t byte, uint8_t *low, uint8_t *high) {
  *low = 0x80;
  *high = 0xBF;
  if (byte < 0x80)
    return 0;
  if (byte < 0xC2)
    return -1;
  if (byte < 0xE0)
    return 1;
  if (byte < 0xF0) {
    if (byte == 0xE0)
      *low = 0xA0; /* shortest form */
    if (byte == 0xED)
      *high = 0x9F; /* no surrogates */
    return 2;
  }
  if (byte > 0xF4)
    return -1;
  if (byte == 0xF0)
    *low = 0x90;
  if (byte == 0xF4)
    *high = 0x8F; /* up to U+10FFFF */
  return 3;
}

bool coppice_is_utf8(const uint8_t *text, size_t bytes) {
  size_t at = 0;
  while (at < bytes) {
    uint8_t low, high;
    int follow = coppice_utf8_lead(text[at++], &low, &high);
    if (follow < 0 || (size_t)follow > bytes - at)
      return false;
    for (; follow > 0; --follow, ++at) {
      if (text[at] < low || text[at] > high)
        return false;
      low = 0x80;
      high = 0xBF;
    }
  }
  return true;
}

uint32_t coppice_next_char(const uint8_t *text, size_t *at) {
  uint32_t first = text[(*at)++];
  if (first < 0x80)
    return first;
  int follow = first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
  uint32_t code = first & (0x3Fu >> follow);
  for (; follow > 0; --follow)
    code = code << 6 | (text[(*at)++] & 0x3Fu);
  return code;
}

size_t coppice_previous_char(const uint8_t *text, size_t at) {
  do
    --at;
  while (at > 0 && (text[at] & 0xC0) == 0x80);
  return at;
}

/* A reader of classes; at the end of the text the class is END. */
enum { CLASS_END = 1u << 16 };

static uint32_t class_at(const uint8_t *text, size_t bytes, size_t at, size_t *next) {
  *next = at;
  if (at >= bytes)
    return CLASS_END;
  return coppice_char_class(coppice_next_char(text, next)) &
         (COPPICE_CLASS_LETTER | COPPICE_CLASS_NUMBER | COPPICE_CLASS_SPACE);
}

/* Behind the run of characters of exactly |class| from |at| on, of at most |limit| characters. */
static size_t run_end(const uint8_t *text, size_t bytes, size_t at, uint32_t class, size_t limit) {
  size_t next;
  while (limit-- > 0 && class_at(text, bytes, at, &next) == class)
    at = next;
  return at;
}

/* `\s+(?!\S)|\s+` at white space. */
static size_t space_end(const uint8_t *text, size_t bytes, size_t at) {
  size_t end = run_end(text, bytes, at, COPPICE_CLASS_SPACE, SIZE_MAX);
  if (end == bytes)
    return end;
  size_t last = coppice_previous_char(text, end);
  return last > at ? last : end;
}

/* 's 't 're 've 'm 'll 'd: behind it, or |at| if there is none. */
static size_t contraction_end(const uint8_t *text, size_t bytes, size_t at, bool any_case) {
  static const char endings[][3] = {"s", "t", "re", "ve", "m", "ll", "d"};
  if (text[at] != '\'')
    return at;
  /* The one character beyond ASCII that is one of these letters in another case: long s. */
  if (any_case && bytes - at > 2 && text[at + 1] == 0xC5 && text[at + 2] == 0xBF)
    return at + 3;
  for (size_t i = 0; i < sizeof endings / sizeof endings[0]; ++i) {
    size_t length = endings[i][1] ? 2 : 1, same = 0;
    if (length > bytes - at - 1)
      continue;
    while (same < length) {
      uint8_t byte = text[at + 1 + same];
      if (any_case && byte >= 'A' && byte <= 'Z')
        byte = (uint8_t)(byte + ('a' - 'A'));
      if (byte != (uint8_t)endings[i][same])
        break;
      ++same;
    }
    if (same == length)
      return at + 1 + length;
  }
  return at;
}

/* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
static size_t gpt2_end(const uint8_t *text, size_t bytes, size_t at) {
  size_t end = contraction_end(text, bytes, at, false);
  if (end > at)
    return end;
  size_t begin = text[at] == ' ' ? at + 1 : at, next;
  uint32_t class = class_at(text, bytes, begin, &next);
  if (class != COPPICE_CLASS_SPACE && class != CLASS_END)
    return run_end(text, bytes, next, class, SIZE_MAX);
  return space_end(text, bytes, at);
}

static bool is_newline(uint8_t byte) { return byte == '\n' || byte == '\r'; }

/*  ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+ where neither a letter nor a number is, with
 * [\r\n/]* if |slashes| is set. */
static size_t other_end(const uint8_t *text, size_t bytes, size_t at, bool slashes) {
  size_t begin = text[at] == ' ' ? at + 1 : at, next, end;
  if (class_at(text, bytes, begin, &next) == 0) {
    end = run_end(text, bytes, next, 0, SIZE_MAX);
    while (end < bytes && (is_newline(text[end]) || (slashes && text[end] == '/')))
      ++end;
    return end;
  }
  /* White space: up to the last newline of the run, if it has one. */
  end = run_end(text, bytes, at, COPPICE_CLASS_SPACE, SIZE_MAX);
  for (size_t last = end; last > at; --last)
    if (is_newline(text[last - 1]))
      return last;
  return space_end(text, bytes, at);
}

/* (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,DIGITS}, then other_end */
static size_t llama3_end(const uint8_t *text, size_t bytes, size_t at, size_t digits) {
  size_t end = contraction_end(text, bytes, at, true);
  if (end > at)
    return end;
  size_t next, after;
  uint32_t class = class_at(text, bytes, at, &next);
  if (class == COPPICE_CLASS_LETTER)
    return run_end(text, bytes, next, COPPICE_CLASS_LETTER, SIZE_MAX);
  if (class == COPPICE_CLASS_NUMBER)
    return run_end(text, bytes, next, COPPICE_CLASS_NUMBER, digits - 1);
  if (!is_newline(text[at]) && class_at(text, bytes, next, &after) == COPPICE_CLASS_LETTER)
    return run_end(text, bytes, after, COPPICE_CLASS_LETTER, SIZE_MAX);
  return other_end(text, bytes, at, false);
}

/* [UPPER]*[LOWER]+ of letters and marks at |at|, and |out_first| is true; without a match
 * [UPPER]*, and it is false. UPPER is all but \p{Ll}, LOWER all but \p{Lu} and \p{Lt}.
 *
 * The star takes all it can and gives back, character by character, until something of LOWER
 * follows: so the word goes on into small letters behind it, or ends behind the last character that
 * is of both. A run of characters is walked twice at most: what the star gave back is all capitals.
 */
static size_t cased_end(const uint8_t *text, size_t bytes, size_t at, bool *out_first) {
  const uint32_t any = COPPICE_CLASS_LETTER | COPPICE_CLASS_MARK;
  size_t end = at, both = at;
  bool lower = false;
  for (size_t next = at; next < bytes; end = next) {
    uint32_t class = coppice_char_class(coppice_next_char(text, &next));
    if (!(class & any) || (lower && class & COPPICE_CLASS_UPPER))
      break;
    lower = lower || class & COPPICE_CLASS_LOWER;
    if (!(class & (COPPICE_CLASS_UPPER | COPPICE_CLASS_LOWER)))
      both = next;
  }
  *out_first = lower || both > at;
  return lower || both == at ? end : both;
}

/* [^\r\n\p{L}\p{N}]?[UPPER]*[LOWER]+CONTRACTION?|[^\r\n\p{L}\p{N}]?[UPPER]+[LOWER]*CONTRACTION?
 * |\p{N}{1,DIGITS}, then other_end. Contractions are those of Llama 3, if there are any. */
static size_t o200k_end(const uint8_t *text, size_t bytes, size_t at, size_t digits,
                        bool contractions) {
  size_t next = at, end = at;
  uint32_t class = coppice_char_class(coppice_next_char(text, &next));
  bool first;
  if (class & COPPICE_CLASS_NUMBER)
    return run_end(text, bytes, next, COPPICE_CLASS_NUMBER, digits - 1);
  if (class & COPPICE_CLASS_LETTER) {
    end = cased_end(text, bytes, at, &first);
  } else if (!is_newline(text[at])) {
    end = cased_end(text, bytes, next, &first);
    /* Before capitals with something before them comes the first choice without: a mark alone. */
    if (!first && class & COPPICE_CLASS_MARK)
      end = next;
    else if (end == next)
      end = at;
  }
  if (end == at)
    return other_end(text, bytes, at, true);
  return contractions && end < bytes ? contraction_end(text, bytes, end, true) : end;
}

size_t coppice_word_end(uint8_t words, const uint8_t *text, size_t bytes, size_t at) {
  switch (words) {
  case COPPICE_WORDS_GPT2:
    return gpt2_end(text, bytes, at);
  case COPPICE_WORDS_O200K:
    return o200k_end(text, bytes, at, 3, true);
  case COPPICE_WORDS_TEKKEN:
    return o200k_end(text, bytes, at, 1, false);
  default:
    return llama3_end(text, bytes, at, words == COPPICE_WORDS_LLAMA3 ? 3 : 1);
  }
}
