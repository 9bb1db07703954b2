/* Private to the tokenizer: UTF-8, character classes, and cutting text into words. */
#ifndef COPPICE_CORE_TOKENIZER_TEXT_H
#define COPPICE_CORE_TOKENIZER_TEXT_H

#include "runtime/core/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  COPPICE_CLASS_LETTER = 1,       /* \p{L} */
  COPPICE_CLASS_NUMBER = 2,       /* \p{N} */
  COPPICE_CLASS_SPACE = 4,        /* \s */
  COPPICE_CLASS_WORD = 8,         /* \w */
  COPPICE_CLASS_UPPER = 16,       /* \p{Lu} and \p{Lt}, letters too */
  COPPICE_CLASS_LOWER = 32,       /* \p{Ll}, letters too */
  COPPICE_CLASS_MARK = 64,        /* \p{M} */
  COPPICE_CLASS_PUNCTUATION = 128 /* \p{P} and the symbols of ASCII */
};

uint32_t coppice_char_class(uint32_t code);

/* Whether all of |text| is UTF-8: shortest forms, no surrogates. */
bool coppice_is_utf8(const uint8_t *text, size_t bytes);

/* The character at |*at|, which moves behind it. |text| must be UTF-8 and *at < bytes. */
uint32_t coppice_next_char(const uint8_t *text, size_t *at);

/* The first byte of the character that ends before |at|. |text| must be UTF-8 and at > 0. */
size_t coppice_previous_char(const uint8_t *text, size_t at);

/* What a first byte of a character asks for: the number of bytes that must follow (0 for ASCII),
 * and the bounds of the next; -1 if no character begins so. */
int coppice_utf8_lead(uint8_t byte, uint8_t *low, uint8_t *high);

/* The end of the word that begins at |at| < bytes, for those COPPICE_WORDS_* that are an
 * expression. The rules look ahead up to |bytes| and nowhere back. */
size_t coppice_word_end(uint8_t words, const uint8_t *text, size_t bytes, size_t at);

#ifdef __cplusplus
}
#endif

#endif /* COPPICE_CORE_TOKENIZER_TEXT_H */
