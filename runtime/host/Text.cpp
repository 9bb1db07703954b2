// Text in and out: the core's tokenizer over the tables in the mapped file, with the scratch and
// buffers that the core wants from its caller.
#include "runtime/host/Model.h"
#include "runtime/host/TokenizerTables.h"
#include "runtime/schema/artifact_generated.h"
#include <cstdlib>

using namespace coppice::runtime;

namespace {

uint32_t decodeFlags(uint32_t flags) {
  return flags & COPPICE_DECODE_SPECIAL ? 0 : COPPICE_DECODE_SKIP_SPECIAL;
}

} // namespace

coppice_status coppice::runtime::openTokenizer(coppice_model &model, coppice_error *error) {
  const flatbuffers::Vector<uint8_t> *blob = model.artifact.metadata->tokenizer();
  if (!blob || blob->size() == 0)
    return COPPICE_OK;
  if (readTokenizer(blob->data(), blob->size(), model.tokenizer) != COPPICE_OK)
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
