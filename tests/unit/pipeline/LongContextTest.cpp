// A session of 32768 positions, filled to the last: its last row has the same bits however its
// tokens were cut into steps and on each target, with caches of two formats.
#include "tests/unit/pipeline/Running.h"
#include "gtest/gtest.h"
#include <cmath>
#include <cstring>

using namespace coppice;
using namespace coppice::test;

namespace {

std::vector<float> lastRow(const Model &model, const std::vector<int32_t> &tokens, uint32_t chunk,
                           uint32_t threads) {
  Engine engine(model, threads, chunk);
  Session session(model, uint32_t(tokens.size()));
  std::vector<float> logits(model.info.vocabulary);
  EXPECT_EQ(coppice_engine_feed(engine.engine, session.session, tokens.data(), tokens.size(),
                                logits.data()),
            COPPICE_OK);
  return logits;
}

TEST(LongContext, LastRowOf32768HasTheSameBits) {
  Scratch scratch;
  std::string folder = modelOf32768(scratch);
  for (const char *kv : {"bf16", "i8"}) {
    std::vector<float> first;
    for (const char *target : {"native", "x86-64-v3"}) {
      CompileOptions options;
      options.modelDir = folder;
      options.output = scratch.file("artifact");
      options.kv = kv;
      options.target = target;
      ASSERT_EQ(compileError(options), "");
      Model model(options.output);
      std::vector<int32_t> tokens = someTokens(model, 32768, 3);
      // 100 divides nothing: blocks of the cache, chunks and the end fall apart.
      std::vector<float> last = lastRow(model, tokens, first.empty() ? 128 : 100, 2);
      if (first.empty()) {
        first = last;
        for (float value : first)
          ASSERT_TRUE(std::isfinite(value));
        continue;
      }
      EXPECT_EQ(std::memcmp(first.data(), last.data(), first.size() * sizeof(float)), 0)
          << kv << ", " << target;
      // The row does depend on what is far behind it.
      tokens[1] = (tokens[1] + 1) % int32_t(model.info.vocabulary);
      EXPECT_NE(lastRow(model, tokens, 100, 1), first) << kv;
    }
  }
}

} // namespace
