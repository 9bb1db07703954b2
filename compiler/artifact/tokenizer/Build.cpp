// The tables as a FlatBuffer.
#include "compiler/artifact/tokenizer/Tokenizer.h"
#include "runtime/schema/tokenizer_generated.h"

namespace coppice {

/// Absent if empty: an empty vector costs bytes and says nothing.
template <typename T, typename From>
static flatbuffers::Offset<flatbuffers::Vector<const T *>>
structs(flatbuffers::FlatBufferBuilder &builder, const std::vector<From> &items) {
  static_assert(sizeof(T) == sizeof(From), "the schema's struct is the core's");
  if (items.empty())
    return 0;
  return builder.CreateVectorOfStructs(reinterpret_cast<const T *>(items.data()), items.size());
}

static flatbuffers::Offset<flatbuffers::Vector<uint8_t>>
bytes(flatbuffers::FlatBufferBuilder &builder, const std::string &text) {
  if (text.empty())
    return 0;
  return builder.CreateVector(reinterpret_cast<const uint8_t *>(text.data()), text.size());
}

static flatbuffers::Offset<flatbuffers::Vector<uint32_t>>
words(flatbuffers::FlatBufferBuilder &builder, const std::vector<uint32_t> &items) {
  return items.empty() ? 0 : builder.CreateVector(items);
}

std::vector<uint8_t> buildTokenizer(const TokenizerTables &t) {
  flatbuffers::FlatBufferBuilder builder;
  auto pieceOffsets = builder.CreateVector(t.pieceOffsets);
  // Required, so never absent.
  auto pieces =
      builder.CreateVector(reinterpret_cast<const uint8_t *>(t.pieces.data()), t.pieces.size());
  auto kinds = builder.CreateVector(t.kinds);
  auto byteIds = builder.CreateVector(t.byteIds);
  auto mergeBegin = builder.CreateVector(t.mergeBegin);
  auto chars = structs<artifact::CharId>(builder, t.chars);
  auto merges = structs<artifact::Merge>(builder, t.merges);
  auto byText = words(builder, t.byText);
  auto added = structs<artifact::AddedToken>(builder, t.added);
  auto addedNormalized = structs<artifact::AddedToken>(builder, t.addedNormalized);
  auto addedText = bytes(builder, t.addedText);
  auto prepend = bytes(builder, t.prepend), space = bytes(builder, t.space);
  auto decodeFrom = bytes(builder, t.decodeFrom), decodeTo = bytes(builder, t.decodeTo);
  auto prefixIds = words(builder, t.prefixIds), suffixIds = words(builder, t.suffixIds);

  artifact::TokenizerBuilder root(builder);
  root.add_piece_offsets(pieceOffsets);
  root.add_pieces(pieces);
  root.add_kinds(kinds);
  root.add_byte_ids(byteIds);
  root.add_chars(chars);
  root.add_merge_begin(mergeBegin);
  root.add_merges(merges);
  root.add_by_text(byText);
  root.add_unknown(t.unknown);
  root.add_added(added);
  root.add_added_normalized(addedNormalized);
  root.add_added_text(addedText);
  root.add_prepend(prepend);
  root.add_space(space);
  root.add_decode_from(decodeFrom);
  root.add_decode_to(decodeTo);
  root.add_prefix_ids(prefixIds);
  root.add_suffix_ids(suffixIds);
  root.add_symbols(t.symbols);
  root.add_words(t.words);
  root.add_digits(t.digits);
  root.add_prepend_when(t.prependWhen);
  root.add_decoder(t.decoder);
  root.add_fuse_unknown(t.fuseUnknown);
  root.add_space_in_normalizer(t.spaceInNormalizer);
  root.add_decode_first_stays(t.decodeFirstStays);
  root.add_decode_strip(t.decodeStrip);
  root.add_nfc(t.nfc);
  root.add_punctuation(t.punctuation);
  root.add_byte_digits(t.byteDigits);
  root.add_digit_group(t.digitGroup);
  artifact::FinishTokenizerBuffer(builder, root.Finish());
  const uint8_t *begin = builder.GetBufferPointer();
  return std::vector<uint8_t>(begin, begin + builder.GetSize());
}

} // namespace coppice
