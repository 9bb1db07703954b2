// A safetensors file from anywhere: refused with one line, or entries that cover its data exactly.
//
// Half of the mutations keep the length in front of the header right, so that the header's JSON is
// reached; some change how much data follows it.
#include "compiler/import/Safetensors.h"
#include "tests/fuzz/Fuzz.h"
#include "tests/fuzz/JsonMutator.h"
#include "llvm/Support/Endian.h"
#include <algorithm>

using namespace coppice;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz::ExactCopy copy(data, size);
  auto entries = readSafetensors({copy.get(), size}, "model.safetensors");
  if (!entries) {
    std::string message = llvm::toString(entries.takeError());
    FUZZ_CHECK(llvm::StringRef(message).starts_with("model.safetensors"));
    return 0;
  }
  uint64_t header = llvm::support::endian::read64le(data);
  const uint8_t *reached = copy.get() + 8 + header;
  for (const SafetensorsEntry &entry : *entries) {
    FUZZ_CHECK(entry.data.begin() == reached);
    reached = entry.data.end();
    for (int64_t extent : entry.shape)
      FUZZ_CHECK(extent >= 0);
  }
  FUZZ_CHECK(reached == copy.get() + size);
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maxSize,
                                          unsigned seed) {
  uint64_t header = size >= 8 ? llvm::support::endian::read64le(data) : UINT64_MAX;
  if (seed % 4 == 0 || size < 8 || header > size - 8 || maxSize < size)
    return LLVMFuzzerMutate(data, size, maxSize);
  size_t tail = size - 8 - header;
  if (seed % 4 == 1) { // more or less data
    size_t wanted = std::min<size_t>((seed >> 2) % 4 ? (seed >> 4) % 256 : tail + (seed >> 4) % 3,
                                     maxSize - 8 - header);
    if (wanted > tail)
      memset(data + size, 0, wanted - tail);
    return 8 + header + wanted;
  }
  std::unique_ptr<uint8_t[]> rest(new uint8_t[tail + 1]);
  memcpy(rest.get(), data + 8 + header, tail);
  size_t length = fuzz::mutateJson(data + 8, header, maxSize - 8 - tail, seed / 4);
  memcpy(data + 8 + length, rest.get(), tail);
  llvm::support::endian::write64le(data, length);
  return 8 + length + tail;
}
