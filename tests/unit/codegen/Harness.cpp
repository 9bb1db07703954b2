// See Harness.h.
#include "Harness.h"
#include "compiler/codegen/KernelRegistry.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <sys/mman.h>

using namespace coppice;
using namespace coppice::test;

static constexpr size_t kPage = 4096;

Guarded::Guarded(size_t bytes, Flush flush) : bytes(bytes) {
  size_t body = (bytes + kPage - 1) / kPage * kPage;
  mapped = body + 2 * kPage;
  mapping =
      static_cast<uint8_t *>(mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (mapping == MAP_FAILED ||
      (body && mprotect(mapping + kPage, body, PROT_READ | PROT_WRITE) != 0))
    abort();
  size_t taken = flush == Flush::Exact ? bytes : (bytes + 63) / 64 * 64;
  start = mapping + kPage + (flush == Flush::Begin ? 0 : body - taken);
  float nan = std::numeric_limits<float>::quiet_NaN();
  for (size_t i = 0; i < body; i += 4)
    memcpy(mapping + kPage + i, &nan, 4);
}

Guarded::~Guarded() { munmap(mapping, mapped); }

Code::Code(const CodeImage &image) : image(image) {
  size_t size = image.bytes.size();
  mapping = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED)
    abort();
  memcpy(mapping, image.bytes.data(), size);
  if (mprotect(mapping, size, PROT_READ | PROT_EXEC) != 0)
    abort();
}

Code::~Code() { munmap(mapping, image.bytes.size()); }

coppice_kernel Code::kernel(llvm::StringRef name) const {
  for (const KernelSymbol &symbol : image.kernels)
    if (symbol.name == name)
      return reinterpret_cast<coppice_kernel>(static_cast<uint8_t *>(mapping) + symbol.offset);
  ADD_FAILURE() << "no kernel " << name.str();
  abort();
}

const Code &coppice::test::codeFor(const std::string &name) {
  static std::map<std::string, std::unique_ptr<Code>> codes;
  std::unique_ptr<Code> &code = codes[name];
  if (!code) {
    Target target = llvm::cantFail(resolveTarget(name));
    code = std::make_unique<Code>(llvm::cantFail(generateCode(kernelNames(), target)));
  }
  return *code;
}

std::vector<std::string> coppice::test::runnableTargets() {
  std::vector<std::string> names;
  const auto host = llvm::sys::getHostCPUFeatures();
  for (const Target &target : x86Targets())
    if (llvm::all_of(target.features, [&](const auto &feature) { return host.lookup(feature); }))
      names.push_back(target.name);
  return names;
}

bool coppice::test::roundsToBfloat(const std::string &target) {
  return llvm::cantFail(resolveTarget(target)).bf16Dots;
}

uint32_t Weights::addBytes(const void *from, size_t count) {
  bytes.resize((bytes.size() + 63) / 64 * 64, 0xff);
  uint32_t word = bytes.size() / 64;
  auto *first = static_cast<const uint8_t *>(from);
  bytes.insert(bytes.end(), first, first + count);
  return word;
}

static uint64_t roundUp16(uint64_t width) { return (width + 15) / 16 * 16; }

Step::Step(const Weights &values, uint64_t count, const std::vector<uint32_t> &widths, Flush flush,
           uint64_t logitCount)
    : rows(count), widths(widths) {
  uint32_t next = 0;
  for (uint32_t width : widths) {
    words.push_back(next);
    next += roundUp16(width) * 4 / 64;
  }
  weights = std::make_unique<Guarded>(values.bytes.size(), flush);
  if (!values.bytes.empty())
    memcpy(weights->data(), values.bytes.data(), values.bytes.size());
  arena = std::make_unique<Guarded>(uint64_t(next) * 64 * count, flush);
  logits = std::make_unique<Guarded>(logitCount * 4, flush);
  frame.weights = weights->data();
  frame.arena = arena->data();
  frame.logits = logits->floats();
  frame.row_capacity = count;
  for (coppice_row_set &set : frame.sets)
    set = {rows.data(), nullptr, count};
}

float *Step::row(unsigned buffer, uint64_t row) const {
  return reinterpret_cast<float *>(arena->data() + uint64_t(words[buffer]) * 64 * rows.size()) +
         row * roundUp16(widths[buffer]);
}

void Step::fill(unsigned buffer, const std::vector<float> &values) {
  uint32_t width = widths[buffer];
  for (uint64_t r = 0; r < rows.size(); ++r)
    std::copy_n(&values[r * width], width, row(buffer, r));
}

std::vector<float> Step::take(unsigned buffer) const {
  std::vector<float> values;
  for (uint64_t r = 0; r < rows.size(); ++r)
    values.insert(values.end(), row(buffer, r), row(buffer, r) + widths[buffer]);
  return values;
}

void Step::run(coppice_kernel kernel, const std::vector<uint32_t> &args, uint64_t begin,
               uint64_t end) {
  // The argument words end at a guard page too.
  Guarded words(args.size() * 4, Flush::End);
  memcpy(words.data(), args.data(), args.size() * 4);
  kernel(&frame, reinterpret_cast<const uint32_t *>(words.data()), begin, end);
}

std::vector<float> Random::values(size_t count) {
  std::vector<float> all(count);
  for (float &v : all)
    v = value();
  return all;
}

uint32_t coppice::test::bits(float value) {
  uint32_t word;
  memcpy(&word, &value, 4);
  return word;
}

static float fromBits(uint32_t word) {
  float value;
  memcpy(&value, &word, 4);
  return value;
}

uint16_t coppice::test::toHalf(float value) {
  llvm::APFloat number(value);
  bool inexact;
  number.convert(llvm::APFloat::IEEEhalf(), llvm::APFloat::rmNearestTiesToEven, &inexact);
  return uint16_t(number.bitcastToAPInt().getZExtValue());
}

float coppice::test::fromHalf(uint16_t value) {
  llvm::APFloat number(llvm::APFloat::IEEEhalf(), llvm::APInt(16, value));
  bool inexact;
  number.convert(llvm::APFloat::IEEEsingle(), llvm::APFloat::rmNearestTiesToEven, &inexact);
  return number.convertToFloat();
}

uint16_t coppice::test::toBfloat(float value) { return uint16_t(bits(value) >> 16); }
float coppice::test::fromBfloat(uint16_t value) { return fromBits(uint32_t(value) << 16); }

float coppice::test::roundedToBfloat(float value) {
  llvm::APFloat number(value);
  bool inexact;
  number.convert(llvm::APFloat::BFloat(), llvm::APFloat::rmNearestTiesToEven, &inexact);
  return fromBfloat(uint16_t(number.bitcastToAPInt().getZExtValue()));
}

uint64_t coppice::test::panelCount(uint64_t rows) {
  return rows / args::kPanelRows + __builtin_popcountll(rows % args::kPanelRows);
}

static size_t alignTo64(size_t bytes) { return (bytes + 63) / 64 * 64; }

size_t coppice::test::quantizedBytes(uint32_t width) { return alignTo64((width + 31) / 32 * 40); }

uint32_t coppice::test::quantizedFloats(uint32_t width) { return quantizedBytes(width) / 4; }

void coppice::test::quantizeRow(const std::vector<float> &values, int32_t zero, uint8_t *out) {
  for (size_t first = 0; first < values.size(); first += 32, out += 40) {
    size_t count = std::min<size_t>(32, values.size() - first);
    float largest = 0;
    for (size_t i = 0; i < count; ++i)
      largest = std::max(largest, std::fabs(values[first + i]));
    float scale = largest / 127, factor = largest > 0 ? 127 / largest : 0;
    int8_t codes[32] = {};
    int32_t sum = 0;
    for (size_t i = 0; i < count; ++i)
      sum += codes[i] = int8_t(std::nearbyint(values[first + i] * factor));
    int32_t start = -zero * sum;
    memcpy(out, codes, 32);
    memcpy(out + 32, &scale, 4);
    memcpy(out + 36, &start, 4);
  }
}

QuantizedMatrix::QuantizedMatrix(unsigned bits, uint32_t rows, uint32_t cols, Random &random)
    : bits(bits), rows(rows), cols(cols), codes(size_t(rows) * cols),
      scales(size_t(rows) * groups()) {
  int32_t most = bits == 8 ? 127 : 7, least = bits == 8 ? -127 : -8;
  for (int8_t &code : codes)
    switch (random.below(4)) { // the extremes are common
    case 0:
      code = most;
      break;
    case 1:
      code = least;
      break;
    default:
      code = least + int32_t(random.below(most - least + 1));
    }
  for (uint16_t &scale : scales)
    scale = toHalf(0.01f + 0.01f * random.value());
}

std::vector<uint8_t> QuantizedMatrix::panels(bool rowLayout) const {
  std::vector<uint8_t> bytes;
  const uint32_t pack = 32 / bits;
  for (uint32_t first = 0, height; first < rows; first += height) {
    for (height = rowLayout ? 1 : args::kPanelRows; first + height > rows; height /= 2)
      ;
    for (uint32_t group = 0; group < groups(); ++group) {
      const uint32_t columns = std::min(32u, cols - group * 32);
      for (uint32_t j = 0; j < (columns + pack - 1) / pack; ++j)
        for (uint32_t r = first; r < first + height; ++r) {
          auto stored = [&](uint32_t i) { // a code of the group
            int32_t code = i < columns ? codes[size_t(r) * cols + group * 32 + i] : 0;
            return uint8_t(code + (bits == 8 ? 128 : 8));
          };
          for (uint32_t b = 0; b < 4; ++b)
            bytes.push_back(bits == 8 ? stored(4 * j + b)
                                      : stored(8 * j + b) | stored(8 * j + 4 + b) << 4);
        }
      for (uint32_t r = first; r < first + height; ++r) {
        uint16_t scale = scales[size_t(r) * groups() + group];
        bytes.push_back(scale & 0xff);
        bytes.push_back(scale >> 8);
      }
    }
  }
  return bytes;
}
