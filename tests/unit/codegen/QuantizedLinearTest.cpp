// linear_i8 and linear_i4 against a reference in plain integers and floats, written from
// KernelArgs.h, to the bit; and their bits against each other.
#include "LinearCase.h"
#include <cmath>

using namespace coppice;
using namespace coppice::test;

namespace {

struct Layer : LinearCase {
  QuantizedMatrix weight;

  Layer(unsigned bits, uint32_t ins, uint32_t outs, uint32_t rows, Random &random, unsigned variant)
      : LinearCase(bits == 8 ? "linear_i8" : "linear_i4", ins, outs, rows, quantizedFloats(ins),
                   random, variant),
        weight(bits, outs, ins, random) {
    for (uint32_t r = 0; r < rows; ++r) {
      std::vector<float> values = random.values(ins);
      if (r % 3 == 2) // all at the ends of the range: the largest sums there are
        for (float &value : values)
          value = std::copysign(1.0f, random.below(8) ? 1.0f : value);
      quantizeRow(values, bits == 8 ? 128 : 8,
                  reinterpret_cast<uint8_t *>(input.data() + size_t(r) * inFloats));
    }
    weightWord = segment.add(weight.panels());
  }

  /// One output, in the order of operations that KernelArgs.h states.
  float expected(uint32_t r, uint32_t n) const {
    float sum = 0;
    for (uint32_t g = 0; g < weight.groups(); ++g) {
      const uint8_t *group =
          reinterpret_cast<const uint8_t *>(input.data() + size_t(r) * inFloats) + g * 40;
      int32_t dot = 0;
      for (uint32_t i = 0; i < std::min(32u, ins - g * 32); ++i)
        dot += int32_t(int8_t(group[i])) * weight.codes[size_t(n) * ins + g * 32 + i];
      float scale;
      memcpy(&scale, group + 32, 4);
      sum = std::fma(float(dot), scale * weight.scale(n, g * 32), sum);
    }
    sum += withBias ? bias[n] : 0.0f;
    return withResidual ? sum + residual[size_t(r) * outs + n] : sum;
  }

  void expectEqual(const std::vector<float> &got, const std::string &target) const {
    for (uint32_t r = 0; r < rows; ++r)
      for (uint32_t n = 0; n < outs; ++n)
        ASSERT_EQ(bits(got[size_t(r) * outs + n]), bits(expected(r, n)))
            << target << " i" << weight.bits << " ins " << ins << " outs " << outs << " rows "
            << rows << " at row " << r << " output " << n << ": " << got[size_t(r) * outs + n]
            << " for " << expected(r, n);
  }
};

constexpr uint32_t kWidest = 200;

class QuantizedLinear : public testing::TestWithParam<unsigned> {};
} // namespace

// Every width of outputs and every K from 0 to 200, with and without bias, residual and logits, in
// the arena and at both guard pages, is to the bit the sum it claims to be; the weights end as
// atEnd() says.
TEST_P(QuantizedLinear, EqualsTheReference) {
  Random random(11);
  unsigned variant = 0;
  for (const std::string &target : runnableTargets())
    for (uint32_t outs = 1; outs <= kWidest; ++outs)
      for (uint32_t ins : {0u, outs, kWidest + 1 - outs}) {
        uint32_t rows = variant % 3 ? 1 + random.below(20) : 1;
        Layer layer(GetParam(), ins, outs, rows, random, variant % 8);
        for (Flush flush : {layer.atEnd(), Flush::Begin})
          layer.expectEqual(layer.run(target, flush, {}, 0, rows), target);
        if (HasFatalFailure())
          return;
        ++variant;
      }
}

// So is every larger one, of inputs and of outputs, with one row, a few, and more than a tile.
TEST_P(QuantizedLinear, EqualsTheReferenceAtLargeWidths) {
  Random random(18);
  unsigned variant = 0;
  for (uint32_t width : kWideWidths)
    for (auto [ins, outs] : {std::pair(width, 37u), std::pair(37u, width)})
      for (uint32_t rows : {1u, 3u, 8u}) {
        Layer layer(GetParam(), ins, outs, rows, random, variant++ % 8);
        for (const std::string &target : runnableTargets())
          for (Flush flush : {Flush::End, Flush::Begin})
            layer.expectEqual(layer.run(target, flush, {}, 0, rows), target);
        if (HasFatalFailure())
          return;
      }
}

// A row's bits are the same alone and among M others, for every M up to 20, with the items cut
// anywhere, and on every target.
TEST_P(QuantizedLinear, RowBitsDoNotDependOnCompany) {
  Random random(12);
  for (uint32_t rows = 1; rows <= 20; ++rows) {
    uint32_t ins = 1 + random.below(150), outs = 1 + random.below(400);
    Layer layer(GetParam(), ins, outs, rows, random, random.below(8));
    for (const std::string &target : runnableTargets()) {
      layer.expectBitsOf("x86-64-v3", target, random);
      if (HasFatalFailure())
        return;
    }
  }
}

// Rows beyond one chunk of activations, with a rest in the last chunk, equal the reference.
TEST_P(QuantizedLinear, EqualsTheReferenceOverManyChunks) {
  Random random(13);
  for (const std::string &target : runnableTargets()) {
    uint32_t rows = 151, ins = 6500, outs = 35;
    Layer layer(GetParam(), ins, outs, rows, random, 0);
    layer.expectEqual(layer.run(target, Flush::End, {}, 0, rows), target);
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, QuantizedLinear, testing::Values(8u, 4u),
                         [](const auto &info) { return "i" + std::to_string(info.param); });
