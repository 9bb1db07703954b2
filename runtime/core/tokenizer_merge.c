/* Byte-pair merging of one word: of all neighbours that may merge, those of the lowest rank go
 * first, the leftmost of several.
 *
 * Symbols are a linked list in arrays, candidates a binary heap of (rank, position). A candidate is
 * not removed when its pair goes; it is recognised when it comes up, because the pair at its
 * position has another rank then. A merge takes one candidate and adds at most two, so m symbols
 * have at most 2 (m - 1) candidates at any time, and all of it takes O(m log m). */
#include "runtime/core/tokenizer_merge.h"
#include "runtime/core/tokenizer_text.h"

/* A test counts steps here: of the heap, and of looking for a merge. */
#ifndef COPPICE_MERGE_STEP
#define COPPICE_MERGE_STEP() ((void)0)
#endif

void coppice_put_token(coppice_token_sink *sink, uint32_t id) {
  if (sink->count < sink->capacity)
    sink->tokens[sink->count] = (int32_t)id;
  ++sink->count;
}

static uint32_t char_symbol(const coppice_tokenizer_tables *t, uint32_t code) {
  size_t low = 0, high = t->char_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (t->chars[middle].code < code)
      low = middle + 1;
    else
      high = middle;
  }
  return low < t->char_count && t->chars[low].code == code ? t->chars[low].id
                                                           : COPPICE_TOKENIZER_NONE;
}

/* A list of symbols in the making. An unknown token waits until something known follows, so that
 * its neighbours can join it; byte tokens pass by it, as they do in the original. */
typedef struct symbol_list {
  uint32_t *ids; /* may be null */
  size_t count;
  bool unknown_waits;
} symbol_list;

static void put_symbol(symbol_list *list, uint32_t id) {
  if (list->ids)
    list->ids[list->count] = id;
  ++list->count;
}

static void put_known(const coppice_tokenizer_tables *t, symbol_list *list, uint32_t id) {
  if (list->unknown_waits)
    put_symbol(list, t->unknown);
  list->unknown_waits = false;
  put_symbol(list, id);
}

static void put_unknown(const coppice_tokenizer_tables *t, symbol_list *list) {
  if (t->unknown == COPPICE_TOKENIZER_NONE)
    return;
  if (list->unknown_waits && !t->fuse_unknown)
    put_symbol(list, t->unknown);
  list->unknown_waits = true;
}

static bool put_bytes(const coppice_tokenizer_tables *t, symbol_list *list, const uint8_t *bytes,
                      size_t count) {
  for (size_t i = 0; i < count; ++i)
    if (t->byte_ids[bytes[i]] == COPPICE_TOKENIZER_NONE)
      return false;
  for (size_t i = 0; i < count; ++i)
    put_symbol(list, t->byte_ids[bytes[i]]);
  return true;
}

size_t coppice_word_symbols(const coppice_tokenizer_tables *t, const uint8_t *word, size_t bytes,
                            uint32_t *out_ids) {
  symbol_list list = {out_ids, 0, false};
  for (size_t at = 0; at < bytes;) {
    size_t begin = at;
    uint32_t id;
    if (t->symbols == COPPICE_SYMBOLS_BYTES) {
      id = t->byte_ids[word[at++]];
    } else {
      id = char_symbol(t, coppice_next_char(word, &at));
      if (id == COPPICE_TOKENIZER_NONE && put_bytes(t, &list, word + begin, at - begin))
        continue;
    }
    if (id != COPPICE_TOKENIZER_NONE)
      put_known(t, &list, id);
    else
      put_unknown(t, &list);
  }
  if (list.unknown_waits)
    put_symbol(&list, t->unknown);
  return list.count;
}

static const coppice_merge *find_merge(const coppice_tokenizer_tables *t, uint32_t left,
                                       uint32_t right) {
  size_t low = t->merge_begin[left], end = t->merge_begin[left + 1], high = end;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (t->merges[middle].right < right)
      low = middle + 1;
    else
      high = middle;
  }
  return low < end && t->merges[low].right == right ? &t->merges[low] : NULL;
}

/* The word as merging sees it; NONE as an id marks a symbol that its left neighbour took. */
typedef struct merge_state {
  const coppice_tokenizer_tables *t;
  uint64_t *heap; /* rank << 32 | position, the least on top */
  size_t heap_count;
  uint32_t *ids, *previous, *next; /* positions; the ends are NONE */
} merge_state;

static void push_candidate(merge_state *s, uint32_t left, uint32_t right) {
  const coppice_merge *merge = find_merge(s->t, s->ids[left], s->ids[right]);
  COPPICE_MERGE_STEP();
  if (!merge)
    return;
  uint64_t entry = (uint64_t)merge->rank << 32 | left;
  size_t at = s->heap_count++;
  while (at > 0 && s->heap[(at - 1) / 2] > entry) {
    s->heap[at] = s->heap[(at - 1) / 2];
    at = (at - 1) / 2;
    COPPICE_MERGE_STEP();
  }
  s->heap[at] = entry;
}

static uint64_t pop_candidate(merge_state *s) {
  uint64_t top = s->heap[0], last = s->heap[--s->heap_count];
  size_t at = 0;
  for (;;) {
    size_t child = 2 * at + 1;
    if (child >= s->heap_count)
      break;
    if (child + 1 < s->heap_count && s->heap[child + 1] < s->heap[child])
      ++child;
    if (s->heap[child] >= last)
      break;
    s->heap[at] = s->heap[child];
    at = child;
    COPPICE_MERGE_STEP();
  }
  s->heap[at] = last;
  return top;
}

static void merge_all(merge_state *s, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    s->previous[i] = i > 0 ? i - 1 : COPPICE_TOKENIZER_NONE;
    s->next[i] = i + 1 < count ? i + 1 : COPPICE_TOKENIZER_NONE;
    if (i > 0)
      push_candidate(s, i - 1, i);
  }
  while (s->heap_count > 0) {
    uint64_t top = pop_candidate(s);
    uint32_t left = (uint32_t)top, right = s->next[left];
    if (s->ids[left] == COPPICE_TOKENIZER_NONE || right == COPPICE_TOKENIZER_NONE)
      continue;
    const coppice_merge *merge = find_merge(s->t, s->ids[left], s->ids[right]);
    if (!merge || merge->rank != top >> 32)
      continue;
    uint32_t after = s->next[right], before = s->previous[left];
    s->ids[left] = merge->id;
    s->ids[right] = COPPICE_TOKENIZER_NONE;
    s->next[left] = after;
    if (after != COPPICE_TOKENIZER_NONE) {
      s->previous[after] = left;
      push_candidate(s, left, after);
    }
    if (before != COPPICE_TOKENIZER_NONE)
      push_candidate(s, before, left);
  }
}

/* The token whose piece is |word|, if words may be tokens beside the merges. */
static uint32_t whole_word(const coppice_tokenizer_tables *t, const uint8_t *word, size_t bytes) {
  size_t low = 0, high = t->by_text_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    uint32_t id = t->by_text[middle], begin = t->piece_offsets[id];
    size_t length = t->piece_offsets[id + 1] - begin, same = 0;
    while (same < length && same < bytes && t->pieces.data[begin + same] == word[same])
      ++same;
    if (same == length && same == bytes)
      return id;
    bool less = same == length || (same < bytes && t->pieces.data[begin + same] < word[same]);
    if (less)
      low = middle + 1;
    else
      high = middle;
  }
  return COPPICE_TOKENIZER_NONE;
}

bool coppice_encode_word(const coppice_tokenizer_tables *t, const uint8_t *word, size_t bytes,
                         void *scratch, size_t scratch_bytes, coppice_token_sink *sink) {
  if (t->by_text_count > 0) {
    uint32_t id = whole_word(t, word, bytes);
    if (id != COPPICE_TOKENIZER_NONE) {
      coppice_put_token(sink, id);
      return true;
    }
  }
  size_t count = coppice_word_symbols(t, word, bytes, NULL);
  if (count == 0)
    return true;
  if (count > scratch_bytes / COPPICE_MERGE_SYMBOL_BYTES)
    return false;
  merge_state state = {t, scratch, 0, NULL, NULL, NULL};
  state.ids = (uint32_t *)(state.heap + 2 * count);
  state.previous = state.ids + count;
  state.next = state.previous + count;
  (void)coppice_word_symbols(t, word, bytes, state.ids);
  merge_all(&state, (uint32_t)count);
  for (size_t i = 0; i < count; ++i)
    if (state.ids[i] != COPPICE_TOKENIZER_NONE)
      coppice_put_token(sink, state.ids[i]);
  return true;
}
