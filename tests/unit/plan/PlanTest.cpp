// The plan's grammar: what is read, and one case for each error, its message in full where it is
// ours.
#include "compiler/plan/Plan.h"
#include <gtest/gtest.h>

using namespace coppice;

namespace {

/// A plan of one entry.
std::string planOf(const std::string &entries) {
  return "{\"version\": 1, \"model_type\": \"opt\", \"remove\": [" + entries + "]}";
}

std::string errorOf(const std::string &text) {
  llvm::Expected<Plan> plan = parsePlan(text, "p.json");
  if (plan)
    return "no error";
  return llvm::toString(plan.takeError());
}

std::string entryError(const std::string &entries) { return errorOf(planOf(entries)); }

Plan parsed(const std::string &text) {
  llvm::Expected<Plan> plan = parsePlan(text, "p.json");
  EXPECT_TRUE(bool(plan));
  if (plan)
    return *plan;
  ADD_FAILURE() << llvm::toString(plan.takeError());
  return {};
}

// The design's example is read as it is meant, ranges inclusive, flags apart.
TEST(Plan, ReadsEveryForm) {
  Plan plan = parsed(planOf(R"({"layer": 0, "heads": [1, 6], "neurons": ["3-9", 17]},
                              {"layer": 1, "heads": [0, 1], "ffn": true},
                              {"layer": 5, "experts": [2, 7]}, {"layer": 8, "attention": true},
                              {"layer": 7, "whole": true})"));
  EXPECT_EQ(plan.modelType, "opt");
  ASSERT_EQ(plan.cuts.size(), 5u);
  const LayerCut &first = plan.cuts[0];
  EXPECT_EQ(first.layer, 0);
  ASSERT_EQ(first.heads.size(), 2u);
  EXPECT_EQ(first.heads[1].first, 6);
  EXPECT_EQ(first.heads[1].last, 6);
  ASSERT_EQ(first.neurons.size(), 2u);
  EXPECT_EQ(first.neurons[0].first, 3);
  EXPECT_EQ(first.neurons[0].last, 9);
  EXPECT_EQ(first.neurons[1].first, 17);
  EXPECT_FALSE(first.attention || first.ffn || first.whole);
  EXPECT_TRUE(plan.cuts[1].ffn);
  EXPECT_EQ(plan.cuts[1].heads.size(), 2u);
  EXPECT_EQ(plan.cuts[2].experts.size(), 2u);
  EXPECT_TRUE(plan.cuts[3].attention);
  EXPECT_TRUE(plan.cuts[4].whole);
  EXPECT_EQ(plan.cuts[4].entry, 4u);
}

// A plan may remove nothing.
TEST(Plan, ReadsEmptyLists) {
  EXPECT_TRUE(parsed(planOf("")).cuts.empty());
  EXPECT_TRUE(parsed(planOf(R"({"layer": 3, "heads": []})")).cuts[0].heads.empty());
}

// Neighbouring ranges share no index, and a claimed range of two thousand million costs nothing.
TEST(Plan, ReadsNeighboursAndHugeRanges) {
  EXPECT_EQ(parsed(planOf(R"({"layer": 0, "neurons": ["5-9", "0-4", 10]})")).cuts[0].neurons.size(),
            3u);
  EXPECT_EQ(parsed(planOf(R"({"layer": 0, "neurons": ["0-2147483646"]})")).cuts[0].neurons[0].last,
            2147483646);
}

// Broken JSON is refused with the place, by the guard before LLVM's parser.
TEST(Plan, RefusesBrokenJson) {
  EXPECT_NE(errorOf("{").find("p.json:1:"), std::string::npos);
  EXPECT_NE(errorOf(R"({"version": 1, "version": 1})").find("p.json:1:"), std::string::npos);
}

TEST(Plan, RefusesOtherRoots) {
  EXPECT_EQ(errorOf("[1]"), "p.json: a plan is an object, but this is [1]");
  EXPECT_EQ(errorOf(R"({"version": 1, "model_type": "opt", "remove": [], "note": 1})"),
            "p.json: unknown key \"note\"; known are version, model_type, remove");
}

TEST(Plan, RefusesOtherVersions) {
  EXPECT_EQ(errorOf(R"({"model_type": "opt", "remove": []})"),
            "p.json: has no \"version\"; write \"version\": 1");
  EXPECT_EQ(errorOf(R"({"version": 2, "model_type": "opt", "remove": []})"),
            "p.json: version: is 2, but this compiler reads version 1");
  EXPECT_EQ(errorOf(R"({"version": "1", "model_type": "opt", "remove": []})"),
            "p.json: version: is \"1\", but this compiler reads version 1");
}

TEST(Plan, RefusesMissingModelType) {
  EXPECT_EQ(errorOf(R"({"version": 1, "remove": []})"),
            "p.json: model_type: is missing; write the model_type of the checkpoint's config.json");
  EXPECT_EQ(errorOf(R"({"version": 1, "model_type": 7, "remove": []})"),
            "p.json: model_type: is 7, but must be a string such as \"opt\"");
}

TEST(Plan, RefusesMissingRemove) {
  EXPECT_EQ(errorOf(R"({"version": 1, "model_type": "opt"})"),
            "p.json: remove: is missing; write \"remove\": [] to remove nothing");
  EXPECT_EQ(errorOf(R"({"version": 1, "model_type": "opt", "remove": 3})"),
            "p.json: remove: is 3, but must be a list of layers");
  EXPECT_EQ(entryError("3"), "p.json: remove[0]: is 3, but must be an object with a \"layer\"");
}

TEST(Plan, RefusesBadLayers) {
  EXPECT_EQ(entryError(R"({"heads": [1]})"),
            "p.json: remove[0]: has no \"layer\"; say which layer it cuts");
  EXPECT_EQ(entryError(R"({"layer": -1})"),
            "p.json: remove[0].layer: is -1, but must be a layer's number");
  EXPECT_EQ(entryError(R"({"layer": 1.5})"),
            "p.json: remove[0].layer: is 1.5, but must be a layer's number");
}

TEST(Plan, RefusesLayerTwice) {
  EXPECT_EQ(entryError(R"({"layer": 4, "heads": [0]}, {"layer": 2}, {"layer": 4, "ffn": true})"),
            "p.json: remove[2].layer: layer 4: stands twice, also in remove[0]; put both into one "
            "entry");
}

TEST(Plan, RefusesUnknownKeys) {
  EXPECT_EQ(entryError(R"({"layer": 4, "head": [0], "bias": true})"),
            "p.json: remove[0]: layer 4: unknown key \"bias\"; known are layer, heads, neurons, "
            "experts, attention, ffn, whole");
}

// Only true cuts a block; false reads like "keep", and a plan has no such thing.
TEST(Plan, RefusesFalse) {
  EXPECT_EQ(entryError(R"({"layer": 4, "ffn": false})"),
            "p.json: remove[0].ffn: layer 4: is false, but can only be true; leave the key out to "
            "keep the block");
  EXPECT_EQ(entryError(R"({"layer": 4, "whole": 1})"),
            "p.json: remove[0].whole: layer 4: is 1, but can only be true; leave the key out to "
            "keep the block");
}

// Each flag beside each thing it covers.
TEST(Plan, RefusesWhatAFlagCovers) {
  const std::pair<const char *, const char *> cases[] = {
      {"whole", "attention"}, {"whole", "ffn"},       {"whole", "heads"}, {"whole", "neurons"},
      {"whole", "experts"},   {"attention", "heads"}, {"ffn", "neurons"}, {"ffn", "experts"}};
  for (auto [flag, covered] : cases) {
    std::string name = covered;
    std::string value = name == "attention" || name == "ffn" ? "true" : "[0]";
    EXPECT_EQ(entryError("{\"layer\": 3, \"" + std::string(flag) + "\": true, \"" + name +
                         "\": " + value + "}"),
              "p.json: remove[0]." + name + ": layer 3: is " + value + " beside \"" + flag +
                  "\": true, which covers it; keep one of the two");
  }
  // What a flag does not cover may stand beside it.
  EXPECT_EQ(entryError(R"({"layer": 3, "attention": true, "neurons": [1]})"), "no error");
  EXPECT_EQ(entryError(R"({"layer": 3, "ffn": true, "attention": true})"), "no error");
}

TEST(Plan, RefusesBadLists) {
  EXPECT_EQ(entryError(R"({"layer": 3, "heads": 1})"),
            "p.json: remove[0].heads: layer 3: is 1, but must be a list of numbers and ranges such "
            "as \"3-9\"");
}

// Everything that is neither an index nor a range, at its place in the list.
TEST(Plan, RefusesBadIndices) {
  for (const char *bad : {"-1", "1.5", "true", "null", "[1]", "\"\"", "\"7\"", "\"3-\"", "\"-3\"",
                          "\"3 - 9\"", "\"3-9-12\"", "\"+3-9\"", "\"a-b\"", "\"0x1-0x2\"",
                          "2147483647", "\"0-2147483647\"", "\"0-99999999999999999999\""})
    EXPECT_EQ(entryError(std::string(R"({"layer": 3, "neurons": [0, )") + bad + "]}"),
              std::string("p.json: remove[0].neurons[1]: layer 3: is ") + bad +
                  ", but must be a number from 0 or a range such as \"3-9\"");
}

TEST(Plan, RefusesReversedRange) {
  EXPECT_EQ(entryError(R"({"layer": 3, "neurons": ["9-3"]})"),
            "p.json: remove[0].neurons[0]: layer 3: the range \"9-3\" runs backwards; write "
            "\"3-9\"");
}

// An index twice: as numbers, in a range, in two ranges; the later place is named, with both
// values.
TEST(Plan, RefusesIndexTwice) {
  EXPECT_EQ(entryError(R"({"layer": 3, "heads": [4, 2, 4]})"),
            "p.json: remove[0].heads[2]: layer 3: index 4 stands twice: in 4 and in heads[0], 4; "
            "list it once");
  EXPECT_EQ(entryError(R"({"layer": 3, "neurons": [7, "3-9"]})"),
            "p.json: remove[0].neurons[1]: layer 3: index 7 stands twice: in 3-9 and in "
            "neurons[0], 7; list it once");
  EXPECT_EQ(entryError(R"({"layer": 3, "experts": ["3-9", "0-3"]})"),
            "p.json: remove[0].experts[1]: layer 3: index 3 stands twice: in 0-3 and in "
            "experts[0], 3-9; list it once");
  // A wide range does not hide behind a narrow one that begins later.
  EXPECT_EQ(entryError(R"({"layer": 3, "neurons": ["0-9", 2, "5-6"]})"),
            "p.json: remove[0].neurons[1]: layer 3: index 2 stands twice: in 2 and in neurons[0], "
            "0-9; list it once");
}

// BLAKE3 of the empty input, from the function's published test vectors.
TEST(Plan, HashesBytes) {
  std::array<uint8_t, 32> hash = planHash("");
  EXPECT_EQ(hash[0], 0xaf);
  EXPECT_EQ(hash[1], 0x13);
  EXPECT_EQ(hash[2], 0x49);
  EXPECT_EQ(hash[31], 0x62);
}

} // namespace
