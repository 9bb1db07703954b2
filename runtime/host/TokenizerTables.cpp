// Fills the core's table pointers from the verified FlatBuffer, whose structs have the same layout.
#include "runtime/host/TokenizerTables.h"
#include "runtime/schema/tokenizer_generated.h"

namespace coppice::runtime {

static_assert(sizeof(artifact::Merge) == sizeof(coppice_merge) && sizeof(coppice_merge) == 12);
static_assert(sizeof(artifact::CharId) == sizeof(coppice_char_id) && sizeof(coppice_char_id) == 8);
static_assert(sizeof(artifact::AddedToken) == sizeof(coppice_added_token) &&
              sizeof(coppice_added_token) == 16);

/// The elements of a vector, which may be absent, as the core's type; and how many there are.
template <typename T, typename Vector>
static const T *elements(const Vector *vector, size_t &count) {
  count = vector ? vector->size() : 0;
  return vector ? reinterpret_cast<const T *>(vector->Data()) : nullptr;
}

static coppice_bytes bytesOf(const flatbuffers::Vector<uint8_t> *vector) {
  coppice_bytes result;
  result.data = elements<uint8_t>(vector, result.bytes);
  return result;
}

coppice_status readTokenizer(const void *data, size_t bytes, coppice_tokenizer &tokenizer) {
  const auto *begin = static_cast<const uint8_t *>(data);
  // Data() of vectors and the verifier read aligned words.
  if (!data || reinterpret_cast<uintptr_t>(data) % 16 != 0 || bytes < 8 ||
      bytes >= FLATBUFFERS_MAX_BUFFER_SIZE)
    return COPPICE_BAD_ARTIFACT;
  flatbuffers::Verifier verifier(begin, bytes);
  if (!artifact::VerifyTokenizerBuffer(verifier))
    return COPPICE_BAD_ARTIFACT;
  const artifact::Tokenizer &t = *artifact::GetTokenizer(begin);

  coppice_tokenizer_tables tables = {};
  size_t offsets = 0, kinds = 0, byteIds = 0, mergeBegins = 0;
  tables.piece_offsets = elements<uint32_t>(t.piece_offsets(), offsets);
  tables.kinds = elements<uint8_t>(t.kinds(), kinds);
  tables.byte_ids = elements<uint32_t>(t.byte_ids(), byteIds);
  tables.merge_begin = elements<uint32_t>(t.merge_begin(), mergeBegins);
  // The counts that the core takes for granted.
  if (offsets == 0 || kinds != offsets - 1 || mergeBegins != offsets || byteIds != 256)
    return COPPICE_BAD_ARTIFACT;
  tables.id_count = kinds;
  tables.pieces = bytesOf(t.pieces());
  tables.chars = elements<coppice_char_id>(t.chars(), tables.char_count);
  tables.merges = elements<coppice_merge>(t.merges(), tables.merge_count);
  tables.by_text = elements<uint32_t>(t.by_text(), tables.by_text_count);
  tables.unknown = t.unknown();
  tables.added = elements<coppice_added_token>(t.added(), tables.added_count);
  tables.added_normalized =
      elements<coppice_added_token>(t.added_normalized(), tables.added_normalized_count);
  tables.added_text = bytesOf(t.added_text());
  tables.prepend = bytesOf(t.prepend());
  tables.space = bytesOf(t.space());
  tables.decode_from = bytesOf(t.decode_from());
  tables.decode_to = bytesOf(t.decode_to());
  tables.prefix_ids = elements<uint32_t>(t.prefix_ids(), tables.prefix_count);
  tables.suffix_ids = elements<uint32_t>(t.suffix_ids(), tables.suffix_count);
  tables.symbols = t.symbols();
  tables.words = t.words();
  tables.digits = t.digits();
  tables.prepend_when = t.prepend_when();
  tables.decoder = t.decoder();
  tables.fuse_unknown = t.fuse_unknown();
  tables.space_in_normalizer = t.space_in_normalizer();
  tables.decode_first_stays = t.decode_first_stays();
  tables.decode_strip = t.decode_strip();
  tables.nfc = t.nfc();
  tables.punctuation = t.punctuation();
  tables.byte_digits = t.byte_digits();
  tables.digit_group = t.digit_group();
  return coppice_tokenizer_init(&tables, &tokenizer);
}

} // namespace coppice::runtime
