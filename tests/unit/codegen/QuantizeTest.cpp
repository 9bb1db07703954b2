// Kernels that quantize rows, and tables of codes, against plain C++ written from KernelArgs.h, at
// both guard pages and on every target.
#include "Harness.h"
#include <cmath>
#include <functional>
#include <limits>

using namespace coppice;
using namespace coppice::test;

namespace {
/// Every width to 200, and those beyond.
std::vector<uint32_t> widths() {
  std::vector<uint32_t> all(std::begin(kWideWidths), std::end(kWideWidths));
  for (uint32_t width = 1; width <= 200; ++width)
    all.push_back(width);
  return all;
}

/// Runs one stage on each target, in two cuts; buffer 1 is its quantized output. Returns its rows'
/// bytes without their padding, which all runs must agree on.
std::vector<uint8_t> runEverywhere(const std::string &kernel, const Weights &weights, uint32_t rows,
                                   std::vector<uint32_t> widths, uint32_t width,
                                   std::function<void(Step &)> prepare,
                                   std::function<std::vector<uint32_t>(Step &)> args) {
  std::vector<uint8_t> first;
  widths.insert(widths.begin() + 1, quantizedFloats(width));
  for (const std::string &target : runnableTargets())
    for (Flush flush : {Flush::End, Flush::Begin}) {
      Step step(weights, rows, widths, flush);
      prepare(step);
      uint64_t cut = rows / 3;
      step.run(codeFor(target).kernel(kernel), args(step), cut, rows);
      step.run(codeFor(target).kernel(kernel), args(step), 0, cut);
      std::vector<uint8_t> got;
      for (uint32_t r = 0; r < rows; ++r) {
        auto *bytes = reinterpret_cast<uint8_t *>(step.row(1, r));
        got.insert(got.end(), bytes, bytes + (width + 31) / 32 * 40);
      }
      if (first.empty())
        first = got;
      EXPECT_EQ(got, first) << kernel << " on " << target << " width " << width;
    }
  return first;
}

/// The rows of floats, quantized by the reference.
std::vector<uint8_t> quantized(const std::vector<float> &values, uint32_t width, int32_t zero) {
  std::vector<uint8_t> all;
  for (size_t first = 0; first < values.size(); first += width) {
    std::vector<uint8_t> bytes((width + 31) / 32 * 40);
    quantizeRow({values.begin() + first, values.begin() + first + width}, zero, bytes.data());
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return all;
}

/// The rows as the kernel without quantization makes them, quantized by the reference: what the
/// fused kernel must write.
void expectFused(const std::string &kernel, const Weights &weights, uint32_t rows, uint32_t width,
                 unsigned outWord, int32_t zero, std::function<void(Step &)> prepare,
                 std::function<std::vector<uint32_t>(Step &)> args) {
  Step plain(weights, rows, {width, quantizedFloats(width), width, width}, Flush::End);
  prepare(plain);
  std::vector<uint32_t> words = args(plain);
  words[outWord] = plain.word(3);
  plain.run(codeFor("x86-64-v3").kernel(kernel), words, 0, rows);
  auto got = runEverywhere(kernel + "_quantize", weights, rows, {width, width, width}, width,
                           prepare, args);
  EXPECT_EQ(got, quantized(plain.take(3), width, zero)) << kernel << " width " << width;
}

uint32_t zeroFor(uint32_t width) { return width % 2 ? 128 : 8; }
} // namespace

// quantize writes the reference's bytes for every width, of rows with zeros, halfway cases, tiny
// and large groups.
TEST(Quantize, EqualsTheReference) {
  Random random(14);
  for (uint32_t width : widths()) {
    uint32_t rows = 1 + random.below(6);
    std::vector<float> input = random.values(size_t(rows) * width);
    for (uint32_t r = 0; r < rows; ++r)
      for (uint32_t i = 0; i < width; ++i) {
        float &x = input[size_t(r) * width + i];
        switch ((r + i / 32) % 5) {
        case 0:
          x = 0;
          break;
        case 1:
          x *= 0x1p-100f;
          break;
        case 2:
          x *= 1e30f;
          break;
        case 3: // the factor is 1, codes lie halfway
          x = i % 32 ? float(int32_t(random.below(252)) - 126) + 0.5f : 127;
        }
      }
    auto got = runEverywhere(
        "quantize", Weights(), rows, {width}, width, [&](Step &step) { step.fill(0, input); },
        [&](Step &step) {
          return std::vector<uint32_t>{COPPICE_ROWS_ALL, step.word(0), step.word(1), width,
                                       zeroFor(width)};
        });
    ASSERT_EQ(got, quantized(input, width, zeroFor(width))) << "width " << width;
  }
}

// A group with NaN or an infinity has a scale that says so, and other groups are as without it;
// values below every normal number's reach are zeros.
TEST(Quantize, HandlesWhatIsNoNumber) {
  const float odd[] = {NAN, -NAN, INFINITY, -INFINITY, 0x1p-140f, -0x1p-149f};
  for (float x : odd)
    for (uint32_t place : {0u, 7u, 16u, 31u}) {
      std::vector<float> input(96, 0.5f);
      for (uint32_t i = 32; i < 64; ++i)
        input[i] = 0;
      input[32 + place] = x;
      for (const std::string &target : runnableTargets()) {
        Step step(Weights(), 1, {96, quantizedFloats(96)}, Flush::End);
        step.fill(0, input);
        step.run(codeFor(target).kernel("quantize"),
                 {COPPICE_ROWS_ALL, step.word(0), step.word(1), 96, 8}, 0, 1);
        float scales[3];
        auto *bytes = reinterpret_cast<uint8_t *>(step.row(1, 0));
        for (int g = 0; g < 3; ++g)
          memcpy(&scales[g], bytes + g * 40 + 32, 4);
        EXPECT_EQ(scales[0], 0.5f / 127);
        EXPECT_EQ(scales[2], 0.5f / 127);
        if (std::isnan(x))
          EXPECT_TRUE(std::isnan(scales[1])) << target;
        else if (std::isinf(x))
          EXPECT_TRUE(std::isinf(scales[1])) << target;
        else
          EXPECT_EQ(std::vector<uint8_t>(bytes + 40, bytes + 80), std::vector<uint8_t>(40))
              << target;
      }
    }
}

// The norms that quantize write what the norm writes, quantized.
TEST(Quantize, AfterNorms) {
  Random random(15);
  for (bool rms : {false, true})
    for (uint32_t width : widths())
      for (unsigned variant : {0u, 3u}) {
        uint32_t rows = 1 + random.below(5);
        std::vector<float> input = random.values(size_t(rows) * width);
        std::vector<float> scale = random.values(width), bias = random.values(width);
        Weights weights;
        uint32_t biasWord = (variant & 2) && !rms ? weights.add(bias) : args::kNone;
        uint32_t scaleWord = variant & 1 ? weights.add(scale) : args::kNone;
        expectFused(
            rms ? "rms_norm" : "layer_norm", weights, rows, width, args::Norm::out, zeroFor(width),
            [&](Step &step) { step.fill(0, input); },
            [&](Step &step) {
              return std::vector<uint32_t>{COPPICE_ROWS_ALL, step.word(0),  step.word(1),
                                           scaleWord,        biasWord,      width,
                                           bits(1e-5f),      zeroFor(width)};
            });
        if (HasFailure())
          return;
      }
}

// The activations that quantize write what the activation writes, quantized.
TEST(Quantize, AfterActivations) {
  Random random(16);
  for (const char *kernel :
       {"activation_relu", "activation_gelu", "activation_gelu_tanh", "activation_silu"})
    for (uint32_t width : widths()) {
      uint32_t rows = 1 + random.below(4);
      bool hasOther = width % 3;
      std::vector<float> input = random.values(size_t(rows) * width);
      std::vector<float> other = random.values(size_t(rows) * width);
      for (float &x : input)
        x *= 8;
      expectFused(
          kernel, Weights(), rows, width, args::Activation::out, zeroFor(width),
          [&](Step &step) {
            step.fill(0, input);
            step.fill(2, other);
          },
          [&](Step &step) {
            return std::vector<uint32_t>{
                COPPICE_ROWS_ALL, step.word(0), hasOther ? step.word(2) : args::kNone,
                step.word(1),     width,        zeroFor(width)};
          });
      if (HasFailure())
        return;
    }
}

// Tables of codes give the row's codes times their scales, in both layouts, rows of every panel
// height included, and write nothing beyond a row's padding.
TEST(Quantize, EmbedPicksTheRow) {
  Random random(17);
  for (unsigned codeBits : {8u, 4u})
    for (bool panel : {false, true})
      for (uint32_t width : widths()) {
        uint32_t extent = 1 + random.below(width > 200 ? 20 : 100);
        QuantizedMatrix table(codeBits, extent, width, random);
        Weights weights;
        weights.add(std::vector<float>{1}); // so that the table's word is not 0
        uint32_t word = weights.add(table.panels(!panel));
        for (const std::string &target : runnableTargets())
          for (Flush flush : {Flush::Exact, Flush::Begin}) {
            Step step(weights, extent, {width}, flush);
            for (uint32_t r = 0; r < extent; ++r)
              step.rows[r].token = int32_t(extent - 1 - r);
            step.run(codeFor(target).kernel((panel ? "embed_panel_i" : "embed_rows_i") +
                                            std::to_string(codeBits)),
                     {COPPICE_ROWS_ALL, step.word(0), word, extent, width, 0, 0}, 0, extent);
            std::vector<float> got = step.take(0);
            for (uint32_t r = 0; r < extent; ++r)
              for (uint32_t i = 0; i < width; ++i) {
                uint32_t id = extent - 1 - r;
                float want = float(table.codes[size_t(id) * width + i]) * table.scale(id, i);
                ASSERT_EQ(got[size_t(r) * width + i], want)
                    << target << " i" << codeBits << " panel " << panel << " extent " << extent
                    << " width " << width << " id " << id << " at " << i;
              }
          }
      }
}
