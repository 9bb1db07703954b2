// See Records.h.
#include "compiler/artifact/Records.h"
#include "coppice/kernel_abi.h"
#include "coppice/limits.h"
#include "runtime/host/Records.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MathExtras.h"
#include <map>

using namespace coppice;

static_assert(uint8_t(WeightFormat::I8) == uint8_t(artifact::WeightFormat::I8) &&
              uint8_t(WeightFormat::I4) == uint8_t(artifact::WeightFormat::I4) &&
              uint8_t(WeightFormat::I4) == uint8_t(artifact::WeightFormat::MAX) &&
              uint8_t(WeightFormat::F32) == uint8_t(artifact::WeightFormat::F32) &&
              uint8_t(WeightFormat::U32) == uint8_t(artifact::WeightFormat::U32) &&
              uint8_t(WeightFormat::BF16) == uint8_t(artifact::WeightFormat::BF16) &&
              uint8_t(WeightFormat::F16) == uint8_t(artifact::WeightFormat::F16) &&
              uint8_t(WeightLayout::Panels) == uint8_t(artifact::WeightLayout::Panels));

void coppice::putNumber(std::vector<uint8_t> &to, uint32_t number) {
  for (; number >= 0x80; number >>= 7)
    to.push_back(uint8_t(number | 0x80));
  to.push_back(uint8_t(number));
}

static void putDifference(std::vector<uint8_t> &to, uint32_t from, uint32_t number) {
  uint32_t difference = number - from;
  putNumber(to, difference >> 31 ? (~difference << 1) | 1 : difference << 1);
}

/// An error if `value` is not in [0, most].
static llvm::Error fits(int64_t value, int64_t most, const llvm::Twine &what) {
  if (value >= 0 && value <= most)
    return llvm::Error::success();
  return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                 "the artifact format cannot hold " + what + ": " +
                                     llvm::Twine(value) + ", at most " + llvm::Twine(most));
}

llvm::Expected<std::vector<uint8_t>> coppice::writeStages(llvm::ArrayRef<Stage> stages) {
  std::vector<uint8_t> bytes;
  std::map<uint32_t, std::array<uint32_t, runtime::kMaxArgs>> previous; // words, by kernel
  int32_t layer = 0;
  for (const Stage &stage : stages) {
    if (auto error =
            fits(int64_t(stage.args.size()), runtime::kMaxArgs, "the argument words of a stage"))
      return std::move(error);
    if (auto error =
            fits(int64_t(stage.layer) + 1, COPPICE_MAX_LAYERS, "the number of a stage's layer"))
      return std::move(error);
    if (auto error = fits(stage.set, COPPICE_ROW_SETS - 1, "the number of a stage's row set"))
      return std::move(error);
    if (auto error = fits(stage.count, int64_t(1) << 31, "the items of a stage"))
      return std::move(error);
    putNumber(bytes, stage.kernel);
    putNumber(bytes, stage.set | uint32_t(stage.perRow) << 2 | uint32_t(stage.joined) << 3 |
                         uint32_t(stage.args.size()) << 4);
    putDifference(bytes, uint32_t(layer), uint32_t(stage.layer));
    layer = stage.layer;
    putNumber(bytes, stage.count);
    auto &words = previous[stage.kernel]; // zero at first
    for (size_t i = 0; i < stage.args.size(); ++i) {
      putDifference(bytes, words[i], stage.args[i]);
      words[i] = stage.args[i];
    }
  }
  return bytes;
}

llvm::Expected<std::vector<uint8_t>> coppice::writeWeights(llvm::ArrayRef<PackedWeight> weights,
                                                           std::vector<std::string> &roles) {
  std::vector<uint8_t> bytes;
  llvm::StringMap<uint32_t> numbers;
  int32_t layer = 0;
  uint64_t end = 0; // of the weight before
  for (const PackedWeight &weight : weights) {
    if (auto error = fits(weight.rows, UINT32_MAX, "the rows of weight '" + weight.role + "'"))
      return std::move(error);
    if (auto error = fits(weight.cols, UINT32_MAX, "the columns of weight '" + weight.role + "'"))
      return std::move(error);
    if (auto error =
            fits(int64_t(weight.layer) + 1, COPPICE_MAX_LAYERS, "the number of a weight's layer"))
      return std::move(error);
    if (weight.offset != llvm::alignTo(end, 64))
      return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                     "weight '" + weight.role + "' lies at byte " +
                                         llvm::Twine(weight.offset) + ", the one before ends at " +
                                         llvm::Twine(end));
    end = weight.offset + weight.bytes;
    auto [role, isNew] = numbers.try_emplace(weight.role, uint32_t(roles.size()));
    if (isNew)
      roles.push_back(weight.role);
    putNumber(bytes, role->second);
    putDifference(bytes, uint32_t(layer), uint32_t(weight.layer));
    layer = weight.layer;
    bool several = weight.experts > 1;
    putNumber(bytes,
              uint32_t(weight.format) | uint32_t(weight.layout) << 4 | uint32_t(several) << 5);
    putNumber(bytes, uint32_t(weight.rows));
    putNumber(bytes, uint32_t(weight.cols));
    if (several)
      putNumber(bytes, weight.experts);
  }
  return bytes;
}
