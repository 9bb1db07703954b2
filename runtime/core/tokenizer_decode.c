/* Decoding: the pieces of tokens put together, token by token or all at once.
 *
 * One state machine does both. Over bytes it holds back at most three of an incomplete character.
 * Over byte tokens it holds back the run, since one bad byte turns all of the run into U+FFFD; the
 * whole decoding looks ahead instead, and so needs no limit. */
#include "runtime/core/tokenizer.h"
#include "runtime/core/tokenizer_text.h"
#include <string.h>

typedef struct text_sink {
  char *text;
  size_t capacity, count; /* |count| goes on counting behind |capacity| */
} text_sink;

static void put_raw(text_sink *sink, uint8_t byte) {
  if (sink->count < sink->capacity)
    sink->text[sink->count] = (char)byte;
  ++sink->count;
}

/* Puts text; leading spaces that are to go, go. */
static void put_text(coppice_text_stream *s, text_sink *sink, const uint8_t *text, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) {
    if (s->strip > 0 && text[i] == ' ') {
      --s->strip;
      continue;
    }
    s->strip = 0;
    put_raw(sink, text[i]);
  }
}

static void put_replacement(coppice_text_stream *s, text_sink *sink) {
  static const uint8_t replacement[] = {0xEF, 0xBF, 0xBD};
  put_text(s, sink, replacement, sizeof replacement);
}

/* Feeds a byte to the character in the making; false if it cannot go on so. */
static bool feed_character(coppice_text_stream *s, uint8_t byte) {
  if (s->need == 0) {
    int follow = coppice_utf8_lead(byte, &s->low, &s->high);
    if (follow < 0)
      return false;
    s->need = (uint8_t)follow;
    return true;
  }
  if (byte < s->low || byte > s->high)
    return false;
  s->low = 0x80;
  s->high = 0xBF;
  --s->need;
  return true;
}

/* DECODER_BYTES: a maximal part of a character that stays incomplete is one U+FFFD. */
static void take_byte(coppice_text_stream *s, text_sink *sink, uint8_t byte) {
  if (!feed_character(s, byte)) {
    bool begun = s->need > 0;
    s->need = 0;
    s->held_count = 0;
    put_replacement(s, sink);
    if (!begun || !feed_character(s, byte)) {
      if (begun)
        put_replacement(s, sink);
      return;
    }
  }
  s->held[s->held_count++] = byte;
  if (s->need == 0) {
    put_text(s, sink, s->held, s->held_count);
    s->held_count = 0;
  }
}

/* DECODER_FALLBACK: a byte token in a run. */
static void take_run_byte(coppice_text_stream *s, text_sink *sink, uint8_t byte) {
  if (!s->run_broken && !feed_character(s, byte)) {
    s->run_broken = 1;
    for (size_t i = 0; i < s->held_count; ++i)
      put_replacement(s, sink);
    s->held_count = 0;
  }
  if (s->run_broken) {
    put_replacement(s, sink);
    return;
  }
  if (s->held_count == COPPICE_STREAM_HELD) {
    /* Whole characters go; the one that |byte| goes on with stays. */
    bool goes_on = (byte & 0xC0) == 0x80;
    size_t keep = goes_on ? s->held_count - coppice_previous_char(s->held, s->held_count) : 0;
    put_text(s, sink, s->held, s->held_count - keep);
    memmove(s->held, s->held + s->held_count - keep, keep);
    s->held_count = (uint16_t)keep;
  }
  s->held[s->held_count++] = byte;
}

static void end_run(coppice_text_stream *s, text_sink *sink) {
  if (s->need > 0)
    for (size_t i = 0; i < s->held_count; ++i)
      put_replacement(s, sink);
  else
    put_text(s, sink, s->held, s->held_count);
  s->held_count = 0;
  s->need = 0;
  s->run_broken = 0;
}

static int hex_digit(uint8_t byte) {
  if (byte >= '0' && byte <= '9')
    return byte - '0';
  byte |= 0x20;
  return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* The byte that a piece <0xNN> means, or -1. The original reads "+N" as a number too. */
static int byte_token(const uint8_t *piece, size_t bytes) {
  if (bytes != 6 || memcmp(piece, "<0x", 3) != 0 || piece[5] != '>')
    return -1;
  int high = piece[3] == '+' ? 0 : hex_digit(piece[3]), low = hex_digit(piece[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* The piece of a token that is to be decoded, or false. */
static bool find_piece(const coppice_tokenizer *k, int32_t token, uint32_t flags,
                       coppice_bytes *out_piece) {
  if (token < 0 || (size_t)token >= k->t.id_count)
    return false;
  uint8_t kind = k->t.kinds[token];
  if (!(kind & COPPICE_PIECE_PRESENT) ||
      (flags & COPPICE_DECODE_SKIP_SPECIAL && kind & COPPICE_PIECE_SPECIAL))
    return false;
  uint32_t begin = k->t.piece_offsets[token];
  out_piece->data = k->t.pieces.data + begin;
  out_piece->bytes = k->t.piece_offsets[token + 1] - begin;
  return true;
}

/* Text with decode_from replaced. */
static void put_piece(coppice_text_stream *s, text_sink *sink, coppice_bytes piece) {
  const coppice_tokenizer_tables *t = &s->tokenizer->t;
  const coppice_bytes from = t->decode_from;
  bool drop = t->decoder == COPPICE_DECODER_METASPACE && !s->started && !t->decode_first_stays;
  for (size_t i = 0; i < piece.bytes;) {
    if (from.bytes > 0 && piece.bytes - i >= from.bytes &&
        memcmp(piece.data + i, from.data, from.bytes) == 0) {
      if (!drop)
        put_text(s, sink, t->decode_to.data, t->decode_to.bytes);
      i += from.bytes;
    } else {
      put_text(s, sink, piece.data + i++, 1);
    }
  }
}

/* |whole_run| says of a byte token whether its run is UTF-8, where the caller knows it: 1 or 0,
 * else -1. */
static void take_piece(coppice_text_stream *s, text_sink *sink, coppice_bytes piece,
                       int whole_run) {
  switch (s->tokenizer->t.decoder) {
  case COPPICE_DECODER_BYTES:
    for (size_t i = 0; i < piece.bytes; ++i)
      take_byte(s, sink, piece.data[i]);
    break;
  case COPPICE_DECODER_FALLBACK: {
    int value = byte_token(piece.data, piece.bytes);
    uint8_t byte = (uint8_t)value;
    if (value < 0) {
      end_run(s, sink);
      put_piece(s, sink, piece);
    } else if (whole_run < 0) {
      take_run_byte(s, sink, byte);
    } else if (whole_run) {
      put_text(s, sink, &byte, 1);
    } else {
      put_replacement(s, sink);
    }
    break;
  }
  default:
    put_piece(s, sink, piece);
  }
  s->started = 1;
}

/* DECODER_BYTES keeps at most one incomplete character: one U+FFFD. */
static void end_text(coppice_text_stream *s, text_sink *sink) {
  if (s->tokenizer->t.decoder != COPPICE_DECODER_BYTES) {
    end_run(s, sink);
  } else if (s->held_count > 0) {
    put_replacement(s, sink);
  }
}

void coppice_text_stream_begin(coppice_text_stream *stream, const coppice_tokenizer *tokenizer,
                               uint32_t flags) {
  memset(stream, 0, sizeof *stream);
  stream->tokenizer = tokenizer;
  stream->flags = flags;
  stream->strip = tokenizer->t.decode_strip;
}

size_t coppice_text_stream_capacity(const coppice_tokenizer *tokenizer) {
  size_t wide = tokenizer->t.decode_to.bytes > 3 ? tokenizer->t.decode_to.bytes : 3;
  /* A held byte, and one of a piece, may become a U+FFFD of three; so may one more. */
  return (tokenizer->longest_piece + COPPICE_STREAM_HELD + 1) * wide;
}

/* Ends a call on a stream: |s| is what the stream becomes, if the text had room. */
static coppice_status finish(coppice_text_stream *stream, const coppice_text_stream *s,
                             const text_sink *sink, size_t *out_bytes) {
  *out_bytes = sink->count;
  if (sink->count > sink->capacity)
    return COPPICE_TOO_SMALL;
  *stream = *s;
  return COPPICE_OK;
}

coppice_status coppice_text_stream_next(coppice_text_stream *stream, int32_t token, char *out_text,
                                        size_t capacity, size_t *out_bytes) {
  if (!stream || !stream->tokenizer || (!out_text && capacity) || !out_bytes)
    return COPPICE_BAD_ARGUMENT;
  coppice_text_stream s = *stream;
  text_sink sink = {out_text, capacity, 0};
  coppice_bytes piece;
  if (find_piece(s.tokenizer, token, s.flags, &piece))
    take_piece(&s, &sink, piece, -1);
  return finish(stream, &s, &sink, out_bytes);
}

coppice_status coppice_text_stream_end(coppice_text_stream *stream, char *out_text, size_t capacity,
                                       size_t *out_bytes) {
  if (!stream || !stream->tokenizer || (!out_text && capacity) || !out_bytes)
    return COPPICE_BAD_ARGUMENT;
  coppice_text_stream s = *stream, fresh;
  text_sink sink = {out_text, capacity, 0};
  end_text(&s, &sink);
  coppice_text_stream_begin(&fresh, s.tokenizer, s.flags);
  return finish(stream, &fresh, &sink, out_bytes);
}

/* Looks at the run of byte tokens that begins at |at|: where it ends, and whether it is UTF-8. */
static size_t scan_run(const coppice_tokenizer *k, const int32_t *tokens, size_t count, size_t at,
                       uint32_t flags, int *out_utf8) {
  coppice_text_stream probe;
  coppice_text_stream_begin(&probe, k, flags);
  *out_utf8 = 1;
  for (; at < count; ++at) {
    coppice_bytes piece;
    if (!find_piece(k, tokens[at], flags, &piece))
      continue;
    int byte = byte_token(piece.data, piece.bytes);
    if (byte < 0)
      break;
    if (*out_utf8 && !feed_character(&probe, (uint8_t)byte))
      *out_utf8 = 0;
  }
  if (probe.need > 0)
    *out_utf8 = 0;
  return at;
}

coppice_status coppice_tokenizer_decode(const coppice_tokenizer *tokenizer, const int32_t *tokens,
                                        size_t count, uint32_t flags, char *out_text,
                                        size_t capacity, size_t *out_bytes) {
  if (!tokenizer || (!tokens && count) || (!out_text && capacity) || !out_bytes)
    return COPPICE_BAD_ARGUMENT;
  coppice_text_stream s;
  coppice_text_stream_begin(&s, tokenizer, flags);
  text_sink sink = {out_text, capacity, 0};
  size_t run_end = 0;
  int utf8 = -1;
  for (size_t i = 0; i < count; ++i) {
    coppice_bytes piece;
    if (!find_piece(tokenizer, tokens[i], flags, &piece))
      continue;
    if (tokenizer->t.decoder == COPPICE_DECODER_FALLBACK && i >= run_end &&
        byte_token(piece.data, piece.bytes) >= 0)
      run_end = scan_run(tokenizer, tokens, count, i, flags, &utf8);
    take_piece(&s, &sink, piece, utf8);
  }
  end_text(&s, &sink);
  *out_bytes = sink.count;
  return sink.count > capacity ? COPPICE_TOO_SMALL : COPPICE_OK;
}
