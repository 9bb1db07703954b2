// The linear kernels against a scalar double reference, and their bits against each other.
#include "LinearCase.h"
#include <cmath>

using namespace coppice;
using namespace coppice::test;

namespace {

/// Weights are held as the floats that their format stores.
struct Layer : LinearCase {
  std::string format;
  std::vector<float> weight;

  Layer(const std::string &format, uint32_t ins, uint32_t outs, uint32_t rows, Random &random,
        unsigned variant)
      : LinearCase("linear_" + format, ins, outs, rows, ins, random, variant), format(format),
        weight(random.values(size_t(ins) * outs)) {
    input = random.values(size_t(rows) * ins);
    if (format == "f32") {
      weightWord = segment.add(toPanels(weight, outs, ins));
      return;
    }
    std::vector<uint16_t> stored;
    for (float &w : weight) {
      bool half = format == "f16";
      stored.push_back(half ? toHalf(w) : toBfloat(w));
      w = half ? fromHalf(stored.back()) : fromBfloat(stored.back());
    }
    weightWord = segment.add(toPanels(stored, outs, ins));
  }

  /// Whether the layer rounds its inputs to bfloat16 on a target.
  bool rounds(const std::string &target) const {
    return format == "bf16" && roundsToBfloat(target);
  }

  void expectClose(const std::vector<float> &got, const std::string &target) const {
    std::vector<float> taken = input;
    if (rounds(target))
      for (float &x : taken)
        x = roundedToBfloat(x);
    for (uint32_t r = 0; r < rows; ++r)
      for (uint32_t n = 0; n < outs; ++n) {
        double want = 0, scale = 0;
        auto addTerm = [&](double term) {
          want += term;
          scale += std::fabs(term);
        };
        for (uint32_t c = 0; c < ins; ++c)
          addTerm(double(weight[size_t(n) * ins + c]) * taken[size_t(r) * ins + c]);
        if (withBias)
          addTerm(bias[n]);
        if (withResidual)
          addTerm(residual[size_t(r) * outs + n]);
        double bound = (ins + 3) * 0x1p-24 * scale;
        ASSERT_NEAR(got[size_t(r) * outs + n], want, bound)
            << target << " " << format << " ins " << ins << " outs " << outs << " rows " << rows
            << " at row " << r << " output " << n;
      }
  }
};

constexpr uint32_t kWidest = 200;

class Linear : public testing::TestWithParam<std::string> {};
} // namespace

// Every width of outputs and every K from 0 to 200, with and without bias, residual and logits, in
// the arena and at both guard pages, is the sum it claims to be; the weights end as atEnd() says.
TEST_P(Linear, EqualsTheReference) {
  Random random(1);
  unsigned variant = 0;
  for (const std::string &target : runnableTargets())
    for (uint32_t outs = 1; outs <= kWidest; ++outs)
      for (uint32_t ins : {0u, outs, kWidest + 1 - outs}) {
        uint32_t rows = variant % 3 ? 1 + random.below(20) : 1;
        Layer layer(GetParam(), ins, outs, rows, random, variant % 8);
        for (Flush flush : {layer.atEnd(), Flush::Begin})
          layer.expectClose(layer.run(target, flush, {}, 0, rows), target);
        if (HasFatalFailure())
          return;
        ++variant;
      }
}

// So is every larger one, of inputs and of outputs, with one row, a few, and more than a tile.
TEST_P(Linear, EqualsTheReferenceAtLargeWidths) {
  Random random(4);
  unsigned variant = 0;
  for (uint32_t width : kWideWidths)
    for (auto [ins, outs] : {std::pair(width, 37u), std::pair(37u, width)})
      for (uint32_t rows : {1u, 3u, 14u}) {
        Layer layer(GetParam(), ins, outs, rows, random, variant++ % 8);
        for (const std::string &target : runnableTargets())
          for (Flush flush : {Flush::End, Flush::Begin})
            layer.expectClose(layer.run(target, flush, {}, 0, rows), target);
        if (HasFatalFailure())
          return;
      }
}

// So is one with several panels of more inputs than are rounded to bfloat16 at a time, whose sums
// wait in memory between those parts, and in which a row alone takes two panels at once; and its
// rows' bits are those of the row alone, with the items cut anywhere.
TEST_P(Linear, EqualsTheReferenceOverPartsOfSeveralPanels) {
  Random random(7);
  unsigned variant = 0;
  for (auto [ins, outs] : {std::pair(1061u, 163u), std::pair(1536u, 96u)})
    for (uint32_t rows : {1u, 14u, 41u}) {
      Layer layer(GetParam(), ins, outs, rows, random, variant++ % 8);
      for (const std::string &target : runnableTargets()) {
        layer.expectClose(layer.run(target, Flush::End, {}, 0, rows), target);
        layer.expectBitsOf(layer.rounds(target) ? target : "x86-64-v3", target, random);
        if (HasFatalFailure())
          return;
      }
    }
}

// A row's bits are the same alone and among M others, for every M up to 20, with the items cut
// anywhere, and on every target; but where a target rounds to bfloat16, on that one alone.
TEST_P(Linear, RowBitsDoNotDependOnCompany) {
  Random random(2);
  for (uint32_t rows = 1; rows <= 20; ++rows) {
    uint32_t ins = 1 + random.below(150), outs = 1 + random.below(400);
    Layer layer(GetParam(), ins, outs, rows, random, random.below(8));
    for (const std::string &target : runnableTargets()) {
      layer.expectBitsOf(layer.rounds(target) ? target : "x86-64-v3", target, random);
      if (HasFatalFailure())
        return;
    }
  }
}

// Where inputs are rounded to bfloat16 they are rounded to nearest even, for one row as for many:
// with the identity for weights each output is its input, rounded, ties and both signs included.
TEST(LinearBfloat, RoundsInputsToNearestEven) {
  constexpr uint32_t width = 67;
  Random random(5);
  for (uint32_t rows : {1u, 2u, 5u, 13u}) {
    Layer layer("bf16", width, width, rows, random, 0);
    std::vector<uint16_t> identity(width * width);
    for (uint32_t i = 0; i < width; ++i)
      identity[i * width + i] = toBfloat(1);
    layer.segment = Weights();
    layer.weightWord = layer.segment.add(toPanels(identity, width, width));
    for (uint32_t i = 0; i < layer.input.size(); i += 2) { // halfway between two neighbours
      float exact = fromBfloat(toBfloat(layer.input[i]));
      layer.input[i] = (exact + fromBfloat(toBfloat(exact) + 1)) / 2;
    }
    for (const std::string &target : runnableTargets()) {
      std::vector<float> got = layer.run(target, Flush::End, {}, 0, rows);
      for (uint32_t i = 0; i < got.size(); ++i) {
        float want = layer.rounds(target) ? roundedToBfloat(layer.input[i]) : layer.input[i];
        ASSERT_EQ(got[i], want) << target << " rows " << rows << " at " << i;
      }
    }
  }
}

// NaN and infinities in an input show in every output that they enter, and in no other row.
TEST_P(Linear, ShowsWhatIsNoNumber) {
  constexpr uint32_t ins = 70, outs = 45, rows = 14;
  Random random(6);
  for (float odd : {NAN, -NAN, INFINITY, -INFINITY})
    for (uint32_t column : {0u, 1u, 33u, 69u}) {
      Layer layer(GetParam(), ins, outs, rows, random, 0);
      layer.input[5 * ins + column] = odd;
      for (const std::string &target : runnableTargets()) {
        std::vector<float> got = layer.run(target, Flush::End, {}, 0, rows);
        for (uint32_t i = 0; i < got.size(); ++i)
          ASSERT_EQ(std::isfinite(got[i]), i / outs != 5) << target << " output " << i;
        for (float x : layer.run(target, Flush::End, {}, 5, 1))
          ASSERT_FALSE(std::isfinite(x)) << target;
      }
    }
}

INSTANTIATE_TEST_SUITE_P(Formats, Linear, testing::Values("f32", "f16", "bf16"),
                         [](const auto &info) { return info.param; });
