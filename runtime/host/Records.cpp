// See Records.h.
#include "runtime/host/Records.h"
#include "coppice/artifact_prefix.h"
#include "coppice/kernel_abi.h"
#include "coppice/limits.h"

namespace coppice::runtime {

constexpr uint32_t kMaxStageItems = 1u << 31; // far above what models need
constexpr const char *kNoNumber = "a record of its metadata is cut, or a number in it too long";

bool NumberReader::read(uint32_t &number) {
  uint32_t value = 0;
  for (unsigned shift = 0; at != end; shift += 7) {
    uint8_t byte = *at++;
    if (shift == 28 && byte > 0xf) // beyond 32 bits, or no end
      return false;
    value |= uint32_t(byte & 0x7f) << shift;
    if (byte & 0x80)
      continue;
    number = value;
    return byte != 0 || shift == 0; // else a shorter form says the same
  }
  return false;
}

bool NumberReader::readFrom(uint32_t base, uint32_t &number) {
  uint32_t stored;
  if (!read(stored))
    return false;
  uint32_t half = stored >> 1;
  number = base + (stored & 1 ? ~half : half);
  return true;
}

/// -1, or the number of a layer.
static bool validLayer(uint32_t layer) { return layer + 1 <= COPPICE_MAX_LAYERS; }

bool StageReader::next(StageRecord &stage) {
  if (wrong || numbers.atEnd())
    return false;
  uint32_t shape;
  if (!numbers.read(stage.kernel) || !numbers.read(shape) || !numbers.readFrom(layer, layer) ||
      !numbers.read(stage.count))
    return refuse(kNoNumber);
  stage.set = shape & 3;
  stage.perRow = shape >> 2 & 1;
  stage.joined = shape >> 3 & 1;
  stage.words = shape >> 4;
  stage.layer = int32_t(layer);
  if (stage.kernel >= kernels)
    return refuse("a stage's kernel does not exist");
  if (stage.set >= COPPICE_ROW_SETS || stage.count > kMaxStageItems)
    return refuse("a stage's rows or items are out of range");
  if (stage.words > kMaxArgs)
    return refuse("a stage has too many argument words");
  if (!validLayer(layer))
    return refuse("a stage's layer is out of range");
  uint32_t *before = previous ? previous + size_t(stage.kernel) * kMaxArgs : stage.args;
  for (uint32_t i = 0; i < stage.words; ++i) {
    if (!numbers.readFrom(previous ? before[i] : 0, stage.args[i]))
      return refuse(kNoNumber);
    before[i] = stage.args[i];
  }
  return true;
}

StageCounts countStages(const artifact::EntryPoint &entry) {
  StageCounts counts = {0, 0};
  StageReader reader(entry);
  for (StageRecord stage; reader.next(stage); counts.words += stage.words)
    ++counts.stages;
  return counts;
}

/// As the schema says; at most 4 * 2^32.
static uint64_t rowBytes(artifact::WeightFormat format, uint64_t cols) {
  constexpr uint64_t group = 32;
  switch (format) {
  case artifact::WeightFormat::F16:
  case artifact::WeightFormat::BF16:
    return cols * 2;
  case artifact::WeightFormat::I8:
  case artifact::WeightFormat::I4: {
    uint64_t pack = format == artifact::WeightFormat::I8 ? 4 : 8, left = cols % group;
    return cols / group * (group / pack * 4 + 2) + (left ? (left + pack - 1) / pack * 4 + 2 : 0);
  }
  default:
    return cols * 4;
  }
}

bool WeightReader::next(WeightRecord &weight) {
  if (wrong)
    return false;
  if (numbers.atEnd())
    return end == segment ? false : refuse("the weights do not end with the last of them");
  uint32_t kind;
  if (!numbers.read(weight.role) || !numbers.readFrom(layer, layer) || !numbers.read(kind) ||
      !numbers.read(weight.rows) || !numbers.read(weight.cols))
    return refuse(kNoNumber);
  if (weight.role >= roles)
    return refuse("a weight's role is unknown");
  if (!validLayer(layer))
    return refuse("a weight's layer is out of range");
  weight.layer = int32_t(layer);
  static_assert(uint32_t(artifact::WeightLayout::MAX) == 1, "a layout is one bit of the kind");
  if ((kind & 15) > uint32_t(artifact::WeightFormat::MAX) || kind >> 6 != 0)
    return refuse("a weight's format is unknown");
  weight.format = artifact::WeightFormat(kind & 15);
  weight.layout = artifact::WeightLayout(kind >> 4 & 1);
  weight.experts = 1;
  if (kind >> 5 && !numbers.read(weight.experts))
    return refuse(kNoNumber);
  if (kind >> 5 && weight.experts < 2)
    return refuse("a weight's experts are fewer than two");

  uint64_t gap = (COPPICE_WEIGHT_ALIGN - end % COPPICE_WEIGHT_ALIGN) % COPPICE_WEIGHT_ALIGN;
  uint64_t row = rowBytes(weight.format, weight.cols);
  if (gap > segment - end || (row != 0 && weight.rows > (segment - end - gap) / row))
    return refuse("a weight reaches past the end of the weights");
  weight.offset = end + gap;
  weight.bytes = weight.rows * row;
  uint64_t left = segment - weight.offset - weight.bytes, others = weight.experts - 1;
  uint64_t padded = weight.bytes + (COPPICE_WEIGHT_ALIGN - weight.bytes % COPPICE_WEIGHT_ALIGN) %
                                       COPPICE_WEIGHT_ALIGN;
  if (padded != 0 && others > left / padded)
    return refuse("a weight's experts reach past the end of the weights");
  weight.bytes += others * padded;
  end = weight.offset + weight.bytes;
  return true;
}

} // namespace coppice::runtime
