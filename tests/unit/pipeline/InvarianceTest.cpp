// A row's bits depend on its session's tokens up to it and on nothing else: not on how tokens are
// cut into steps, what else is in a step, the number of threads, or the target. In every format of
// weights and of the KV cache.
#include "tests/unit/pipeline/Running.h"
#include "gtest/gtest.h"
#include <cstring>

using namespace coppice;
using namespace coppice::test;

namespace {

struct Case {
  const char *model, *plan, *weights, *kv;
};

class Invariance : public testing::TestWithParam<Case> {
protected:
  void SetUp() override {
    CompileOptions options = optionsOf("model.coppice");
    ASSERT_EQ(compileError(options), "");
    model = std::make_unique<Model>(options.output);
    tokens = someTokens(*model, 45, 7);
    Engine engine(*model, 1, 64);
    Session session(*model, 64);
    whole = engine.feed(*model, session, tokens, tokens.size());
  }

  CompileOptions optionsOf(const std::string &name) const {
    CompileOptions options = optionsFor(GetParam().model, GetParam().plan, scratch.file(name));
    options.weights = GetParam().weights;
    options.kv = GetParam().kv;
    return options;
  }

  /// The first row whose bits differ, or -1.
  int firstDifference(const std::vector<float> &other, size_t from = 0) const {
    size_t width = model->info.vocabulary;
    for (size_t row = 0; row < other.size() / width; ++row)
      if (std::memcmp(&whole[(from + row) * width], &other[row * width], width * sizeof(float)))
        return int(row);
    return -1;
  }

  Scratch scratch;
  std::unique_ptr<Model> model;
  std::vector<int32_t> tokens;
  std::vector<float> whole; // logits of `tokens` in one step of one thread
};

// One step or many, on 1, 2 and 3 threads, in chunks that divide nothing.
TEST_P(Invariance, ChunksAndThreads) {
  for (uint32_t threads : {1u, 2u, 3u}) {
    Engine engine(*model, threads, 64);
    for (size_t chunk : {size_t(1), size_t(3), size_t(7), size_t(16), size_t(17), size_t(45)}) {
      Session session(*model, 64);
      EXPECT_EQ(firstDifference(engine.feed(*model, session, tokens, chunk)), -1)
          << threads << " threads, chunks of " << chunk;
    }
  }
}

// Rows of other sessions, at other positions, in the same step change nothing.
TEST_P(Invariance, Batches) {
  Engine engine(*model, 2, 64);
  Session mine(*model, 64), other(*model, 48), third(*model, 64);
  std::vector<int32_t> noise = someTokens(*model, 45, 99);
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
  Engine engine(*model, 1, 64);
  for (uint32_t position : {0u, 1u, 15u, 16u, 31u, 44u}) {
    Session session(*model, 64);
    engine.feed(*model, session, tokens, 11);
    ASSERT_EQ(coppice_session_truncate(session.session, position), COPPICE_OK);
    // Something else first, so that what was forgotten is overwritten with other values.
    if (position + 3 <= 48) {
      engine.feed(*model, session, someTokens(*model, 3, 5), 3);
      ASSERT_EQ(coppice_session_truncate(session.session, position), COPPICE_OK);
    }
    std::vector<int32_t> rest(tokens.begin() + position, tokens.end());
    EXPECT_EQ(firstDifference(engine.feed(*model, session, rest, 4), position), -1)
        << "from position " << position;
  }
}

// Only wanting the last row's logits gives that row the same bits.
TEST_P(Invariance, WantedRows) {
  Engine engine(*model, 2, 64);
  Session session(*model, 64);
  std::vector<float> last(model->info.vocabulary);
  ASSERT_EQ(coppice_engine_feed(engine.engine, session.session, tokens.data(), tokens.size(),
                                last.data()),
            COPPICE_OK);
  EXPECT_EQ(firstDifference(last, tokens.size() - 1), -1);
}

// Reduction order, FMA use and polynomials belong to the op: every target gives the same bits.
TEST_P(Invariance, Targets) {
  CompileOptions options = optionsOf("v3.coppice");
  options.target = "x86-64-v3";
  ASSERT_EQ(compileError(options), "");
  Model narrow(options.output);
  if (std::string(narrow.info.target) == model->info.target)
    GTEST_SKIP() << "this host has no target beyond x86-64-v3 to compare with";
  Engine engine(narrow, 2, 64);
  Session session(narrow, 64);
  EXPECT_EQ(firstDifference(engine.feed(narrow, session, tokens, 9)), -1);
}

// i8 and i4 mean all matrices, those of heads that share groups too.
constexpr const char *kInt8 = "i8,*.o_proj.weight=i8", *kInt8Opt = "i8,*.out_proj.weight=i8";
constexpr const char *kInt4 = "i4,head=i4,embed=i4";

INSTANTIATE_TEST_SUITE_P(
    Models, Invariance,
    testing::Values(
        Case{"opt-pre", "", "stored", "f32"}, Case{"opt-pre", "plan-a", "f16", "f32"},
        Case{"opt-post", "plan-b", "bf16", "bf16"}, Case{"llama-gqa", "plan-a", "stored", "f32"},
        Case{"llama-rope3", "", "f16", "i8"}, Case{"opt-icl", "pruned", "stored", "f32"},
        Case{"llama-gqa", "plan-a", kInt8, "f32"}, Case{"llama-gqa", "", kInt8, "bf16"},
        Case{"opt-post", "plan-b", kInt8Opt, "i8"}, Case{"opt-pre", "plan-a", kInt4, "f32"},
        Case{"llama-rope3", "", kInt4, "bf16"}, Case{"llama-gqa", "plan-b", kInt4, "i8"},
        Case{"opt-icl", "pruned", kInt8Opt, "bf16"}, Case{"opt-icl", "pruned", kInt4, "i8"},
        Case{"gemma2-caps", "plan-a", "stored", "f32"}, Case{"gemma3-local", "", kInt4, "bf16"},
        Case{"mistral-window", "plan-b", kInt8, "i8"},
        // Experts: a row's choice and its experts' sums do not see who else is in the step.
        Case{"mixtral-ties", "plan-a", "stored", "f32"}, Case{"mixtral-window", "", "i8", "bf16"},
        Case{"qwen3-moe-renorm", "", "f32", "f32"}, Case{"qwen3-moe-mixed", "plan-b", kInt4, "i8"},
        Case{"gpt2", "plan-a", kInt4, "f32"}, Case{"falcon-multi-query", "plan-a", "stored", "i8"},
        Case{"falcon-grouped", "plan-b", "i8", "f32"}, Case{"phi-2", "plan-a", "stored", "f32"},
        Case{"phi3-longrope", "plan-b", "bf16", "f32"},
        Case{"qwen3-norms", "plan-a", "i8", "bf16"}),
    [](const testing::TestParamInfo<Case> &info) {
      std::string name = std::string(info.param.model) + "_" + info.param.plan + "_" +
                         llvm::StringRef(info.param.weights).split(',').first.str() + "_kv_" +
                         info.param.kv;
      for (char &c : name)
        if (!isalnum(static_cast<unsigned char>(c)))
          c = '_';
      return name;
    });

} // namespace
