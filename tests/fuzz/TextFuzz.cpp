// Text and ids from anywhere, through each tokenizer of the tree.
//
// The input's first byte chooses the tokenizer, the second the flags; the rest is a text, and the
// same bytes are taken as ids. What a byte-level tokenizer encodes decodes to the same text.
#include "compiler/artifact/tokenizer/Tokenizer.h"
#include "runtime/host/TokenizerTables.h"
#include "tests/fuzz/Fuzz.h"
#include "tests/fuzz/TokenizerChecks.h"
#include <deque>

using namespace coppice;

namespace {
struct Loaded {
  explicit Loaded(const char *folder) {
    auto tables =
        llvm::cantFail(compileTokenizer(std::string(COPPICE_TESTS "/") + folder, int64_t(1) << 20));
    std::vector<uint8_t> buffer = buildTokenizer(*tables);
    blob = std::make_unique<fuzz::ExactCopy>(buffer.data(), buffer.size());
    FUZZ_CHECK(runtime::readTokenizer(blob->get(), buffer.size(), tokenizer) == COPPICE_OK);
  }
  std::unique_ptr<fuzz::ExactCopy> blob;
  coppice_tokenizer tokenizer;
};
} // namespace

static const struct {
  const char *folder;
  bool lossless; // every byte is a token, nothing is put before the text
} folders[] = {{"models/opt-icl", true},
               {"golden/tokenizer/models/llama3", true},
               {"golden/tokenizer/models/qwen2", true},
               {"golden/tokenizer/models/gpt2", false},
               {"golden/tokenizer/models/digits", false},
               {"golden/tokenizer/models/dropped", false},
               {"golden/tokenizer/models/first", false},
               {"golden/tokenizer/models/gaps", false},
               {"golden/tokenizer/models/sentence", false},
               {"golden/tokenizer/models/split", false},
               {"golden/tokenizer/models/falcon", true},
               {"golden/tokenizer/models/o200k", true},
               {"golden/tokenizer/models/tekken", true},
               {"golden/tokenizer/models/nfc", false},
               {"golden/tokenizer/models/gemma", false}};
static std::deque<Loaded> tokenizers;

extern "C" int LLVMFuzzerInitialize(int *, char ***) {
  for (const auto &folder : folders)
    tokenizers.emplace_back(folder.folder);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2)
    return 0;
  size_t which = data[0] % std::size(folders);
  uint32_t flags = data[1] % 4;
  const coppice_tokenizer &tokenizer = tokenizers[which].tokenizer;
  data += 2;
  size -= 2;
  std::vector<int32_t> ids = fuzz::checkedEncode(tokenizer, data, size, flags);
  std::string text = fuzz::checkedDecode(tokenizer, ids, COPPICE_DECODE_SKIP_SPECIAL * (flags & 1));
  if (folders[which].lossless && flags == 0 && !ids.empty())
    FUZZ_CHECK(text == std::string(reinterpret_cast<const char *>(data), size));

  // Small numbers find tokens, big ones do not; both are allowed.
  std::vector<int32_t> any(size / 2);
  for (size_t i = 0; i < any.size(); ++i)
    any[i] = int32_t(data[2 * i] | data[2 * i + 1] << 8) % (data[1] & 4 ? 70000 : 600) - 1;
  fuzz::checkedDecode(tokenizer, any, flags & 1);
  return 0;
}
