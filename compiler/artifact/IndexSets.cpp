// See IndexSets.h.
#include "compiler/artifact/IndexSets.h"
#include <algorithm>
#include <cassert>

using namespace coppice;

/// Kept numbers at most, so that a dense set, which has no bytes to back it, cannot ask for memory
/// without bound. Far above any width of a layer.
constexpr uint32_t kMaxDense = 1u << 24;

static void putLeb(std::vector<uint8_t> &to, uint32_t number) {
  for (; number >= 0x80; number >>= 7)
    to.push_back(uint8_t(number | 0x80));
  to.push_back(uint8_t(number));
}

flatbuffers::Offset<artifact::IndexSet>
coppice::writeIndexSet(flatbuffers::FlatBufferBuilder &builder, llvm::ArrayRef<int32_t> kept,
                       uint32_t before) {
  if (kept.empty() || kept.size() == before)
    return artifact::CreateIndexSet(builder, before, uint32_t(kept.size()));
  std::vector<int32_t> sorted(kept.begin(), kept.end());
  std::sort(sorted.begin(), sorted.end());

  std::vector<uint8_t> runs, bitmap((before + 7) / 8);
  uint32_t next = 0; // the first number that no run has covered
  for (size_t i = 0; i < sorted.size();) {
    size_t end = i + 1;
    while (end < sorted.size() && sorted[end] == sorted[end - 1] + 1)
      ++end;
    putLeb(runs, uint32_t(sorted[i]) - next);
    putLeb(runs, uint32_t(end - i));
    next = uint32_t(sorted[end - 1]) + 1;
    i = end;
  }
  for (int32_t number : sorted) {
    assert(number >= 0 && uint32_t(number) < before && "a kept index beyond the layer's width");
    bitmap[number / 8] |= uint8_t(1u << (number % 8));
  }
  flatbuffers::Offset<flatbuffers::Vector<uint8_t>> runsAt, bitmapAt;
  if (runs.size() <= bitmap.size())
    runsAt = builder.CreateVector(runs);
  else
    bitmapAt = builder.CreateVector(bitmap);
  return artifact::CreateIndexSet(builder, before, uint32_t(kept.size()), runsAt, bitmapAt);
}

static llvm::Error contradiction(const char *what) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                 "the artifact's metadata is damaged: a set of kept heads or "
                                 "neurons %s; compile the artifact again",
                                 what);
}

llvm::Expected<std::vector<uint32_t>> coppice::readIndexSet(const artifact::IndexSet &set) {
  uint32_t before = set.before(), kept = set.kept();
  if (kept > before)
    return contradiction("keeps more than there were");
  std::vector<uint32_t> numbers;
  if (const auto *bitmap = set.bitmap()) {
    if (bitmap->size() != (uint64_t(before) + 7) / 8)
      return contradiction("has a bitmap of another length");
    for (uint64_t i = 0; i < uint64_t(bitmap->size()) * 8; ++i)
      if (bitmap->Get(uint32_t(i / 8)) >> (i % 8) & 1)
        numbers.push_back(uint32_t(i));
    if (!numbers.empty() && numbers.back() >= before)
      return contradiction("names a number beyond the layer's width");
  } else if (const auto *runs = set.runs()) {
    uint64_t next = 0;
    uint32_t at = 0;
    while (at < runs->size()) {
      uint32_t run[2]; // how many go, how many stay
      for (uint32_t &number : run) {
        uint64_t value = 0;
        unsigned shift = 0;
        uint8_t byte;
        do {
          if (at == runs->size() || shift > 28)
            return contradiction("has a run that does not end");
          byte = runs->Get(at++);
          value |= uint64_t(byte & 0x7f) << shift;
          shift += 7;
        } while (byte & 0x80);
        if (value > before)
          return contradiction("names a number beyond the layer's width");
        number = uint32_t(value);
      }
      next += run[0];
      if (next > before || run[1] > before - next || run[1] > kept - numbers.size() ||
          kept > kMaxDense)
        return contradiction("names a number beyond the layer's width");
      for (uint32_t i = 0; i < run[1]; ++i)
        numbers.push_back(uint32_t(next + i));
      next += run[1];
    }
  } else if (kept == before) {
    if (before > kMaxDense)
      return contradiction("is wider than any layer");
    for (uint32_t i = 0; i < before; ++i)
      numbers.push_back(i);
  }
  if (numbers.size() != kept)
    return contradiction("does not hold as many numbers as it says");
  return numbers;
}
