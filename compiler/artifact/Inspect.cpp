// See Inspect.h. Reading is InspectContents.cpp's, writing that of one file for each output.
#include "compiler/artifact/Inspect.h"
#include "compiler/artifact/InspectContents.h"
#include "compiler/artifact/OutputFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace coppice;

/// Drawn on a page. Far above any model, and a file's layers may share their bytes: without a limit
/// a small file could ask for a page of any length.
constexpr size_t kMaxDrawnLayers = 2048;

llvm::Error coppice::inspectArtifact(llvm::StringRef path, bool json, llvm::raw_ostream &out) {
  auto contents = inspect::readContents(path);
  if (!contents)
    return contents.takeError();
  if (json)
    inspect::writeJson(*contents, out);
  else
    inspect::writeText(*contents, out);
  return llvm::Error::success();
}

llvm::Error coppice::drawArtifact(llvm::StringRef path, llvm::StringRef output) {
  auto contents = inspect::readContents(path);
  if (!contents)
    return contents.takeError();
  if (llvm::sys::fs::equivalent(path, output))
    return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                   "cannot write '" + output +
                                       "': it is the artifact itself; name another file");
  if (contents->layers.size() > kMaxDrawnLayers)
    return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                   "'" + path + "' has " + llvm::Twine(contents->layers.size()) +
                                       " layers, and a page shows " + llvm::Twine(kMaxDrawnLayers) +
                                       " at most; see it with --json");
  std::string page;
  llvm::raw_string_ostream stream(page);
  inspect::writeHtml(*contents, llvm::sys::path::filename(path), stream);
  auto file = OutputFile::create(output);
  if (!file)
    return file.takeError();
  if (llvm::Error error =
          (*file)->write({reinterpret_cast<const uint8_t *>(page.data()), page.size()}, 0))
    return error;
  return (*file)->commit();
}
