// Composing text (NFC) by itself: Unicode's own examples, scratch of every size, hostile texts, and
// that text which is composed already costs no memory. That it is the NFC of Hugging Face
// `tokenizers` is what nfc.golden shows, and for every character check_unicode.py.
#include "runtime/core/tokenizer_nfc.h"
#include "tests/unit/tokenizer/Support.h"
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <random>

extern "C" {
extern size_t counted_nfc_steps;
size_t counted_nfc(const uint8_t *text, size_t bytes, void *scratch, size_t scratch_bytes);
}

namespace {

using namespace coppice::tests;
using llvm::StringRef;

/// The NFC of `text` in exactly `room` bytes of scratch; nothing if that is too little.
std::optional<std::string> compose(StringRef text, size_t room, decltype(coppice_nfc) *nfc) {
  // A copy and a scratch that end where their memory does, so that sanitizers see a byte too many.
  std::unique_ptr<uint8_t[]> copy(new uint8_t[text.size()]), scratch(new uint8_t[room]);
  if (!text.empty())
    memcpy(copy.get(), text.data(), text.size());
  size_t bytes = nfc(copy.get(), text.size(), scratch.get(), room);
  if (bytes == SIZE_MAX)
    return std::nullopt;
  EXPECT_LE(bytes, COPPICE_NFC_GROWTH * text.size());
  EXPECT_LE(bytes, room);
  return std::string(reinterpret_cast<char *>(scratch.get()), bytes);
}

std::string compose(StringRef text) {
  auto result = compose(text, COPPICE_NFC_SCRATCH_BYTES(text.size()), coppice_nfc);
  EXPECT_TRUE(result) << "the promised scratch is too small for " << text.str();
  return result.value_or("");
}

size_t prefixOf(StringRef text) { return coppice_nfc_prefix(text.bytes_begin(), text.size()); }

struct Pair {
  const char *from, *to;
};

// Rows of Unicode's annex 15 and of its conformance test, and what else the definition says.
const Pair pairs[] = {
    {"", ""},
    {"plain", "plain"},
    {"D\u0307", "\u1e0a"},
    {"\u1e0a\u0323", "\u1e0c\u0307"},
    {"D\u0307\u0323", "\u1e0c\u0307"},
    {"D\u0323\u0307", "\u1e0c\u0307"},
    {"\u1e14\u0304", "\u1e14\u0304"},
    {"E\u0304\u0300", "\u1e14"},
    {"E\u0300\u0304", "\u00c8\u0304"}, // blocked: both are of one order
    {"\u212b", "\u00c5"},              // for good
    {"\ufb01", "\ufb01"},              // only compatible
    {"\u1e9b\u0323", "\u1e9b\u0323"},
    {"a\u0315\u0300\u05ae\u0300b", "\u00e0\u05ae\u0300\u0315b"},
    {"\u0344", "\u0308\u0301"},
    {"\u0958", "\u0915\u093c"},                       // never composes
    {"\U0001d160", "\U0001d158\U0001d165\U0001d16e"}, // four bytes become twelve
    {"\u09c7\u09be", "\u09cb"},                       // two that are no marks in order
    {"\u1100\u1161\u11a8", "\uac01"},                 // jamo
    {"\uac00\u11a8", "\uac01"},
    {"\uac00\u11a7", "\uac00\u11a7"},             // one before the first that trails
    {"\uac01\u11a8", "\uac01\u11a8"},             // has one already
    {"\uac00\u0301\u11a8", "\uac00\u0301\u11a8"}, // something lies between
    {"\u0301\u0323", "\u0323\u0301"},             // marks on nothing
    {"\u0301e\u0301", "\u0301\u00e9"},
    {"x\u0301\u1abf", "x\u0301\u1abf"}, // younger than these tables
    {"e\u0301\ne\u0301", "\u00e9\n\u00e9"},
};

TEST(Nfc, IsWhatUnicodeSays) {
  for (const Pair &pair : pairs) {
    EXPECT_EQ(compose(pair.from), pair.to) << pair.from;
    EXPECT_EQ(compose(pair.to), pair.to) << "twice: " << pair.from;
  }
}

// The prefix that stays, stays whatever follows it: it ends before the character that a mark joins.
TEST(Nfc, Prefix) {
  EXPECT_EQ(prefixOf(""), 0u);
  EXPECT_EQ(prefixOf("abc\u00e9\uac01\u4e16"), StringRef("abc\u00e9\uac01\u4e16").size());
  EXPECT_EQ(prefixOf("x\u0334\u0315"), 5u); // in order, and neither composes
  EXPECT_EQ(prefixOf("abe\u0301"), 2u);
  EXPECT_EQ(prefixOf("ab\u212b"), 1u);
  EXPECT_EQ(prefixOf("abx\u0345\u0334\u0301"), 2u); // out of order
  EXPECT_EQ(prefixOf("x\u0301"), 0u);               // may compose
}

std::string randomText(std::mt19937 &random) {
  static const char *const parts[] = {
      "e",      "x",      "\u1100", "\u1161", "\u11a8",     "\uac00",     "\u0301",     "\u0300",
      "\u0323", "\u0345", "\u0334", "\u0308", "\u0344",     "\u01d5",     "\u0390",     "\u1f82",
      "\u0958", "\u212b", "\u09c7", "\u09be", "\U0001d160", "\U00011099", "\U000110ba", " "};
  std::string text;
  for (size_t count = random() % 40; count > 0; --count)
    text += parts[random() % std::size(parts)];
  return text;
}

// With too little scratch there is no answer, with enough always the same one, and never a byte
// written behind it. The promise is enough.
TEST(Nfc, EveryScratchSize) {
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    std::string text = randomText(random), whole = compose(text);
    bool enough = false;
    for (size_t room = 0; room <= COPPICE_NFC_SCRATCH_BYTES(text.size()); ++room) {
      auto result = compose(text, room, coppice_nfc);
      enough = enough || result.has_value();
      EXPECT_EQ(result.has_value(), enough) << room << " bytes for " << text;
      if (result)
        EXPECT_EQ(*result, whole) << room << " bytes for " << text;
    }
  }
}

// Composed text stays as it is; parts that end where a prefix ends compose by themselves.
TEST(Nfc, Properties) {
  std::mt19937 random(4);
  for (int round = 0; round < 5000; ++round) {
    std::string text = randomText(random), whole = compose(text);
    EXPECT_EQ(compose(whole), whole) << text;
    size_t prefix = prefixOf(text);
    EXPECT_EQ(whole, text.substr(0, prefix) + compose(text.substr(prefix))) << text;
  }
}

std::string repeat(StringRef part, size_t times) {
  std::string text;
  for (; times > 0; --times)
    text += part;
  return text;
}

// A million marks on one letter are put into order in O(n log n) steps; marks that are in order
// already in none.
TEST(Nfc, HostileRunsOfMarks) {
  const size_t count = 1 << 20;
  for (StringRef marks : {"\u0301\u0323", "\u0345\u0334", "\u0345\u0301\u0323\u0334"}) {
    size_t kinds = marks.size() / 2;
    std::string text = "x" + repeat(marks, count / kinds);
    counted_nfc_steps = 0;
    auto result = compose(text, COPPICE_NFC_SCRATCH_BYTES(text.size()), counted_nfc);
    ASSERT_TRUE(result);
    EXPECT_LE(double(counted_nfc_steps), 2.0 * count * std::log2(count));
    EXPECT_GT(counted_nfc_steps, count / 2);
    // Each kind together, the lowest order first: these marks stand in descending order.
    std::string sorted = "x";
    if (marks.size() == 4 && marks.starts_with("\u0301")) // the two marks of the first row
      sorted += repeat("\u0323", count / 2) + repeat("\u0301", count / 2);
    else
      for (size_t kind = kinds; kind-- > 0;)
        sorted += repeat(marks.substr(2 * kind, 2), count / kinds);
    EXPECT_TRUE(*result == compose(sorted)) << marks.str();
  }
  for (StringRef part : {"\u0301", "\u09be", "\u1100", "\uf900", "\U0001d160"}) {
    std::string text = "x" + repeat(part, count / 4);
    counted_nfc_steps = 0;
    ASSERT_TRUE(compose(text, COPPICE_NFC_SCRATCH_BYTES(text.size()), counted_nfc));
    EXPECT_EQ(counted_nfc_steps, 0u) << part.str();
  }
}

/// The status of encoding `text` with `room` bytes of scratch.
coppice_status encode(const LoadedTokenizer &tokenizer, StringRef text, size_t room) {
  std::vector<uint64_t> scratch(room / 8 + 1);
  std::vector<int32_t> ids(3 * text.size());
  size_t count;
  return coppice_tokenizer_encode(&tokenizer.get(), text.data(), text.size(), 0, ids.data(),
                                  ids.size(), &count, scratch.data(), room);
}

// Text that is composed is encoded where it lies: scratch for one word is enough for any number of
// them. Of text that is not, each section between added tokens takes what it needs and no more.
TEST(Nfc, ComposedTextNeedsNoBuffer) {
  auto tokenizer = load(goldenModel("nfc"));
  ASSERT_TRUE(tokenizer);
  const size_t word = 28 * 6;
  std::string composed = repeat(" caf\u00e9", 1000), apart = repeat(" cafe\u0301", 1000);
  EXPECT_EQ(encode(*tokenizer, composed, word), COPPICE_OK);
  EXPECT_EQ(encode(*tokenizer, apart, word), COPPICE_TOO_SMALL);
  EXPECT_EQ(encode(*tokenizer, apart, composed.size() + 2 * word), COPPICE_OK);
  EXPECT_EQ(tokenizer->encode(composed), tokenizer->encode(apart));
  // "\u212b!" is a token of the text as it is given: it ends a section.
  std::string sections = repeat("e\u0301 \u212b!", 1000);
  EXPECT_EQ(encode(*tokenizer, sections, 8 + 2 * word), COPPICE_OK);
  EXPECT_EQ(coppice_tokenizer_scratch_bytes(&tokenizer->get(), 1000), 3 * 28 * 1000 + 7 + 3008u);
}

// Long runs of marks through the whole tokenizer end, in the scratch that is promised.
TEST(Nfc, LongTexts) {
  auto tokenizer = load(goldenModel("nfc"));
  ASSERT_TRUE(tokenizer);
  for (StringRef part : {"\u0301\u0323", "e\u0301", "\U0001d160", "\u1100\u1161\u11a8", "\u0344"}) {
    std::string text = repeat(part, (1 << 18) / part.size());
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), compose(text)) << part.str();
  }
}

} // namespace
