// A checkpoint's tokenizer as the tables that the runtime's core works on.
#pragma once
#include "runtime/core/tokenizer.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coppice {

/// The tables of runtime/core/tokenizer.h, which says what each means.
struct TokenizerTables {
  std::vector<uint32_t> pieceOffsets; // one more than there are ids
  std::string pieces;
  std::vector<uint8_t> kinds;
  std::vector<uint32_t> byteIds; // 256
  std::vector<coppice_char_id> chars;
  std::vector<uint32_t> mergeBegin; // one more than there are ids
  std::vector<coppice_merge> merges;
  std::vector<uint32_t> byText;
  uint32_t unknown = COPPICE_TOKENIZER_NONE;
  std::vector<coppice_added_token> added, addedNormalized;
  std::string addedText;
  std::string prepend, space, decodeFrom, decodeTo;
  std::vector<uint32_t> prefixIds, suffixIds;
  uint8_t symbols = COPPICE_SYMBOLS_CHARS, words = COPPICE_WORDS_WHOLE, digits = COPPICE_CUT_NEVER,
          punctuation = COPPICE_CUT_NEVER, byteDigits = COPPICE_CUT_NEVER, digitGroup = 0,
          prependWhen = COPPICE_PREPEND_NEVER, decoder = COPPICE_DECODER_TEXT;
  bool fuseUnknown = false, spaceInNormalizer = false, decodeFirstStays = false, nfc = false;
  uint32_t decodeStrip = 0;
};

/// Reads MODEL_DIR/tokenizer.json or, without it, vocab.json and merges.txt with their settings
/// (tokenizer_config.json, special_tokens_map.json, added_tokens.json); nothing if there is
/// neither. What the core cannot do exactly as Hugging Face `tokenizers` does it is refused by
/// name, and so is a token of the vocabulary whose id is not below `vocabulary`; an added token may
/// have such an id, which no model will take.
llvm::Expected<std::optional<TokenizerTables>> compileTokenizer(llvm::StringRef modelDir,
                                                                int64_t vocabulary);

/// The same of the text of a tokenizer.json; `file` is only for messages.
llvm::Expected<TokenizerTables> compileTokenizerJson(llvm::StringRef text, llvm::StringRef file,
                                                     int64_t vocabulary);

/// The tables as a finished FlatBuffer of runtime/schema/tokenizer.fbs.
std::vector<uint8_t> buildTokenizer(const TokenizerTables &tables);

} // namespace coppice
