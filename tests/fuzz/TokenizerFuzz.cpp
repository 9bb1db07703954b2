// tokenizer.json from anywhere: refused with one line, or tables that the runtime accepts and that
// encode and decode soundly.
#include "compiler/artifact/tokenizer/Tokenizer.h"
#include "runtime/host/TokenizerTables.h"
#include "tests/fuzz/Fuzz.h"
#include "tests/fuzz/JsonMutator.h"
#include "tests/fuzz/TokenizerChecks.h"

using namespace coppice;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz::ExactCopy copy(data, size);
  auto tables = compileTokenizerJson({reinterpret_cast<const char *>(copy.get()), size},
                                     "tokenizer.json", 1 << 20);
  if (!tables) {
    std::string message = llvm::toString(tables.takeError());
    FUZZ_CHECK(llvm::StringRef(message).starts_with("tokenizer.json"));
    return 0;
  }
  std::vector<uint8_t> buffer = buildTokenizer(*tables);
  fuzz::ExactCopy blob(buffer.data(), buffer.size());
  coppice_tokenizer tokenizer;
  coppice_status status = runtime::readTokenizer(blob.get(), buffer.size(), tokenizer);
  FUZZ_CHECK(status == COPPICE_OK);
  fuzz::exercise(tokenizer);
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maxSize,
                                          unsigned seed) {
  return fuzz::mutateJson(data, size, maxSize, seed);
}
