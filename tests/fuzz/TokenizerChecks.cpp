#include "tests/fuzz/TokenizerChecks.h"
#include "tests/fuzz/Fuzz.h"
#include "llvm/Support/JSON.h"

namespace coppice::fuzz {

std::vector<int32_t> checkedEncode(const coppice_tokenizer &tokenizer, const uint8_t *text,
                                   size_t bytes, uint32_t flags) {
  ExactCopy copy(text, bytes);
  const char *begin = reinterpret_cast<const char *>(copy.get());
  size_t room = coppice_tokenizer_scratch_bytes(&tokenizer, bytes);
  // A hostile table may ask for more than there is; its text is then not encoded by anyone.
  if (room > (size_t(256) << 20))
    return {};
  std::unique_ptr<uint8_t[]> scratch(new uint8_t[room]);
  size_t count = 77;
  coppice_status status = coppice_tokenizer_encode(&tokenizer, begin, bytes, flags, nullptr, 0,
                                                   &count, scratch.get(), room);
  if (!llvm::json::isUTF8(llvm::StringRef(begin, bytes))) {
    FUZZ_CHECK(status == COPPICE_BAD_TEXT && count == 0);
    return {};
  }
  FUZZ_CHECK(status == (count ? COPPICE_TOO_SMALL : COPPICE_OK));
  std::vector<int32_t> ids(count);
  size_t again = 0;
  status = coppice_tokenizer_encode(&tokenizer, begin, bytes, flags, ids.data(), ids.size(), &again,
                                    scratch.get(), room);
  FUZZ_CHECK(status == COPPICE_OK && again == count);
  for (int32_t id : ids)
    FUZZ_CHECK(id >= 0 && size_t(id) < tokenizer.t.id_count);

  // Less scratch may be enough for short words; if it is not, that is said.
  std::unique_ptr<uint8_t[]> less(new uint8_t[room / 3]);
  std::vector<int32_t> other(count);
  status = coppice_tokenizer_encode(&tokenizer, begin, bytes, flags, other.data(), other.size(),
                                    &again, less.get(), room / 3);
  FUZZ_CHECK(status == COPPICE_OK ? other == ids : status == COPPICE_TOO_SMALL && again == 0);
  return ids;
}

std::string checkedDecode(const coppice_tokenizer &tokenizer, const std::vector<int32_t> &ids,
                          uint32_t flags) {
  size_t bytes = 0;
  coppice_status status =
      coppice_tokenizer_decode(&tokenizer, ids.data(), ids.size(), flags, nullptr, 0, &bytes);
  FUZZ_CHECK(status == (bytes ? COPPICE_TOO_SMALL : COPPICE_OK));
  std::unique_ptr<char[]> text(new char[bytes]);
  size_t again = 0;
  status = coppice_tokenizer_decode(&tokenizer, ids.data(), ids.size(), flags, text.get(), bytes,
                                    &again);
  FUZZ_CHECK(status == COPPICE_OK && again == bytes);
  std::string whole(text.get(), bytes);
  FUZZ_CHECK(llvm::json::isUTF8(whole));

  size_t room = coppice_text_stream_capacity(&tokenizer);
  std::unique_ptr<char[]> part(new char[room]);
  std::string streamed;
  coppice_text_stream stream;
  coppice_text_stream_begin(&stream, &tokenizer, flags);
  auto take = [&](coppice_status status, size_t length) {
    FUZZ_CHECK(status == COPPICE_OK && length <= room);
    FUZZ_CHECK(llvm::json::isUTF8(llvm::StringRef(part.get(), length)));
    streamed.append(part.get(), length);
  };
  size_t length = 0;
  for (int32_t id : ids) {
    status = coppice_text_stream_next(&stream, id, part.get(), room, &length);
    take(status, length);
  }
  status = coppice_text_stream_end(&stream, part.get(), room, &length);
  take(status, length);
  // The one exception that the core states: long runs of byte tokens that turn out to be no text.
  if (tokenizer.t.decoder != COPPICE_DECODER_FALLBACK || ids.size() <= COPPICE_STREAM_HELD)
    FUZZ_CHECK(streamed == whole);
  return whole;
}

void exercise(const coppice_tokenizer &tokenizer) {
  static const char *const texts[] = {
      "",
      " ",
      "Hello, world! It's 12345 o'clock.",
      "  \n\n\t two  spaces \r\n",
      "\xE2\x96\x81\xC2\xA0 \xF0\x9F\x98\x80\xE4\xBD\xA0\xE5\xA5\xBD\xCC\x81",
      "<s>a</s><|endoftext|> <unk> <0x41><0x+1>",
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      "\xC3\xA9\xFF broken",
      "e\xCC\x81\xCC\xA3\xCD\x84 \xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8 "
      "\xE2\x84\xAB\xCC\xB4\xCC\x81\xCC\xB4",
      "HTTPServer\xC7\x85"
      "aBC\xCC\x81!?//\n$x=1+23\xC2\xB2"
      "456",
  };
  for (const char *text : texts)
    for (uint32_t flags : {0u, 3u}) { // none, all
      std::vector<int32_t> ids =
          checkedEncode(tokenizer, reinterpret_cast<const uint8_t *>(text), strlen(text), flags);
      checkedDecode(tokenizer, ids, flags & 1);
    }
  std::vector<int32_t> all = {-1, INT32_MIN, INT32_MAX};
  for (size_t id = 0; id <= tokenizer.t.id_count && id < 300; ++id)
    all.push_back(int32_t(id));
  checkedDecode(tokenizer, all, 0);
  checkedDecode(tokenizer, all, COPPICE_DECODE_SKIP_SPECIAL);
}

} // namespace coppice::fuzz
