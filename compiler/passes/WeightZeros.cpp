// See WeightZeros.h. Values are read as bits: zero is all bits but the sign clear, so that no
// rounding and no denormal mode has a say, and NaN is not zero.
#include "compiler/passes/WeightZeros.h"
#include <cstring>

using namespace mlir;
using namespace coppice;
using llvm::Expected;

namespace {

/// The set bits of everything kept in each declared row and column, or'ed together.
struct Bits {
  SmallVector<uint32_t, 0> rows, cols;
};

} // namespace

/// Or's the bits of a [rows, cols] matrix. `keptRows` and `keptCols` are all ones where kept, else
/// zero.
template <typename WordT>
static Bits gather(ArrayRef<uint8_t> data, ArrayRef<uint32_t> keptRows,
                   ArrayRef<uint32_t> keptCols) {
  constexpr uint32_t allButSign = WordT(~WordT(0)) >> 1;
  Bits bits;
  bits.rows.resize(keptRows.size());
  bits.cols.resize(keptCols.size());
  const uint8_t *at = data.data();
  for (size_t row = 0; row < keptRows.size(); ++row) {
    uint32_t any = 0, keep = keptRows[row];
    for (size_t col = 0; col < keptCols.size(); ++col, at += sizeof(WordT)) {
      WordT word;
      std::memcpy(&word, at, sizeof word);
      uint32_t value = word & allButSign;
      any |= value & keptCols[col];
      bits.cols[col] |= value & keep;
    }
    bits.rows[row] = any;
  }
  return bits;
}

static SmallVector<uint32_t, 0> keptMask(std::optional<lm::IndexListAttr> list, int64_t extent) {
  SmallVector<uint32_t, 0> mask(extent, list ? 0 : ~0u);
  if (list)
    for (int32_t index : list->getIndices())
      mask[index] = ~0u;
  return mask;
}

static llvm::BitVector zerosOf(ArrayRef<uint32_t> bits, std::optional<lm::IndexListAttr> list) {
  size_t count = list ? list->size() : bits.size();
  llvm::BitVector zeros(count);
  for (size_t i = 0; i < count; ++i)
    if (bits[list ? size_t(list->getIndices()[i]) : i] == 0)
      zeros.set(i);
  return zeros;
}

static std::string shapeText(ArrayRef<int64_t> shape, StringRef type) {
  std::string text = type.str() + " [";
  llvm::raw_string_ostream stream(text);
  llvm::interleaveComma(shape, stream);
  stream << "]";
  return text;
}

static StringRef typeName(Type type) {
  return type.isF32() ? "F32" : type.isF16() ? "F16" : "BF16";
}

Expected<WeightZeros> coppice::findZeros(lm::WeightOp weight, const Checkpoint &checkpoint,
                                         SymbolTableCollection &symbols) {
  auto symbol = symbols.lookupNearestSymbolFrom<lm::TensorOp>(weight, weight.getTensorAttr());
  auto declared = cast<RankedTensorType>(symbol.getType());
  std::string wanted = shapeText(declared.getShape(), typeName(declared.getElementType()));
  const TensorInfo *tensor = checkpoint.find(weight.getTensor());
  if (!tensor)
    return llvm::createStringError(
        llvm::inconvertibleErrorCode(),
        "tensor " + weight.getTensor() + " (" + wanted +
            ") is not in the checkpoint; give the one that was imported");
  std::string held = shapeText(tensor->shape, dtypeName(tensor->dtype));
  if (held != wanted)
    return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                   "tensor " + weight.getTensor() + " is " + held +
                                       " in the checkpoint, but " + wanted +
                                       " in the graph; give the checkpoint that was imported");

  std::optional<lm::IndexListAttr> rows = weight.getRows(), cols = weight.getCols();
  // A vector is a matrix of one column.
  int64_t extents[] = {declared.getDimSize(0),
                       declared.getRank() == 2 ? declared.getDimSize(1) : 1};
  bool transposed = weight.getTransposed();
  auto first = keptMask(transposed ? cols : rows, extents[0]);
  auto second = keptMask(transposed ? rows : cols, extents[1]);
  Bits bits = tensor->dtype == DType::F32 ? gather<uint32_t>(tensor->data, first, second)
                                          : gather<uint16_t>(tensor->data, first, second);
  checkpoint.drop(*tensor);
  if (transposed)
    std::swap(bits.rows, bits.cols);
  return WeightZeros{zerosOf(bits.rows, rows), zerosOf(bits.cols, cols)};
}
