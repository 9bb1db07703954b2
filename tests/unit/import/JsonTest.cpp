// The guard before LLVM's JSON parser. Expected outcomes are RFC 8259's, read by hand.
#include "compiler/import/Json.h"
#include "Folder.h"
#include <gtest/gtest.h>

using namespace coppice;
using test::messageOf;

namespace {

std::string errorOf(llvm::StringRef text) { return messageOf(parseJson(text, "f.json")); }

// A key that stands twice is refused, with its path: LLVM's parser would keep the last.
TEST(Json, RefusesDuplicateKeys) {
  EXPECT_EQ(errorOf(R"({"a": 1, "a": 2})"), "f.json:1:10: the key \"a\" stands twice, at $.a");
  EXPECT_EQ(errorOf("{\"remove\": [{},\n {\"layer\": 1, \"layer\": 1}]}"),
            "f.json:2:15: the key \"layer\" stands twice, at $.remove[1].layer");
}

// Keys are compared as decoded: an escape does not hide a duplicate.
TEST(Json, SeesDuplicatesThroughEscapes) {
  EXPECT_HOLDS(errorOf(R"({"a": 1, "\u0061": 2})"), "stands twice");
  EXPECT_HOLDS(errorOf("{\"\xF0\x9F\x98\x80\": 1, \"\\uD83D\\uDE00\": 2}"), "stands twice");
}

// The same key in different objects is no duplicate.
TEST(Json, AllowsEqualKeysInDifferentObjects) {
  EXPECT_EQ(errorOf(R"({"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}]})"), "");
}

// Nesting that overflows the stack of LLVM's parser is an error here, opened or not closed.
TEST(Json, RefusesDeepNestingWithoutCrashing) {
  EXPECT_EQ(errorOf(std::string(50000, '[')),
            "f.json:1:65: objects and lists are nested deeper than 64");
  std::string objects;
  for (int i = 0; i < 50000; ++i)
    objects += "{\"a\":";
  EXPECT_HOLDS(errorOf(objects), "nested deeper than 64");
}

// The limit itself is allowed, one more is not.
TEST(Json, AllowsNestingUpToTheLimit) {
  EXPECT_EQ(errorOf(std::string(64, '[') + std::string(64, ']')), "");
  EXPECT_HOLDS(errorOf(std::string(65, '[') + std::string(65, ']')), "nested deeper");
}

// Numbers that no double holds would become infinity.
TEST(Json, RefusesInfiniteNumbers) {
  EXPECT_HOLDS(errorOf("[1e400]"), "f.json:1:2: the number 1e400 is out of range");
  EXPECT_HOLDS(errorOf("-1e400"), "out of range");
  EXPECT_EQ(errorOf("[1e308, 1e-400, -0, 0.5E+2]"), "");
  EXPECT_HOLDS(errorOf(std::string(100000, '9')), "longer than 400 characters");
}

// Number syntax that other parsers let through.
TEST(Json, RefusesLooseNumbers) {
  for (const char *text : {"01", "1.", ".5", "+1", "1e", "1e+", "-", "0x10", "NaN", "Infinity"})
    EXPECT_NE(errorOf(text), "") << text;
}

// Half of a surrogate pair has no UTF-8; a whole pair has.
TEST(Json, RefusesLoneSurrogates) {
  EXPECT_HOLDS(errorOf(R"(["\uD800"])"), "first half of a surrogate pair without the second");
  EXPECT_HOLDS(errorOf(R"(["\uD800\u0041"])"), "first half");
  EXPECT_HOLDS(errorOf(R"(["\uDC00"])"), "second half of a surrogate pair without the first");
  llvm::Expected<llvm::json::Value> pair = parseJson(R"("\uD83D\uDE00")", "f.json");
  ASSERT_TRUE(bool(pair));
  EXPECT_EQ(pair->getAsString(), llvm::StringRef("\xF0\x9F\x98\x80"));
}

// Text that is not UTF-8, in a string or not, and a byte order mark.
TEST(Json, RefusesTextThatIsNotPlainUtf8) {
  EXPECT_EQ(errorOf("[\"a\xFF\"]"), "f.json:1:4: the text is not UTF-8");
  EXPECT_HOLDS(errorOf("\"\xED\xA0\x80\""), "not UTF-8"); // a surrogate as UTF-8
  EXPECT_HOLDS(errorOf("\xEF\xBB\xBF{}"), "byte order mark");
}

// Broken syntax of each kind is refused with its place.
TEST(Json, RefusesBrokenSyntax) {
  const std::pair<const char *, const char *> cases[] = {
      {"", "f.json:1:1: the text ends where a value should stand"},
      {"{", "f.json:1:2: an object is not closed"},
      {"[1", "f.json:1:3: a list is not closed"},
      {"[1,]", "f.json:1:4: this is not a JSON value"},
      {"{\"a\":1,}", "f.json:1:8: an object's key must be a string"},
      {"{a:1}", "an object's key must be a string"},
      {"{\"a\" 1}", "f.json:1:6: a colon must follow the key \"a\""},
      {"{\"a\":1 \"b\":2}", "a comma or } must follow"},
      {"[1 2]", "a comma or ] must follow"},
      {"[1}", "a comma or ] must follow"},
      {"\"abc", "f.json:1:1: a string is not closed"},
      {"\"a\nb\"", "a control character inside a string must be escaped"},
      {"\"\\x\"", "a backslash must be followed by"},
      {"\"\\u12g4\"", "four hexadecimal digits"},
      {"\"\\", "a backslash must be followed by"},
      {"tru", "this is not a JSON value"},
      {"{} {}", "f.json:1:4: there is more text"},
      {"// x\n1", "this is not a JSON value"}};
  for (auto [text, message] : cases)
    EXPECT_HOLDS(errorOf(text), message);
  EXPECT_HOLDS(errorOf(std::string("[\0]", 3)), "this is not a JSON value");
}

// What is well-formed arrives whole: every kind of value and escape.
TEST(Json, ReadsEveryKindOfValue) {
  llvm::Expected<llvm::json::Value> value =
      parseJson(" {\"a\": [1, -2.5, true, false, null, {}, []], \"b\\n\": "
                "\"\\\"\\\\\\/\\b\\f\\r\\t\\u00e9\"}\n",
                "f.json");
  ASSERT_TRUE(bool(value)) << llvm::toString(value.takeError());
  const llvm::json::Object &object = *value->getAsObject();
  EXPECT_EQ(object.getArray("a")->size(), 7u);
  EXPECT_EQ((*object.getArray("a"))[1].getAsNumber(), -2.5);
  EXPECT_EQ(object.getString("b\n"), llvm::StringRef("\"\\/\b\f\r\t\xC3\xA9"));
}

// A quoted value is cut between characters, so that a message stays UTF-8.
TEST(Json, QuotesLongValuesCutBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 60; ++i)
    text += "\xC3\xA9";
  std::string quoted = quoteJson(text);
  EXPECT_LT(quoted.size(), 90u);
  EXPECT_TRUE(llvm::json::isUTF8(quoted));
  EXPECT_EQ(quoteJson(llvm::json::Array{1, "a"}), "[1,\"a\"]");
}

} // namespace
