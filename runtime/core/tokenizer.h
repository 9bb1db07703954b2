/* Text to tokens and back, over tables that the compiler made (compiler/artifact/tokenizer).
 *
 * Byte-pair encoding in two kinds: over bytes (GPT-2, OPT, Llama 3) and over characters with a
 * fallback to byte tokens (SentencePiece, Llama 2). Results equal those of Hugging Face
 * `tokenizers`. Nothing is allocated and nothing is global: tables are mapped, scratch is the
 * caller's, and a tokenizer that was made is only read, from any number of threads.
 *
 * Tables come from a file that may be damaged or hostile: coppice_tokenizer_init() checks every
 * offset and id, and nothing after it needs to.
 */
#ifndef COPPICE_CORE_TOKENIZER_H
#define COPPICE_CORE_TOKENIZER_H

#include "coppice/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* In place of an id: there is none. */
#define COPPICE_TOKENIZER_NONE UINT32_MAX

/* What the initial symbols of a word are. */
enum {
  COPPICE_SYMBOLS_BYTES = 0, /* its bytes */
  COPPICE_SYMBOLS_CHARS = 1  /* its characters; one without a token falls back to its bytes */
};

/* How a piece of text is cut into words; merges do not cross words. */
enum {
  COPPICE_WORDS_WHOLE = 0,
  COPPICE_WORDS_GPT2 = 1,      /* the expression of ByteLevel */
  COPPICE_WORDS_LLAMA3 = 2,    /* up to three digits make a word */
  COPPICE_WORDS_QWEN2 = 3,     /* the same, but each digit is a word */
  COPPICE_WORDS_METASPACE = 4, /* a word begins at each replaced space */
  COPPICE_WORDS_O200K = 5,     /* and where small letters end; up to three digits, contractions */
  COPPICE_WORDS_TEKKEN = 6,    /* the same, but each digit is a word, and no contractions */
  COPPICE_WORDS_COUNT = 7
};

/* What is cut apart of characters of a kind. */
enum {
  COPPICE_CUT_NEVER = 0,
  COPPICE_CUT_EACH = 1, /* each from its neighbours */
  COPPICE_CUT_RUNS = 2, /* runs of them from what is none */
  COPPICE_CUT_COUNT = 3
};

/* When |prepend| goes before a piece of text. A piece is what lies between added tokens. */
enum {
  COPPICE_PREPEND_NEVER = 0,
  COPPICE_PREPEND_NORMALIZER = 1, /* always, and before added tokens are looked for in the piece */
  COPPICE_PREPEND_UNLESS = 2,     /* unless the piece, its spaces replaced, begins with it */
  COPPICE_PREPEND_FIRST = 3,      /* the same, at the beginning of the text only */
  COPPICE_PREPEND_COUNT = 4
};

enum {
  COPPICE_DECODER_BYTES = 0,     /* pieces are bytes; what is no UTF-8 becomes U+FFFD */
  COPPICE_DECODER_FALLBACK = 1,  /* pieces are text; runs of <0xNN> are bytes if they are UTF-8 */
  COPPICE_DECODER_TEXT = 2,      /* pieces are text */
  COPPICE_DECODER_METASPACE = 3, /* |decode_from| is a space, and nothing in the first token */
  COPPICE_DECODER_COUNT = 4
};

/* coppice_tokenizer_tables.kinds */
enum { COPPICE_PIECE_PRESENT = 1, COPPICE_PIECE_SPECIAL = 2 };

/* coppice_added_token.flags */
enum {
  COPPICE_ADDED_SPECIAL = 1,
  COPPICE_ADDED_SINGLE_WORD = 2, /* only where no word character touches it */
  COPPICE_ADDED_LSTRIP = 4,      /* takes the white space before it along */
  COPPICE_ADDED_RSTRIP = 8       /* and after it */
};

typedef struct coppice_merge {
  uint32_t right;
  uint32_t rank; /* the lowest goes first */
  uint32_t id;   /* what the pair becomes */
} coppice_merge;

typedef struct coppice_char_id {
  uint32_t code; /* a Unicode scalar value */
  uint32_t id;
} coppice_char_id;

typedef struct coppice_added_token {
  uint32_t begin; /* in added_text */
  uint32_t bytes; /* at least 1 */
  uint32_t id;
  uint32_t flags;
} coppice_added_token;

/* Bytes in a table. */
typedef struct coppice_bytes {
  const uint8_t *data;
  size_t bytes;
} coppice_bytes;

/* Tables as they lie in the artifact; little-endian, aligned to 4 bytes. Texts are UTF-8. */
typedef struct coppice_tokenizer_tables {
  size_t id_count;               /* ids lie in [0, id_count) */
  const uint32_t *piece_offsets; /* [id_count + 1], ascending from 0 */
  coppice_bytes pieces;          /* what id i decodes to: [piece_offsets[i], piece_offsets[i+1]) */
  const uint8_t *kinds;          /* [id_count] */

  const uint32_t *byte_ids;     /* [256]: symbol of a byte, or NONE */
  const coppice_char_id *chars; /* [char_count], ascending codes: symbols of characters */
  size_t char_count;
  const uint32_t *merge_begin; /* [id_count + 1]: merges with left symbol i are */
  const coppice_merge *merges; /*   [merge_begin[i], merge_begin[i+1]), ascending in |right| */
  size_t merge_count;
  const uint32_t
      *by_text;         /* [by_text_count]: ids in order of their pieces; a word that is such a */
  size_t by_text_count; /*   piece is that token, whatever the merges say */
  uint32_t unknown;     /* id of what has no symbol, or NONE: it is dropped */

  const coppice_added_token *added; /* [added_count], ascending text: found in the given text */
  size_t added_count;
  const coppice_added_token *added_normalized; /* the same: found in what the normalizer made */
  size_t added_normalized_count;
  coppice_bytes added_text;

  coppice_bytes prepend;
  coppice_bytes space;                     /* what a space becomes; empty: it stays */
  coppice_bytes decode_from;               /* replaced in each piece while decoding, */
  coppice_bytes decode_to;                 /*   by this; empty decode_from: nothing is */
  const uint32_t *prefix_ids, *suffix_ids; /* special tokens around a text */
  size_t prefix_count, suffix_count;

  uint8_t symbols, words, prepend_when, decoder; /* enums above */
  /* COPPICE_CUT_*. Before words: at digits (categories Nd, Nl and No) and at punctuation (P, and
   * the symbols of ASCII). Inside words of SYMBOLS_BYTES: at bytes that byte-level vocabularies
   * write as a digit, which are those of ASCII, B2, B3, B9 and BC to BE. */
  uint8_t digits, punctuation, byte_digits;
  uint8_t digit_group;  /* there, digits of ASCII go by so many from the left; 0: they do not */
  uint8_t nfc;          /* 1: text is composed before added tokens are looked for */
  uint8_t fuse_unknown; /* 1: neighbours without a symbol make one unknown token */
  uint8_t space_in_normalizer; /* 1: spaces are replaced before added tokens are looked for */
  uint8_t decode_first_stays;  /* 1: DECODER_METASPACE treats the first token as any other */
  uint32_t decode_strip;       /* spaces to drop at the beginning of the decoded text */
} coppice_tokenizer_tables;

/* A tokenizer. Fields are private. It points into the tables' memory. */
typedef struct coppice_tokenizer {
  coppice_tokenizer_tables t;
  uint8_t added_first[32];            /* bit b: an added token begins with byte b */
  uint8_t added_normalized_first[32]; /* the same */
  size_t space_symbols;               /* symbols that a replaced space may make, at least 1 */
  size_t prepend_symbols;
  size_t longest_piece; /* bytes */
} coppice_tokenizer;

/* Makes |out_tokenizer| from |tables|, all of whose pointers must be valid for their counts.
 * COPPICE_BAD_ARTIFACT if an offset, id, order or text in them is wrong. */
COPPICE_MUST_USE coppice_status coppice_tokenizer_init(const coppice_tokenizer_tables *tables,
                                                       coppice_tokenizer *out_tokenizer);

/* Flags of encoding. */
enum {
  COPPICE_ENCODE_ADD_SPECIAL = 1,  /* put the beginning-of-text token and its like around */
  COPPICE_ENCODE_PARSE_SPECIAL = 2 /* special tokens that are spelled out in the text are tokens */
};

/* Texts of more bytes are refused. */
#define COPPICE_ENCODE_MAX_BYTES ((size_t)1 << 28)

/* Scratch bytes that are enough for any text of |bytes| bytes; SIZE_MAX if the text is too long.
 * At most 28 bytes for each byte of text and a little more, where a space is one symbol and text is
 * not composed; 87 where it is, because one byte may become three. Less is enough for texts whose
 * words are short. */
size_t coppice_tokenizer_scratch_bytes(const coppice_tokenizer *tokenizer, size_t bytes);

/* Encodes |text|. |out_count| receives the number of tokens, also if there are more than
 * |capacity|: then the first |capacity| are in |out_tokens| (may be null if |capacity| is 0) and
 * the result is COPPICE_TOO_SMALL; so it is, with a count of 0, if the scratch is too small.
 * |scratch| needs no alignment and holds nothing afterwards.
 * COPPICE_BAD_TEXT: not UTF-8, or too long. Time is O(n log n). */
COPPICE_MUST_USE coppice_status coppice_tokenizer_encode(const coppice_tokenizer *tokenizer,
                                                         const char *text, size_t bytes,
                                                         uint32_t flags, int32_t *out_tokens,
                                                         size_t capacity, size_t *out_count,
                                                         void *scratch, size_t scratch_bytes);

/* Flags of decoding. */
enum { COPPICE_DECODE_SKIP_SPECIAL = 1 };

/* Decodes |count| tokens to UTF-8, not terminated. Ids without a piece give no text. |out_bytes|
 * receives the length, also if it is more than |capacity|: then the first |capacity| bytes are in
 * |out_text| (may be null if |capacity| is 0) and the result is COPPICE_TOO_SMALL. */
COPPICE_MUST_USE coppice_status coppice_tokenizer_decode(const coppice_tokenizer *tokenizer,
                                                         const int32_t *tokens, size_t count,
                                                         uint32_t flags, char *out_text,
                                                         size_t capacity, size_t *out_bytes);

/* Byte tokens that a stream holds back until it is known whether their run is UTF-8. */
#define COPPICE_STREAM_HELD 128

/* Decodes token by token. What it gives is whole characters at any time, and all of it put together
 * is what coppice_tokenizer_decode() gives. (One exception: in a run of more than
 * COPPICE_STREAM_HELD byte tokens that stops being UTF-8 after that, what was given stays.) */
typedef struct coppice_text_stream {
  const coppice_tokenizer *tokenizer;
  uint32_t flags;
  uint32_t strip;      /* leading spaces still to drop */
  uint16_t held_count; /* bytes in |held| */
  uint8_t started;     /* a token was taken */
  uint8_t run_broken;  /* the run of byte tokens is known to be no UTF-8 */
  uint8_t need;        /* bytes that the last character in |held| lacks */
  uint8_t low, high;   /* bounds of the next one */
  uint8_t held[COPPICE_STREAM_HELD];
} coppice_text_stream;

/* |tokenizer| must outlive the stream. */
void coppice_text_stream_begin(coppice_text_stream *stream, const coppice_tokenizer *tokenizer,
                               uint32_t flags);

/* The most bytes that one call on a stream gives. */
size_t coppice_text_stream_capacity(const coppice_tokenizer *tokenizer);

/* Takes one token; |out_bytes| bytes of text are ready. COPPICE_TOO_SMALL leaves the stream as it
 * was, and |out_bytes| says what is needed. */
COPPICE_MUST_USE coppice_status coppice_text_stream_next(coppice_text_stream *stream, int32_t token,
                                                         char *out_text, size_t capacity,
                                                         size_t *out_bytes);

/* Gives what is held back; incomplete characters become U+FFFD. The stream can begin anew with
 * the same settings. */
COPPICE_MUST_USE coppice_status coppice_text_stream_end(coppice_text_stream *stream, char *out_text,
                                                        size_t capacity, size_t *out_bytes);

#ifdef __cplusplus
}
#endif

#endif /* COPPICE_CORE_TOKENIZER_H */
