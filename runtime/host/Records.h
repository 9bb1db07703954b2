// The records of an artifact's metadata, stages and weights: byte streams that
// runtime/schema/artifact.fbs describes.
//
// Readers believe nothing: they never read past the stream, and stop at the first number that is
// not in its one form or not in its range. They allocate nothing.
#pragma once
#include "runtime/schema/artifact_generated.h"

namespace coppice::runtime {

/// Argument words of a stage at most.
constexpr uint32_t kMaxArgs = 16;

/// Numbers of 32 bits in LEB128.
class NumberReader {
public:
  explicit NumberReader(const flatbuffers::Vector<uint8_t> &bytes)
      : at(bytes.data()), end(bytes.data() + bytes.size()) {}

  bool atEnd() const { return at == end; }
  /// False if the stream ends before the number does, or the number is not in its shortest form or
  /// has more than 32 bits.
  bool read(uint32_t &number);
  /// A number stored as its difference from `base`. False as above.
  bool readFrom(uint32_t base, uint32_t &number);

private:
  const uint8_t *at, *end;
};

struct StageRecord {
  uint32_t kernel, count, set, perRow, joined;
  int32_t layer;
  uint32_t words;
  uint32_t args[kMaxArgs]; // of these, `words`
};

class StageReader {
public:
  /// `previous` is room for kMaxArgs words for each kernel of `entry`, all zero; without it stages
  /// are checked and counted, and their `args` mean nothing.
  explicit StageReader(const artifact::EntryPoint &entry, uint32_t *previous = nullptr)
      : numbers(*entry.stages()), kernels(entry.kernels()->size()), previous(previous) {}

  /// The next stage; false at the end and where something is wrong.
  bool next(StageRecord &stage);
  /// What is wrong, or null.
  const char *problem() const { return wrong; }

private:
  bool refuse(const char *what) {
    wrong = what;
    return false;
  }

  NumberReader numbers;
  uint32_t kernels, layer = 0;
  uint32_t *previous;
  const char *wrong = nullptr;
};

struct StageCounts {
  uint32_t stages, words; // words of all stages together
};

/// Of an entry point that is verified.
StageCounts countStages(const artifact::EntryPoint &entry);

struct WeightRecord {
  uint64_t offset, bytes; // in the weight segment
  uint32_t role, rows, cols;
  uint32_t experts; // matrices, at least 1
  int32_t layer;
  artifact::WeightFormat format;
  artifact::WeightLayout layout;
};

class WeightReader {
public:
  /// `segmentBytes`: of the weight segment.
  WeightReader(const artifact::Artifact &metadata, uint64_t segmentBytes)
      : numbers(*metadata.weights()), roles(metadata.roles()->size()), segment(segmentBytes) {}

  /// The next weight; false at the end and where something is wrong, which it is too if the
  /// segment does not end with the last weight.
  bool next(WeightRecord &weight);
  /// What is wrong, or null.
  const char *problem() const { return wrong; }

private:
  bool refuse(const char *what) {
    wrong = what;
    return false;
  }

  NumberReader numbers;
  uint32_t roles, layer = 0;
  uint64_t segment, end = 0; // end: of the last weight
  const char *wrong = nullptr;
};

} // namespace coppice::runtime
