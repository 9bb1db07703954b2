// Models whose layers attend to a window, over texts in which rings have wrapped: the logits are
// the float64 evaluator's, and a row's bits do not depend on how it came to be there. (The
// evaluator is held to transformers over several windows by tests/unit/theorem/GoldenTest.cpp.)
#include "compiler/import/Import.h"
#include "tests/support/TinyModels.h"
#include "tests/support/evaluator/Evaluator.h"
#include "tests/unit/pipeline/Running.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <cmath>
#include <cstring>
#include <set>

using namespace coppice;
using namespace coppice::test;

namespace {

// Every window of these is below 20, so that a ring has 576 positions: two wraps and more.
constexpr uint32_t kContext = 1400, kTokens = 1330, kRing = 576, kLargest = 512;

class Window : public testing::TestWithParam<std::string> {
protected:
  void compileTo(const std::string &name, const std::string &kv, const std::string &target) {
    CompileOptions options = optionsFor(GetParam(), "", scratch.file(name));
    options.context = kContext;
    options.kv = kv;
    options.target = target;
    ASSERT_EQ(compileError(options), "");
    model = std::make_unique<Model>(options.output);
    tokens = someTokens(*model, kTokens, 11);
  }
  const float *row(const std::vector<float> &logits, size_t position) const {
    return &logits[position * model->info.vocabulary];
  }
  /// That logits from position `from` on are those of `whole`, to the bit.
  void expectSame(const std::vector<float> &whole, const std::vector<float> &logits, size_t from,
                  const std::string &how) const {
    size_t width = model->info.vocabulary;
    for (size_t i = 0; i < logits.size() / width; ++i)
      ASSERT_EQ(std::memcmp(row(whole, from + i), row(logits, i), width * sizeof(float)), 0)
          << how << ", position " << from + i;
  }
  std::vector<int32_t> part(size_t from, size_t count) const {
    return {tokens.begin() + from, tokens.begin() + from + count};
  }

  Scratch scratch;
  std::unique_ptr<Model> model;
  std::vector<int32_t> tokens;
};

class WindowBits : public Window {};

// Every row, also where each position that it sees has taken the place of two others: in chunks, in
// the largest steps, and one by one.
TEST_P(Window, EqualsTheEvaluator) {
  compileTo("model", "f32", "native");
  EXPECT_EQ(model->info.ring_positions, kRing);
  EXPECT_EQ(model->info.largest_step, kLargest);
  Engine engine(*model, 2, kLargest);
  Session session(*model, kContext);
  std::vector<float> got = engine.feed(*model, session, tokens, 50);
  for (size_t chunk : {size_t(1), size_t(kLargest)}) {
    Session again(*model, kContext);
    expectSame(got, engine.feed(*model, again, tokens, chunk), 0, std::to_string(chunk));
  }

  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  std::string directory = std::string(COPPICE_TESTS "/models/") + GetParam();
  auto checkpoint = Checkpoint::open(directory);
  ASSERT_TRUE(bool(checkpoint));
  auto imported = importModel(directory, checkpoint->get(), context, kContext);
  ASSERT_TRUE(bool(imported)) << llvm::toString(imported.takeError());
  std::vector<int32_t> positions(kTokens);
  for (uint32_t i = 0; i < kTokens; ++i)
    positions[i] = int32_t(i);
  auto function = *imported->module->getOps<mlir::func::FuncOp>().begin();
  auto wanted = Evaluator(readerOf(**checkpoint)).run(function, tokens, positions);
  ASSERT_TRUE(bool(wanted)) << llvm::toString(wanted.takeError());
  double bound = 1e-5 * std::max(1.0, wanted->cwiseAbs().maxCoeff());
  for (uint32_t p = 0; p < kTokens; ++p)
    for (uint32_t v = 0; v < model->info.vocabulary; ++v)
      ASSERT_NEAR(row(got, p)[v], (*wanted)(p, v), bound) << "position " << p;
}

// Any steps up to the largest, one or several threads, every cache format and target.
TEST_P(WindowBits, DoNotDependOnSteps) {
  for (const char *kv : {"f32", "bf16", "i8"}) {
    std::vector<float> whole;
    for (const char *target : {"native", "x86-64-v3"}) {
      compileTo(std::string(kv) + target, kv, target);
      for (size_t chunk : {size_t(kLargest), size_t(1), size_t(37)}) {
        Engine engine(*model, chunk == 37 ? 3 : 1, kLargest);
        Session session(*model, kContext);
        std::vector<float> logits = engine.feed(*model, session, tokens, chunk);
        if (whole.empty())
          whole = logits;
        expectSame(whole, logits, 0, std::string(kv) + " " + target + " " + std::to_string(chunk));
      }
      // A session that fits in the ring has plain caches.
      Engine engine(*model, 1, 1000);
      Session brief(*model, kRing);
      expectSame(whole, engine.feed(*model, brief, part(0, kRing), kRing), 0, "a short session");
    }
  }
}

// A session takes no more bytes for rings than they hold, whatever its length.
TEST_P(Window, SessionsAreAsLongAsTheirRings) {
  compileTo("model", "bf16", "native");
  const coppice_info &info = model->info;
  auto bytes = [&](uint64_t positions, uint64_t ring) {
    auto lines = [](uint64_t n) { return (n + 63) / 64 * 64; };
    return 64 + lines(positions * info.kv_bytes_per_position) +
           lines(ring * info.ring_bytes_per_position);
  };
  EXPECT_GT(info.ring_bytes_per_position, 0u);
  EXPECT_EQ(coppice_session_bytes(model->model, 100), bytes(112, 112));
  EXPECT_EQ(coppice_session_bytes(model->model, kRing), bytes(kRing, kRing));
  EXPECT_EQ(coppice_session_bytes(model->model, kContext), bytes(1408, kRing));
}

// Back by a largest step and on with other tokens, then back again: as if they had never been.
// Further back, and longer steps, are refused and change nothing.
TEST_P(Window, GoesBackByALargestStep) {
  compileTo("model", "i8", "native");
  Engine engine(*model, 1, 600);
  Session session(*model, kContext);
  std::vector<float> whole = engine.feed(*model, session, tokens, kLargest);
  std::vector<int32_t> other = someTokens(*model, 600, 99);
  size_t from = kTokens - kLargest;
  EXPECT_EQ(coppice_session_truncate(session.session, uint32_t(from - 1)), COPPICE_FORGOTTEN);
  ASSERT_EQ(coppice_session_truncate(session.session, uint32_t(from)), COPPICE_OK);
  std::vector<coppice_token> rows;
  rows.reserve(other.size());
  for (int32_t token : other)
    rows.push_back({session.session, token, false});
  EXPECT_EQ(coppice_engine_step(engine.engine, rows.data(), kLargest + 1, nullptr),
            COPPICE_LONG_STEP);
  EXPECT_EQ(coppice_session_position(session.session), from);
  ASSERT_EQ(coppice_engine_step(engine.engine, rows.data(), kLargest, nullptr), COPPICE_OK);
  ASSERT_EQ(coppice_session_truncate(session.session, uint32_t(from)), COPPICE_OK);
  expectSame(whole, engine.feed(*model, session, part(from, kLargest), 100), from, "once more");
  ASSERT_EQ(coppice_session_truncate(session.session, 0), COPPICE_OK);
  // Feeding cuts to steps by itself.
  std::vector<float> last(model->info.vocabulary);
  ASSERT_EQ(coppice_engine_feed(engine.engine, session.session, tokens.data(), kTokens, &last[0]),
            COPPICE_OK);
  expectSame(whole, last, kTokens - 1, "from the beginning");
}

// All families that have windows, as docs/models.md lists them, are among the models.
TEST(WindowModels, AreOfEveryFamilyThatHasThem) {
  std::set<std::string> types;
  for (const TinyModel &model : tinyModels())
    if (model.windowed)
      types.insert(model.modelType);
  EXPECT_THAT(types, testing::ElementsAre("gemma2", "gemma3_text", "mistral", "mixtral", "phi3",
                                          "qwen2", "qwen3", "qwen3_moe", "starcoder2"));
}

std::vector<std::string> windowed() {
  std::vector<std::string> names;
  for (const TinyModel &model : tinyModels())
    if (model.windowed)
      names.push_back(model.name);
  return names;
}
std::string nameOf(const testing::TestParamInfo<std::string> &info) {
  return asTestName(info.param);
}
INSTANTIATE_TEST_SUITE_P(Models, Window, testing::ValuesIn(windowed()), nameOf);
// Rings alone, rings beside plain caches with soft caps, and experts.
INSTANTIATE_TEST_SUITE_P(Models, WindowBits,
                         testing::Values("mistral-window", "gemma2-caps", "mixtral-window"),
                         nameOf);

} // namespace
