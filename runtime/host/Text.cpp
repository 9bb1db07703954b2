// Text in and out: the core's tokenizer over the tables in the mapped file, with the scratch and
// buffers that the core wants from its caller.
#include "runtime/core/tokenizer.h"
#include "runtime/host/Model.h"
#include "runtime/schema/artifact_generated.h"
#include "runtime/schema/tokenizer_generated.h"
#include <cstdlib>

using namespace coppice::runtime;

static_assert(sizeof(coppice_merge) == sizeof(coppice::artifact::Merge), "the same layout");
static_assert(sizeof(coppice_char_id) == sizeof(coppice::artifact::CharId), "the same layout");
static_assert(sizeof(coppice_added_token) == sizeof(coppice::artifact::AddedToken),
              "the same layout");

namespace {

coppice_bytes bytesOf(const flatbuffers::Vector<uint8_t> *vector) {
  return vector ? coppice_bytes{vector->data(), vector->size()} : coppice_bytes{nullptr, 0};
}

/// A vector of structs or numbers as the core's array of them.
template <typename To, typename From>
void point(const To *&data, size_t &count, const flatbuffers::Vector<From> *vector) {
  data = vector ? reinterpret_cast<const To *>(vector->Data()) : nullptr;
  count = vector ? vector->size() : 0;
}

/// False if lengths that belong together differ; everything else is the core's to check.
bool readTables(const coppice::artifact::Tokenizer &from, coppice_tokenizer_tables &to) {
  size_t ids = from.kinds()->size();
  if (from.piece_offsets()->size() != ids + 1 || from.merge_begin()->size() != ids + 1 ||
      from.byte_ids()->size() != 256)
    return false;
  to.id_count = ids;
  to.piece_offsets = from.piece_offsets()->data();
  to.pieces = bytesOf(from.pieces());
  to.kinds = from.kinds()->data();
  to.byte_ids = from.byte_ids()->data();
  to.merge_begin = from.merge_begin()->data();
  point(to.chars, to.char_count, from.chars());
  point(to.merges, to.merge_count, from.merges());
  point(to.by_text, to.by_text_count, from.by_text());
  point(to.added, to.added_count, from.added());
  point(to.added_normalized, to.added_normalized_count, from.added_normalized());
  point(to.prefix_ids, to.prefix_count, from.prefix_ids());
  point(to.suffix_ids, to.suffix_count, from.suffix_ids());
  to.unknown = from.unknown();
  to.added_text = bytesOf(from.added_text());
  to.prepend = bytesOf(from.prepend());
  to.space = bytesOf(from.space());
  to.decode_from = bytesOf(from.decode_from());
  to.decode_to = bytesOf(from.decode_to());
  to.symbols = from.symbols();
  to.words = from.words();
  to.digits = from.digits();
  to.prepend_when = from.prepend_when();
  to.decoder = from.decoder();
  to.fuse_unknown = from.fuse_unknown();
  to.space_in_normalizer = from.space_in_normalizer();
  to.decode_first_stays = from.decode_first_stays();
  to.decode_strip = from.decode_strip();
  return true;
}

uint32_t decodeFlags(uint32_t flags) {
  return flags & COPPICE_DECODE_SPECIAL ? 0 : COPPICE_DECODE_SKIP_SPECIAL;
}

} // namespace

coppice_status coppice::runtime::openTokenizer(coppice_model &model, coppice_error *error) {
  const flatbuffers::Vector<uint8_t> *blob = model.artifact.metadata->tokenizer();
  if (!blob || blob->size() == 0)
    return COPPICE_OK;
  // The nested buffer is aligned only if its writer asked for it.
  flatbuffers::Verifier verifier(blob->data(), blob->size());
  coppice_tokenizer_tables tables{};
  if (reinterpret_cast<uintptr_t>(blob->data()) % 16 ||
      !artifact::VerifyTokenizerBuffer(verifier) ||
      !readTables(*artifact::GetTokenizer(blob->data()), tables) ||
      coppice_tokenizer_init(&tables, &model.tokenizer) != COPPICE_OK)
    return fail(error, COPPICE_BAD_ARTIFACT,
                "the artifact is damaged: its tokenizer's tables are malformed; compile it again");
  model.hasTokenizer = true;
  return COPPICE_OK;
}

coppice_status coppice_encode(const coppice_model *model, const char *text, size_t bytes,
                              uint32_t flags, int32_t *out_tokens, size_t capacity,
                              size_t *out_count) {
  if (!model || (!text && bytes) || (!out_tokens && capacity) || !out_count ||
      flags > (COPPICE_ENCODE_BARE | COPPICE_ENCODE_SPELLED))
    return COPPICE_BAD_ARGUMENT;
  if (!model->hasTokenizer)
    return COPPICE_NO_TOKENIZER;
  uint32_t coreFlags = (flags & COPPICE_ENCODE_BARE ? 0 : COPPICE_ENCODE_ADD_SPECIAL) |
                       (flags & COPPICE_ENCODE_SPELLED ? COPPICE_ENCODE_PARSE_SPECIAL : 0);
  size_t scratchBytes = coppice_tokenizer_scratch_bytes(&model->tokenizer, bytes);
  if (scratchBytes == SIZE_MAX)
    return COPPICE_BAD_TEXT;
  void *scratch = malloc(scratchBytes + 1);
  if (!scratch)
    return COPPICE_NO_MEMORY;
  coppice_status status =
      coppice_tokenizer_encode(&model->tokenizer, text ? text : "", bytes, coreFlags, out_tokens,
                               capacity, out_count, scratch, scratchBytes);
  free(scratch);
  return status;
}

coppice_status coppice_decode(const coppice_model *model, const int32_t *tokens, size_t count,
                              uint32_t flags, char *out_text, size_t capacity, size_t *out_bytes) {
  if (!model || (!tokens && count) || (!out_text && capacity) || !out_bytes ||
      flags > COPPICE_DECODE_SPECIAL)
    return COPPICE_BAD_ARGUMENT;
  if (!model->hasTokenizer)
    return COPPICE_NO_TOKENIZER;
  return coppice_tokenizer_decode(&model->tokenizer, tokens, count, decodeFlags(flags), out_text,
                                  capacity, out_bytes);
}

struct coppice_decoder {
  coppice_model *model;
  coppice_text_stream stream;
  size_t capacity;
  char *text;
};

coppice_status coppice_decoder_create(coppice_model *model, uint32_t flags,
                                      coppice_decoder **out_decoder) {
  if (!model || !out_decoder || flags > COPPICE_DECODE_SPECIAL)
    return COPPICE_BAD_ARGUMENT;
  if (!model->hasTokenizer)
    return COPPICE_NO_TOKENIZER;
  auto *decoder = static_cast<coppice_decoder *>(calloc(1, sizeof(coppice_decoder)));
  if (!decoder)
    return COPPICE_NO_MEMORY;
  decoder->capacity = coppice_text_stream_capacity(&model->tokenizer);
  decoder->text = static_cast<char *>(malloc(decoder->capacity + 1));
  if (!decoder->text) {
    free(decoder);
    return COPPICE_NO_MEMORY;
  }
  retain(model);
  decoder->model = model;
  coppice_text_stream_begin(&decoder->stream, &model->tokenizer, decodeFlags(flags));
  *out_decoder = decoder;
  return COPPICE_OK;
}

coppice_status coppice_decoder_push(coppice_decoder *decoder, int32_t token, const char **out_text,
                                    size_t *out_bytes) {
  if (!decoder || !out_text || !out_bytes)
    return COPPICE_BAD_ARGUMENT;
  *out_text = decoder->text;
  return coppice_text_stream_next(&decoder->stream, token, decoder->text, decoder->capacity,
                                  out_bytes);
}

coppice_status coppice_decoder_finish(coppice_decoder *decoder, const char **out_text,
                                      size_t *out_bytes) {
  if (!decoder || !out_text || !out_bytes)
    return COPPICE_BAD_ARGUMENT;
  *out_text = decoder->text;
  return coppice_text_stream_end(&decoder->stream, decoder->text, decoder->capacity, out_bytes);
}

void coppice_decoder_destroy(coppice_decoder *decoder) {
  if (!decoder)
    return;
  release(decoder->model);
  free(decoder->text);
  free(decoder);
}
