// See Inputs.h.
#include "tools/coppice/Inputs.h"
#include "runtime/files/NewFile.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

namespace coppice {

static std::vector<std::string> modelFiles(const std::string &modelDir) {
  static const llvm::StringSet<> kNames = {
      "config.json",       "generation_config.json",  "model.safetensors.index.json",
      "tokenizer.json",    "tokenizer_config.json",   "vocab.json",
      "added_tokens.json", "special_tokens_map.json", "merges.txt"};
  std::vector<std::string> files;
  std::error_code error;
  for (llvm::sys::fs::directory_iterator at(modelDir, error), end; !error && at != end;
       at.increment(error)) {
    llvm::StringRef name = llvm::sys::path::filename(at->path());
    llvm::StringRef kind = llvm::sys::path::extension(name);
    if (kNames.contains(name) || kind == ".safetensors" || kind == ".bin" || kind == ".model")
      files.push_back(at->path());
  }
  return files;
}

llvm::Error checkOutput(const std::string &output, const std::string &modelDir,
                        llvm::ArrayRef<std::string> files, llvm::StringRef work) {
  std::vector<std::string> inputs = modelFiles(modelDir);
  inputs.insert(inputs.end(), files.begin(), files.end());
  for (const std::string &input : inputs)
    if (!input.empty() && isSameFile(output, input))
      return llvm::createStringError("cannot write '" + output + "': this " + work + " reads " +
                                     (output == input ? "it" : "it, as '" + input + "'") +
                                     "; name another file");
  return llvm::Error::success();
}

} // namespace coppice
