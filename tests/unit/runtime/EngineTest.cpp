// Engines on the toy model, whose logits have a closed formula: positions, row sets, chunks,
// threads, and every wrong call.
#include "ToyArtifact.h"
#include "coppice/coppice.h"
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <memory>
#include <thread>

namespace {
struct Free {
  void operator()(void *memory) const { free(memory); }
};

class Engine : public testing::Test {
protected:
  void SetUp() override { model = openToy(); }
  void TearDown() override {
    for (coppice_engine *engine : engines)
      coppice_engine_destroy(engine);
    coppice_model_close(model);
  }

  static coppice_model *openToy() {
    toy::File file(toy::Artifact().build());
    coppice_model *opened = nullptr;
    coppice_error error{};
    EXPECT_EQ(coppice_model_open(file.path(), nullptr, &opened, &error), COPPICE_OK)
        << error.message;
    return opened;
  }

  coppice_engine *engine(uint32_t threads, uint32_t maxRows) {
    coppice_engine *made = nullptr;
    EXPECT_EQ(coppice_engine_create(model, threads, maxRows, &made, nullptr), COPPICE_OK);
    engines.push_back(made);
    return made;
  }

  /// Memory full of NaN: nothing may be read that was not written.
  coppice_session *session(uint32_t positions, coppice_model *of = nullptr) {
    of = of ? of : model;
    size_t bytes = coppice_session_bytes(of, positions);
    memories.emplace_back(aligned_alloc(64, bytes));
    memset(memories.back().get(), 0xff, bytes);
    coppice_session *made = nullptr;
    EXPECT_EQ(coppice_session_init(of, positions, memories.back().get(), bytes, &made), COPPICE_OK);
    return made;
  }

  static void expectLogits(const float *logits, const std::vector<int32_t> &tokens,
                           size_t position) {
    for (uint32_t v = 0; v < 5; ++v)
      EXPECT_EQ(logits[v], toy::logit(tokens, position, v)) << "position " << position;
  }

  coppice_model *model = nullptr;
  std::vector<coppice_engine *> engines;
  std::vector<std::unique_ptr<void, Free>> memories;
};

const std::vector<int32_t> kText = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4};
} // namespace

// One prefill with all logits is the formula, for any chunk and number of threads.
TEST_F(Engine, PrefillIsTheFormula) {
  for (uint32_t threads : {1, 2, 3, 8})
    for (uint32_t chunk : {1, 3, 7, 20}) {
      coppice_engine *made = engine(threads, chunk);
      coppice_session *text = session(20);
      for (size_t at = 0; at < kText.size(); at += chunk) {
        std::vector<coppice_token> rows;
        for (size_t i = at; i < std::min(at + chunk, kText.size()); ++i)
          rows.push_back({text, kText[i], true});
        std::vector<float> logits(rows.size() * 5);
        ASSERT_EQ(coppice_engine_step(made, rows.data(), rows.size(), logits.data()), COPPICE_OK);
        for (size_t i = 0; i < rows.size(); ++i)
          expectLogits(&logits[i * 5], kText, at + i);
      }
    }
}

// Rows of several sessions in one step, some without logits: each gets its own position, and the
// logits come in the order of the rows.
TEST_F(Engine, MixesSessions) {
  coppice_engine *made = engine(2, 8);
  coppice_session *a = session(20), *b = session(40);
  ASSERT_EQ(coppice_engine_feed(made, b, kText.data(), 5, nullptr), COPPICE_OK);
  std::vector<int32_t> ofA = {10, 11, 12}, ofB(kText.begin(), kText.begin() + 5);
  ofB.insert(ofB.end(), {20, 21});
  coppice_token rows[] = {
      {a, 10, false}, {b, 20, true}, {a, 11, true}, {b, 21, false}, {a, 12, true}};
  float logits[15];
  ASSERT_EQ(coppice_engine_step(made, rows, 5, logits), COPPICE_OK);
  expectLogits(logits, ofB, 5);
  expectLogits(logits + 5, ofA, 1);
  expectLogits(logits + 10, ofA, 2);
  EXPECT_EQ(coppice_session_position(a), 3u);
  EXPECT_EQ(coppice_session_position(b), 7u);
}

// A step that wants no logits needs no buffer and still feeds the session.
TEST_F(Engine, FeedsWithoutLogits) {
  coppice_engine *made = engine(2, 3);
  coppice_session *text = session(20);
  ASSERT_EQ(coppice_engine_feed(made, text, kText.data(), 10, nullptr), COPPICE_OK);
  float logits[5];
  ASSERT_EQ(coppice_engine_feed(made, text, kText.data() + 10, 7, logits), COPPICE_OK);
  expectLogits(logits, kText, 16);
}

// After truncation a session goes on as if the rest had never been.
TEST_F(Engine, TruncatesSessions) {
  coppice_engine *made = engine(1, 8);
  coppice_session *text = session(20);
  ASSERT_EQ(coppice_engine_feed(made, text, kText.data(), 15, nullptr), COPPICE_OK);
  EXPECT_EQ(coppice_session_truncate(text, 16), COPPICE_BAD_ARGUMENT);
  ASSERT_EQ(coppice_session_truncate(text, 4), COPPICE_OK);
  std::vector<int32_t> other(kText.begin(), kText.begin() + 4);
  other.push_back(77);
  float logits[5];
  ASSERT_EQ(coppice_engine_feed(made, text, &other[4], 1, logits), COPPICE_OK);
  expectLogits(logits, other, 4);
}

// With rings a long text is fed in steps that they have room for; a longer step, and going back
// further than they can, are refused, and the session is where it was.
TEST_F(Engine, KeepsToItsRings) {
  toy::Artifact artifact;
  artifact.context = 400;
  artifact.ringBytes = 4;
  toy::File file(artifact.build());
  coppice_model_close(model);
  model = nullptr;
  ASSERT_EQ(coppice_model_open(file.path(), nullptr, &model, nullptr), COPPICE_OK);
  coppice_info info;
  ASSERT_EQ(coppice_model_info(model, &info), COPPICE_OK);
  EXPECT_EQ(info.ring_bytes_per_position, 4u);
  EXPECT_EQ(info.ring_positions, 64u);
  EXPECT_EQ(info.largest_step, 16u);
  coppice_engine *made = engine(1, 40);
  coppice_session *text = session(200), *other = session(200), *brief = session(64);
  std::vector<int32_t> tokens(120, 2);
  float logits[5];
  ASSERT_EQ(coppice_engine_feed(made, text, tokens.data(), 120, logits), COPPICE_OK);
  expectLogits(logits, tokens, 119);
  std::vector<coppice_token> rows;
  for (int i = 0; i < 17; ++i)
    rows.insert(rows.end(), {{other, 1, false}, {text, 2, false}});
  EXPECT_EQ(coppice_engine_step(made, rows.data(), rows.size(), nullptr), COPPICE_LONG_STEP);
  EXPECT_EQ(coppice_session_position(text), 120u);
  EXPECT_EQ(coppice_session_position(other), 0u);
  EXPECT_EQ(coppice_engine_step(made, rows.data(), 32, nullptr), COPPICE_OK);
  EXPECT_EQ(coppice_session_position(text), 136u);
  EXPECT_EQ(coppice_session_truncate(text, 119), COPPICE_FORGOTTEN);
  ASSERT_EQ(coppice_session_truncate(text, 120), COPPICE_OK);
  tokens.push_back(9);
  ASSERT_EQ(coppice_engine_feed(made, text, &tokens[120], 1, logits), COPPICE_OK);
  expectLogits(logits, tokens, 120);
  std::vector<coppice_token> whole(40, {brief, 2, false});
  EXPECT_EQ(coppice_engine_step(made, whole.data(), whole.size(), nullptr), COPPICE_OK);
}

// A copy of a session's bytes is a session of its own.
TEST_F(Engine, CopiesSessions) {
  coppice_engine *made = engine(1, 8);
  coppice_session *a = session(20), *b = session(20);
  ASSERT_EQ(coppice_engine_feed(made, a, kText.data(), 5, nullptr), COPPICE_OK);
  memcpy(static_cast<void *>(b), a, coppice_session_bytes(model, 20));
  float logits[5];
  std::vector<int32_t> other(kText.begin(), kText.begin() + 5);
  other.push_back(50);
  ASSERT_EQ(coppice_engine_feed(made, b, &other[5], 1, logits), COPPICE_OK);
  expectLogits(logits, other, 5);
  ASSERT_EQ(coppice_engine_feed(made, a, &kText[5], 1, logits), COPPICE_OK);
  expectLogits(logits, kText, 5);
}

// A refused step leaves all its sessions where they were.
TEST_F(Engine, RefusedStepsChangeNothing) {
  coppice_engine *made = engine(2, 8);
  coppice_session *a = session(20), *b = session(2);
  float logits[5];
  auto refused = [&](std::vector<coppice_token> rows, coppice_status status) {
    EXPECT_EQ(coppice_engine_step(made, rows.data(), rows.size(), logits), status);
    EXPECT_EQ(coppice_session_position(a), 0u);
    EXPECT_EQ(coppice_session_position(b), 0u);
  };
  refused({{a, 1, false}, {b, 100, true}}, COPPICE_BAD_TOKEN);
  refused({{a, 1, false}, {b, -1, true}}, COPPICE_BAD_TOKEN);
  refused({{a, 1, false}, {b, 1, false}, {b, 1, false}, {b, 1, false}}, COPPICE_CONTEXT_FULL);
  refused({{a, 1, false}, {nullptr, 1, true}}, COPPICE_BAD_SESSION);
}

// Sessions of another model, even of the same file, and memory without a session are refused.
TEST_F(Engine, RefusesForeignSessions) {
  coppice_model *other = openToy();
  coppice_session *foreign = session(20, other);
  coppice_engine *made = engine(1, 8);
  EXPECT_EQ(coppice_engine_feed(made, foreign, kText.data(), 1, nullptr), COPPICE_BAD_SESSION);
  alignas(64) uint8_t nothing[64] = {};
  auto *none = reinterpret_cast<coppice_session *>(nothing);
  EXPECT_EQ(coppice_engine_feed(made, none, kText.data(), 1, nullptr), COPPICE_BAD_SESSION);
  EXPECT_EQ(coppice_session_truncate(none, 0), COPPICE_BAD_SESSION);
  EXPECT_EQ(coppice_session_position(none), 0u);
  EXPECT_EQ(coppice_session_limit(foreign), 20u);
  coppice_model_close(other);
}

// Wrong calls get a status.
TEST_F(Engine, RefusesBadArguments) {
  coppice_engine *made = engine(1, 2);
  coppice_session *text = session(20);
  float logits[15];
  coppice_token rows[3] = {{text, 1, true}, {text, 1, true}, {text, 1, true}};
  EXPECT_EQ(coppice_engine_step(nullptr, rows, 1, logits), COPPICE_BAD_ARGUMENT);
  EXPECT_EQ(coppice_engine_step(made, nullptr, 1, logits), COPPICE_BAD_ARGUMENT);
  EXPECT_EQ(coppice_engine_step(made, rows, 0, logits), COPPICE_BAD_ARGUMENT);
  EXPECT_EQ(coppice_engine_step(made, rows, 3, logits), COPPICE_BAD_ARGUMENT);
  EXPECT_EQ(coppice_engine_step(made, rows, 1, nullptr), COPPICE_BAD_ARGUMENT);
  EXPECT_EQ(coppice_engine_feed(made, text, kText.data(), 0, logits), COPPICE_BAD_ARGUMENT);
  EXPECT_EQ(coppice_engine_feed(made, text, nullptr, 1, logits), COPPICE_BAD_ARGUMENT);
  std::vector<int32_t> tooMany(21, 1), bad = {1, 2, 3, 100};
  EXPECT_EQ(coppice_engine_feed(made, text, tooMany.data(), 21, logits), COPPICE_CONTEXT_FULL);
  EXPECT_EQ(coppice_engine_feed(made, text, bad.data(), 4, logits), COPPICE_BAD_TOKEN);
  EXPECT_EQ(coppice_session_position(text), 0u);

  coppice_engine *none = nullptr;
  coppice_error error{};
  EXPECT_EQ(coppice_engine_create(model, 1025, 1, &none, &error), COPPICE_BAD_ARGUMENT);
  EXPECT_NE(error.message[0], 0);
  EXPECT_EQ(coppice_engine_create(model, 1, 1u << 30, &none, &error), COPPICE_BAD_ARGUMENT);
  EXPECT_EQ(coppice_engine_create(nullptr, 1, 1, &none, &error), COPPICE_BAD_ARGUMENT);
  EXPECT_EQ(none, nullptr);
  EXPECT_EQ(coppice_session_bytes(model, 41), 0u);
  EXPECT_EQ(coppice_session_bytes(nullptr, 1), 0u);
  coppice_engine_destroy(nullptr);
  coppice_model_close(nullptr);
}

// Defaults: no more threads than the tiny toy is worth, some rows.
TEST_F(Engine, HasDefaults) {
  coppice_engine *made = engine(0, 0);
  EXPECT_EQ(coppice_engine_threads(made), 1u);
  EXPECT_GE(coppice_engine_max_rows(made), 16u);
}

// Two threads in one engine: one of them waits or is told so; both texts come out right.
TEST_F(Engine, IsBusyForASecondThread) {
  coppice_engine *made = engine(2, 4);
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&, text = session(20)] {
      for (int round = 0; round < 300; ++round) {
        float logits[5];
        coppice_status status;
        while ((status = coppice_engine_feed(made, text, kText.data(), 20, logits)) == COPPICE_BUSY)
          std::this_thread::yield();
        ASSERT_EQ(status, COPPICE_OK);
        expectLogits(logits, kText, 19);
        ASSERT_EQ(coppice_session_truncate(text, 0), COPPICE_OK);
      }
    });
  for (std::thread &thread : threads)
    thread.join();
}

// An engine keeps the mapping after its model was closed.
TEST_F(Engine, OutlivesItsModel) {
  coppice_engine *made = engine(2, 8);
  coppice_session *text = session(20);
  coppice_model_close(model);
  model = nullptr;
  float logits[5];
  ASSERT_EQ(coppice_engine_feed(made, text, kText.data(), 20, logits), COPPICE_OK);
  expectLogits(logits, kText, 19);
}

// Engines come and go with their threads, used or not.
TEST_F(Engine, StartsAndStops) {
  for (int i = 0; i < 50; ++i) {
    coppice_engine *made = nullptr;
    ASSERT_EQ(coppice_engine_create(model, 8, 4, &made, nullptr), COPPICE_OK);
    if (i % 2)
      ASSERT_EQ(coppice_engine_feed(made, session(20), kText.data(), 4, nullptr), COPPICE_OK);
    coppice_engine_destroy(made);
  }
}

// No mapping of this process is writable and executable, and the file's code is executable once.
TEST_F(Engine, CodeIsNeverWritable) {
  std::ifstream maps("/proc/self/maps");
  std::string line;
  bool found = false;
  while (std::getline(maps, line)) {
    if (line.find("memfd:coppice-code") != std::string::npos) {
      found = true;
      EXPECT_NE(line.find(" r-xp "), std::string::npos) << line;
    }
    std::string rights = line.substr(line.find(' ') + 1, 4);
    EXPECT_FALSE(rights[1] == 'w' && rights[2] == 'x') << line;
    EXPECT_FALSE(rights[2] == 'x' && line.find("coppice-toy") != std::string::npos) << line;
  }
  EXPECT_TRUE(found);
}

// What the artifact says about itself comes out as it went in.
TEST_F(Engine, ModelTellsWhatItIs) {
  coppice_info info;
  ASSERT_EQ(coppice_model_info(model, &info), COPPICE_OK);
  EXPECT_STREQ(info.family, "toy");
  EXPECT_STREQ(info.target, "toy-target");
  EXPECT_EQ(info.vocabulary, 5u);
  EXPECT_EQ(info.token_limit, 100u);
  EXPECT_EQ(info.context, 40u);
  EXPECT_EQ(info.layers, 1u);
  EXPECT_EQ(info.parameters, 2u);
  EXPECT_EQ(info.parameters_before, 4u);
  EXPECT_EQ(info.weight_bytes, 100u);
  EXPECT_EQ(info.kv_bytes_per_position, 4u);
  EXPECT_EQ(info.arena_bytes_per_row, 64u);
  EXPECT_EQ(info.stages, 3u);
  EXPECT_FALSE(info.has_tokenizer);
  EXPECT_TRUE(coppice_is_stop_token(model, 7));
  EXPECT_FALSE(coppice_is_stop_token(model, 8));
}

// Text functions say that there is no tokenizer.
TEST_F(Engine, HasNoTokenizer) {
  size_t count = 0;
  int32_t token = 1;
  char text[4];
  coppice_decoder *decoder = nullptr;
  EXPECT_EQ(coppice_encode(model, "a", 1, 0, &token, 1, &count), COPPICE_NO_TOKENIZER);
  EXPECT_EQ(coppice_decode(model, &token, 1, 0, text, 4, &count), COPPICE_NO_TOKENIZER);
  EXPECT_EQ(coppice_decoder_create(model, 0, &decoder), COPPICE_NO_TOKENIZER);
  EXPECT_EQ(coppice_encode(model, nullptr, 1, 0, &token, 1, &count), COPPICE_BAD_ARGUMENT);
  EXPECT_EQ(coppice_decoder_push(nullptr, 1, nullptr, nullptr), COPPICE_BAD_ARGUMENT);
}

// A watched step gives the formula too, and tells of each stage once, in order; its stages have the
// layers that the artifact gives them, and its kernels' name.
TEST_F(Engine, WatchedStepIsTheFormulaStageByStage) {
  for (uint32_t threads : {1, 3}) {
    coppice_engine *e = engine(threads, 4);
    coppice_session *s = session(4);
    std::vector<uint32_t> seen;
    auto note = [](void *context, uint32_t stage) {
      static_cast<std::vector<uint32_t> *>(context)->push_back(stage);
    };
    coppice_token tokens[] = {{s, kText[0], false}, {s, kText[1], true}, {s, kText[2], true}};
    float logits[2][5];
    ASSERT_EQ(coppice_engine_step_watched(e, tokens, 3, logits[0], note, &seen), COPPICE_OK);
    expectLogits(logits[0], kText, 1);
    expectLogits(logits[1], kText, 2);
    EXPECT_EQ(seen, (std::vector<uint32_t>{0, 1, 2}));
    // A plain step goes on from there, on all threads.
    ASSERT_EQ(coppice_engine_feed(e, s, &kText[3], 1, logits[0]), COPPICE_OK);
    expectLogits(logits[0], kText, 3);
    EXPECT_EQ(coppice_engine_step_watched(e, tokens, 3, logits[0], nullptr, nullptr),
              COPPICE_BAD_ARGUMENT);
    EXPECT_EQ(coppice_engine_step_watched(e, tokens, 1, logits[0], note, &seen),
              COPPICE_CONTEXT_FULL);
    EXPECT_EQ(seen.size(), 3u);
  }
  toy::Artifact toy;
  coppice_stage_info info{};
  for (uint32_t i = 0; i < toy.stages.size(); ++i) {
    ASSERT_EQ(coppice_model_stage(model, i, &info), COPPICE_OK);
    EXPECT_EQ(info.layer, toy.stages[i].layer);
    EXPECT_STREQ(info.kernel, "toy");
  }
  EXPECT_EQ(coppice_model_stage(model, uint32_t(toy.stages.size()), &info), COPPICE_BAD_ARGUMENT);
  EXPECT_EQ(coppice_model_stage(nullptr, 0, &info), COPPICE_BAD_ARGUMENT);
}
