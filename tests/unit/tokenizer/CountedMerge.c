/* The core's merging a second time, under another name and with its steps counted. */
#include <stddef.h>

size_t counted_merge_steps;
#define COPPICE_MERGE_STEP() (++counted_merge_steps)
#define coppice_encode_word counted_encode_word
#define coppice_word_symbols counted_word_symbols
#define coppice_put_token counted_put_token
#include "runtime/core/tokenizer_merge.c"
