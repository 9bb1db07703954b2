// Cutting text into words, and what long and bad input does to encoding.
#include "runtime/core/tokenizer_merge.h"
#include "runtime/core/tokenizer_text.h"
#include "tests/unit/tokenizer/Support.h"
#include <cmath>
#include <gtest/gtest.h>

extern "C" {
extern size_t counted_merge_steps;
bool counted_encode_word(const coppice_tokenizer_tables *t, const uint8_t *word, size_t bytes,
                         void *scratch, size_t scratch_bytes, coppice_token_sink *sink);
}

namespace {

using namespace coppice::tests;
using llvm::StringRef;

std::vector<std::string> wordsOf(uint8_t words, const std::string &text) {
  std::vector<std::string> result;
  auto *bytes = reinterpret_cast<const uint8_t *>(text.data());
  for (size_t at = 0; at < text.size();) {
    size_t end = coppice_word_end(words, bytes, text.size(), at);
    EXPECT_GT(end, at);
    result.push_back(text.substr(at, end - at));
    at = end;
  }
  return result;
}

using Words = std::vector<std::string>;

// The expected words are what the original's regular expressions give.
TEST(Words, Gpt2) {
  EXPECT_EQ(wordsOf(COPPICE_WORDS_GPT2, "I'll  go,\n\nit's 12345 o'clock!?  "),
            (Words{"I", "'ll", " ", " go", ",", "\n", "\n", "it", "'s", " 12345", " o", "'",
                   "clock", "!?", "  "}));
  // Contractions in lower case only.
  EXPECT_EQ(wordsOf(COPPICE_WORDS_GPT2, "'S 'ſ 's"), (Words{"'", "S", " '", "ſ", " '", "s"}));
  // Only a space joins the word behind it; other white space does not.
  EXPECT_EQ(wordsOf(COPPICE_WORDS_GPT2, "a\u00a0\u00a0b"), (Words{"a", "\u00a0", "\u00a0", "b"}));
  EXPECT_EQ(wordsOf(COPPICE_WORDS_GPT2, "\t\tx"), (Words{"\t", "\t", "x"}));
}

TEST(Words, Llama3) {
  // Contractions in any case, long s included; digits by three; newlines stay with punctuation.
  EXPECT_EQ(wordsOf(COPPICE_WORDS_LLAMA3, "I'LL  go,\n\nit'ſ 12345!?\n\n x"),
            (Words{"I", "'LL", " ", " go", ",\n\n", "it", "'ſ", " ", "123", "45", "!?\n\n", " x"}));
  EXPECT_EQ(wordsOf(COPPICE_WORDS_LLAMA3, "\u3000世界 \n \n  y"),
            (Words{"\u3000世界", " \n \n", " ", " y"}));
  EXPECT_EQ(wordsOf(COPPICE_WORDS_LLAMA3, "(abc) #1\r\n"), (Words{"(abc", ")", " #", "1", "\r\n"}));
  EXPECT_EQ(wordsOf(COPPICE_WORDS_LLAMA3, "'re'x ''s"), (Words{"'re", "'x", " ''", "s"}));
  EXPECT_EQ(wordsOf(COPPICE_WORDS_LLAMA3, "'ſe"), (Words{"'ſ", "e"}));
  // Anything but a newline joins the letters behind it.
  EXPECT_EQ(wordsOf(COPPICE_WORDS_LLAMA3, "\tx\nx"), (Words{"\tx", "\n", "x"}));
}

TEST(Words, Qwen2) {
  EXPECT_EQ(wordsOf(COPPICE_WORDS_QWEN2, "a123b ٣٤"),
            (Words{"a", "1", "2", "3", "b", " ", "٣", "٤"}));
}

// Words end where capitals follow small letters; a letter of neither case counts as both.
TEST(Words, O200k) {
  EXPECT_EQ(
      wordsOf(COPPICE_WORDS_O200K, "HTTPServer camelCase ABC DON'T don'tX 12345"),
      (Words{"HTTPServer", " camel", "Case", " ABC", " DON'T", " don't", "X", " ", "123", "45"}));
  // What a star gives back: the last character of no case ends a run of capitals, a mark too.
  EXPECT_EQ(
      wordsOf(COPPICE_WORDS_O200K, "A中BC \u0301AB !\u0301ab ªBc AªBC xǅ"),
      (Words{"A中", "BC", " \u0301", "AB", " !\u0301", "ab", " ªBc", " Aª", "BC", " x", "ǅ"}));
  EXPECT_EQ(wordsOf(COPPICE_WORDS_O200K, "a/b !/\n/x\n//\r\n /"),
            (Words{"a", "/b", " !/\n/", "x", "\n", "//\r\n", " /"}));
  EXPECT_EQ(wordsOf(COPPICE_WORDS_O200K, "中'll ''s'S we'll've\n\n \n ab  c"),
            (Words{"中'll", " ''", "s'S", " we'll", "'ve", "\n\n \n", " ab", " ", " c"}));
}

TEST(Words, Tekken) {
  EXPECT_EQ(wordsOf(COPPICE_WORDS_TEKKEN, "HTTPServer ABC DON'T don'tX 12"),
            (Words{"HTTPServer", " ABC", " DON", "'T", " don", "'t", "X", " ", "1", "2"}));
  EXPECT_EQ(wordsOf(COPPICE_WORDS_TEKKEN, "中'll ''s'S we'll"),
            (Words{"中", "'ll", " ''", "s", "'S", " we", "'ll"}));
}

std::string repeat(StringRef part, size_t bytes) {
  std::string text;
  while (text.size() + part.size() <= bytes)
    text += part;
  return text;
}

const size_t megabyte = 1 << 20;
const char *const patterns[] = {"a", "ab", " ", "\n", " the", "1", "世界", "😀", "A", "\u0301A"};

// Merging one word of a megabyte takes O(n log n) steps of the heap.
TEST(LongText, MergeStepsStayBelowNLogN) {
  for (const char *model : {"sentence", "gpt2"}) {
    auto tokenizer = load(goldenModel(model));
    ASSERT_TRUE(tokenizer);
    for (const char *pattern : patterns) {
      std::string text = repeat(pattern, megabyte);
      auto *word = reinterpret_cast<const uint8_t *>(text.data());
      size_t symbols = coppice_word_symbols(&tokenizer->get().t, word, text.size(), nullptr);
      std::vector<uint64_t> scratch(symbols * COPPICE_MERGE_SYMBOL_BYTES / 8 + 1);
      coppice_token_sink sink = {nullptr, 0, 0};
      counted_merge_steps = 0;
      ASSERT_TRUE(counted_encode_word(&tokenizer->get().t, word, text.size(), scratch.data(),
                                      scratch.size() * 8, &sink));
      EXPECT_LE(sink.count, symbols);
      EXPECT_LE(double(counted_merge_steps), 4.0 * double(symbols + 1) * std::log2(symbols + 2))
          << model << ", " << pattern;
    }
  }
}

// A quarter of a megabyte of anything ends, and comes back.
TEST(LongText, RoundTrips) {
  for (const char *model : {"sentence", "llama3", "o200k", "falcon"}) {
    auto tokenizer = load(goldenModel(model));
    ASSERT_TRUE(tokenizer);
    for (const char *pattern : patterns) {
      std::string text = repeat(pattern, megabyte / 4);
      EXPECT_TRUE(tokenizer->decode(tokenizer->encode(text), COPPICE_DECODE_SKIP_SPECIAL) == text)
          << model << ", " << pattern;
    }
  }
}

// Added tokens that take white space along: each run of it is walked once, not once a token.
TEST(LongText, AddedTokensAndSpaces) {
  auto tokenizer = load(goldenModel("gpt2"));
  ASSERT_TRUE(tokenizer);
  int32_t end = tokenizer->encode("<end>", COPPICE_ENCODE_PARSE_SPECIAL).front();
  std::string text = repeat("<end>", megabyte / 2) + std::string(megabyte / 2, ' ');
  EXPECT_EQ(tokenizer->encode(text, COPPICE_ENCODE_PARSE_SPECIAL),
            std::vector<int32_t>(megabyte / 2 / 5, end));
  int32_t mark = tokenizer->encode("<mark>", COPPICE_ENCODE_PARSE_SPECIAL).front();
  text = repeat(std::string(1000, ' ') + "<mark>", megabyte);
  EXPECT_EQ(tokenizer->encode(text, COPPICE_ENCODE_PARSE_SPECIAL),
            std::vector<int32_t>(text.size() / 1006, mark));
}

// Invalid UTF-8 is refused whole: cut short, stray, overlong, a surrogate, past U+10FFFF.
TEST(BadText, IsRefused) {
  auto tokenizer = load(goldenModel("llama3"));
  ASSERT_TRUE(tokenizer);
  uint8_t scratch[1024];
  int32_t ids[8];
  for (const char *text :
       {"\xC3", "a\x80", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80", "\xFF", "\xE2\x82", "\xE2(\xA1"}) {
    size_t count = 7;
    EXPECT_EQ(coppice_tokenizer_encode(&tokenizer->get(), text, strlen(text), 0, ids, 8, &count,
                                       scratch, sizeof scratch),
              COPPICE_BAD_TEXT)
        << text;
    EXPECT_EQ(count, 0u);
  }
  for (const char *text : {"\xED\x9F\xBF", "\xEE\x80\x80", "\xF4\x8F\xBF\xBF", "\xC2\x80"}) {
    size_t count;
    EXPECT_EQ(coppice_tokenizer_encode(&tokenizer->get(), text, strlen(text), 0, ids, 8, &count,
                                       scratch, sizeof scratch),
              COPPICE_OK);
  }
}

// Too little room is said, with the count that is needed; too little scratch with none.
TEST(Room, TooSmall) {
  auto tokenizer = load(goldenModel("first"));
  ASSERT_TRUE(tokenizer);
  StringRef text = "Once upon a time there was a tokenizer";
  std::vector<int32_t> all = tokenizer->encode(text), some(3, -1);
  std::vector<uint8_t> scratch(coppice_tokenizer_scratch_bytes(&tokenizer->get(), text.size()));
  size_t count = 0;
  auto encode = [&](size_t scratchBytes, void *where) {
    return coppice_tokenizer_encode(&tokenizer->get(), text.data(), text.size(), 3, some.data(), 3,
                                    &count, where, scratchBytes);
  };
  EXPECT_EQ(encode(scratch.size(), scratch.data()), COPPICE_TOO_SMALL);
  EXPECT_EQ(count, all.size());
  EXPECT_EQ(some, std::vector<int32_t>(all.begin(), all.begin() + 3));
  EXPECT_EQ(encode(100, scratch.data()), COPPICE_TOO_SMALL);
  EXPECT_EQ(count, 0u);
  EXPECT_EQ(encode(0, nullptr), COPPICE_TOO_SMALL);
  EXPECT_EQ(encode(100, nullptr), COPPICE_BAD_ARGUMENT);
  EXPECT_EQ(coppice_tokenizer_scratch_bytes(&tokenizer->get(), COPPICE_ENCODE_MAX_BYTES + 1),
            SIZE_MAX);
}

// Without special tokens around, the text's own tokens are the same.
TEST(Room, AddSpecialIsAFlag) {
  auto tokenizer = load(goldenModel("gpt2"));
  ASSERT_TRUE(tokenizer);
  auto with = tokenizer->encode("Once upon"), without = tokenizer->encode("Once upon", 0);
  ASSERT_EQ(with.size(), without.size() + 2);
  EXPECT_EQ(std::vector<int32_t>(with.begin() + 1, with.end() - 1), without);
  EXPECT_TRUE(tokenizer->encode("", 0).empty());
}

} // namespace
