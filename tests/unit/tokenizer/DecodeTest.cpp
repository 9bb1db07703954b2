// Decoding what is no UTF-8, and streams: what they hold back, and what they do without room.
#include "tests/unit/tokenizer/Support.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/JSON.h"
#include <gtest/gtest.h>
#include <random>

namespace {

using namespace coppice::tests;

/// One token per byte: "<0xNN>" of the sentence-piece models, or a byte of the byte-level ones.
std::vector<int32_t> byteIds(const LoadedTokenizer &tokenizer, llvm::StringRef bytes) {
  std::vector<int32_t> ids;
  for (char c : bytes)
    ids.push_back(int32_t(tokenizer.get().t.byte_ids[uint8_t(c)]));
  return ids;
}

// Byte level: each maximal part of a character that stays incomplete is one U+FFFD. The cases are
// those of the Unicode standard (3.9, "U+FFFD substitution of maximal subparts").
TEST(DecodeBytes, MaximalSubparts) {
  auto tokenizer = load(goldenModel("llama3"));
  ASSERT_TRUE(tokenizer);
  const std::pair<llvm::StringRef, const char *> cases[] = {
      {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD"
                                               "A"},
      {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD"
                                               "A"},
      {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD"
                                               "A\uFFFD\uFFFD"
                                               "B"},
      {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", "\uFFFD\uFFFD\uFFFD\uFFFD"
                                               "A"},
      {"Hello \xF0\x90\x80World", "Hello \uFFFDWorld"},
      {"\xE2\x82", "\uFFFD"},
      {"\xE2\x82\xAC", "€"},
  };
  for (auto &[bytes, text] : cases) {
    auto ids = byteIds(*tokenizer, bytes);
    EXPECT_EQ(tokenizer->decode(ids), text);
    EXPECT_EQ(tokenizer->stream(ids), text);
  }
}

// Byte fallback: one bad byte makes U+FFFD of every byte in its run, and only there.
TEST(DecodeFallback, RunsAreAllOrNothing) {
  auto tokenizer = load(goldenModel("sentence"));
  ASSERT_TRUE(tokenizer);
  auto ids = byteIds(*tokenizer, "\xE2\x82\xAC\xE2\x82\xAC");
  EXPECT_EQ(tokenizer->decode(ids), "€€");
  ids.pop_back();
  EXPECT_EQ(tokenizer->decode(ids), "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD");
  ids.push_back(tokenizer->encode("a", 0).front()); // "▁a"
  auto more = byteIds(*tokenizer, "\xE2\x82\xAC");
  ids.insert(ids.end(), more.begin(), more.end());
  EXPECT_EQ(tokenizer->decode(ids), "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD a€");
  EXPECT_EQ(tokenizer->stream(ids), "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD a€");
}

// Runs longer than a stream holds back: the same text, as long as they are UTF-8.
TEST(DecodeFallback, LongRuns) {
  auto tokenizer = load(goldenModel("sentence"));
  ASSERT_TRUE(tokenizer);
  for (const char *character : {"a", "é", "€", "😀"})
    for (size_t lead = 0; lead < 4; ++lead) {
      std::string text(lead, 'x');
      while (text.size() < 5 * COPPICE_STREAM_HELD)
        text += character;
      auto ids = byteIds(*tokenizer, text);
      EXPECT_EQ(tokenizer->decode(ids), text);
      EXPECT_EQ(tokenizer->stream(ids), text);
      // The end of the run breaks it: the whole decoding knows, a stream has given a part already,
      // and what it gives stays UTF-8 (which stream() checks).
      ids.push_back(byteIds(*tokenizer, "\x80").front());
      std::string broken;
      for (size_t i = 0; i < ids.size(); ++i)
        broken += "\uFFFD";
      EXPECT_EQ(tokenizer->decode(ids), broken);
      EXPECT_TRUE(llvm::StringRef(tokenizer->stream(ids)).ends_with("\uFFFD"));
    }
}

// A stream gives each character with its last byte, not later.
TEST(Stream, GivesWholeCharactersAtOnce) {
  auto tokenizer = load(goldenModel("llama3"));
  ASSERT_TRUE(tokenizer);
  coppice_text_stream stream;
  coppice_text_stream_begin(&stream, &tokenizer->get(), 0);
  std::string given;
  for (int32_t id : byteIds(*tokenizer, "a€b")) {
    char part[1000];
    size_t bytes;
    ASSERT_EQ(coppice_text_stream_next(&stream, id, part, sizeof part, &bytes), COPPICE_OK);
    given += std::string(part, bytes) + "|";
  }
  EXPECT_EQ(given, "a|||€|b|");
}

// Without room a stream stays as it was, and says what it needs.
TEST(Stream, TooSmallChangesNothing) {
  auto tokenizer = load(goldenModel("first"));
  ASSERT_TRUE(tokenizer);
  std::vector<int32_t> ids = byteIds(*tokenizer, "\xE2\x82\xAC\xE2");
  auto more = tokenizer->encode("Once upon a time");
  ids.insert(ids.end(), more.begin(), more.end());
  coppice_text_stream stream;
  coppice_text_stream_begin(&stream, &tokenizer->get(), 0);
  std::string text;
  auto take = [&](auto call) {
    size_t needed = 0, bytes = 0;
    coppice_status status = call(nullptr, 0, &needed);
    EXPECT_EQ(status, needed ? COPPICE_TOO_SMALL : COPPICE_OK);
    if (status == COPPICE_OK)
      return;
    std::string part(needed, '\0');
    EXPECT_EQ(call(part.data(), needed - 1, &bytes), COPPICE_TOO_SMALL);
    EXPECT_EQ(call(part.data(), needed, &bytes), COPPICE_OK);
    EXPECT_EQ(bytes, needed);
    EXPECT_LE(needed, coppice_text_stream_capacity(&tokenizer->get()));
    text += part;
  };
  for (int32_t id : ids)
    take([&](char *out, size_t room, size_t *bytes) {
      return coppice_text_stream_next(&stream, id, out, room, bytes);
    });
  take([&](char *out, size_t room, size_t *bytes) {
    return coppice_text_stream_end(&stream, out, room, bytes);
  });
  EXPECT_EQ(text, tokenizer->decode(ids));
}

// The end of a stream is the beginning of the next: leading spaces are dropped again.
TEST(Stream, BeginsAnew) {
  auto tokenizer = load(goldenModel("sentence"));
  ASSERT_TRUE(tokenizer);
  auto ids = tokenizer->encode("Once", 0);
  coppice_text_stream stream;
  coppice_text_stream_begin(&stream, &tokenizer->get(), 0);
  for (int round = 0; round < 2; ++round) {
    std::string text;
    char part[1000];
    size_t bytes;
    for (int32_t id : ids) {
      ASSERT_EQ(coppice_text_stream_next(&stream, id, part, sizeof part, &bytes), COPPICE_OK);
      text.append(part, bytes);
    }
    ASSERT_EQ(coppice_text_stream_end(&stream, part, sizeof part, &bytes), COPPICE_OK);
    EXPECT_EQ(text + std::string(part, bytes), "Once");
  }
}

// Ids that no token has give no text: negative ones, those past the end.
TEST(Decode, UnknownIdsGiveNothing) {
  auto tokenizer = load(goldenModel("llama3"));
  ASSERT_TRUE(tokenizer);
  auto ids = tokenizer->encode("Once", 0);
  ids.insert(ids.begin() + 1, {-1, INT32_MIN, INT32_MAX, int32_t(tokenizer->get().t.id_count)});
  EXPECT_EQ(tokenizer->decode(ids), "Once");
  EXPECT_EQ(tokenizer->stream(ids), "Once");
}

// A text cut anywhere between its tokens decodes to UTF-8, and so does every random list of ids.
TEST(Decode, IsAlwaysUtf8) {
  std::mt19937 random(11);
  for (const char *model : {"gpt2", "gaps", "llama3", "sentence", "first", "split"}) {
    auto tokenizer = load(goldenModel(model));
    ASSERT_TRUE(tokenizer);
    for (int round = 0; round < 2000; ++round) {
      std::vector<int32_t> ids(random() % 30);
      for (int32_t &id : ids)
        id = int32_t(random() % (tokenizer->get().t.id_count + 1));
      std::string text = tokenizer->decode(ids);
      ASSERT_TRUE(llvm::json::isUTF8(text)) << model;
      ASSERT_EQ(tokenizer->stream(ids), text) << model;
    }
  }
}

} // namespace
