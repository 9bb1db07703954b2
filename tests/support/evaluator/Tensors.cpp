// Checkpoint tensors as doubles. F16 and BF16 are widened by hand, so that a fault in the
// compiler's own conversion cannot hide itself.
#include "tests/support/evaluator/Evaluator.h"
#include <cmath>
#include <cstring>

namespace coppice::test {

static double widenF16(uint16_t bits) {
  int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  double sign = bits >> 15 ? -1 : 1;
  if (exponent == 0)
    return sign * std::ldexp(fraction, -24);
  if (exponent == 31)
    return fraction ? std::nan("") : sign * INFINITY;
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

static double element(const uint8_t *data, DType dtype, size_t index) {
  if (dtype == DType::F32) {
    float value;
    std::memcpy(&value, data + 4 * index, 4);
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, data + 2 * index, 2);
  if (dtype == DType::F16)
    return widenF16(bits);
  uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, 4);
  return value;
}

TensorReader readerOf(const Checkpoint &checkpoint) {
  return [&checkpoint](llvm::StringRef name) -> llvm::Expected<Tensor> {
    const TensorInfo *info = checkpoint.find(name);
    if (!info)
      return llvm::createStringError("the checkpoint has no tensor '" + name + "'");
    Tensor tensor;
    tensor.shape.assign(info->shape.begin(), info->shape.end());
    tensor.values.resize(info->data.size() / dtypeBytes(info->dtype));
    for (size_t i = 0; i < tensor.values.size(); ++i)
      tensor.values[i] = element(info->data.data(), info->dtype, i);
    return tensor;
  };
}

} // namespace coppice::test
