// Writes artifacts for the fuzzer to begin with: small ones, alone and with each tokenizer of the
// tree. usage: fuzz-seeds FOLDER
#include "compiler/artifact/tokenizer/Tokenizer.h"
#include "tests/unit/runtime/ToyArtifact.h"
#include "llvm/Support/raw_ostream.h"

using namespace coppice;

static bool write(const std::string &path, const std::vector<uint8_t> &bytes) {
  std::error_code code;
  llvm::raw_fd_ostream out(path, code);
  if (!code)
    out.write(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  return !code;
}

int main(int count, char **arguments) {
  if (count != 2)
    return 2;
  std::string folder = arguments[1];
  toy::Artifact toy;
  toy.codeBytes = 0;
  toy.kernels.clear(); // without code there are no kernels, and so no stages
  toy.stages.clear();
  if (!write(folder + "/toy", toy.build()))
    return 1;
  for (const char *name :
       {"digits", "dropped", "first", "gaps", "gpt2", "llama3", "qwen2", "sentence", "split"}) {
    auto tables = compileTokenizer(std::string(COPPICE_TESTS "/golden/tokenizer/models/") + name,
                                   int64_t(1) << 20);
    if (!tables || !*tables) {
      llvm::errs() << llvm::toString(tables.takeError()) << "\n";
      return 1;
    }
    toy.tokenizer = buildTokenizer(**tables);
    if (!write(folder + "/" + name, toy.build()))
      return 1;
  }
  return 0;
}
