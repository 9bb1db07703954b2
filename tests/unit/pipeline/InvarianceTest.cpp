// A row's bits depend on its session's tokens up to it and on nothing else: not on how tokens are
// cut into steps, what else is in a step, the number of threads, or the target. For every tiny
// model, so that no family is left out, and in every format of weights and of the KV cache.
#include "tests/support/TinyModels.h"
#include "tests/unit/pipeline/Running.h"
#include "gtest/gtest.h"
#include <cstring>
#include <map>

using namespace coppice;
using namespace coppice::test;

namespace {

struct Case {
  std::string model, plan, weights, kv;
  uint32_t positions = 96; // of a session, and the context
};

/// Every tiny model, plans and formats in turn, which have no common period; and the trained one.
std::vector<Case> allCases() {
  // i8 and i4 mean all matrices, those of heads that share groups and routers too.
  const char *plans[] = {"", "plan-a", "plan-b", "plan-c"};
  const char *weights[] = {"stored", "i8,*=i8", "i4,*=i4", "bf16", "f16"};
  const char *caches[] = {"f32", "bf16", "i8"};
  std::vector<Case> all = {{"opt-icl", "pruned", "stored", "f32"},
                           {"opt-icl", "", "i8,*=i8", "bf16"},
                           {"opt-icl", "pruned", "i4,*=i4", "i8"}};
  for (const TinyModel &model : tinyModels()) {
    size_t i = all.size();
    Case one{model.name, plans[i % 4], weights[i % 5], caches[i % 3]};
    one.positions = uint32_t(std::min<int64_t>(one.positions, model.positionLimit.value_or(96)));
    all.push_back(one);
  }
  return all;
}

CompileOptions optionsOf(const Case &one, const std::string &output) {
  CompileOptions options = optionsFor(one.model, one.plan, output);
  options.weights = one.weights;
  options.kv = one.kv;
  options.context = one.positions;
  return options;
}

/// A case's artifact, compiled when the first of its tests comes.
struct Compiled {
  explicit Compiled(const Case &one) {
    CompileOptions options = optionsOf(one, scratch.file("model.coppice"));
    std::string error = compileError(options);
    EXPECT_EQ(error, "");
    if (!error.empty())
      return;
    model = std::make_unique<Model>(options.output);
    tokens = someTokens(*model, one.positions - 19, 7);
    Engine engine(*model, 1, one.positions);
    Session session(*model, one.positions);
    whole = engine.feed(*model, session, tokens, tokens.size());
  }

  Scratch scratch;
  std::unique_ptr<Model> model;
  std::vector<int32_t> tokens;
  std::vector<float> whole; // logits of `tokens` in one step of one thread
};

class Invariance : public testing::TestWithParam<Case> {
protected:
  void SetUp() override {
    static std::map<std::string, std::unique_ptr<Compiled>> made;
    const Case &one = GetParam();
    std::unique_ptr<Compiled> &slot = made[one.model + one.weights];
    if (!slot)
      slot = std::make_unique<Compiled>(one);
    compiled = slot.get();
    model = compiled->model.get();
    ASSERT_TRUE(model);
    positions = one.positions;
  }

  /// The first row whose bits differ, or -1.
  int firstDifference(const std::vector<float> &other, size_t from = 0) const {
    size_t width = model->info.vocabulary;
    for (size_t row = 0; row < other.size() / width; ++row)
      if (std::memcmp(&compiled->whole[(from + row) * width], &other[row * width],
                      width * sizeof(float)) != 0)
        return int(row);
    return -1;
  }

  const Compiled *compiled = nullptr;
  const Model *model = nullptr;
  uint32_t positions = 0;
};

// One step or many, on 1, 2 and 3 threads, in chunks that divide nothing.
TEST_P(Invariance, ChunksAndThreads) {
  for (uint32_t threads : {1u, 2u, 3u}) {
    Engine engine(*model, threads, positions);
    for (size_t chunk : {1, 3, 7, 16, 17, 45, 77}) {
      Session session(*model, positions);
      EXPECT_EQ(firstDifference(engine.feed(*model, session, compiled->tokens, chunk)), -1)
          << threads << " threads, chunks of " << chunk;
    }
  }
}

// Rows of other sessions, at other positions, in the same step change nothing.
TEST_P(Invariance, Batches) {
  const std::vector<int32_t> &tokens = compiled->tokens;
  Engine engine(*model, 2, positions);
  Session mine(*model, positions), other(*model, positions - 16), third(*model, positions);
  std::vector<int32_t> noise = someTokens(*model, tokens.size(), 99);
  engine.feed(*model, third, noise, 5);
  size_t width = model->info.vocabulary;
  std::vector<float> logits(tokens.size() * width), step(3 * width);
  for (size_t i = 0; i < tokens.size(); ++i) {
    std::vector<coppice_token> rows = {{other.session, noise[i], i % 2 == 0},
                                       {mine.session, tokens[i], true}};
    if (i < 10)
      rows.push_back({third.session, noise[i], true});
    ASSERT_EQ(coppice_engine_step(engine.engine, rows.data(), rows.size(), step.data()),
              COPPICE_OK);
    std::memcpy(&logits[i * width], &step[(i % 2 == 0) * width], width * sizeof(float));
  }
  EXPECT_EQ(firstDifference(logits), -1);
}

// After a truncation the session is as it was at that position.
TEST_P(Invariance, Truncation) {
  const std::vector<int32_t> &tokens = compiled->tokens;
  Engine engine(*model, 1, positions);
  for (uint32_t position : {0u, 1u, 15u, 16u, 31u, 44u, 64u, uint32_t(tokens.size() - 1)}) {
    if (position >= tokens.size())
      continue;
    Session session(*model, positions);
    engine.feed(*model, session, tokens, 11);
    ASSERT_EQ(coppice_session_truncate(session.session, position), COPPICE_OK);
    // Something else first, so that what was forgotten is overwritten with other values.
    engine.feed(*model, session, someTokens(*model, 3, 5), 3);
    ASSERT_EQ(coppice_session_truncate(session.session, position), COPPICE_OK);
    std::vector<int32_t> rest(tokens.begin() + position, tokens.end());
    EXPECT_EQ(firstDifference(engine.feed(*model, session, rest, 4), position), -1)
        << "from position " << position;
  }
}

// Only wanting the last row's logits gives that row the same bits.
TEST_P(Invariance, WantedRows) {
  const std::vector<int32_t> &tokens = compiled->tokens;
  Engine engine(*model, 2, positions);
  Session session(*model, positions);
  std::vector<float> last(model->info.vocabulary);
  ASSERT_EQ(coppice_engine_feed(engine.engine, session.session, tokens.data(), tokens.size(),
                                last.data()),
            COPPICE_OK);
  EXPECT_EQ(firstDifference(last, tokens.size() - 1), -1);
}

// Reduction order, FMA use and polynomials belong to the op: every target gives the same bits.
TEST_P(Invariance, Targets) {
  Scratch scratch;
  CompileOptions options = optionsOf(GetParam(), scratch.file("v3.coppice"));
  options.target = "x86-64-v3";
  ASSERT_EQ(compileError(options), "");
  Model narrow(options.output);
  if (std::string(narrow.info.target) == model->info.target)
    GTEST_SKIP() << "this host has no target beyond x86-64-v3 to compare with";
  Engine engine(narrow, 2, positions);
  Session session(narrow, positions);
  EXPECT_EQ(firstDifference(engine.feed(narrow, session, compiled->tokens, 9)), -1);
}

INSTANTIATE_TEST_SUITE_P(Models, Invariance, testing::ValuesIn(allCases()),
                         [](const testing::TestParamInfo<Case> &info) {
                           const Case &one = info.param;
                           llvm::StringRef weights = one.weights;
                           return asTestName(one.model + "_" + one.plan + "_" +
                                             weights.split(',').first.str() + "_kv_" + one.kv);
                         });

} // namespace
