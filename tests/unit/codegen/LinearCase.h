// One linear layer with its data, for the tests of the linear kernels: all but its matrix, and rows
// of input in whatever form the matrix takes.
#pragma once
#include "Harness.h"

namespace coppice::test {

struct LinearCase {
  uint32_t ins, outs, rows, inFloats; // inFloats: of a row of the input
  bool withBias, withResidual, toLogits;
  std::vector<float> bias, input, residual;
  Weights segment;
  uint32_t biasWord = args::kNone, weightWord = 0;
  std::string kernel;

  /// `variant`: bits for bias, residual and logits.
  LinearCase(std::string kernel, uint32_t ins, uint32_t outs, uint32_t rows, uint32_t inFloats,
             Random &random, unsigned variant)
      : ins(ins), outs(outs), rows(rows), inFloats(inFloats), withBias(variant & 1),
        withResidual(variant & 2), toLogits(variant & 4), input(size_t(rows) * inFloats),
        residual(random.values(size_t(rows) * outs)), kernel(std::move(kernel)) {
    if (withBias)
      biasWord = segment.add(bias = random.values(outs));
  }

  /// Weights of less than a panel, which kernels read in parts of whatever alignment, end at the
  /// guard to the byte. Whole panels, which they read in aligned vectors, are multiples of 64 bytes
  /// and so end there too where nothing follows; shorter ones behind whole ones up to 63 before it.
  Flush atEnd() const { return outs < args::kPanelRows ? Flush::Exact : Flush::End; }

  /// Runs the layer's items in pieces that end at the given bounds; rows [first, first + count).
  std::vector<float> run(const std::string &target, Flush flush, std::vector<uint64_t> bounds,
                         uint32_t first, uint32_t count) const {
    enum Buffer { In, Out, Residual };
    using A = args::Linear;
    Step step(segment, count, {inFloats, outs, outs}, flush, size_t(count) * outs);
    auto slice = [&](const std::vector<float> &all, uint32_t width) {
      return std::vector<float>(all.begin() + size_t(first) * width,
                                all.begin() + size_t(first + count) * width);
    };
    step.fill(In, slice(input, inFloats));
    // The residual is added in place where the output is the arena.
    Buffer addend = toLogits ? Residual : Out;
    step.fill(addend, slice(residual, outs));
    std::vector<uint32_t> words(A::count);
    words[A::set] = COPPICE_ROWS_ALL;
    words[A::in] = step.word(In);
    words[A::out] = toLogits ? args::kNone : step.word(Out);
    words[A::weight] = weightWord;
    words[A::bias] = biasWord;
    words[A::residual] = withResidual ? step.word(addend) : args::kNone;
    words[A::ins] = ins;
    words[A::outs] = outs;
    uint64_t from = 0;
    bounds.push_back(panelCount(outs));
    for (uint64_t to : bounds) {
      step.run(codeFor(target).kernel(kernel), words, from, to);
      from = to;
    }
    if (!toLogits)
      return step.take(Out);
    return std::vector<float>(step.frame.logits, step.frame.logits + size_t(count) * outs);
  }

  /// A row's bits on a target are those of all rows on another, alone and among them, with the
  /// items cut anywhere.
  void expectBitsOf(const std::string &other, const std::string &target, Random &random) const {
    const std::vector<float> whole = run(other, Flush::End, {}, 0, rows);
    auto same = [&](const std::vector<float> &part, uint32_t first, const char *how) {
      for (size_t i = 0; i < part.size(); ++i)
        ASSERT_EQ(bits(part[i]), bits(whole[size_t(first) * outs + i]))
            << target << how << " at " << i;
    };
    same(run(target, Flush::End, {}, 0, rows), 0, "");
    for (uint32_t r = 0; r < rows; ++r)
      same(run(target, Flush::End, {}, r, 1), r, ", one row");
    std::vector<uint64_t> cuts;
    for (uint64_t item = 0; item < panelCount(outs); item += 1 + random.below(4))
      cuts.push_back(item);
    same(run(target, Flush::End, cuts, 0, rows), 0, ", cut items");
    same(run(target, Flush::End, cuts, rows - 1, 1), rows - 1, ", cut, one row");
  }
};

} // namespace coppice::test
