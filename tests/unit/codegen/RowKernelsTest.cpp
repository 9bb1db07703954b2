// The kernels that work a row at a time, against plain double references: embedding, norms, RoPE,
// activations, sums and products, moves. Every case runs on each target at both guard pages, and
// the targets' bits must agree.
#include "Harness.h"
#include <cmath>
#include <functional>

using namespace coppice;
using namespace coppice::test;

namespace {
/// Every width to 200, and some beyond, about multiples of what a kernel takes at a time.
std::vector<uint32_t> widths() {
  std::vector<uint32_t> all = {255, 256, 257, 400};
  for (uint32_t width = 1; width <= 200; ++width)
    all.push_back(width);
  return all;
}

uint32_t asWord(float value) { return bits(value); }

/// Runs one stage in every way and returns buffer `out`, or the logits where they have a width; the
/// ways must agree to the bit. Items are cut in two, so that a kernel that reaches beyond its items
/// overwrites or misses a row.
std::vector<float> runEverywhere(const std::string &kernel, const Weights &weights, uint32_t rows,
                                 const std::vector<uint32_t> &widths, unsigned out,
                                 std::function<void(Step &)> prepare,
                                 std::function<std::vector<uint32_t>(Step &)> args,
                                 uint32_t logitWidth = 0) {
  std::vector<float> first;
  const size_t logits = size_t(rows) * logitWidth;
  for (const std::string &target : runnableTargets())
    for (Flush flush : {Flush::Exact, Flush::Begin}) {
      Step step(weights, rows, widths, flush, logits);
      prepare(step);
      uint64_t cut = rows / 3;
      step.run(codeFor(target).kernel(kernel), args(step), cut, rows);
      step.run(codeFor(target).kernel(kernel), args(step), 0, cut);
      std::vector<float> got =
          logits ? std::vector<float>(step.frame.logits, step.frame.logits + logits)
                 : step.take(out);
      if (first.empty())
        first = got;
      for (size_t i = 0; i < got.size(); ++i)
        EXPECT_EQ(bits(got[i]), bits(first[i])) << kernel << " on " << target << " at " << i;
    }
  return first;
}

double exactGelu(double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }
double tanhGelu(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}
double silu(double x) { return x / (1 + std::exp(-x)); }
double relu(double x) { return x > 0 ? x : 0; }
} // namespace

// Each table layout and format gives the token's row, or the position's with its offset, the last
// rows of the table included.
TEST(Embed, PicksTheRow) {
  Random random(3);
  for (const char *format : {"f32", "f16", "bf16"})
    for (bool panel : {false, true})
      for (uint32_t width : widths()) {
        bool wide = std::string(format) == "f32", half = std::string(format) == "f16";
        uint32_t extent = 3 + random.below(120), offset = random.below(3), rows = 9;
        std::vector<float> table = random.values(size_t(extent) * width);
        Weights weights;
        std::vector<uint16_t> stored;
        for (float &t : table)
          if (!wide) {
            stored.push_back(half ? toHalf(t) : toBfloat(t));
            t = half ? fromHalf(stored.back()) : fromBfloat(stored.back());
          }
        weights.add(std::vector<float>{1}); // so that the table's word is not 0
        uint32_t word = wide ? weights.add(panel ? toPanels(table, extent, width) : table)
                             : weights.add(panel ? toPanels(stored, extent, width) : stored);
        bool usePosition = random.below(2);
        std::vector<uint32_t> ids;
        for (uint32_t r = 0; r < rows; ++r)
          ids.push_back(r < 4 ? extent - offset - 1 - std::min(r, extent - offset - 1)
                              : random.below(extent - offset));
        auto got = runEverywhere(
            std::string(panel ? "embed_panel_" : "embed_rows_") + format, weights, rows, {7, width},
            1,
            [&](Step &step) {
              for (uint32_t r = 0; r < rows; ++r) {
                step.rows[r].token = usePosition ? -1 : int32_t(ids[r]);
                step.rows[r].position = usePosition ? int32_t(ids[r]) : -1;
              }
            },
            [&](Step &step) {
              return std::vector<uint32_t>{COPPICE_ROWS_ALL, step.word(1), word, extent, width,
                                           offset,           usePosition};
            });
        for (uint32_t r = 0; r < rows; ++r)
          for (uint32_t i = 0; i < width; ++i)
            ASSERT_EQ(got[r * width + i], table[size_t(ids[r] + offset) * width + i])
                << format << " panel " << panel << " extent " << extent << " id " << ids[r];
      }
}

// Both norms equal their formulas with and without scale and bias; NaN in a row's padding, which
// the arena is filled with, never reaches a sum.
TEST(Norm, EqualsTheFormula) {
  Random random(4);
  for (bool rms : {false, true})
    for (uint32_t width : widths())
      for (unsigned variant = 0; variant < 4; ++variant) {
        uint32_t rows = 1 + random.below(5);
        bool hasScale = variant & 1, hasBias = (variant & 2) && !rms;
        float eps = 1e-5f, shift = 3 * random.value();
        std::vector<float> scale = random.values(width), bias = random.values(width);
        std::vector<float> input = random.values(rows * width);
        for (float &x : input)
          x += shift;
        Weights weights;
        uint32_t biasWord = hasBias ? weights.add(bias) : args::kNone;
        uint32_t scaleWord = hasScale ? weights.add(scale) : args::kNone;
        auto got = runEverywhere(
            rms ? "rms_norm" : "layer_norm", weights, rows, {width, width}, 1,
            [&](Step &step) { step.fill(0, input); },
            [&](Step &step) {
              return std::vector<uint32_t>{COPPICE_ROWS_ALL, step.word(0), step.word(1), scaleWord,
                                           biasWord,         width,        asWord(eps)};
            });
        for (uint32_t r = 0; r < rows; ++r) {
          const float *x = &input[r * width];
          double mean = 0, square = 0;
          for (uint32_t i = 0; i < width && !rms; ++i)
            mean += double(x[i]) / width;
          for (uint32_t i = 0; i < width; ++i)
            square += (x[i] - mean) * (x[i] - mean) / width;
          for (uint32_t i = 0; i < width; ++i) {
            double want = (x[i] - mean) / std::sqrt(square + eps);
            want = want * (hasScale ? scale[i] : 1) + (hasBias ? bias[i] : 0);
            // One float's rounding of the mean weighs as much as the inverse deviation says.
            double bound = 1e-6 * (1 + std::fabs(want)) + 4e-7 * 4 / std::sqrt(square + eps);
            ASSERT_NEAR(got[r * width + i], want, bound) << "width " << width << " rms " << rms;
          }
        }
      }
}

// Each head of each row is divided by its own root mean square, which the heads beside it do not
// touch, and scaled by the one scale; in place is the same.
TEST(HeadNorm, EqualsTheFormula) {
  Random random(12);
  for (uint32_t headDim : widths())
    for (bool inPlace : {false, true}) {
      uint32_t heads = 1 + random.below(4), rows = 3, width = heads * headDim;
      float eps = random.below(2) ? 1e-6f : 0.5f;
      std::vector<float> input = random.values(rows * width), scale = random.values(headDim);
      Weights weights;
      uint32_t word = weights.add(scale);
      std::vector<float> first;
      for (const std::string &target : runnableTargets())
        for (Flush flush : {Flush::Exact, Flush::Begin}) {
          Step step(weights, rows, {width, width}, flush);
          step.fill(0, input);
          std::vector<uint32_t> args = {
              COPPICE_ROWS_ALL, step.word(0), step.word(inPlace ? 0 : 1), word, heads,
              headDim,          asWord(eps)};
          // Cut within a row.
          uint64_t cut = random.below(rows * heads);
          step.run(codeFor(target).kernel("head_norm"), args, cut, rows * heads);
          step.run(codeFor(target).kernel("head_norm"), args, 0, cut);
          std::vector<float> got = step.take(inPlace ? 0 : 1);
          if (first.empty())
            first = got;
          for (size_t i = 0; i < got.size(); ++i)
            ASSERT_EQ(bits(got[i]), bits(first[i])) << target << " head of " << headDim;
        }
      for (uint32_t head = 0; head < rows * heads; ++head) {
        const float *x = &input[head * headDim];
        double square = 0;
        for (uint32_t i = 0; i < headDim; ++i)
          square += double(x[i]) * x[i] / headDim;
        for (uint32_t i = 0; i < headDim; ++i) {
          double want = x[i] / std::sqrt(square + eps) * scale[i];
          ASSERT_NEAR(first[head * headDim + i], want, 1e-6 * (1 + std::fabs(want)))
              << "head of " << headDim;
        }
      }
    }
}

// softcap equals its formula in an arena buffer, in place, and on the caller's logits, whose rows
// follow each other without padding and end at the guard to the byte.
TEST(Softcap, EqualsTheFormula) {
  Random random(13);
  for (uint32_t width : widths())
    for (unsigned variant = 0; variant < 3; ++variant) {
      uint32_t rows = 3;
      float cap = variant == 1 ? 30.0f : 0.7f;
      std::vector<float> input = random.values(rows * width);
      for (float &x : input)
        x *= 50;
      std::vector<float> got;
      if (variant < 2) {
        got = runEverywhere(
            "softcap", Weights(), rows, {width, width}, variant,
            [&](Step &step) { step.fill(0, input); },
            [&](Step &step) {
              return std::vector<uint32_t>{COPPICE_ROWS_LOGITS, step.word(0), step.word(variant),
                                           width, asWord(cap)};
            });
      } else {
        got = runEverywhere(
            "softcap", Weights(), rows, {1}, 0,
            [&](Step &step) { std::copy(input.begin(), input.end(), step.frame.logits); },
            [&](Step &) {
              return std::vector<uint32_t>{COPPICE_ROWS_LOGITS, args::kNone, args::kNone, width,
                                           asWord(cap)};
            },
            width);
      }
      ASSERT_EQ(got.size(), input.size());
      for (size_t i = 0; i < got.size(); ++i)
        ASSERT_NEAR(got[i], cap * std::tanh(double(input[i]) / cap), 4e-7 * cap) << width;
    }
}

// The table holds the cosine and sine of float32(position) * frequency to float32's precision, at
// positions up to 100000 and beyond, where a float32 reduction would be lost; with a magnitude,
// times that, rounded once more.
TEST(Rope, TableIsExactAtLargePositions) {
  Random random(5);
  for (uint32_t pairs = 1; pairs <= 100; ++pairs) {
    std::vector<float> frequencies;
    for (uint32_t i = 0; i < pairs; ++i)
      frequencies.push_back(float(std::pow(10000.0, -double(i) / pairs)));
    std::vector<int32_t> positions = {0, 1, 2, 3, 77, 1000, 4095, 99999, 100000, 131071, 16777215};
    for (int i = 0; i < 20; ++i)
      positions.push_back(int32_t(random.below(1 << 20)));
    Weights weights;
    uint32_t word = weights.add(frequencies);
    float magnitude = pairs % 3 ? 1.0f : 0.5f + random.below(1000) * 1e-3f;
    auto got = runEverywhere(
        "rope_table", weights, positions.size(), {2 * pairs}, 0,
        [&](Step &step) {
          for (size_t r = 0; r < positions.size(); ++r)
            step.rows[r].position = positions[r];
        },
        [&](Step &step) {
          return std::vector<uint32_t>{COPPICE_ROWS_ALL, step.word(0), word, pairs,
                                       bits(magnitude)};
        });
    for (size_t r = 0; r < positions.size(); ++r)
      for (uint32_t i = 0; i < pairs; ++i) {
        float angle = float(positions[r]) * frequencies[i];
        double c = std::cos(double(angle)), s = std::sin(double(angle));
        double bound = magnitude == 1 ? 0x1p-24 * 1.01 : 0x1p-23 * 1.01;
        c *= magnitude, s *= magnitude;
        EXPECT_LE(std::fabs(got[r * 2 * pairs + i] - c), bound * std::fabs(c)) << angle;
        EXPECT_LE(std::fabs(got[(r * 2 + 1) * pairs + i] - s), bound * std::fabs(s)) << angle;
      }
  }
}

// Each head's first `pairs` values turn with the next `pairs`; the rest passes through; in place
// is the same.
TEST(Rope, RotatesEachHead) {
  Random random(6);
  for (uint32_t pairs = 1; pairs <= 100; ++pairs)
    for (uint32_t rest : {0u, 1u, random.below(30)})
      for (bool inPlace : {false, true}) {
        uint32_t headDim = 2 * pairs + rest, heads = 1 + random.below(5), rows = 3;
        uint32_t width = heads * headDim;
        std::vector<float> input = random.values(rows * width);
        std::vector<float> table = random.values(rows * 2 * pairs);
        auto got = runEverywhere(
            "rope", Weights(), rows, {width, 2 * pairs, width}, inPlace ? 0 : 2,
            [&](Step &step) {
              step.fill(0, input);
              step.fill(1, table);
            },
            [&](Step &step) {
              return std::vector<uint32_t>{
                  COPPICE_ROWS_ALL, step.word(0), step.word(inPlace ? 0 : 2), step.word(1), heads,
                  headDim,          pairs};
            });
        for (uint32_t r = 0; r < rows; ++r)
          for (uint32_t h = 0; h < heads; ++h)
            for (uint32_t d = 0; d < headDim; ++d) {
              const float *x = &input[r * width + h * headDim];
              const float *c = &table[r * 2 * pairs], *s = c + pairs;
              double want = d < pairs ? double(x[d]) * c[d] - double(x[d + pairs]) * s[d]
                            : d < 2 * pairs
                                ? double(x[d]) * c[d - pairs] + double(x[d - pairs]) * s[d - pairs]
                                : x[d];
              ASSERT_NEAR(got[r * width + h * headDim + d], want, 3e-7) << "pairs " << pairs;
            }
      }
}

// Each activation equals its formula, alone, times another row, and in place of either operand.
TEST(Activation, EqualsTheFormula) {
  Random random(7);
  const std::pair<const char *, double (*)(double)> kinds[] = {{"activation_relu", relu},
                                                               {"activation_gelu", exactGelu},
                                                               {"activation_gelu_tanh", tanhGelu},
                                                               {"activation_silu", silu}};
  for (auto [kernel, formula] : kinds)
    for (uint32_t width : widths())
      for (unsigned variant = 0; variant < 4; ++variant) { // no other; then out: own, in, other
        uint32_t rows = 1 + random.below(4);
        std::vector<float> input = random.values(rows * width), other = random.values(rows * width);
        for (float &x : input)
          x *= 8;
        unsigned out = variant < 2 ? 2 : variant - 2;
        auto got = runEverywhere(
            kernel, Weights(), rows, {width, width, width}, out,
            [&](Step &step) {
              step.fill(0, input);
              step.fill(1, other);
            },
            [&](Step &step) {
              return std::vector<uint32_t>{COPPICE_ROWS_ALL, step.word(0),
                                           variant ? step.word(1) : args::kNone, step.word(out),
                                           width};
            });
        for (size_t i = 0; i < got.size(); ++i) {
          double want = formula(input[i]) * (variant ? other[i] : 1);
          ASSERT_NEAR(got[i], want, 3e-7 * (1 + std::fabs(double(input[i])))) << kernel;
        }
      }
}

// add and mul combine a row with another, with a constant row that ends where its memory ends,
// and with both.
TEST(Binary, EqualsTheFormula) {
  Random random(8);
  for (bool adds : {true, false})
    for (uint32_t width : widths())
      for (unsigned variant = 1; variant < 4; ++variant) {
        uint32_t rows = 1 + random.below(4);
        std::vector<float> input = random.values(rows * width), other = random.values(rows * width);
        std::vector<float> constant = random.values(width);
        Weights weights;
        bool hasOther = variant & 1, hasConstant = variant & 2;
        uint32_t word = hasConstant ? weights.add(constant) : args::kNone;
        unsigned out = random.below(3);
        auto got = runEverywhere(
            adds ? "add" : "mul", weights, rows, {width, width, width}, out,
            [&](Step &step) {
              step.fill(0, input);
              step.fill(1, other);
            },
            [&](Step &step) {
              return std::vector<uint32_t>{
                  COPPICE_ROWS_ALL, step.word(0), hasOther ? step.word(1) : args::kNone, word,
                  step.word(out),   width};
            });
        for (size_t i = 0; i < got.size(); ++i) {
          double a = input[i], b = hasOther ? other[i] : !adds,
                 c = hasConstant ? constant[i % width] : double(!adds);
          ASSERT_NEAR(got[i], adds ? a + b + c : a * b * c, 3e-7) << "width " << width;
        }
      }
}

// select picks the listed values from rows of another width, in the listed order.
TEST(Select, PicksTheListedValues) {
  Random random(9);
  for (uint32_t width : widths()) {
    uint32_t inWidth = 1 + random.below(200), rows = 1 + random.below(5);
    std::vector<float> input = random.values(rows * inWidth);
    std::vector<uint32_t> index(width);
    for (uint32_t &i : index)
      i = random.below(inWidth);
    Weights weights;
    uint32_t word = weights.add(index);
    auto got = runEverywhere(
        "select", weights, rows, {inWidth, width}, 1, [&](Step &step) { step.fill(0, input); },
        [&](Step &step) {
          return std::vector<uint32_t>{COPPICE_ROWS_ALL, step.word(0), step.word(1), word, width,
                                       inWidth};
        });
    for (uint32_t r = 0; r < rows; ++r)
      for (uint32_t i = 0; i < width; ++i)
        ASSERT_EQ(got[r * width + i], input[r * inWidth + index[i]]);
  }
}

// mask overwrites the dead values with zero or their constants, even where they are infinite, and
// leaves the others; in place is the same.
TEST(Mask, OverwritesTheDeadValues) {
  Random random(10);
  for (uint32_t width : widths())
    for (unsigned variant = 0; variant < 4; ++variant) {
      uint32_t rows = 1 + random.below(5);
      std::vector<float> input = random.values(rows * width), want = input, fill;
      std::vector<uint32_t> index;
      for (uint32_t i = 0; i < width; ++i)
        if (random.below(3) == 0) {
          index.push_back(i);
          fill.push_back(random.value());
          input[i] = INFINITY;
        }
      for (uint32_t r = 0; r < rows; ++r)
        for (size_t i = 0; i < index.size(); ++i)
          want[r * width + index[i]] = variant & 1 ? fill[i] : 0;
      Weights weights;
      uint32_t fillWord = variant & 1 ? weights.add(fill) : args::kNone;
      uint32_t word = weights.add(index);
      unsigned out = variant & 2 ? 0 : 1;
      auto got = runEverywhere(
          "mask", weights, rows, {width, width}, out, [&](Step &step) { step.fill(0, input); },
          [&](Step &step) {
            return std::vector<uint32_t>{
                COPPICE_ROWS_ALL, step.word(0),           step.word(out), word,
                fillWord,         uint32_t(index.size()), width};
          });
      ASSERT_EQ(got, want) << "width " << width;
    }
}

// gather takes the rows whose numbers the logits set lists, and all rows where it lists none.
TEST(Gather, TakesTheListedRows) {
  Random random(11);
  for (uint32_t width : widths())
    for (bool listed : {true, false}) {
      uint32_t rows = 6;
      std::vector<float> input = random.values(rows * width);
      std::vector<uint32_t> source = {5, 2, 2, 0, 4, 1};
      auto got = runEverywhere(
          "gather", Weights(), rows, {width, width}, 1,
          [&](Step &step) {
            step.fill(0, input);
            if (listed)
              step.frame.sets[COPPICE_ROWS_LOGITS].source = source.data();
          },
          [&](Step &step) { return std::vector<uint32_t>{step.word(0), step.word(1), width}; });
      for (uint32_t r = 0; r < rows; ++r)
        for (uint32_t i = 0; i < width; ++i)
          ASSERT_EQ(got[r * width + i], input[(listed ? source[r] : r) * width + i]);
    }
}
