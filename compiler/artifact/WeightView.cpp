// Resolves lm.weight ops against a checkpoint. All bounds are checked here, so that readers of a
// view need not.
#include "compiler/artifact/WeightView.h"
#include "compiler/artifact/FloatFormats.h"
#include "compiler/artifact/WeightStream.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

using namespace coppice;

static llvm::Error mismatch(llvm::StringRef name, const llvm::Twine &what) {
  return llvm::createStringError(
      llvm::inconvertibleErrorCode(),
      "tensor '" + name + "': " + what +
          "; the checkpoint changed while it was compiled: compile again from intact files");
}

static std::string shapeText(llvm::ArrayRef<int64_t> shape) {
  return "[" +
         llvm::join(llvm::map_range(shape, [](int64_t n) { return std::to_string(n); }), ", ") +
         "]";
}

std::string WeightView::describe(int64_t row, int64_t col) const {
  int64_t index = element(row, col);
  if (vector)
    return "element " + std::to_string(index);
  return "row " + std::to_string(index / storedCols) + ", column " +
         std::to_string(index % storedCols);
}

llvm::Expected<WeightView> coppice::viewWeight(lm::WeightOp weight, const Checkpoint &checkpoint) {
  llvm::StringRef name = weight.getTensor();
  WeightView view;
  view.tensor = checkpoint.find(name);
  if (!view.tensor)
    return mismatch(name, "the program reads it, but the checkpoint has no tensor of that name");

  const TensorInfo &tensor = *view.tensor;
  auto type = llvm::cast<mlir::RankedTensorType>(weight.getType());
  view.vector = type.getRank() == 1;
  if (int64_t(tensor.shape.size()) != type.getRank())
    return mismatch(name, "the program reads it with " + llvm::Twine(type.getRank()) +
                              " dimensions, the checkpoint's shape is " + shapeText(tensor.shape));

  // What the op keeps, and the extents it keeps that of: [outputs, inputs].
  int64_t outputs = 1, inputs = tensor.shape.back();
  lm::IndexListAttr rows = weight.getRowsAttr(), cols = weight.getColsAttr();
  if (view.vector) {
    cols = rows; // a vector's one list is called rows, and counts along it
    rows = {};
    view.storedCols = inputs;
  } else {
    view.transposed = weight.getTransposed();
    view.storedCols = tensor.shape[1];
    outputs = tensor.shape[view.transposed ? 1 : 0];
    inputs = tensor.shape[view.transposed ? 0 : 1];
  }
  if ((view.hasRowList = bool(rows)))
    view.rowList = rows.getIndices();
  if ((view.hasColList = bool(cols)))
    view.colList = cols.getIndices();
  view.rows = view.hasRowList ? int64_t(view.rowList.size()) : outputs;
  view.cols = view.hasColList ? int64_t(view.colList.size()) : inputs;

  auto within = [](llvm::ArrayRef<int32_t> list, int64_t extent) {
    return llvm::all_of(list, [&](int32_t i) { return i >= 0 && i < extent; });
  };
  if (!within(view.rowList, outputs) || !within(view.colList, inputs))
    return mismatch(name, "the program reads rows or columns beyond the checkpoint's shape " +
                              shapeText(tensor.shape));
  if (view.cols != type.getShape().back() || (!view.vector && view.rows != type.getDimSize(0)))
    return mismatch(name, "the program reads " + shapeText(type.getShape()) +
                              ", the checkpoint's shape " + shapeText(tensor.shape) + " gives " +
                              shapeText({view.rows, view.cols}));

  uint64_t elements = 1;
  for (int64_t extent : tensor.shape)
    if (extent < 0 || __builtin_mul_overflow(elements, uint64_t(extent), &elements))
      return mismatch(name, "its shape " + shapeText(tensor.shape) + " is out of range");
  if (tensor.data.size() / dtypeBytes(tensor.dtype) < elements)
    return mismatch(name, "its shape " + shapeText(tensor.shape) + " needs " +
                              llvm::Twine(elements) + " elements, its data holds " +
                              llvm::Twine(tensor.data.size() / dtypeBytes(tensor.dtype)));
  return view;
}

float coppice::loadElement(const TensorInfo &tensor, int64_t index) {
  const uint8_t *from = tensor.data.data() + index * dtypeBytes(tensor.dtype);
  if (tensor.dtype == DType::F32) {
    float value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, from, sizeof bits);
  return formats::asFloat(tensor.dtype == DType::F16 ? formats::widenHalf(bits)
                                                     : formats::widenBrain(bits));
}

llvm::Error coppice::unfitElement(const WeightView &view, int64_t row, int64_t col,
                                  WeightFormat format) {
  float value = loadElement(*view.tensor, view.element(row, col));
  std::string text;
  llvm::raw_string_ostream out(text);
  if (!view.tensor->file.empty())
    out << view.tensor->file << ": ";
  out << "tensor '" << view.tensor->name << "': " << view.describe(row, col) << " is ";
  if (std::isnan(value))
    out << "not a number";
  else if (std::isinf(value))
    out << (value < 0 ? "minus infinity" : "infinity");
  else
    out << llvm::format("%.9g", value);
  if (!std::isfinite(value))
    out << "; weights must be finite: take an intact copy of the checkpoint, or train it on from a "
           "step before it diverged";
  else if (format == WeightFormat::I8 || format == WeightFormat::I4)
    out << ", beyond " << formatName(format) << "'s largest value "
        << (format == WeightFormat::I8 ? "8319008, 127" : "524032, 8")
        << " times float16's: compile with --weights f32, or give this tensor a format of its own: "
           "--weights "
        << formatName(format) << "," << view.tensor->name << "=f32";
  else if (format == WeightFormat::F16)
    out << ", beyond float16's largest value 65504: compile with --weights bf16 or --weights f32";
  else
    out << ", beyond bfloat16's largest value 3.38953139e+38: compile with --weights f32";
  return llvm::createStringError(llvm::inconvertibleErrorCode(), out.str());
}
