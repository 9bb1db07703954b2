/* Private to the tokenizer: byte-pair merging of one word, and where its tokens go. */
#ifndef COPPICE_CORE_TOKENIZER_MERGE_H
#define COPPICE_CORE_TOKENIZER_MERGE_H

#include "runtime/core/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where tokens go. |count| goes on counting behind |capacity|. */
typedef struct coppice_token_sink {
  int32_t *tokens;
  size_t capacity, count;
} coppice_token_sink;

void coppice_put_token(coppice_token_sink *sink, uint32_t id);

/* Scratch bytes for each symbol of a word. */
#define COPPICE_MERGE_SYMBOL_BYTES 28

/* Symbols that |word| begins with, before any merge. They go to |out_ids| unless it is null. */
size_t coppice_word_symbols(const coppice_tokenizer_tables *t, const uint8_t *word, size_t bytes,
                            uint32_t *out_ids);

/* Puts the tokens of one word. False if the scratch, aligned to 8, is too small. */
bool coppice_encode_word(const coppice_tokenizer_tables *t, const uint8_t *word, size_t bytes,
                         void *scratch, size_t scratch_bytes, coppice_token_sink *sink);

#ifdef __cplusplus
}
#endif

#endif /* COPPICE_CORE_TOKENIZER_MERGE_H */
