// What a tokenizer's files say, in one form for both kinds of files; Tables.cpp makes tables of it.
#pragma once
#include "compiler/artifact/tokenizer/Tokenizer.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/JSON.h"

namespace coppice::tokenizer {

/// An error about FIELD of FILE.
llvm::Error fieldError(llvm::StringRef file, const llvm::Twine &field, const llvm::Twine &what);
/// The same about what is sound and not supported: it ends with how to go on without it.
llvm::Error unsupportedError(llvm::StringRef file, const llvm::Twine &field,
                             const llvm::Twine &what);

/// A JSON value that knows its file and path, so that errors can say them.
struct Field {
  const llvm::json::Value *value; // null: the key is absent
  std::string file, path;

  Field operator[](llvm::StringRef key) const;
  Field operator[](size_t index) const;
  /// True for an absent key and for null.
  bool isNull() const;
  llvm::Error error(const llvm::Twine &what) const { return fieldError(file, path, what); }
  llvm::Error unsupported(const llvm::Twine &what) const {
    return unsupportedError(file, path, what);
  }

  llvm::Expected<const llvm::json::Object *> object() const;
  llvm::Expected<const llvm::json::Array *> array() const;
  llvm::Expected<std::string> string() const;
  /// A whole number that fits 32 bits.
  llvm::Expected<uint32_t> number() const;
  llvm::Expected<bool> boolean() const;
  /// The same, where the key may be missing or null.
  llvm::Expected<bool> booleanOr(bool fallback) const;
};

struct AddedToken {
  std::string content;
  uint32_t id = 0;
  bool singleWord = false, lstrip = false, rstrip = false, normalized = false, special = false;
};

/// A JSON file that may be missing: then all its fields are.
struct OptionalFile {
  std::optional<llvm::json::Value> json;
  std::string path;

  static llvm::Expected<OptionalFile> read(llvm::StringRef directory, llvm::StringRef name);
  Field root() const { return {json ? &*json : nullptr, path, ""}; }
};

struct Spec {
  std::string file; // that errors about ids name

  std::vector<std::pair<std::string, uint32_t>> vocabulary; // in order of ids
  llvm::StringMap<uint32_t> idOf;                           // the same by text
  std::vector<std::pair<std::string, std::string>> merges;  // lowest rank first
  std::optional<std::string> unknown;
  bool byteFallback = false, ignoreMerges = false;

  std::vector<AddedToken> added; // in the file's order, which decides between equal patterns

  bool byteLevelAlone = false; // the pre-tokenizer is one "ByteLevel", in no sequence

  /// Settings, affixes of encoding and decoding, special ids; no vocabulary, merges or added
  /// tokens.
  TokenizerTables settings;
};

/// These fill `spec`, whose `file` they set.
llvm::Error readTokenizerJson(llvm::StringRef path, Spec &spec);
llvm::Error readTokenizerJson(const llvm::json::Value &json, llvm::StringRef path, Spec &spec);
llvm::Error readVocabMerges(llvm::StringRef directory, Spec &spec);

/// Changes what tokenizer.json said as `transformers` does by the tokenizer_config.json beside it.
llvm::Error applyTokenizerConfig(llvm::StringRef directory, Spec &spec);

/// A token of the settings' files: a string, or an object with `content` and flags.
llvm::Expected<AddedToken> readToken(const Field &field, bool special);

/// Parts of tokenizer.json that say how text is cut and put together: each is recognised as one of
/// the forms that the core implements, or refused by name.
llvm::Error readNormalizer(const Field &normalizer, TokenizerTables &settings);
llvm::Error readPreTokenizer(const Field &preTokenizer, TokenizerTables &settings);
llvm::Error readDecoder(const Field &decoder, TokenizerTables &settings);
llvm::Error readPostProcessor(const Field &postProcessor, TokenizerTables &settings);

/// What those share (Steps.cpp). The steps that `step` is; where it is a "Sequence" those under
/// `list`.
llvm::Error flatten(const Field &step, llvm::StringRef list, std::vector<Field> &steps);
/// The "type" of a step that flatten() gave.
std::string typeOf(const Field &step);
llvm::Error unsupportedStep(const Field &step, llvm::StringRef supported);
/// Longer affixes are refused by the runtime as damage.
llvm::Error checkLength(const Field &field, const std::string &text);
/// "Metaspace" as a pre-tokenizer or a decoder.
llvm::Error readMetaspace(const Field &step, TokenizerTables &settings);

/// The vocabulary as a JSON object of ids: sorted by id, every id once and below `limit`.
llvm::Error readVocabulary(const Field &vocabulary, Spec &spec);

/// The character that byte-level vocabularies write for a byte, and back (-1 if it is none).
uint32_t charOfByte(uint8_t byte);
int byteOfChar(uint32_t code);

llvm::Expected<TokenizerTables> makeTables(const Spec &spec, int64_t vocabulary);

} // namespace coppice::tokenizer
