// The reader of config.json's fields: types, ranges, and that nothing which matters stays unread.
#include "compiler/import/Config.h"
#include "Folder.h"
#include "compiler/import/Json.h"
#include <gtest/gtest.h>

using namespace coppice;

namespace {

/// Reads `text` with `body`, and gives finish()'s message.
std::string errorOf(llvm::StringRef text, llvm::function_ref<void(ConfigReader &)> body) {
  llvm::json::Value value = llvm::cantFail(parseJson(text, "config.json"));
  ConfigReader reader(*value.getAsObject(), "config.json");
  body(reader);
  return test::messageOf(reader.finish());
}

// Integers have a range, and an error says field, value and range.
TEST(Config, ChecksIntegers) {
  auto read = [](ConfigReader &c) { c.integer("n", 1, 10); };
  EXPECT_EQ(errorOf(R"({"n": 10})", read), "");
  EXPECT_EQ(errorOf(R"({"n": 11})", read),
            "config.json: field \"n\" is 11, which is not an integer from 1 to 10");
  EXPECT_HOLDS(errorOf(R"({"n": "10"})", read), "is \"10\", which is not an integer");
  EXPECT_HOLDS(errorOf(R"({"n": 1.5})", read), "is 1.5, which is not an integer");
  EXPECT_EQ(errorOf("{}", read), "config.json: field \"n\" is missing");
  EXPECT_EQ(errorOf(R"({"n": null})", read),
            "config.json: field \"n\" is null, which is no value, and one is needed");
}

// An absent or null field takes its fallback.
TEST(Config, TakesFallbacks) {
  EXPECT_EQ(errorOf(R"({"a": null})",
                    [](ConfigReader &c) {
                      EXPECT_EQ(c.integer("a", 1, 9, 5), 5);
                      EXPECT_EQ(c.number("b", 0, 1, 0.5), 0.5);
                      EXPECT_TRUE(c.flag("c", true));
                      EXPECT_EQ(c.text("d", "x"), "x");
                      EXPECT_EQ(c.size("e", Dim{7, "other"}).field, "other");
                    }),
            "");
}

// None is false in Python: null where the library's default is true would be read otherwise there.
TEST(Config, RefusesNullFlagsThatMeanAnotherThingToTheLibrary) {
  EXPECT_HOLDS(errorOf(R"({"x": null})", [](ConfigReader &c) { c.flag("x", true); }),
               "field \"x\" is null, which Hugging Face reads as false");
  EXPECT_EQ(errorOf(R"({"x": null})", [](ConfigReader &c) { EXPECT_FALSE(c.flag("x", false)); }),
            "");
}

// Numbers, flags, strings and choices of other types or values.
TEST(Config, ChecksOtherTypes) {
  EXPECT_HOLDS(errorOf(R"({"x": 2})", [](ConfigReader &c) { c.number("x", 0, 1); }),
               "is 2, which is not a number from 0 to 1");
  EXPECT_HOLDS(errorOf(R"({"x": 1})", [](ConfigReader &c) { c.flag("x", false); }),
               "is 1, which is neither true nor false");
  EXPECT_HOLDS(errorOf(R"({"x": []})", [](ConfigReader &c) { c.text("x"); }),
               "is [], which is not a string");
  EXPECT_HOLDS(
      errorOf(R"({"x": "tanh"})",
              [](ConfigReader &c) { c.choice<int>("x", "relu", {{"relu", 0}, {"gelu", 1}}); }),
      "is \"tanh\", which is not supported; supported are: relu, gelu");
  EXPECT_HOLDS(errorOf(R"({"x": 1})", [](ConfigReader &c) { c.object("x"); }), "is not an object");
}

// Token ids: one or a list, without repeats, within the vocabulary; absent and null differ.
TEST(Config, ReadsTokenIds) {
  using Ids = std::vector<int32_t>;
  EXPECT_EQ(errorOf(R"({"one": 3, "list": [1, 2, 1], "none": null})",
                    [](ConfigReader &c) {
                      EXPECT_EQ(c.tokenIds("one", 4), Ids{3});
                      EXPECT_EQ(c.tokenIds("list", 4), (Ids{1, 2}));
                      EXPECT_EQ(c.tokenIds("none", 4), Ids{});
                      EXPECT_EQ(c.tokenIds("absent", 4), std::nullopt);
                    }),
            "");
  auto read = [](ConfigReader &c) { c.tokenIds("x", 4); };
  for (const char *value : {"4", "-1", "\"a\"", "{}"})
    EXPECT_EQ(errorOf("{\"x\": " + std::string(value) + "}", read),
              "config.json: field \"x\" is " + std::string(value) +
                  ", which is not a token id from 0 to 3");
  EXPECT_EQ(errorOf(R"({"x": [1, 4]})", read),
            "config.json: field \"x\" is [1,4], which holds 4, and each must be a token id from 0 "
            "to 3");
}

// The first error is the one reported.
TEST(Config, KeepsTheFirstError) {
  EXPECT_HOLDS(errorOf(R"({"a": 0, "b": 0})",
                       [](ConfigReader &c) {
                         c.integer("b", 1, 2);
                         c.integer("a", 1, 2);
                       }),
               "field \"b\"");
}

// A field that nobody asked for is refused by name, unless it is null.
TEST(Config, RefusesUnknownFields) {
  auto nothing = [](ConfigReader &) {};
  EXPECT_HOLDS(errorOf(R"({"mystery": 1})", nothing),
               "field \"mystery\" is 1, which is not known for this model_type");
  EXPECT_EQ(errorOf(R"({"mystery": null})", nothing), "");
  // Of two always the same one, whatever the hash order.
  EXPECT_HOLDS(errorOf(R"({"zz": 1, "mystery": 1})", nothing), "\"mystery\"");
}

// Fields known to change the result are refused with the reason, and allowed at the value that
// means "not used".
TEST(Config, RefusesWhatChangesTheResult) {
  auto nothing = [](ConfigReader &) {};
  EXPECT_HOLDS(errorOf(R"({"quantization_config": {"bits": 4}})", nothing),
               "weights are quantized");
  EXPECT_HOLDS(errorOf(R"({"sliding_window": 4096})", nothing), "limits attention to a window");
  EXPECT_HOLDS(errorOf(R"({"logits_scaling": 8})", nothing), "changes what the model computes");
  EXPECT_HOLDS(errorOf(R"({"rope_interleaved": true})", nothing), "changes what the model");
  EXPECT_EQ(
      errorOf(R"({"rope_interleaved": false, "logits_scaling": 1.0, "pruned_heads": {}})", nothing),
      "");
  EXPECT_EQ(errorOf(R"({"layer_types": ["full_attention", "full_attention"]})", nothing), "");
  EXPECT_NE(errorOf(R"({"layer_types": ["full_attention", "sliding_attention"]})", nothing), "");
}

// Fields of training, bookkeeping and generate() are nobody's business here.
TEST(Config, AllowsHarmlessFields) {
  EXPECT_EQ(errorOf(R"({"dropout": 0.1, "torch_dtype": "float16", "use_cache": true,
                        "transformers_version": "4.40.0", "_name_or_path": "x",
                        "architectures": ["X"], "pretraining_tp": 2, "pad_token_id": -1,
                        "initializer_range": 0.02, "temperature": 0.7, "prefix": "</s>"})",
                    [](ConfigReader &) {}),
            "");
}

// Nested objects report with their path, and their unknown fields are all refused.
TEST(Config, ReadsNestedObjects) {
  auto read = [](ConfigReader &c) {
    auto inner = c.object("rope_scaling");
    ASSERT_NE(inner, nullptr);
    inner->number("factor", 1, 100);
    inner->refuseUnread();
  };
  EXPECT_EQ(errorOf(R"({"rope_scaling": {"factor": 2}})", read), "");
  EXPECT_HOLDS(errorOf(R"({"rope_scaling": {"factor": 0}})", read),
               "field \"rope_scaling.factor\" is 0");
  EXPECT_HOLDS(errorOf(R"({"rope_scaling": {"factor": 2, "dropout": 1}})", read),
               "field \"rope_scaling.dropout\" is 1, which is not known");
}

} // namespace
