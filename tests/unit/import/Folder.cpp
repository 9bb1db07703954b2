// The folders and files that this room's tests write.
#include "Folder.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

namespace coppice::test {

Folder::Folder() {
  if (llvm::sys::fs::createUniqueDirectory("coppice-import-test", directory))
    llvm::report_fatal_error("cannot make a temporary folder");
}

Folder::~Folder() { (void)llvm::sys::fs::remove_directories(directory); }

std::string Folder::path(llvm::StringRef name) const {
  llvm::SmallString<128> result(directory);
  llvm::sys::path::append(result, name);
  return std::string(result);
}

void Folder::write(llvm::StringRef name, llvm::StringRef contents) const {
  std::error_code code;
  llvm::raw_fd_ostream(path(name), code) << contents;
  if (code)
    llvm::report_fatal_error("cannot write a temporary file");
}

SafetensorsWriter &SafetensorsWriter::add(llvm::StringRef name, llvm::ArrayRef<int64_t> shape,
                                          llvm::StringRef dtype, unsigned bytesPerElement,
                                          char fill) {
  size_t size = bytesPerElement;
  std::string extents;
  for (int64_t extent : shape) {
    size *= extent;
    extents += (extents.empty() ? "" : ",") + std::to_string(extent);
  }
  header += (header.empty() ? "" : ",") +
            ("\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":[" + extents +
             "],\"data_offsets\":[" + std::to_string(data.size()) + "," +
             std::to_string(data.size() + size) + "]}")
                .str();
  data.append(size, fill);
  return *this;
}

std::string SafetensorsWriter::bytes() const { return safetensorsFile("{" + header + "}", data); }

std::string safetensorsFile(llvm::StringRef header, llvm::StringRef data) {
  char length[8];
  llvm::support::endian::write64le(length, header.size());
  return std::string(length, 8) + header.str() + data.str();
}

} // namespace coppice::test
