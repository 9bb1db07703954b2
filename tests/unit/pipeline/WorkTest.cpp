// What coppice_model_work says, against numbers counted by hand from config.json: coppice-bench
// divides by them. Of its last layer a model does all but keys and values for those tokens only
// whose logits are wanted.
#include "tests/unit/pipeline/Running.h"
#include "gtest/gtest.h"

using namespace coppice;
using namespace coppice::test;

static coppice_work workOf(const std::string &model) {
  Scratch scratch;
  EXPECT_EQ(compileError(optionsFor(model, "", scratch.file("m.coppice"))), "");
  Model whole(scratch.file("m.coppice"));
  coppice_work work{};
  EXPECT_EQ(coppice_model_work(whole.model, &work), COPPICE_OK);
  return work;
}

// 3 layers of 24, 6 heads of 6 on 2 KV heads, 37 neurons in a gated block, 97 tokens.
TEST(Work, CountsWhatIsDoneForWantedRowsApart) {
  constexpr uint64_t keysAndValues = 2 * 24 * 12, others = 24 * 36 + 36 * 24 + 3 * 24 * 37;
  coppice_work work = workOf("llama-gqa");
  EXPECT_EQ(work.products, 2 * (keysAndValues + others) + keysAndValues);
  EXPECT_EQ(work.logit_products, others + 97 * 24);
}

// 2 layers of 20, 4 heads of 6 on 2 KV heads, a router of 5 experts of 13 neurons, of which 2 are
// picked, 29 tokens.
TEST(Work, CountsTheExpertsThatAreChosen) {
  constexpr uint64_t keysAndValues = 2 * 20 * 12,
                     others = 20 * 24 + 24 * 20 + 5 * 20 + 2 * 3 * 20 * 13;
  coppice_work work = workOf("mixtral-window");
  EXPECT_EQ(work.products, 2 * keysAndValues + others);
  EXPECT_EQ(work.logit_products, others + 29 * 20);
}
