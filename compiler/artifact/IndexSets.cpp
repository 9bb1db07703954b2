// See IndexSets.h.
#include "compiler/artifact/IndexSets.h"
#include "compiler/artifact/Records.h"
#include "runtime/host/Records.h"
#include <algorithm>
#include <cassert>

using namespace coppice;

/// Kept numbers at most, so that a dense set, which has no bytes to back it, cannot ask for memory
/// without bound. Far above any width of a layer.
constexpr uint32_t kMaxDense = 1u << 24;

flatbuffers::Offset<artifact::IndexSet>
coppice::writeIndexSet(flatbuffers::FlatBufferBuilder &builder, llvm::ArrayRef<int32_t> kept,
                       uint32_t before, bool recorded) {
  if (kept.empty() || kept.size() == before || !recorded)
    return artifact::CreateIndexSet(builder, before, uint32_t(kept.size()));
  std::vector<int32_t> sorted(kept.begin(), kept.end());
  std::sort(sorted.begin(), sorted.end());

  std::vector<uint8_t> runs, bitmap((before + 7) / 8);
  uint32_t next = 0; // the first number that no run has covered
  for (size_t i = 0; i < sorted.size();) {
    size_t end = i + 1;
    while (end < sorted.size() && sorted[end] == sorted[end - 1] + 1)
      ++end;
    putNumber(runs, uint32_t(sorted[i]) - next);
    putNumber(runs, uint32_t(end - i));
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

llvm::Expected<std::optional<std::vector<uint32_t>>>
coppice::readIndexSet(const artifact::IndexSet &set) {
  uint32_t before = set.before(), kept = set.kept();
  if (kept > before)
    return contradiction("keeps more than there were");
  if (set.runs() && set.bitmap())
    return contradiction("is there twice");
  if (!set.runs() && !set.bitmap() && kept != 0 && kept != before)
    return std::nullopt;
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
    runtime::NumberReader reader(*runs);
    for (uint64_t next = 0; !reader.atEnd();) {
      uint32_t run[2]; // how many go, how many stay
      if (!reader.read(run[0]) || !reader.read(run[1]))
        return contradiction("has a run that does not end");
      if (run[1] == 0 || (run[0] == 0 && next))
        return contradiction("has a run of none");
      if (run[0] > before)
        return contradiction("names a number beyond the layer's width");
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
