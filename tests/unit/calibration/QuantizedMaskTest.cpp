// Quantized masked against quantized shrunk. Groups of 32 are formed of the columns that are there,
// so the two round differently unless whole groups go; docs/quality.md derives the bound that the
// answers of each linear keep, and this holds them to it. What is computed here comes from the
// checkpoint's weights and the float rows that the linear reads, not from codes or scales.
#include "compiler/calibration/Calibrate.h"
#include "compiler/calibration/Statistics.h"
#include "compiler/codegen/KernelArgs.h"
#include "compiler/import/Checkpoint.h"
#include "runtime/host/Frame.h"
#include "runtime/host/Model.h"
#include "tests/support/Random.h"
#include "tests/support/evaluator/Evaluator.h"
#include "tests/unit/pipeline/Running.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

using namespace coppice;
using namespace coppice::test;

namespace {

struct Shape {
  const char *name, *type;
  int heads, headDim, neurons, layers;
  const char *outProjection, *down; // after "layers.N."
};
const Shape kShapes[] = {
    {"opt-pre", "opt", 4, 6, 37, 3, "self_attn.out_proj.weight", "fc2.weight"},
    {"opt-post", "opt", 4, 6, 37, 3, "self_attn.out_proj.weight", "fc2.weight"},
    {"llama-gqa", "llama", 6, 6, 37, 3, "self_attn.o_proj.weight", "mlp.down_proj.weight"},
    {"llama-rope3", "llama", 4, 10, 37, 2, "self_attn.o_proj.weight", "mlp.down_proj.weight"},
    {"opt-icl", "opt", 8, 16, 512, 6, "self_attn.out_proj.weight", "fc2.weight"},
};

/// Numbers of [0, count), some and not all.
std::vector<int> someOf(int count, Random &random) {
  std::vector<int> cut;
  double share = random.uniform(0.1, 0.8);
  for (int i = 0; i < count; ++i)
    if (random.chance(share) && int(cut.size()) + 1 < count)
      cut.push_back(i);
  if (cut.empty())
    cut.push_back(int(random.between(0, count - 1)));
  return cut;
}

std::string listed(const std::vector<int> &numbers) {
  std::string text;
  for (int i : numbers)
    text += (text.empty() ? "" : ",") + std::to_string(i);
  return "[" + text + "]";
}

/// A plan that cuts these of every layer.
void writePlan(const std::string &path, const Shape &shape, const std::vector<int> &heads,
               const std::vector<int> &neurons) {
  std::error_code code;
  llvm::raw_fd_ostream out(path, code);
  ASSERT_FALSE(code);
  out << R"({"version": 1, "model_type": ")" << shape.type << R"(", "remove": [)";
  for (int layer = 0; layer < shape.layers; ++layer)
    out << (layer ? ", " : "") << R"({"layer": )" << layer << R"(, "heads": )" << listed(heads)
        << R"(, "neurons": )" << listed(neurons) << "}";
  out << "]}";
}

Matrix rowsAt(const coppice_frame &frame, uint32_t set, uint32_t place, uint32_t width) {
  Matrix rows(int64_t(frame.sets[set].count), width);
  const auto *from =
      reinterpret_cast<const float *>(frame.arena + uint64_t(place) * 64 * frame.row_capacity);
  for (int64_t r = 0; r < rows.rows(); ++r)
    for (int64_t c = 0; c < width; ++c)
      rows(r, c) = from[r * int64_t(llvm::alignTo(width, 16)) + c];
  return rows;
}

/// Runs an artifact with one quantized linear, and keeps what that one answers.
struct Watched {
  Watched(const std::string &path, const std::vector<Observation> &observations,
          const std::string &tensor, size_t tokens)
      : model(path), engine(model, 1, uint32_t(tokens)) {
    for (const Observation &each : observations)
      if (each.name.find(tensor) != std::string::npos)
        observation = &each;
    for (uint32_t i = 0; i < model.info.stages; ++i) {
      coppice_stage_info info;
      EXPECT_EQ(coppice_model_stage(model.model, i, &info), COPPICE_OK);
      if (llvm::StringRef(info.kernel) == "linear_i4" ||
          llvm::StringRef(info.kernel) == "linear_i8")
        stages.push_back(i);
    }
    EXPECT_EQ(stages.size(), 1u);
    Session session(model, uint32_t(tokens));
    std::vector<coppice_token> step;
    for (int32_t token : someTokens(model, tokens, 7))
      step.push_back({session.session, token, true});
    std::vector<float> logits(tokens * model.info.vocabulary);
    EXPECT_EQ(
        coppice_engine_step_watched(engine.engine, step.data(), tokens, logits.data(), look, this),
        COPPICE_OK);
  }

  static void look(void *context, uint32_t stage) {
    auto &self = *static_cast<Watched *>(context);
    const coppice_frame &frame = runtime::frameOf(*self.engine.engine);
    const coppice_program &program = self.model.model->program;
    const uint32_t *words = program.stages[self.stages.front()].args;
    uint32_t set = words[args::Linear::set], width = words[args::Linear::outs];
    if (self.observation && self.observation->stage == stage)
      self.inputs =
          rowsAt(frame, self.observation->set, self.observation->place, self.observation->width);
    // What is added to the answer is read before the stage, which may write over it.
    if (stage + 1 == self.stages.front()) {
      self.added = Matrix::Zero(int64_t(frame.sets[set].count), width);
      if (words[args::Linear::residual] != args::kNone)
        self.added = rowsAt(frame, set, words[args::Linear::residual], width);
      if (words[args::Linear::bias] != args::kNone)
        for (uint32_t c = 0; c < width; ++c) {
          float bias;
          std::memcpy(&bias, program.weights + uint64_t(words[args::Linear::bias]) * 64 + c * 4, 4);
          self.added.col(c).array() += bias;
        }
    }
    if (stage == self.stages.front())
      self.answers = rowsAt(frame, set, words[args::Linear::out], width) - self.added;
  }

  Model model;
  Engine engine;
  const Observation *observation = nullptr;
  std::vector<uint32_t> stages;
  Matrix inputs, added, answers; // answers: the products alone
};

/// The most that the plain scale leaves of one weight: half a step, but in i4, whose codes end at 7
/// on the side away from the largest weight, what is beyond.
double mostOff(double weight, double extreme, bool i8) {
  double step = std::abs(extreme) / (i8 ? 127 : 8);
  bool away = !i8 && weight * extreme < 0;
  return std::max(step / 2, away ? std::abs(weight) - 7 * step : 0);
}

/// The most that an answer may be off when the columns of `kept` are quantized group by group:
/// activations by half a step, max |x| / 254; weights, in the sum of squares of a group weighed by
/// `importance`, by no more than the plain scale leaves.
Matrix bound(const Matrix &weight, const Matrix &inputs, const std::vector<int> &kept, bool i8,
             const Eigen::VectorXd &importance) {
  Matrix most = Matrix::Zero(inputs.rows(), weight.rows());
  for (size_t first = 0; first < kept.size(); first += 32) {
    std::vector<int> group(kept.begin() + long(first),
                           kept.begin() + long(std::min(first + 32, kept.size())));
    Matrix w = weight(Eigen::all, group), x = inputs(Eigen::all, group);
    Eigen::VectorXd s = importance(group);
    for (int64_t t = 0; t < x.rows(); ++t) {
      double half = x.row(t).cwiseAbs().maxCoeff() / 254;
      for (int64_t o = 0; o < w.rows(); ++o) {
        int64_t at = 0;
        w.row(o).cwiseAbs().maxCoeff(&at);
        double squares = 0;
        for (int64_t c = 0; c < w.cols(); ++c)
          squares += s(c) * std::pow(mostOff(w(o, c), w(o, at), i8), 2);
        // Cauchy and Schwarz over errors times, and rows over, the root of what weighs them.
        double off = std::sqrt(squares);
        double row = std::sqrt((x.row(t).transpose().array().square() / s.array()).sum());
        double rounding = half * std::sqrt((1 / s.array()).sum());
        most(t, o) += half * w.row(o).lpNorm<1>() + off * (row + rounding);
      }
    }
  }
  return most * (1 + 1.0 / 128); // scales are float16, sums float32
}

class QuantizedMask : public ::testing::TestWithParam<Shape> {};

// Any plan: both answers are within the bound of their own groups, so they differ by at most the
// sum of the two; and the bound is not empty talk: answers come to a tenth of it and more.
TEST_P(QuantizedMask, EachLinearIsWithinItsBound) {
  const Shape &shape = GetParam();
  Random random(testSeed(4));
  auto checkpoint =
      llvm::cantFail(Checkpoint::open(std::string(COPPICE_TESTS "/models/") + shape.name));
  double nearest = 0, apart = 0;
  int plans = std::string(shape.name) == "opt-icl" ? 2 : 4;
  for (int plan = 0; plan < plans; ++plan) {
    Scratch scratch;
    std::vector<int> heads = someOf(shape.heads, random), neurons = someOf(shape.neurons, random);
    writePlan(scratch.file("plan.json"), shape, heads, neurons);
    for (bool down : {false, true}) {
      bool i8 = random.chance(0.5);
      std::string tensor = "layers." + std::to_string(random.between(0, shape.layers - 1)) + "." +
                           (down ? shape.down : shape.outProjection);
      auto compiled = [&](const std::string &name, bool masked) {
        CompileOptions options = optionsFor(shape.name, "", scratch.file(name));
        options.plan = scratch.file("plan.json");
        options.weights = "f32,*" + tensor + (i8 ? "=i8" : "=i4");
        options.keepMasks = options.observe = masked;
        auto result = compile(options);
        EXPECT_TRUE(bool(result)) << llvm::toString(result.takeError());
        return result->observations;
      };
      constexpr size_t kTokens = 12;
      std::vector<Observation> observations = compiled("masked", true);
      compiled("shrunk", false);
      Watched masked(scratch.file("masked"), observations, tensor, kTokens);
      Watched shrunk(scratch.file("shrunk"), {}, tensor, kTokens);
      ASSERT_GT(masked.inputs.size(), 0) << tensor;

      std::vector<int> all, kept;
      for (int c = 0; c < masked.inputs.cols(); ++c) {
        all.push_back(c);
        int part = down ? c : c / shape.headDim;
        if (!llvm::is_contained(down ? neurons : heads, part))
          kept.push_back(c);
        else
          EXPECT_EQ(masked.inputs.col(c).cwiseAbs().maxCoeff(), 0) << "column " << c;
      }
      Matrix weight;
      for (const TensorInfo &info : checkpoint->tensors())
        if (info.name.ends_with(tensor)) {
          Tensor read = llvm::cantFail(readerOf(*checkpoint)(info.name));
          weight = Eigen::Map<Matrix>(read.values.data(), read.shape[0], read.shape[1]);
        }
      ASSERT_EQ(weight.cols(), masked.inputs.cols()) << tensor;
      Matrix exact = masked.inputs * weight.transpose();
      Eigen::VectorXd alike = Eigen::VectorXd::Ones(weight.cols());
      Matrix mostMasked = bound(weight, masked.inputs, all, i8, alike),
             mostShrunk = bound(weight, masked.inputs, kept, i8, alike);
      // Between float paths: the inputs of the two may differ so, and what is added to the answers.
      double slack = 1e-5 * std::max(1.0, masked.added.cwiseAbs().maxCoeff());
      for (auto [answers, most] :
           {std::pair(&masked.answers, &mostMasked), std::pair(&shrunk.answers, &mostShrunk)}) {
        Matrix off = (*answers - exact).cwiseAbs();
        EXPECT_TRUE(((*most - off).array() >= -slack).all())
            << shape.name << " " << tensor << (i8 ? " i8" : " i4") << ", plan " << plan
            << ": off by " << off.maxCoeff();
        nearest = std::max(nearest, (off.array() / (most->array() + slack)).maxCoeff());
      }
      Matrix between = (masked.answers - shrunk.answers).cwiseAbs();
      EXPECT_TRUE(((mostMasked + mostShrunk - between).array() >= -2 * slack).all()) << tensor;
      apart = std::max(apart, between.maxCoeff());
    }
  }
  std::printf("%s: an answer is off by %.2f of its bound at most\n", shape.name, nearest);
  EXPECT_GT(nearest, 0.1);
  EXPECT_GT(apart, 0); // the groups do differ
}

INSTANTIATE_TEST_SUITE_P(Models, QuantizedMask, ::testing::ValuesIn(kShapes), [](const auto &info) {
  std::string name = info.param.name;
  name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
  return name;
});

// With a calibration the bound holds in the norm that the calibration weighs: outputs of attention
// in a trained model, masked and shrunk, with statistics of the whole.
TEST(QuantizedMaskCalibrated, IsWithinTheWeighedBound) {
  const Shape &shape = kShapes[4];
  Random random(testSeed(6));
  Scratch scratch;
  CalibrateOptions calibration;
  calibration.modelDir = std::string(COPPICE_TESTS "/models/") + shape.name;
  calibration.text = calibration.modelDir + "/tasks/lookup.jsonl";
  calibration.output = scratch.file("statistics");
  calibration.tokens = 300;
  ASSERT_TRUE(bool(calibrate(calibration)));
  Statistics statistics = llvm::cantFail(readStatistics(calibration.output));
  auto checkpoint = llvm::cantFail(Checkpoint::open(calibration.modelDir));
  double nearest = 0;
  for (bool i8 : {false, true}) {
    std::vector<int> heads = someOf(shape.heads, random);
    writePlan(scratch.file("plan.json"), shape, heads, {0});
    std::string tensor =
        "layers." + std::to_string(random.between(0, shape.layers - 1)) + "." + shape.outProjection;
    auto compiled = [&](const std::string &name, bool masked) {
      CompileOptions options = optionsFor(shape.name, "", scratch.file(name));
      options.plan = scratch.file("plan.json");
      options.calibration = calibration.output;
      options.weights = "f32,*" + tensor + (i8 ? "=i8" : "=i4");
      options.keepMasks = options.observe = masked;
      auto result = compile(options);
      EXPECT_TRUE(bool(result)) << llvm::toString(result.takeError());
      return result->observations;
    };
    std::vector<Observation> observations = compiled("masked", true);
    compiled("shrunk", false);
    Watched masked(scratch.file("masked"), observations, tensor, 12);
    Watched shrunk(scratch.file("shrunk"), {}, tensor, 12);
    ASSERT_GT(masked.inputs.size(), 0) << tensor;
    std::vector<int> all, kept;
    for (int c = 0; c < masked.inputs.cols(); ++c) {
      all.push_back(c);
      if (!llvm::is_contained(heads, c / shape.headDim))
        kept.push_back(c);
    }
    Matrix weight;
    Eigen::VectorXd importance;
    for (const TensorInfo &info : checkpoint->tensors())
      if (info.name.ends_with(tensor)) {
        Tensor read = llvm::cantFail(readerOf(*checkpoint)(info.name));
        weight = Eigen::Map<Matrix>(read.values.data(), read.shape[0], read.shape[1]);
        const std::vector<float> &squares = statistics.meanSquares.at(info.name.str());
        importance = Eigen::Map<const Eigen::VectorXf>(squares.data(), int64_t(squares.size()))
                         .cast<double>();
      }
    ASSERT_EQ(importance.size(), masked.inputs.cols()) << tensor;
    ASSERT_GT(importance.minCoeff(), 0); // else the bound says nothing
    Matrix exact = masked.inputs * weight.transpose();
    double slack = 1e-5 * std::max(1.0, masked.added.cwiseAbs().maxCoeff());
    for (auto [answers, columns] : {std::pair(&masked.answers, &all), {&shrunk.answers, &kept}}) {
      Matrix most = bound(weight, masked.inputs, *columns, i8, importance);
      Matrix off = (*answers - exact).cwiseAbs();
      EXPECT_TRUE(((most - off).array() >= -slack).all())
          << tensor << (i8 ? " i8" : " i4") << ": off by " << off.maxCoeff();
      nearest = std::max(nearest, (off.array() / (most.array() + slack)).maxCoeff());
    }
  }
  std::printf("calibrated: an answer is off by %.2f of its bound at most\n", nearest);
  EXPECT_GT(nearest, 0.05);
}

// Whole groups: heads in pairs of 16 columns and neurons in runs of 32 from a multiple of 32. The
// groups that stay are the same, those that go add zeros: masked and shrunk are equal, all of them.
TEST(QuantizedMaskGroups, WholeGroupsLeaveTheSameBits) {
  const Shape &shape = kShapes[4];
  Random random(testSeed(5));
  // Heads of 16 share groups: unless it is named, i8 leaves their matrix in float16, which rounds.
  for (const char *weights : {"i4", "i8,*.out_proj.weight=i8", "i4,head=i4,embed=i4"}) {
    Scratch scratch;
    std::vector<int> heads, neurons;
    for (int pair : someOf(shape.heads / 2, random))
      heads.insert(heads.end(), {2 * pair, 2 * pair + 1});
    for (int run : someOf(shape.neurons / 32, random))
      for (int i = 0; i < 32; ++i)
        neurons.push_back(32 * run + i);
    writePlan(scratch.file("plan.json"), shape, heads, neurons);
    std::vector<float> logits[2];
    for (bool masked : {false, true}) {
      CompileOptions options = optionsFor(shape.name, "", scratch.file("artifact"));
      options.plan = scratch.file("plan.json");
      options.weights = weights;
      options.keepMasks = masked;
      ASSERT_EQ(compileError(options), "");
      Model model(options.output);
      Session session(model, 64);
      Engine engine(model, 1, 64);
      logits[masked] = engine.feed(model, session, someTokens(model, 48, 3), 48);
    }
    ASSERT_EQ(logits[0].size(), logits[1].size());
    EXPECT_EQ(std::memcmp(logits[0].data(), logits[1].data(), logits[0].size() * sizeof(float)), 0)
        << weights;
  }
}

} // namespace
