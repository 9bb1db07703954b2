// The stages of a layer of experts: choices and groups against plain C++, the linears' bits against
// the plain linear kernels on one row, and what is read of the experts that no row chose.
#include "Harness.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <sys/mman.h>
#include <unistd.h>

using namespace coppice;
using namespace coppice::test;

namespace {

bool isQuantized(const std::string &format) { return format[0] == 'i'; }

uint32_t padded(uint32_t width) { return (width + 15) / 16 * 16; }

std::vector<uint32_t> words(const float *from, size_t count) {
  std::vector<uint32_t> all(count);
  memcpy(all.data(), from, count * 4);
  return all;
}

/// What a router has to choose of a row: numbers of experts, then weights.
struct Choice {
  std::vector<uint32_t> experts;
  std::vector<double> weights;
};

Choice choose(const float *scores, uint32_t experts, uint32_t picks, bool normalize) {
  std::vector<uint32_t> order(experts);
  for (uint32_t e = 0; e < experts; ++e)
    order[e] = e;
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
  });
  Choice choice;
  choice.experts.assign(order.begin(), order.begin() + picks);
  double sum = 0;
  for (uint32_t i = 0; i < (normalize ? picks : experts); ++i)
    sum += std::exp(double(scores[order[i]]) - scores[order[0]]);
  for (uint32_t e : choice.experts)
    choice.weights.push_back(std::exp(double(scores[e]) - scores[order[0]]) / sum);
  return choice;
}

/// Scores with ties, both zeros, and some that are minus infinity, but for `least` of each row.
std::vector<float> someScores(uint32_t rows, uint32_t experts, uint32_t least, Random &random) {
  std::vector<float> scores;
  for (uint32_t r = 0; r < rows; ++r)
    for (uint32_t e = 0; e < experts; ++e) {
      const float common[] = {0.0f, -0.0f, 0.5f, -std::numeric_limits<float>::infinity()};
      uint32_t kind = random.below(e < least ? 7 : 8);
      scores.push_back(kind < 4 ? 4 * random.value() : common[kind - 4]);
    }
  return scores;
}

/// A layer's rows, routed; all buffers of the stages in one arena.
struct Layer {
  enum Buffer { Residual, Scores, Choices, Groups, In, Routed, Out, Sum };
  uint32_t rows, experts, picks, ins, outs;
  Step step;

  /// `inFloats`: of a row of the input, quantized rows among them.
  Layer(const Weights &weights, uint32_t rows, uint32_t experts, uint32_t picks, uint32_t ins,
        uint32_t inFloats, uint32_t outs, Flush flush)
      : rows(rows), experts(experts), picks(picks), ins(ins), outs(outs),
        step(weights, rows,
             {outs, experts, 2 * picks, experts + 1 + 2 * picks, inFloats, padded(inFloats) * picks,
              padded(outs) * picks, outs},
             flush) {
    step.frame.sets[COPPICE_ROWS_ROUTED] = {nullptr, nullptr, uint64_t(rows) * picks};
  }

  void run(const std::string &target, const std::string &kernel, const std::vector<uint32_t> &args,
           uint64_t items) {
    step.run(codeFor(target).kernel(kernel), args, 0, items);
  }
  void route(const std::string &target, bool normalize) {
    run(target, "route",
        {COPPICE_ROWS_ALL, step.word(Scores), step.word(Choices), experts, picks, normalize}, rows);
  }
  void group(const std::string &target) {
    run(target, "group", {COPPICE_ROWS_ALL, step.word(Choices), step.word(Groups), experts, picks},
        1);
  }
  void dispatch(const std::string &target) {
    uint32_t floats = (step.word(Out) - step.word(Routed)) * 16 / picks;
    run(target, "dispatch",
        {COPPICE_ROWS_ROUTED, step.word(In), step.word(Routed), step.word(Groups), experts,
         floats / 16},
        uint64_t(rows) * picks);
  }
  void linear(const std::string &target, const std::string &format, uint32_t stride,
              const std::vector<uint64_t> &bounds) {
    std::vector<uint32_t> args = {COPPICE_ROWS_ROUTED,
                                  step.word(Routed),
                                  step.word(Out),
                                  0,
                                  args::kNone,
                                  args::kNone,
                                  ins,
                                  outs,
                                  step.word(Groups),
                                  experts,
                                  stride};
    uint64_t from = 0;
    for (uint64_t to : bounds) {
      step.run(codeFor(target).kernel("expert_linear_" + format), args, from, to);
      from = to;
    }
    step.run(codeFor(target).kernel("expert_linear_" + format), args, from,
             panelCount(outs) * experts);
  }
  void combine(const std::string &target, bool withResidual) {
    run(target, "combine",
        {COPPICE_ROWS_ALL, step.word(Out), step.word(Choices), step.word(Groups),
         withResidual ? step.word(Residual) : args::kNone, step.word(Sum), outs, experts, picks},
        rows);
  }

  uint32_t expertOf(uint32_t row, uint32_t pick) const {
    return words(step.row(Choices, row), 2 * picks)[pick];
  }
  /// Of a choice, the routed row; and that row's values.
  uint32_t placeOf(uint32_t row, uint32_t pick) const {
    size_t at = experts + 1 + size_t(rows) * picks + size_t(row) * picks + pick;
    return words(step.row(Groups, 0), at + 1)[at];
  }
  const float *routedOut(uint32_t place) const {
    return step.row(Out, 0) + size_t(place) * padded(outs);
  }
};

/// A matrix for each expert, one after the other; stride in 64 bytes.
struct Matrices {
  Weights segment;
  uint32_t stride = 0;
  template <typename T> void add(const std::vector<T> &panels) {
    uint32_t word = segment.add(panels);
    if (word)
      stride = stride ? stride : word;
  }
  void addRandom(const std::string &format, uint32_t outs, uint32_t ins, Random &random) {
    if (isQuantized(format))
      return add(QuantizedMatrix(format == "i8" ? 8 : 4, outs, ins, random).panels());
    std::vector<float> values = random.values(size_t(outs) * ins);
    if (format == "f32")
      return add(toPanels(values, outs, ins));
    std::vector<uint16_t> halves(values.size());
    std::transform(values.begin(), values.end(), halves.begin(),
                   format == "f16" ? toHalf : toBfloat);
    add(toPanels(halves, outs, ins));
  }
};

/// Random rows as matrices of a format take them: so many floats each, quantized where they are.
uint32_t floatsOf(const std::string &format, uint32_t ins) {
  return isQuantized(format) ? quantizedFloats(ins) : ins;
}
std::vector<float> someRows(const std::string &format, uint32_t rows, uint32_t ins,
                            Random &random) {
  uint32_t floats = floatsOf(format, ins);
  std::vector<float> inputs(size_t(rows) * floats);
  for (uint32_t r = 0; r < rows; ++r) {
    std::vector<float> row = random.values(ins);
    if (isQuantized(format))
      quantizeRow(row, format == "i8" ? 128 : 8,
                  reinterpret_cast<uint8_t *>(&inputs[size_t(r) * floats]));
    else
      std::copy(row.begin(), row.end(), inputs.begin() + size_t(r) * floats);
  }
  return inputs;
}

class Experts : public testing::TestWithParam<std::string> {};
} // namespace

// Choices are the highest scores in falling order, the lower number first where they tie, zeros of
// both signs alike; weights are the softmax of all or of the chosen scores.
TEST(Route, ChoosesAsASortDoes) {
  Random random(1);
  for (uint32_t turn = 0; turn < 400; ++turn) {
    uint32_t experts = 1 + random.below(turn % 2 ? 20 : 140), rows = 1 + random.below(6);
    uint32_t picks = 1 + random.below(std::min(experts, 9u));
    std::vector<float> scores = someScores(rows, experts, picks, random);
    for (const std::string &target : runnableTargets())
      for (bool normalize : {false, true}) {
        // Choices lie last, then scores do.
        for (bool scoresLast : {false, true}) {
          Weights none;
          Step step(none, rows,
                    scoresLast ? std::vector<uint32_t>{2 * picks, experts}
                               : std::vector<uint32_t>{experts, 2 * picks},
                    turn % 4 < 2 ? Flush::End : Flush::Begin);
          step.fill(scoresLast, scores);
          step.run(codeFor(target).kernel("route"),
                   {COPPICE_ROWS_ALL, step.word(scoresLast), step.word(!scoresLast), experts, picks,
                    normalize},
                   0, rows);
          for (uint32_t r = 0; r < rows; ++r) {
            Choice want = choose(&scores[size_t(r) * experts], experts, picks, normalize);
            const float *got = step.row(!scoresLast, r);
            ASSERT_EQ(words(got, picks), want.experts) << target << " turn " << turn;
            for (uint32_t i = 0; i < picks; ++i)
              ASSERT_NEAR(got[picks + i], want.weights[i], 2e-6) << target << " turn " << turn;
          }
        }
      }
  }
}

// A score that is no number is chosen, whatever its sign, and its row's weights show it.
TEST(Route, ShowsWhatIsNoNumber) {
  for (float bad : {std::nanf(""), -std::nanf("")}) {
    Weights none;
    Step step(none, 1, {3, 4}, Flush::End);
    step.fill(0, {9.0f, bad, 2.0f});
    step.run(codeFor("x86-64-v3").kernel("route"),
             {COPPICE_ROWS_ALL, step.word(0), step.word(1), 3, 2, 1}, 0, 1);
    EXPECT_EQ(words(step.row(1, 0), 2), (std::vector<uint32_t>{1, 0}));
    EXPECT_TRUE(std::isnan(step.row(1, 0)[2]) && std::isnan(step.row(1, 0)[3]));
  }
}

// Routed rows stand in the order of experts, those of one in the order of rows; each knows its row,
// and each choice its routed row.
TEST(Group, SortsChoicesStably) {
  Random random(2);
  for (uint32_t turn = 0; turn < 200; ++turn) {
    uint32_t experts = 1 + random.below(70), picks = 1 + random.below(std::min(experts, 8u));
    uint32_t rows = 1 + random.below(40), ins = 1 + random.below(40);
    std::vector<float> scores = someScores(rows, experts, picks, random);
    std::vector<float> inputs = random.values(size_t(rows) * ins);
    for (const std::string &target : runnableTargets()) {
      Layer layer({}, rows, experts, picks, ins, ins, 1, turn % 2 ? Flush::End : Flush::Begin);
      layer.step.fill(Layer::Scores, scores);
      layer.step.fill(Layer::In, inputs);
      layer.route(target, true);
      layer.group(target);
      layer.dispatch(target);
      std::vector<uint32_t> bounds(1, 0), order, places(size_t(rows) * picks);
      for (uint32_t e = 0; e < experts; ++e) {
        for (uint32_t r = 0; r < rows; ++r)
          for (uint32_t i = 0; i < picks; ++i)
            if (layer.expertOf(r, i) == e) {
              places[r * picks + i] = order.size();
              order.push_back(r);
            }
        bounds.push_back(order.size());
      }
      std::vector<uint32_t> want(bounds);
      want.insert(want.end(), order.begin(), order.end());
      want.insert(want.end(), places.begin(), places.end());
      ASSERT_EQ(words(layer.step.row(Layer::Groups, 0), want.size()), want) << "turn " << turn;
      for (size_t place = 0; place < order.size(); ++place)
        for (uint32_t c = 0; c < ins; ++c)
          ASSERT_EQ(layer.step.row(Layer::Routed, 0)[place * padded(ins) + c],
                    inputs[size_t(order[place]) * ins + c]);
    }
  }
}

// Each routed row is, bit for bit, what the plain linear makes of that row alone with its expert's
// matrix: for every format, odd widths, any number of rows, items cut anywhere, on every target.
// The matrices end at a guard page.
TEST_P(Experts, AreLinearsOfTheirRows) {
  const std::string format = GetParam();
  Random random(3);
  for (uint32_t turn = 0; turn < 60; ++turn) {
    uint32_t experts = 1 + random.below(6), picks = 1 + random.below(std::min(experts, 3u));
    uint32_t rows = turn % 3 ? 1 + random.below(30) : 1;
    uint32_t ins = 1 + random.below(150), outs = 1 + random.below(150);
    Matrices matrices;
    for (uint32_t e = 0; e < experts; ++e)
      matrices.addRandom(format, outs, ins, random);
    uint32_t inFloats = floatsOf(format, ins);
    std::vector<float> inputs = someRows(format, rows, ins, random);
    std::vector<float> scores = someScores(rows, experts, picks, random);
    for (const std::string &target : runnableTargets()) {
      Layer layer(matrices.segment, rows, experts, picks, ins, inFloats, outs,
                  turn % 2 ? Flush::End : Flush::Begin);
      layer.step.fill(Layer::Scores, scores);
      layer.step.fill(Layer::In, inputs);
      layer.route(target, false);
      layer.group(target);
      layer.dispatch(target);
      std::vector<uint64_t> cuts;
      for (uint64_t item = random.below(4); item < panelCount(outs) * experts;
           item += 1 + random.below(9))
        cuts.push_back(item);
      layer.linear(target, format, matrices.stride, turn % 4 ? cuts : std::vector<uint64_t>());
      for (uint32_t r = 0; r < rows; ++r) {
        Step alone(matrices.segment, 1, {inFloats, outs}, Flush::End);
        alone.fill(
            0, {inputs.begin() + size_t(r) * inFloats, inputs.begin() + size_t(r + 1) * inFloats});
        for (uint32_t i = 0; i < picks; ++i) {
          alone.run(codeFor(target).kernel("linear_" + format),
                    {COPPICE_ROWS_ALL, alone.word(0), alone.word(1),
                     layer.expertOf(r, i) * matrices.stride, args::kNone, args::kNone, ins, outs},
                    0, panelCount(outs));
          ASSERT_EQ(words(layer.routedOut(layer.placeOf(r, i)), outs), words(alone.row(1, 0), outs))
              << target << " turn " << turn << " row " << r << " choice " << i;
        }
      }
    }
  }
}

// Of the experts that no row chose not one byte is read, in any format: their pages may not be
// touched. One row is decode.
TEST_P(Experts, AreReadOnlyWhereChosen) {
  const std::string format = GetParam();
  // So wide that in every format a matrix fills whole pages: tiles of 34, 18, 64 or 128 times 32
  // bytes.
  const uint32_t experts = 8, picks = 2, width = 256;
  Random random(5);
  Matrices matrices;
  for (uint32_t e = 0; e < experts; ++e)
    matrices.addRandom(format, width, width, random);
  const size_t bytes = size_t(matrices.stride) * 64;
  ASSERT_EQ(bytes % size_t(sysconf(_SC_PAGESIZE)), 0u);
  for (const std::string &target : runnableTargets())
    for (uint32_t rows : {1u, 3u}) {
      Layer layer(matrices.segment, rows, experts, picks, width, floatsOf(format, width), width,
                  Flush::Begin);
      std::vector<float> scores(size_t(rows) * experts, 0);
      for (uint32_t r = 0; r < rows; ++r)
        scores[r * experts + 2] = scores[r * experts + 5] = 1;
      layer.step.fill(Layer::Scores, scores);
      layer.step.fill(Layer::In, someRows(format, rows, width, random));
      layer.route(target, true);
      layer.group(target);
      layer.dispatch(target);
      for (uint32_t e = 0; e < experts; ++e)
        if (e != 2 && e != 5)
          ASSERT_EQ(mprotect(layer.step.weights->data() + e * bytes, bytes, PROT_NONE), 0);
      layer.linear(target, format, matrices.stride, {});
      EXPECT_NE(layer.routedOut(0)[0], 0);
    }
}
INSTANTIATE_TEST_SUITE_P(Formats, Experts, testing::Values("f32", "f16", "bf16", "i8", "i4"),
                         [](const auto &info) { return info.param; });

// The sum is over a row's own choices in their order, with the residual added last, and its bits
// are those of the row alone.
TEST(Combine, AddsEachRowsChoicesInTheirOrder) {
  Random random(4);
  for (uint32_t turn = 0; turn < 100; ++turn) {
    uint32_t experts = 1 + random.below(9), picks = 1 + random.below(experts);
    uint32_t rows = 1 + random.below(20), outs = 1 + random.below(90);
    std::vector<float> scores = someScores(rows, experts, picks, random);
    std::vector<float> residual = random.values(size_t(rows) * outs);
    for (const std::string &target : runnableTargets()) {
      Layer layer({}, rows, experts, picks, 1, 1, outs, turn % 2 ? Flush::End : Flush::Begin);
      layer.step.fill(Layer::Scores, scores);
      layer.step.fill(Layer::Residual, residual);
      layer.route(target, turn % 3);
      layer.group(target);
      std::vector<float> made = random.values(size_t(rows) * picks * padded(outs));
      memcpy(layer.step.row(Layer::Out, 0), made.data(), made.size() * 4);
      layer.combine(target, turn % 4);
      for (uint32_t r = 0; r < rows; ++r)
        for (uint32_t c = 0; c < outs; ++c) {
          float want = 0;
          for (uint32_t i = 0; i < picks; ++i)
            want = std::fma(layer.step.row(Layer::Choices, r)[picks + i],
                            layer.routedOut(layer.placeOf(r, i))[c], want);
          if (turn % 4)
            want = residual[size_t(r) * outs + c] + want;
          ASSERT_EQ(bits(layer.step.row(Layer::Sum, r)[c]), bits(want)) << target;
        }
    }
  }
}
