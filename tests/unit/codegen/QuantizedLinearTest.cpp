// linear_i8 and linear_i4 against a reference in plain integers and floats, written from
// KernelArgs.h, to the bit; and their bits against each other.
#include "Harness.h"
#include <cmath>

using namespace coppice;
using namespace coppice::test;
using A = args::Linear;

namespace {
enum Buffer { In, Out, Residual };

struct Layer {
  QuantizedMatrix weight;
  uint32_t ins, outs, rows;
  bool withBias, withResidual, toLogits;
  std::vector<float> bias, residual;
  std::vector<uint8_t> input; // [rows][quantizedBytes(ins)]
  Weights segment;
  uint32_t biasWord = args::kNone, weightWord = 0;

  Layer(unsigned bits, uint32_t ins, uint32_t outs, uint32_t rows, Random &random, unsigned variant)
      : weight(bits, outs, ins, random), ins(ins), outs(outs), rows(rows), withBias(variant & 1),
        withResidual(variant & 2), toLogits(variant & 4) {
    residual = random.values(size_t(rows) * outs);
    input.resize(rows * quantizedBytes(ins));
    for (uint32_t r = 0; r < rows; ++r) {
      std::vector<float> values = random.values(ins);
      if (r % 3 == 2) // all at the ends of the range: the largest sums there are
        for (float &value : values)
          value = std::copysign(1.0f, random.below(8) ? 1.0f : value);
      quantizeRow(values, bits == 8 ? 128 : 8, &input[r * quantizedBytes(ins)]);
    }
    if (withBias)
      biasWord = segment.add(bias = random.values(outs));
    weightWord = segment.add(weight.panels());
  }

  /// Runs the layer's items in pieces that end at the given bounds; rows [first, first + count).
  std::vector<float> run(const std::string &target, Flush flush, std::vector<uint64_t> bounds,
                         uint32_t first, uint32_t count) const {
    Step step(segment, count, {quantizedFloats(ins), outs, outs}, flush, size_t(count) * outs);
    for (uint32_t r = 0; r < count; ++r)
      std::copy_n(&input[(first + r) * quantizedBytes(ins)], quantizedBytes(ins),
                  reinterpret_cast<uint8_t *>(step.row(In, r)));
    // The residual is added in place where the output is the arena.
    Buffer addend = toLogits ? Residual : Out;
    step.fill(addend, std::vector<float>(residual.begin() + size_t(first) * outs,
                                         residual.begin() + size_t(first + count) * outs));
    std::vector<uint32_t> words(A::count);
    words[A::set] = COPPICE_ROWS_ALL;
    words[A::in] = step.word(In);
    words[A::out] = toLogits ? args::kNone : step.word(Out);
    words[A::weight] = weightWord;
    words[A::bias] = biasWord;
    words[A::residual] = withResidual ? step.word(addend) : args::kNone;
    words[A::ins] = ins;
    words[A::outs] = outs;
    coppice_kernel kernel = codeFor(target).kernel(weight.bits == 8 ? "linear_i8" : "linear_i4");
    uint64_t from = 0;
    bounds.push_back(panelCount(outs));
    for (uint64_t to : bounds) {
      step.run(kernel, words, from, to);
      from = to;
    }
    if (!toLogits)
      return step.take(Out);
    return std::vector<float>(step.frame.logits, step.frame.logits + size_t(count) * outs);
  }

  /// One output, in the order of operations that KernelArgs.h states.
  float expected(uint32_t r, uint32_t n) const {
    float sum = 0;
    for (uint32_t g = 0; g < weight.groups(); ++g) {
      const uint8_t *group = &input[r * quantizedBytes(ins) + g * 40];
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
// the arena and at both guard pages, is to the bit the sum it claims to be; the weights end at the
// guard to the byte.
TEST_P(QuantizedLinear, EqualsTheReference) {
  Random random(11);
  unsigned variant = 0;
  for (const std::string &target : runnableTargets())
    for (uint32_t outs = 1; outs <= kWidest; ++outs)
      for (uint32_t ins : {0u, outs, kWidest + 1 - outs}) {
        uint32_t rows = variant % 3 ? 1 + random.below(20) : 1;
        Layer layer(GetParam(), ins, outs, rows, random, variant % 8);
        for (Flush flush : {Flush::End, Flush::Begin})
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
    std::vector<float> whole = layer.run("x86-64-v3", Flush::End, {}, 0, rows);
    auto same = [&](const std::vector<float> &part, uint32_t first, const std::string &how) {
      for (size_t i = 0; i < part.size(); ++i)
        ASSERT_EQ(bits(part[i]), bits(whole[size_t(first) * outs + i])) << how << " at " << i;
    };
    for (const std::string &target : runnableTargets()) {
      same(layer.run(target, Flush::End, {}, 0, rows), 0, target);
      for (uint32_t r = 0; r < rows; ++r)
        same(layer.run(target, Flush::End, {}, r, 1), r, target + ", one row");
      std::vector<uint64_t> cuts;
      for (uint64_t item = 0; item < panelCount(outs); item += 1 + random.below(4))
        cuts.push_back(item);
      same(layer.run(target, Flush::End, cuts, 0, rows), 0, target + ", cut items");
      same(layer.run(target, Flush::End, cuts, rows - 1, 1), rows - 1, target + ", cut, one row");
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
