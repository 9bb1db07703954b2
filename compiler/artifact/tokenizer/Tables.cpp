// From what the files say to the core's tables: ids for texts, pieces as they decode, merges by
// left symbol, added tokens in order of their texts. Every id is checked here.
#include "compiler/artifact/tokenizer/Spec.h"
#include "compiler/import/Files.h"
#include "compiler/import/Json.h"
#include "runtime/core/tokenizer_nfc.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FormatVariadic.h"
#include <map>

namespace coppice::tokenizer {

using llvm::Error, llvm::Expected, llvm::StringRef;

// Bytes that are printable in Latin-1 stand for themselves; the others, in order, for U+0100 on.
static constexpr bool isPlain(unsigned byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

namespace {

struct ByteChars {
  uint16_t ofByte[256] = {};
  int16_t toByte[512] = {}; // -1: no byte

  constexpr ByteChars() {
    for (int16_t &byte : toByte)
      byte = -1;
    uint16_t next = 256;
    for (unsigned byte = 0; byte < 256; ++byte) {
      ofByte[byte] = isPlain(byte) ? uint16_t(byte) : next++;
      toByte[ofByte[byte]] = int16_t(byte);
    }
  }
};

constexpr ByteChars byteChars;

} // namespace

uint32_t charOfByte(uint8_t byte) { return byteChars.ofByte[byte]; }

int byteOfChar(uint32_t code) { return code < 512 ? byteChars.toByte[code] : -1; }

/// The next character of UTF-8 text, which parseJson and the vocabulary reader have checked.
static uint32_t nextChar(StringRef &text) {
  uint32_t first = uint8_t(text[0]);
  unsigned length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  uint32_t code = length == 1 ? first : first & (0xFFu >> (length + 1));
  for (unsigned i = 1; i < length; ++i)
    code = code << 6 | (uint8_t(text[i]) & 0x3Fu);
  text = text.drop_front(length);
  return code;
}

static std::string utf8(uint32_t code) { // up to U+07FF: what charOfByte gives
  if (code < 0x80)
    return std::string(1, char(code));
  return {char(0xC0 | code >> 6), char(0x80 | (code & 0x3F))};
}

namespace {

class TableMaker {
public:
  TableMaker(const Spec &spec, int64_t vocabulary)
      : spec(spec), vocabulary(vocabulary), tables(spec.settings) {}
  Expected<TokenizerTables> make();

private:
  bool byteLevel() const { return tables.symbols == COPPICE_SYMBOLS_BYTES; }
  Error checkAdded();
  Error makePieces();
  Error makeSymbols();
  Error makeMerges();
  Error checkMade() const;
  void makeByText();
  void makeAdded();
  Error checkAffixes() const;
  Error checkId(const llvm::Twine &field, StringRef text, uint32_t id) const;
  std::optional<std::string> bytesOfPiece(StringRef text) const;
  std::string normalize(StringRef text) const;

  const Spec &spec;
  int64_t vocabulary;
  TokenizerTables tables;
  std::map<uint32_t, std::pair<StringRef, bool>> textOf; // id -> text, special
};

} // namespace

Error TableMaker::checkId(const llvm::Twine &field, StringRef text, uint32_t id) const {
  if (int64_t(id) < vocabulary)
    return Error::success();
  return unsupportedError(spec.file, field,
                          "gives \"" + text + "\" the id " + llvm::Twine(id) +
                              ", but the model has ids below " + llvm::Twine(vocabulary) + " only");
}

/// Ids of added tokens are what the original works out, not what the file says; a file that says
/// something else was damaged.
Error TableMaker::checkAdded() {
  llvm::StringSet<> seen;
  std::optional<uint32_t> last;
  uint32_t size = uint32_t(spec.vocabulary.size());
  for (const AddedToken &token : spec.added) {
    if (!seen.insert(token.content).second)
      return fieldError(spec.file, "added_tokens", "has \"" + token.content + "\" twice");
    auto known = spec.idOf.find(token.content);
    uint32_t expected = known != spec.idOf.end()           ? known->second
                        : last && (*last >= size || !size) ? *last + 1
                                                           : size;
    if (token.id != expected)
      return fieldError(spec.file, "added_tokens",
                        "gives \"" + token.content + "\" the id " + llvm::Twine(token.id) +
                            ", but by the vocabulary it is " + llvm::Twine(expected));
    last = std::max(last.value_or(0), token.id);
    auto [entry, added] = textOf.try_emplace(token.id, token.content, token.special);
    if (!added && entry->second.first != token.content)
      return fieldError(spec.file, "added_tokens",
                        "gives \"" + token.content + "\" the id " + llvm::Twine(token.id) +
                            " of \"" + entry->second.first + "\"");
    entry->second.second = token.special;
  }
  return Error::success();
}

/// The bytes that a byte-level text stands for, if all its characters stand for some.
std::optional<std::string> TableMaker::bytesOfPiece(StringRef text) const {
  std::string bytes;
  while (!text.empty()) {
    int byte = byteOfChar(nextChar(text));
    if (byte < 0)
      return std::nullopt;
    bytes += char(byte);
  }
  return bytes;
}

Error TableMaker::makePieces() {
  for (const auto &[text, id] : spec.vocabulary) {
    if (Error error = checkId("vocab", text, id))
      return error;
    textOf.try_emplace(id, text, false);
  }
  if (Error error = checkAdded())
    return error;
  uint32_t count = textOf.empty() ? 0 : textOf.rbegin()->first + 1;
  tables.kinds.assign(count, 0);
  for (uint32_t id = 0; id < count; ++id) {
    tables.pieceOffsets.push_back(uint32_t(tables.pieces.size()));
    auto found = textOf.find(id);
    if (found == textOf.end())
      continue;
    auto [text, special] = found->second;
    tables.kinds[id] = COPPICE_PIECE_PRESENT | (special ? COPPICE_PIECE_SPECIAL : 0);
    tables.pieces += byteLevel() ? bytesOfPiece(text).value_or(text.str()) : text.str();
    if (tables.pieces.size() > UINT32_MAX / 2)
      return fieldError(spec.file, "vocab", "has more than 2 GiB of text");
  }
  tables.pieceOffsets.push_back(uint32_t(tables.pieces.size()));
  return Error::success();
}

Error TableMaker::makeSymbols() {
  tables.byteIds.assign(256, COPPICE_TOKENIZER_NONE);
  unsigned missing = 0;
  for (unsigned byte = 0; byte < 256; ++byte) {
    std::string text =
        byteLevel() ? utf8(charOfByte(uint8_t(byte))) : llvm::formatv("<0x{0:X-2}>", byte).str();
    auto found = spec.idOf.find(text);
    if (found == spec.idOf.end())
      ++missing;
    else if (byteLevel() || spec.byteFallback)
      tables.byteIds[byte] = found->second;
  }
  if (byteLevel() && spec.byteFallback && missing)
    return fieldError(spec.file, "model.byte_fallback",
                      "is true, but " + llvm::Twine(missing) +
                          " of the 256 byte-level characters are not in the vocabulary");
  if (spec.unknown)
    tables.unknown = spec.idOf.lookup(*spec.unknown);
  if (byteLevel())
    return Error::success();
  for (const auto &[text, id] : spec.vocabulary) {
    StringRef rest = text;
    if (rest.empty())
      continue;
    uint32_t code = nextChar(rest);
    if (rest.empty())
      tables.chars.push_back({code, id});
  }
  llvm::sort(tables.chars, [](auto a, auto b) { return a.code < b.code; });
  return Error::success();
}

Error TableMaker::makeMerges() {
  struct Merge {
    uint32_t left, right, rank, id;
  };
  std::vector<Merge> merges;
  llvm::DenseMap<std::pair<uint32_t, uint32_t>, size_t> last;
  for (size_t rank = 0; rank < spec.merges.size(); ++rank) {
    const auto &[left, right] = spec.merges[rank];
    uint32_t ids[3];
    std::string texts[3] = {left, right, left + right};
    for (int i = 0; i < 3; ++i) {
      auto found = spec.idOf.find(texts[i]);
      if (found == spec.idOf.end())
        return fieldError(spec.file, "vocab",
                          "lacks \"" + texts[i] + "\", which merge " + llvm::Twine(rank + 1) +
                              " (\"" + left + "\" and \"" + right + "\") needs");
      ids[i] = found->second;
    }
    // Of equal pairs the last counts.
    auto [entry, added] = last.try_emplace({ids[0], ids[1]}, merges.size());
    if (!added)
      merges[entry->second].id = COPPICE_TOKENIZER_NONE;
    entry->second = merges.size();
    merges.push_back({ids[0], ids[1], 0, ids[2]});
  }
  llvm::erase_if(merges, [](const Merge &m) { return m.id == COPPICE_TOKENIZER_NONE; });
  for (size_t rank = 0; rank < merges.size(); ++rank)
    merges[rank].rank = uint32_t(rank);
  llvm::sort(merges, [](const Merge &a, const Merge &b) {
    return std::tie(a.left, a.right) < std::tie(b.left, b.right);
  });
  size_t next = 0;
  for (uint32_t id = 0; id <= tables.kinds.size(); ++id) {
    tables.mergeBegin.push_back(uint32_t(next));
    for (; next < merges.size() && merges[next].left == id; ++next)
      tables.merges.push_back({merges[next].right, merges[next].rank, merges[next].id});
  }
  return Error::success();
}

/// A list of merges that was cut short is still a list of merges, and would make other tokens of a
/// text without a word. But then no merge makes many tokens of the vocabulary. Good files have a
/// few such tokens, like OPT's "madeupword0000".
Error TableMaker::checkMade() const {
  llvm::StringSet<> made;
  for (const auto &[left, right] : spec.merges)
    made.insert(left + right);
  for (const AddedToken &token : spec.added)
    made.insert(token.content);
  if (spec.unknown)
    made.insert(*spec.unknown);
  StringRef example;
  size_t lost = 0;
  for (const auto &[text, id] : spec.vocabulary) {
    StringRef rest = text;
    if (!rest.empty())
      nextChar(rest);
    if (rest.empty() || made.contains(text) || llvm::is_contained(tables.byteIds, id))
      continue;
    example = text; // the last: the first may be special tokens of a good file
    ++lost;
  }
  constexpr size_t kUnsuspicious = 32;
  if (lost <= kUnsuspicious || lost <= spec.vocabulary.size() / 20)
    return Error::success();
  return fieldError(spec.file, "vocab",
                    "has " + llvm::Twine(spec.vocabulary.size()) + " tokens, and no merge makes " +
                        llvm::Twine(lost) + " of them, such as \"" + example +
                        "\": the list of merges was cut short; take the tokenizer's files anew "
                        "from where the model comes from");
}

/// With ignore_merges a word that is a token is that token: the words in order.
void TableMaker::makeByText() {
  if (!spec.ignoreMerges)
    return;
  std::vector<std::pair<std::string, uint32_t>> words;
  for (const auto &[text, id] : spec.vocabulary) {
    std::optional<std::string> word = byteLevel() ? bytesOfPiece(text) : text;
    if (word && !word->empty())
      words.emplace_back(std::move(*word), id);
  }
  llvm::sort(words);
  for (const auto &[word, id] : words)
    tables.byText.push_back(id);
}

static std::string composed(StringRef text) {
  std::vector<uint64_t> scratch(COPPICE_NFC_SCRATCH_BYTES(text.size()) / 8 + 1);
  size_t bytes = coppice_nfc(text.bytes_begin(), text.size(), scratch.data(), scratch.size() * 8);
  assert(bytes != SIZE_MAX && "this scratch is enough for any text");
  return std::string(reinterpret_cast<const char *>(scratch.data()), bytes);
}

std::string TableMaker::normalize(StringRef text) const {
  if (tables.nfc)
    return composed(text);
  std::string result;
  if (tables.prependWhen == COPPICE_PREPEND_NORMALIZER)
    result = tables.prepend;
  for (char c : text)
    if (c == ' ' && tables.spaceInNormalizer)
      result += tables.space;
    else
      result += c;
  return result;
}

void TableMaker::makeAdded() {
  std::map<std::string, const AddedToken *> sets[2];
  // Of patterns that normalize to the same text the first counts, special ones before others.
  for (bool special : {true, false})
    for (const AddedToken &token : spec.added)
      if (token.special == special)
        sets[token.normalized].try_emplace(
            token.normalized ? normalize(token.content) : token.content, &token);
  for (bool normalized : {false, true})
    for (const auto &[text, token] : sets[normalized]) {
      uint32_t flags = (token->special ? COPPICE_ADDED_SPECIAL : 0) |
                       (token->singleWord ? COPPICE_ADDED_SINGLE_WORD : 0) |
                       (token->lstrip ? COPPICE_ADDED_LSTRIP : 0) |
                       (token->rstrip ? COPPICE_ADDED_RSTRIP : 0);
      (normalized ? tables.addedNormalized : tables.added)
          .push_back({uint32_t(tables.addedText.size()), uint32_t(text.size()), token->id, flags});
      tables.addedText += text;
    }
}

Error TableMaker::checkAffixes() const {
  for (const std::vector<uint32_t> *ids : {&tables.prefixIds, &tables.suffixIds})
    for (uint32_t id : *ids) {
      auto token = textOf.find(id);
      if (token == textOf.end())
        return fieldError(spec.file, "post_processor",
                          "adds id " + llvm::Twine(id) + ", which no token has");
      if (Error error = checkId("post_processor", token->second.first, id))
        return error;
    }
  return Error::success();
}

Expected<TokenizerTables> TableMaker::make() {
  if (Error error = makePieces())
    return error;
  if (Error error = makeSymbols())
    return error;
  if (Error error = makeMerges())
    return error;
  if (Error error = checkMade())
    return error;
  if (Error error = checkAffixes())
    return error;
  makeByText();
  makeAdded();
  return std::move(tables);
}

Expected<TokenizerTables> makeTables(const Spec &spec, int64_t vocabulary) {
  return TableMaker(spec, vocabulary).make();
}

} // namespace coppice::tokenizer

llvm::Expected<std::optional<coppice::TokenizerTables>>
coppice::compileTokenizer(llvm::StringRef modelDir, int64_t vocabulary) {
  tokenizer::Spec spec;
  std::string json = joinPath(modelDir, "tokenizer.json");
  std::string model = joinPath(modelDir, "tokenizer.model");
  if (fileExists(json)) {
    if (llvm::Error error = tokenizer::readTokenizerJson(json, spec))
      return error;
    if (llvm::Error error = tokenizer::applyTokenizerConfig(modelDir, spec))
      return error;
  } else if (fileExists(joinPath(modelDir, "vocab.json"))) {
    if (llvm::Error error = tokenizer::readVocabMerges(modelDir, spec))
      return error;
  } else if (fileExists(model)) {
    return tokenizer::unsupportedError(
        model, "the file",
        "is a SentencePiece model, which is not read; save the tokenizer as tokenizer.json beside "
        "it");
  } else {
    return std::nullopt;
  }
  llvm::Expected<TokenizerTables> tables = tokenizer::makeTables(spec, vocabulary);
  if (!tables)
    return tables.takeError();
  return std::move(*tables);
}

llvm::Expected<coppice::TokenizerTables>
coppice::compileTokenizerJson(llvm::StringRef text, llvm::StringRef file, int64_t vocabulary) {
  llvm::Expected<llvm::json::Value> json = parseJson(text, file);
  if (!json)
    return json.takeError();
  tokenizer::Spec spec;
  if (llvm::Error error = tokenizer::readTokenizerJson(*json, file, spec))
    return std::move(error);
  return tokenizer::makeTables(spec, vocabulary);
}
