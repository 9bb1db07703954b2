// Runs generated kernels in this process, on memory between guard pages.
//
// A buffer ends, or begins, at a page that may not be touched: an access outside it ends the test
// program. Slack that alignment leaves between data and guard holds NaN, so that a value read from
// it shows in the results.
#pragma once
#include "compiler/codegen/CodeImage.h"
#include "compiler/codegen/KernelArgs.h"
#include "coppice/kernel_abi.h"
#include <cstdint>
#include <gtest/gtest.h>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace coppice::test {

// Exact: weight segment and logits end at the guard to the byte, their begin aligned to no more
// than their size; for kernels that read them in parts of any alignment. End leaves up to 63 bytes.
enum class Flush { End, Begin, Exact };

/// Anonymous memory of a given size between two inaccessible pages, 64-byte aligned unless Exact.
class Guarded {
public:
  Guarded(size_t bytes, Flush flush);
  ~Guarded();
  Guarded(const Guarded &) = delete;
  Guarded &operator=(const Guarded &) = delete;
  uint8_t *data() const { return start; }
  float *floats() const { return reinterpret_cast<float *>(start); }
  size_t size() const { return bytes; }

private:
  uint8_t *mapping, *start;
  size_t mapped, bytes;
};

/// A code image mapped read and execute.
class Code {
public:
  explicit Code(const CodeImage &image);
  ~Code();
  coppice_kernel kernel(llvm::StringRef name) const;

  const CodeImage image;

private:
  void *mapping;
};

/// All kernels for one target, generated once per process.
const Code &codeFor(const std::string &target);

/// The targets that this host can run, x86-64-v3 first; a host below it cannot run these tests.
std::vector<std::string> runnableTargets();

/// Whether a target's bf16 linear kernels round their inputs, and have bits of their own: the
/// stated exception to equal bits on every level.
bool roundsToBfloat(const std::string &target);

/// Widths beyond the sweeps' 200: odd, and on both sides of what kernels take at a time.
constexpr uint32_t kWideWidths[] = {1021, 2049, 4099};

/// Collects the items of a weight segment at multiples of 64 bytes.
class Weights {
public:
  template <typename T> uint32_t add(const std::vector<T> &values) {
    return addBytes(values.data(), values.size() * sizeof(T));
  }
  std::vector<uint8_t> bytes;

private:
  uint32_t addBytes(const void *from, size_t count);
};

/// One step: arena, weights, rows and frame, for kernels to be run on.
class Step {
public:
  Step(const Weights &weights, uint64_t rows, const std::vector<uint32_t> &widths, Flush flush,
       uint64_t logits = 0);
  uint32_t word(unsigned buffer) const { return words[buffer]; }
  float *row(unsigned buffer, uint64_t row) const;
  void fill(unsigned buffer, const std::vector<float> &values); // [rows][width]
  std::vector<float> take(unsigned buffer) const;
  void run(coppice_kernel kernel, const std::vector<uint32_t> &args, uint64_t begin, uint64_t end);

  std::vector<coppice_row> rows;
  std::unique_ptr<Guarded> weights, arena, logits;
  coppice_frame frame = {};

private:
  std::vector<uint32_t> widths, words;
};

/// Deterministic random numbers, uniform in [-1, 1).
class Random {
public:
  explicit Random(uint64_t seed) : engine(seed) {}
  float value() { return float(int32_t(engine()) * 0x1p-31); }
  uint32_t below(uint32_t bound) { return uint32_t(engine()) % bound; }
  std::vector<float> values(size_t count);

private:
  std::mt19937_64 engine;
};

uint32_t bits(float value);
uint16_t toHalf(float value);       // round to nearest even
uint16_t toBfloat(float value);     // truncates: exact for tests that read it back
float roundedToBfloat(float value); // to nearest even
float fromHalf(uint16_t value);
float fromBfloat(uint16_t value);

/// Stores a row-major matrix [rows][cols] in the panel layout of KernelArgs.h.
template <typename T>
std::vector<T> toPanels(const std::vector<T> &matrix, size_t rows, size_t cols) {
  std::vector<T> panels;
  for (size_t first = 0, height; first < rows; first += height) {
    for (height = args::kPanelRows; first + height > rows; height /= 2)
      ;
    for (size_t c = 0; c < cols; ++c)
      for (size_t r = first; r < first + height; ++r)
        panels.push_back(matrix[r * cols + c]);
  }
  return panels;
}

/// Bytes of a quantized row, and the width of a buffer of floats whose rows lie as far apart.
size_t quantizedBytes(uint32_t width);
uint32_t quantizedFloats(uint32_t width);

/// Quantizes a row as KernelArgs.h says, in plain C++.
void quantizeRow(const std::vector<float> &values, int32_t zero, uint8_t *out);

/// A quantized weight with random codes, extremes often among them.
struct QuantizedMatrix {
  QuantizedMatrix(unsigned bits, uint32_t rows, uint32_t cols, Random &random);
  uint32_t groups() const { return (cols + 31) / 32; }
  float scale(uint32_t row, uint32_t col) const {
    return fromHalf(scales[size_t(row) * groups() + col / 32]);
  }
  /// The bytes of its panels, or of row layout.
  std::vector<uint8_t> panels(bool rowLayout = false) const;

  unsigned bits;
  uint32_t rows, cols;
  std::vector<int8_t> codes;    // [rows][cols]
  std::vector<uint16_t> scales; // [rows][groups]
};

/// Panels of a matrix with this many rows.
uint64_t panelCount(uint64_t rows);

} // namespace coppice::test
