// Input files. A path that is not a regular file is refused before it is opened for reading: a
// pipe would block, and a device has no size.
#include "compiler/import/Files.h"
#include "compiler/import/Json.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#ifdef __linux__
#include <sys/mman.h>
#endif

namespace coppice {

static std::string whyNot(std::error_code code) {
  bool absent = code == std::errc::no_such_file_or_directory;
  return code.message() + (absent ? "; check its name and the folder that it is in" : "");
}

bool fileExists(const llvm::Twine &path) {
  llvm::sys::fs::file_status status;
  return llvm::sys::fs::status(path, status, /*follow=*/false) !=
         std::errc::no_such_file_or_directory;
}

std::string joinPath(llvm::StringRef directory, llvm::StringRef name) {
  llvm::SmallString<256> path(directory);
  llvm::sys::path::append(path, name);
  return std::string(path);
}

llvm::Expected<MappedFile> MappedFile::open(llvm::StringRef path) {
  namespace fs = llvm::sys::fs;
  auto fail = [&](const llvm::Twine &what) {
    return llvm::createStringError(llvm::Twine(path) + ": " + what);
  };
  fs::file_status status;
  if (std::error_code code = fs::status(path, status))
    return fail("cannot read it: " + whyNot(code));
  if (fs::is_directory(status))
    return fail("this is a directory, and a file is wanted");
  if (!fs::is_regular_file(status))
    return fail("this is not a regular file");
  llvm::Expected<fs::file_t> handle = fs::openNativeFileForRead(path);
  if (!handle)
    return fail("cannot read it: " + llvm::toString(handle.takeError()));

  MappedFile result;
  result.name = path.str();
  std::error_code code;
  // The size is asked of the open file, which may be another than the one looked at above.
  if (!(code = fs::status(*handle, status)) && status.getSize() > 0)
    result.region = fs::mapped_file_region(*handle, fs::mapped_file_region::readonly,
                                           status.getSize(), 0, code);
  fs::closeFile(*handle);
  if (code)
    return fail("cannot map it: " + code.message());
  // What git checks out in place of a large file where git-lfs is not installed. No file that is
  // read here begins like this.
  constexpr llvm::StringLiteral pointer = "version https://git-lfs";
  if (llvm::toStringRef(result.bytes()).starts_with(pointer))
    return fail("this is a git LFS pointer, which stands for the file and does not hold it; "
                "`git lfs pull` in its folder fetches the file");
  return result;
}

llvm::ArrayRef<uint8_t> MappedFile::bytes() const {
  if (!region)
    return {};
  return {reinterpret_cast<const uint8_t *>(region.const_data()), region.size()};
}

void MappedFile::drop(llvm::ArrayRef<uint8_t> range) const {
#ifdef __linux__
  if (range.empty())
    return;
  uintptr_t page = llvm::sys::Process::getPageSizeEstimate();
  uintptr_t begin = reinterpret_cast<uintptr_t>(range.begin()) / page * page;
  uintptr_t end = reinterpret_cast<uintptr_t>(range.end());
  // Not posix_madvise, whose DONTNEED does nothing in glibc. The mapping is private and never
  // written, so dropped pages come back from the file with the same contents.
  (void)::madvise(reinterpret_cast<void *>(begin), end - begin, MADV_DONTNEED);
#endif
}

llvm::Expected<std::string> readTextFile(llvm::StringRef path, uint64_t limit) {
  auto fail = [&](const llvm::Twine &what) {
    return llvm::createStringError(llvm::Twine(path) + ": " + what);
  };
  namespace fs = llvm::sys::fs;
  if (fs::is_directory(path))
    return fail("this is a directory, and a file is wanted");
  llvm::Expected<fs::file_t> file = fs::openNativeFileForRead(path);
  if (!file)
    return fail("cannot read it: " + whyNot(llvm::errorToErrorCode(file.takeError())));
  std::string text;
  constexpr size_t step = 1 << 16;
  for (;;) {
    size_t before = text.size();
    text.resize(before + step);
    llvm::Expected<size_t> got = fs::readNativeFile(*file, {text.data() + before, step});
    text.resize(before + (got ? *got : 0));
    if (got && *got > 0 && text.size() <= limit)
      continue;
    (void)fs::closeFile(*file);
    if (!got)
      return fail("cannot read it: " + llvm::toString(got.takeError()));
    if (text.size() > limit)
      return fail("it has more than the " + llvm::Twine(limit) + " bytes that are allowed");
    return text;
  }
}

llvm::Expected<llvm::json::Value> readJsonFile(llvm::StringRef path) {
  llvm::Expected<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.takeError();
  llvm::ArrayRef<uint8_t> bytes = file->bytes();
  if (bytes.empty())
    return llvm::createStringError(llvm::Twine(path) + ": the file is empty");
  if (bytes.size() > maxJsonFileBytes)
    return llvm::createStringError(
        llvm::Twine(path) + ": the file has " + llvm::Twine(bytes.size()) +
        " bytes, and JSON files of at most " + llvm::Twine(maxJsonFileBytes) + " bytes are read");
  return parseJson({reinterpret_cast<const char *>(bytes.data()), bytes.size()}, path);
}

} // namespace coppice
