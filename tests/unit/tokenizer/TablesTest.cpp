// Hostile artifacts: whatever the tables claim, init() refuses them or encoding and decoding stay
// inside them.
#include "tests/unit/tokenizer/Support.h"
#include "llvm/Support/Error.h"
#include <functional>
#include <gtest/gtest.h>
#include <random>

namespace {

using namespace coppice;
using namespace coppice::tests;

TokenizerTables tablesOf(const char *model) {
  auto tables = compileTokenizer(goldenModel(model), 100000);
  EXPECT_TRUE(bool(tables));
  if (!tables) {
    llvm::consumeError(tables.takeError());
    return {};
  }
  return **tables;
}

struct Damage {
  const char *what;
  std::function<void(TokenizerTables &)> make;
};

/// A value that is no id.
uint32_t past(const TokenizerTables &t) { return uint32_t(t.kinds.size()); }

const Damage damages[] = {
    {"a piece begins past the pieces", [](auto &t) { t.pieceOffsets[5] = 1u << 30; }},
    {"a piece ends before it begins",
     [](auto &t) { std::swap(t.pieceOffsets[300], t.pieceOffsets[301]); }},
    {"the first piece does not begin at 0", [](auto &t) { t.pieceOffsets[0] = 1; }},
    {"pieces left over", [](auto &t) { t.pieces += "x"; }},
    {"pieces cut short", [](auto &t) { t.pieces.pop_back(); }},
    {"one offset too few", [](auto &t) { t.pieceOffsets.pop_back(); }},
    {"no offsets", [](auto &t) { t.pieceOffsets.clear(); }},
    {"one kind too many", [](auto &t) { t.kinds.push_back(0); }},
    {"one kind too few", [](auto &t) { t.kinds.pop_back(); }},
    {"an unknown kind", [](auto &t) { t.kinds[3] |= 4; }},
    {"an absent piece that has text", [](auto &t) { t.kinds[300] = 0; }},
    {"a special piece that is absent", [](auto &t) { t.kinds[0] = COPPICE_PIECE_SPECIAL; }},
    {"255 byte symbols", [](auto &t) { t.byteIds.pop_back(); }},
    {"a byte symbol that is no id", [](auto &t) { t.byteIds[65] = past(t); }},
    {"an unknown token that is no id", [](auto &t) { t.unknown = past(t); }},
    {"one merge bound too few", [](auto &t) { t.mergeBegin.pop_back(); }},
    {"merges that begin past their end", [](auto &t) { t.mergeBegin[7] = 1u << 30; }},
    {"merges that do not begin at 0", [](auto &t) { t.mergeBegin[0] = 1; }},
    {"merges that are not all covered", [](auto &t) { t.mergeBegin.back() -= 1; }},
    {"a merge whose right is no id", [](auto &t) { t.merges.back().right = past(t); }},
    {"a merge whose id is no id", [](auto &t) { t.merges[0].id = past(t); }},
    {"a merge whose id is none", [](auto &t) { t.merges[0].id = COPPICE_TOKENIZER_NONE; }},
    {"a rank past the merges", [](auto &t) { t.merges[0].rank = uint32_t(t.merges.size()); }},
    {"merges out of order",
     [](auto &t) {
       for (size_t i = 1; i < t.mergeBegin.size(); ++i)
         if (t.mergeBegin[i] - t.mergeBegin[i - 1] > 1)
           return std::swap(t.merges[t.mergeBegin[i] - 1], t.merges[t.mergeBegin[i] - 2]);
       FAIL() << "no left symbol has two merges";
     }},
    {"an added token past the text",
     [](auto &t) { t.added[0].begin = uint32_t(t.addedText.size()); }},
    {"an added token that ends past the text", [](auto &t) { t.added[0].bytes = 1u << 31; }},
    {"an added token whose end overflows",
     [](auto &t) { t.added[0].begin = 8, t.added[0].bytes = UINT32_MAX - 4; }},
    {"an empty added token", [](auto &t) { t.added[0].bytes = 0; }},
    {"an added token that is no id", [](auto &t) { t.added[0].id = past(t); }},
    {"an added token with unknown flags", [](auto &t) { t.added[0].flags |= 16; }},
    {"added tokens out of order", [](auto &t) { std::swap(t.added[0], t.added[1]); }},
    {"an added token twice", [](auto &t) { t.added[1] = t.added[0]; }},
    {"added text that is no UTF-8", [](auto &t) { t.addedText[t.added[0].begin] = char(0xFF); }},
    {"the same among normalized ones", [](auto &t) { t.addedNormalized = {{0, 1, past(t), 0}}; }},
    {"a prefix that is no id", [](auto &t) { t.prefixIds = {past(t)}; }},
    {"a suffix that is no id", [](auto &t) { t.suffixIds = {past(t)}; }},
    {"65 prefixes", [](auto &t) { t.prefixIds.assign(65, 0); }},
    {"unknown symbols", [](auto &t) { t.symbols = 2; }},
    {"unknown words", [](auto &t) { t.words = COPPICE_WORDS_COUNT; }},
    {"unknown digits", [](auto &t) { t.digits = COPPICE_CUT_COUNT; }},
    {"unknown punctuation", [](auto &t) { t.punctuation = COPPICE_CUT_COUNT; }},
    {"unknown digits among bytes", [](auto &t) { t.byteDigits = COPPICE_CUT_COUNT; }},
    {"digits among bytes where symbols are characters",
     [](auto &t) { t.symbols = COPPICE_SYMBOLS_CHARS, t.byteDigits = COPPICE_CUT_RUNS; }},
    {"groups of digits where symbols are characters",
     [](auto &t) { t.symbols = COPPICE_SYMBOLS_CHARS, t.digitGroup = 3; }},
    {"composing beside a normalizer that writes",
     [](auto &t) { t.nfc = true, t.prependWhen = COPPICE_PREPEND_NORMALIZER, t.prepend = " "; }},
    {"composing beside a pre-tokenizer that writes",
     [](auto &t) { t.nfc = true, t.prependWhen = COPPICE_PREPEND_UNLESS, t.prepend = " "; }},
    {"composing beside a replacement",
     [](auto &t) { t.nfc = true, t.prependWhen = COPPICE_PREPEND_NEVER, t.space = "_"; }},
    {"an unknown prepending", [](auto &t) { t.prependWhen = COPPICE_PREPEND_COUNT; }},
    {"an unknown decoder", [](auto &t) { t.decoder = COPPICE_DECODER_COUNT; }},
    {"prepending nothing", [](auto &t) { t.prependWhen = COPPICE_PREPEND_UNLESS, t.prepend = ""; }},
    {"something that is never prepended",
     [](auto &t) { t.prependWhen = COPPICE_PREPEND_NEVER, t.prepend = "x"; }},
    {"a long prefix",
     [](auto &t) { t.prependWhen = COPPICE_PREPEND_UNLESS, t.prepend.assign(65, 'x'); }},
    {"a prefix that is no UTF-8",
     [](auto &t) { t.prependWhen = COPPICE_PREPEND_UNLESS, t.prepend = "\x80"; }},
    {"a long replacement", [](auto &t) { t.space.assign(65, 'x'); }},
    {"a replacement that is no UTF-8", [](auto &t) { t.space = "\xC3"; }},
    {"a decoding that is no UTF-8", [](auto &t) { t.decodeTo = "\xC3"; }},
    {"a long decoding", [](auto &t) { t.decodeTo.assign(65, 'x'); }},
    {"a normalizer without a replacement",
     [](auto &t) { t.spaceInNormalizer = true, t.space = ""; }},
    {"words at replaced spaces without a replacement",
     [](auto &t) { t.words = COPPICE_WORDS_METASPACE, t.space = ""; }},
    {"Metaspace decoding without a mark",
     [](auto &t) { t.decoder = COPPICE_DECODER_METASPACE, t.decodeFrom = ""; }},
    {"a normalizer and a pre-tokenizer that both write",
     [](auto &t) {
       t.prependWhen = COPPICE_PREPEND_UNLESS, t.prepend = " ", t.space = "_",
       t.spaceInNormalizer = true;
     }},
};

// Each wrong field by itself is refused.
TEST(Tables, DamageIsRefused) {
  for (const char *model : {"gpt2", "llama3", "first"}) {
    TokenizerTables whole = tablesOf(model);
    ASSERT_EQ(LoadedTokenizer(buildTokenizer(whole)).status(), COPPICE_OK);
    if (whole.added.size() < 2)
      whole.added.push_back(whole.added[0]);
    for (const Damage &damage : damages) {
      TokenizerTables tables = whole;
      damage.make(tables);
      EXPECT_EQ(LoadedTokenizer(buildTokenizer(tables)).status(), COPPICE_BAD_ARTIFACT)
          << model << ": " << damage.what;
    }
  }
}

// What only one kind of tokenizer has.
TEST(Tables, DamageToCharactersAndWords) {
  const Damage characters[] = {
      {"characters out of order", [](auto &t) { std::swap(t.chars[0], t.chars[1]); }},
      {"a character twice", [](auto &t) { t.chars[1] = t.chars[0]; }},
      {"a character past Unicode", [](auto &t) { t.chars.back().code = 0x110000; }},
      {"a surrogate", [](auto &t) { t.chars = {{0xD800, 3}}; }},
      {"a character that is no id", [](auto &t) { t.chars[0].id = past(t); }},
      {"a piece that is no UTF-8", [](auto &t) { t.pieces.back() = char(0xFF); }},
  };
  TokenizerTables sentence = tablesOf("sentence");
  for (const Damage &damage : characters) {
    TokenizerTables tables = sentence;
    damage.make(tables);
    EXPECT_EQ(LoadedTokenizer(buildTokenizer(tables)).status(), COPPICE_BAD_ARTIFACT)
        << damage.what;
  }
  const Damage words[] = {
      {"words out of order", [](auto &t) { std::swap(t.byText[0], t.byText[1]); }},
      {"a word twice", [](auto &t) { t.byText[1] = t.byText[0]; }},
      {"a word that is no id", [](auto &t) { t.byText[0] = past(t); }},
  };
  TokenizerTables llama = tablesOf("llama3");
  ASSERT_FALSE(llama.byText.empty());
  for (const Damage &damage : words) {
    TokenizerTables tables = llama;
    damage.make(tables);
    EXPECT_EQ(LoadedTokenizer(buildTokenizer(tables)).status(), COPPICE_BAD_ARTIFACT)
        << damage.what;
  }
}

/// Uses everything that the tables steer.
void use(const LoadedTokenizer &tokenizer) {
  static const char characters[] = "Once 'LL 12345²  <s>solo <mark> ▁é世界\u3000😀\u0000 tokens\n"
                                   "e\u0301\u0323 \u1100\u1161\u11a8 AbC's//\n \u0344\U0001d160!?";
  llvm::StringRef text(characters, sizeof characters - 1); // U+0000 included
  std::vector<uint8_t> scratch(
      std::min<size_t>(coppice_tokenizer_scratch_bytes(&tokenizer.get(), text.size()), 1 << 22));
  int32_t ids[64];
  char out[4096];
  size_t count = 0, bytes;
  (void)!coppice_tokenizer_encode(&tokenizer.get(), text.data(), text.size(), 3, ids, 64, &count,
                                  scratch.data(), scratch.size());
  (void)!coppice_tokenizer_decode(&tokenizer.get(), ids, std::min<size_t>(count, 64), 1, out,
                                  sizeof out, &bytes);
  coppice_text_stream stream;
  coppice_text_stream_begin(&stream, &tokenizer.get(), 0);
  for (int32_t id = 0; id < 300; ++id)
    (void)!coppice_text_stream_next(&stream, id, out, sizeof out, &bytes);
}

// Bytes of the FlatBuffer changed at random: refused or harmless (sanitizers look on).
TEST(Tables, ChangedBytesAreHarmless) {
  std::mt19937 random(5);
  for (const char *model : {"gaps", "llama3", "sentence", "split", "nfc", "falcon", "o200k"}) {
    std::vector<uint8_t> whole = buildTokenizer(tablesOf(model));
    for (int round = 0; round < 3000; ++round) {
      std::vector<uint8_t> buffer = whole;
      for (unsigned i = 0; i <= round % 3u; ++i)
        buffer[random() % buffer.size()] = uint8_t(random());
      LoadedTokenizer tokenizer(buffer);
      if (tokenizer.status() == COPPICE_OK)
        use(tokenizer);
      else
        ASSERT_EQ(tokenizer.status(), COPPICE_BAD_ARTIFACT);
    }
  }
}

// A FlatBuffer cut short anywhere is refused.
TEST(Tables, CutShortIsRefused) {
  std::vector<uint8_t> whole = buildTokenizer(tablesOf("gaps"));
  for (size_t bytes = 0; bytes < whole.size(); bytes += 1 + bytes / 50)
    EXPECT_EQ(LoadedTokenizer({whole.begin(), whole.begin() + bytes}).status(),
              COPPICE_BAD_ARTIFACT)
        << bytes;
}

// The same files give the same bytes.
TEST(Tables, AreDeterministic) {
  for (const char *model : {"gpt2", "llama3", "sentence"})
    EXPECT_EQ(buildTokenizer(tablesOf(model)), buildTokenizer(tablesOf(model)));
}

} // namespace
