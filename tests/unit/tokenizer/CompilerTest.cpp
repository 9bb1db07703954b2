// The compiler's side: what files it takes, and what it refuses, by name and with both values.
#include "tests/unit/tokenizer/Support.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include <gtest/gtest.h>

namespace {

using namespace coppice;
using namespace coppice::tests;
using llvm::StringRef;

/// A small tokenizer.json of each kind.
const char *const byteLevel = R"({
  "version": "1.0", "truncation": null, "padding": null,
  "added_tokens": [{"id": 4, "content": "<s>", "single_word": false, "lstrip": false,
    "rstrip": false, "normalized": false, "special": true}],
  "normalizer": null,
  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
  "post_processor": {"type": "TemplateProcessing", "single": [
    {"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "special_tokens": {"<s>": {"id": "<s>", "ids": [4], "tokens": ["<s>"]}}},
  "decoder": {"type": "ByteLevel"},
  "model": {"type": "BPE", "dropout": null, "unk_token": null, "fuse_unk": false,
    "vocab": {"a": 0, "b": 1, "ab": 2, "Ġ": 3}, "merges": ["a b"]}})";
const char *const sentence = R"({
  "version": "1.0", "added_tokens": [],
  "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
    {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
  "pre_tokenizer": null, "post_processor": null,
  "decoder": {"type": "Sequence", "decoders": [
    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
    {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
  "model": {"type": "BPE", "unk_token": "<unk>", "byte_fallback": true,
    "vocab": {"<unk>": 0, "▁": 1, "a": 2, "▁a": 3}, "merges": [["▁", "a"]]}})";

std::string errorOf(StringRef folder, int64_t vocabulary = 100) {
  auto tables = compileTokenizer(folder, vocabulary);
  return tables ? "" : llvm::toString(tables.takeError());
}

/// What ends the refusal of a tokenizer that is sound.
const StringRef howToGoOn = "; --no-tokenizer compiles without it; prompts are token ids then";

/// The error of `base` with `from` replaced by `to`, and after it the file's name; `sound`: it says
/// how to go on without a tokenizer.
void expectError(StringRef base, StringRef from, StringRef to, StringRef error, bool sound = true) {
  Folder folder;
  size_t at = base.find(from);
  ASSERT_NE(at, StringRef::npos) << from.str();
  folder.write("tokenizer.json",
               (base.take_front(at) + to + base.drop_front(at + from.size())).str());
  std::string given = errorOf(folder.path());
  EXPECT_TRUE(StringRef(given).contains(error)) << given << "\n  should say: " << error.str();
  EXPECT_TRUE(StringRef(given).starts_with(folder.path() + "/tokenizer.json")) << given;
  EXPECT_EQ(StringRef(given).ends_with(howToGoOn), sound) << given;
}

// The bases by themselves are fine, and mean what they say.
TEST(TokenizerJson, Bases) {
  Folder folder;
  folder.write("tokenizer.json", byteLevel);
  auto bytes = load(folder.path());
  ASSERT_TRUE(bytes);
  EXPECT_EQ(bytes->encode("ab ba<s>ab"), (std::vector<int32_t>{4, 2, 3, 1, 0, 4, 2}));
  EXPECT_EQ(bytes->encode("ab<s>", 0), (std::vector<int32_t>{2})); // < s > have no symbol
  folder.write("tokenizer.json", sentence);
  auto chars = load(folder.path());
  ASSERT_TRUE(chars);
  EXPECT_EQ(chars->encode("a  ax"), (std::vector<int32_t>{3, 1, 3, 0}));
  EXPECT_EQ(chars->decode({3, 1, 3}), "a  a");
}

// What a file says may be of any size, and a message is a line that is read: its middle goes, cut
// between characters, and its end, which says how to go on, stays.
TEST(TokenizerJson, ShortensWhatItQuotes) {
  for (const char *unit : {"x", "é", "世"}) {
    std::string prefix;
    while (prefix.size() < 300000)
      prefix += unit;
    std::string text = byteLevel, old = "\"fuse_unk\": false";
    text.replace(text.find(old), old.size(), "\"continuing_subword_prefix\": \"" + prefix + "\"");
    Folder folder;
    folder.write("tokenizer.json", text);
    std::string given = errorOf(folder.path());
    EXPECT_LT(given.size(), 1200u);
    EXPECT_TRUE(llvm::json::isUTF8(given));
    EXPECT_TRUE(
        StringRef(given).contains("model.continuing_subword_prefix is \"" + std::string(unit)));
    EXPECT_TRUE(StringRef(given).ends_with("prompts are token ids then"));
  }
}

// White space that an added token takes along is gone for one that is white space alone and would
// take some itself, not for one that would not. What is expected is what `tokenizers` 0.21.4 gives.
TEST(TokenizerJson, WhiteSpaceIsTakenOnce) {
  std::string text = byteLevel, end = "\"special\": true}]";
  auto token = [](int id, const char *content, bool lstrip, bool rstrip) {
    return ", {\"id\": " + std::to_string(id) + ", \"content\": \"" + content +
           "\", \"single_word\": false, \"lstrip\": " + (lstrip ? "true" : "false") +
           ", \"rstrip\": " + (rstrip ? "true" : "false") +
           ", \"normalized\": false, \"special\": false}";
  };
  text.insert(text.find(end) + end.size() - 1, token(5, "<x>", false, true) +
                                                   token(6, "\\n", true, false) +
                                                   token(7, "\\t", false, false));
  Folder folder;
  folder.write("tokenizer.json", text);
  auto tokenizer = load(folder.path());
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->encode("a<x>\nb"), (std::vector<int32_t>{4, 0, 5, 1}));
  EXPECT_EQ(tokenizer->encode("a<x>\tb"), (std::vector<int32_t>{4, 0, 5, 7, 1}));
  EXPECT_EQ(tokenizer->encode("a<x> \tb"), (std::vector<int32_t>{4, 0, 5, 7, 1}));
  EXPECT_EQ(tokenizer->encode("a \nb"), (std::vector<int32_t>{4, 0, 6, 1}));
  EXPECT_EQ(tokenizer->encode("\n<x>\n"), (std::vector<int32_t>{4, 6, 5}));
}

struct Refusal {
  const char *base, *from, *to, *error;
};

/// Files that are sound, of tokenizers that the core does not have.
const Refusal unsupported[] = {
    {byteLevel, "\"BPE\"", "\"Unigram\"", "model.type is \"Unigram\"; only \"BPE\" is supported"},
    {byteLevel, "\"BPE\"", "\"WordPiece\"", "model.type is \"WordPiece\""},
    {byteLevel, "\"1.0\"", "\"2.0\"", "version is \"2.0\"; only \"1.0\" is known"},
    {byteLevel, "\"dropout\": null", "\"dropout\": 0.1", "model.dropout is 0.1"},
    {byteLevel, "\"fuse_unk\": false", "\"end_of_word_suffix\": \"</w>\"",
     "model.end_of_word_suffix is \"</w>\""},
    {byteLevel, "\"fuse_unk\": false", "\"continuing_subword_prefix\": \"##\"",
     "model.continuing_subword_prefix is \"##\""},
    {byteLevel, "\"Ġ\": 3", "\"Ġ\": 300",
     "vocab gives \"Ġ\" the id 300, but the model has ids below 100 only"},
    {byteLevel, "\"normalizer\": null", "\"normalizer\": {\"type\": \"Lowercase\"}",
     "normalizer.type \"Lowercase\" is not supported"},
    {byteLevel, "\"pre_tokenizer\": {\"type\": \"ByteLevel\"",
     "\"pre_tokenizer\": {\"type\": \"Whitespace\"",
     "pre_tokenizer.type \"Whitespace\" is not supported"},
    {byteLevel, "\"decoder\": {\"type\": \"ByteLevel\"}", "\"decoder\": {\"type\": \"Fuse\"}",
     "decoder is \"Fuse\"; \"ByteLevel\" must be both a pre-tokenizer and the decoder"},
    {byteLevel, "\"decoder\": {\"type\": \"ByteLevel\"}", "\"decoder\": null",
     "decoder is missing; tokens joined by spaces are not supported"},
    {byteLevel, "\"TemplateProcessing\"", "\"Unknown\"",
     "post_processor.type \"Unknown\" is not supported"},
    {byteLevel, "{\"id\": \"A\"", "{\"id\": \"B\"",
     "post_processor.single[1].Sequence.id is \"B\"; a single text is \"A\""},
    {byteLevel, ", {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}", "",
     "post_processor.single has the text 0 times"},
    {sentence, "{\"String\": \" \"}", "{\"Regex\": \"\\\\s\"}",
     "normalizer.normalizers[1].pattern is {\"Regex\":\"\\\\s\"}"},
    {sentence, "{\"String\": \" \"}", "{\"String\": \"''\"}",
     "normalizer.normalizers[1].pattern is \"''\"; only a space can be replaced"},
    {sentence, "\"prepend\": \"▁\"", "\"prepend\": \"\"",
     "normalizer.normalizers[0].prepend has 0 bytes"},
    {sentence, "\"pre_tokenizer\": null",
     "\"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"▁\"}",
     "pre_tokenizer.type \"Metaspace\" beside a normalizer is not supported"},
    {sentence, "\"stop\": 0", "\"stop\": 1", "decoder.decoders[3].stop is 1; only 0 is supported"},
    {sentence, "{\"type\": \"Fuse\"},", "",
     "decoder.decoders[2].type \"Strip\" is supported once, behind \"Fuse\""},
    {sentence, "{\"type\": \"ByteFallback\"}", "{\"type\": \"CTC\"}",
     "decoder.decoders[1].type \"CTC\" is not supported"},
    {sentence, "{\"String\": \"▁\"}", "{\"String\": \"A\"}", "replaces \"A\" by \" \""},
    {sentence, "\"decoders\": [", "\"decoders\": [{\"type\": \"Fuse\"}, ",
     "decoder.decoders[1].type \"Replace\" after another step is not supported"},
    {byteLevel, "\"normalizer\": null", "\"normalizer\": {\"type\": \"NFKC\"}",
     "normalizer.type \"NFKC\" is not supported here; \"Prepend\", \"Replace\" or a \"Sequence\" "
     "of "
     "them, or \"NFC\" alone, is"},
    {byteLevel, "\"normalizer\": null",
     "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\"}, {\"type\": "
     "\"Prepend\", \"prepend\": \"_\"}]}",
     "normalizer.normalizers[0].type \"NFC\" beside another step is not supported"},
    {byteLevel,
     "\"normalizer\": null,\n  \"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": "
     "false",
     "\"normalizer\": {\"type\": \"NFC\"}, \"pre_tokenizer\": {\"type\": \"ByteLevel\", "
     "\"add_prefix_space\": true",
     "pre_tokenizer.add_prefix_space is true beside a normalizer"},
    {sentence, "\"pre_tokenizer\": null",
     "\"pre_tokenizer\": {\"type\": \"Punctuation\", \"behavior\": \"Removed\"}",
     "pre_tokenizer.behavior is \"Removed\"; \"Isolated\" and \"Contiguous\" are supported"},
    {sentence, "\"pre_tokenizer\": null",
     "\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"String\": \"a\"}, \"behavior\": "
     "\"Isolated\", \"invert\": false}",
     "pre_tokenizer.pattern.String is \"a\"; splitting at a text is not supported"}};

/// Files that no tokenizer is.
const Refusal damaged[] = {
    {byteLevel, "\"fuse_unk\": false", "\"fuse_unk\": 1",
     "model.fuse_unk is 1; it must be true or false"},
    {byteLevel, "\"fuse_unk\": false", "\"byte_fallback\": true",
     "253 of the 256 byte-level characters are not in the vocabulary"},
    {byteLevel, "\"unk_token\": null", "\"unk_token\": \"<unk>\"",
     "model.unk_token is \"<unk>\", which is not in model.vocab"},
    {byteLevel, "\"Ġ\": 3", "\"Ġ\": 2", "model.vocab gives id 2 to both \"ab\" and \"Ġ\""},
    {byteLevel, "\"Ġ\": 3", "\"Ġ\": -3", "model.vocab.Ġ is -3; it must be a whole number"},
    {byteLevel, "\"Ġ\": 3", "\"Ġ\": 3.5", "model.vocab.Ġ is 3.5"},
    {byteLevel, "\"a b\"", "\"c b\"", "vocab lacks \"c\", which merge 1 (\"c\" and \"b\") needs"},
    {byteLevel, "\"a b\"", "\"b a\"", "vocab lacks \"ba\", which merge 1 (\"b\" and \"a\") needs"},
    {byteLevel, "\"a b\"", "\"a b c\"",
     "model.merges[0] is \"a b c\"; it must be two tokens and one space"},
    {byteLevel, "\"a b\"", "\"ab\"", "model.merges[0] is \"ab\""},
    {byteLevel, "\"a b\"", "[\"a\"]", "model.merges[0] is [\"a\"]; it must be a pair of tokens"},
    {byteLevel, ", \"merges\": [\"a b\"]", "", "model.merges is missing; it must be a list"},
    {byteLevel, "\"id\": 4,", "\"id\": 7,",
     "added_tokens gives \"<s>\" the id 7, but by the vocabulary it is 4"},
    {byteLevel, "\"content\": \"<s>\"", "\"content\": \"ab\"",
     "added_tokens gives \"ab\" the id 4, but by the vocabulary it is 2"},
    {byteLevel, "\"lstrip\": false,", "",
     "added_tokens[0].lstrip is missing; it must be true or false"},
    {byteLevel, "\"normalizer\": null", "\"normalizer\": {}", "normalizer.type is missing"},
    {byteLevel, "\"use_regex\": true", "\"use_regex\": \"yes\"",
     "pre_tokenizer.use_regex is \"yes\"; it must be true or false"},
    {byteLevel, "\"add_prefix_space\": false, ", "", "pre_tokenizer.add_prefix_space is missing"},
    {byteLevel, "\"ids\": [4]", "\"ids\": [9]", "post_processor adds id 9, which no token has"},
    {byteLevel, "\"ids\": [4]", "\"id_list\": [4]",
     "post_processor.special_tokens.<s>.ids is missing"},
    {byteLevel, "{", "{{", "an object's key must be a string"},
    {byteLevel, "\"truncation\": null", "\"truncation\": {\"max_length\": 4}",
     "truncation.stride is missing; it must be a whole number"},
    {byteLevel, "\"truncation\": null", "\"truncation\": 4",
     "truncation is 4; it must be an object"},
    {byteLevel, "\"padding\": null", "\"padding\": {}", "padding.pad_id is missing"},
    {byteLevel, "\"padding\": null",
     "\"padding\": {\"strategy\": {\"Fixed\": -1}, \"direction\": \"Right\", \"pad_id\": 0, "
     "\"pad_type_id\": 0, \"pad_token\": \"a\"}",
     "padding.strategy.Fixed is -1"}};

// Each refusal names the file, the field and what stands there; what is sound can be left out.
TEST(TokenizerJson, Refusals) {
  for (const Refusal &r : unsupported)
    expectError(r.base, r.from, r.to, r.error);
  for (const Refusal &r : damaged)
    expectError(r.base, r.from, r.to, r.error, /*sound=*/false);
}

const char *const preTokenizer =
    R"("pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true})";

std::string steps(StringRef list) {
  return ("\"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [" + list + "]}").str();
}

// Combinations of pre-tokenizers that the core cannot do.
TEST(TokenizerJson, PreTokenizerRefusals) {
  const char *split = R"({"type": "Split", "pattern": {"Regex": "\\s+"}, "behavior": "Isolated",
                          "invert": false})";
  const char *gpt2 =
      R"({"type": "Split", "pattern": {"Regex": "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"},
          "behavior": "BEHAVIOR", "invert": INVERT})";
  std::string isolated = gpt2, removed = gpt2, merged = gpt2;
  auto set = [](std::string &text, StringRef behavior, StringRef invert) {
    text.replace(text.find("BEHAVIOR"), 8, behavior.str());
    text.replace(text.find("INVERT"), 6, invert.str());
  };
  set(isolated, "Isolated", "false");
  set(removed, "Removed", "false");
  set(merged, "MergedWithNext", "true");
  std::string bytes = R"(, {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false})";
  std::string again = R"(, {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true})";
  std::string prefix = R"(, {"type": "ByteLevel", "add_prefix_space": true, "use_regex": false})";
  std::string digits = R"({"type": "Digits", "individual_digits": true})";
  expectError(byteLevel, preTokenizer, steps(split + bytes),
              "pretokenizers[0].pattern.Regex is \"\\s+\"");
  expectError(byteLevel, preTokenizer, steps(removed + bytes),
              "pretokenizers[0].behavior is \"Removed\" and invert false");
  expectError(byteLevel, preTokenizer, steps(merged + bytes),
              "pretokenizers[0].behavior is \"MergedWithNext\" and invert true");
  expectError(byteLevel, preTokenizer, steps(isolated + again),
              "pretokenizers[1].use_regex cuts words a second time");
  expectError(byteLevel, preTokenizer, steps(isolated + prefix),
              "pretokenizers[1].add_prefix_space is true after text is cut");
  expectError(byteLevel, preTokenizer, steps(isolated + ", " + digits + bytes),
              "\"Digits\" after text is cut into words");
  expectError(byteLevel, preTokenizer, steps(digits + ", " + digits + bytes),
              "\"Digits\" a second time is not supported");
  expectError(byteLevel, preTokenizer, steps(isolated + R"(, {"type": "Punctuation"})" + bytes),
              "\"Punctuation\" after text is cut into words");
  std::string group = R"(, {"type": "Split", "pattern": {"Regex": "[0-9][0-9]"}, "invert": false,
                            "behavior": ")";
  expectError(byteLevel, preTokenizer, steps(digits + bytes + group + "Removed\"}"),
              "pretokenizers[2].behavior is \"Removed\"");
  expectError(byteLevel, preTokenizer,
              steps(isolated + bytes + group + "Isolated\"}" + group + "Isolated\"}"),
              "pretokenizers[3].type \"Split\" after \"ByteLevel\" is not supported");
  expectError(byteLevel, preTokenizer, steps(isolated + bytes + ", " + isolated),
              "pretokenizers[2].type \"Split\" after \"ByteLevel\" is not supported");
  expectError(byteLevel, preTokenizer, steps(isolated + ", " + isolated + bytes),
              "cuts words a second time");
  expectError(byteLevel, preTokenizer, steps(digits + bytes + again),
              "\"ByteLevel\" after \"ByteLevel\"");
  expectError(byteLevel, preTokenizer,
              steps(digits + R"(, {"type": "Metaspace", "replacement": "_"})"),
              "\"Metaspace\" beside another step");
}

// Metaspace by itself: its schemes.
TEST(TokenizerJson, Metaspace) {
  auto with = [&](StringRef fields, StringRef error) { // none of them is a file that is sound
    std::string base = sentence;
    size_t at = base.find("\"normalizer\": {");
    base.replace(at, 14, "\"ignored\": ");
    std::string step = ("\"pre_tokenizer\": {\"type\": \"Metaspace\", " + fields + "}").str();
    expectError(base, "\"pre_tokenizer\": null", step, error, /*sound=*/false);
  };
  with(R"("replacement": "▁▁")", "pre_tokenizer.replacement is \"▁▁\"; it must be one character");
  with(R"("replacement": "▁", "prepend_scheme": "last")",
       "pre_tokenizer.prepend_scheme is \"last\"");
  with(R"("replacement": "▁", "prepend_scheme": "always", "add_prefix_space": false)",
       "pre_tokenizer.add_prefix_space is false, but prepend_scheme is \"always\"");
  with(R"("prepend_scheme": "always")", "pre_tokenizer.replacement is missing");
}

// Metaspace as a decoder: the first token's spaces are dropped, unless none are ever prepended.
TEST(TokenizerJson, MetaspaceDecoder) {
  for (bool never : {false, true}) {
    std::string text = sentence;
    size_t at = text.find("\"decoder\": "), end = text.find("\"model\": ");
    text.replace(at, end - at,
                 std::string(R"("decoder": {"type": "Metaspace", "replacement": "▁", )") +
                     R"("prepend_scheme": ")" + (never ? "never" : "first") + "\"}, ");
    Folder folder;
    folder.write("tokenizer.json", text);
    auto tokenizer = load(folder.path());
    ASSERT_TRUE(tokenizer);
    EXPECT_EQ(tokenizer->decode({3, 3}), never ? " a a" : "a a");
    EXPECT_EQ(tokenizer->stream({1, 1, 2}), never ? "  a" : " a");
  }
}

// Characters beyond the first plane, escaped as JSON's surrogate pairs, are what they are.
TEST(TokenizerJson, EscapedPairs) {
  Folder folder;
  std::string text = sentence;
  StringRef last = "\"▁a\": 3";
  text.replace(text.find(last), last.size(), R"("▁a": 3, "\ud840\udc08": 4, "\ud83d\ude00": 5)");
  folder.write("tokenizer.json", text);
  auto tokenizer = load(folder.path());
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->encode("\U00020008\U0001F600"), (std::vector<int32_t>{1, 4, 5}));
  EXPECT_EQ(tokenizer->decode({4, 5}), "\U00020008\U0001F600");
}

// No tokenizer is no error; a SentencePiece model alone is one, and says what to do.
TEST(Files, NoneAndUnread) {
  Folder folder;
  auto tables = compileTokenizer(folder.path(), 100);
  ASSERT_TRUE(bool(tables));
  EXPECT_FALSE(tables->has_value());
  folder.write("tokenizer.model", "x");
  EXPECT_TRUE(StringRef(errorOf(folder.path())).contains("save the tokenizer as tokenizer.json"));
}

// tokenizer.json wins over the files that it replaces.
TEST(Files, TokenizerJsonWins) {
  Folder folder;
  folder.write("tokenizer.json", byteLevel);
  folder.write("vocab.json", "not even JSON");
  EXPECT_EQ(errorOf(folder.path()), "");
}

/// A folder with a small vocab.json and merges.txt.
class Parts : public testing::Test {
protected:
  Parts() {
    folder.write("vocab.json", R"({"a": 0, "b": 1, "ab": 2, "Ġ": 3, "<|endoftext|>": 4})");
    folder.write("merges.txt", "#version: 0.2\na b\n");
  }
  void expect(StringRef error) {
    std::string given = errorOf(folder.path());
    EXPECT_TRUE(StringRef(given).contains(error)) << given << "\n  should say: " << error.str();
  }
  Folder folder;
};

// Without settings there are no special tokens; with them there are, and the rule about the first.
TEST_F(Parts, Settings) {
  auto bare = load(folder.path());
  ASSERT_TRUE(bare);
  EXPECT_EQ(bare->encode("ab ab"), (std::vector<int32_t>{2, 3, 2}));
  folder.write("special_tokens_map.json",
               R"({"bos_token": {"content": "<|endoftext|>", "lstrip": true}, "pad_token": null})");
  auto special = load(folder.path());
  ASSERT_TRUE(special);
  EXPECT_EQ(special->encode("ab <|endoftext|>ab"), (std::vector<int32_t>{2, 4, 2}));
  folder.write(
      "tokenizer_config.json",
      R"({"add_bos_token": true, "add_prefix_space": true, "tokenizer_class": "GPT2Tokenizer"})");
  auto prefixed = load(folder.path());
  ASSERT_TRUE(prefixed);
  EXPECT_EQ(prefixed->encode("ab"), (std::vector<int32_t>{4, 3, 2}));
}

// added_tokens.json gives ids, which go on from the vocabulary's; they need not be special.
TEST_F(Parts, AddedTokens) {
  folder.write("added_tokens.json", R"({"<more>": 6, "<pad>": 5})");
  folder.write("special_tokens_map.json", R"({"pad_token": "<pad>"})");
  auto tokenizer = load(folder.path());
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->encode("a<pad><more>b"), (std::vector<int32_t>{0, 5, 6, 1}));
  EXPECT_EQ(tokenizer->decode({0, 5, 6, 1}, COPPICE_DECODE_SKIP_SPECIAL), "a<more>b");
}

// tokenizer_config.json's list of added tokens knows their flags.
TEST_F(Parts, AddedTokensDecoder) {
  folder.write("tokenizer_config.json",
               R"({"added_tokens_decoder": {"4": {"content": "<|endoftext|>", "special": true},
                   "5": {"content": "ba", "single_word": true, "special": false}}})");
  auto tokenizer = load(folder.path());
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->encode("ba baa <|endoftext|>"), (std::vector<int32_t>{5, 3, 1, 0, 0, 3, 4}));
}

TEST_F(Parts, Refusals) {
  folder.write("merges.txt", "#version: 0.2\na b\n\nb a\n");
  expect("merges.txt: line 3 is \"\"; it must be two tokens and one space");
  folder.write("merges.txt", "a b c\n");
  expect("merges.txt: line 1 is \"a b c\"");
  folder.write("merges.txt", "a c\n");
  expect("vocab.json: vocab lacks \"c\", which merge 1 (\"a\" and \"c\") needs");
  folder.write("merges.txt", "a b\r\n");
  expect("");
  auto tables = compileTokenizer(folder.path(), 4);
  ASSERT_FALSE(bool(tables));
  EXPECT_TRUE(
      StringRef(llvm::toString(tables.takeError()))
          .contains("gives \"<|endoftext|>\" the id 4, but the model has ids below 4 only"));
  folder.write("special_tokens_map.json", R"({"pad_token": "<pad>"})");
  expect(
      "special_tokens_map.json: pad_token is \"<pad>\", which has no id; add it to vocab.json or "
      "added_tokens.json");
  folder.write("special_tokens_map.json", R"({"pad_token": 4})");
  expect("special_tokens_map.json: pad_token is 4; it must be an object");
  folder.write("special_tokens_map.json", "{}");
  folder.write("added_tokens.json", R"({"a": 4})");
  expect("added_tokens.json: a is 4, but 0 in vocab.json");
  folder.write("added_tokens.json", R"({"<pad>": 9})");
  expect("added_tokens gives \"<pad>\" the id 9, but by the vocabulary it is 5");
  folder.write("added_tokens.json", "[]");
  expect("added_tokens.json: the file holds []; it must hold an object");
  folder.write("added_tokens.json", "{}");
  folder.write("tokenizer_config.json", R"({"add_bos_token": true})");
  expect("tokenizer_config.json: add_bos_token is true, but bos_token is missing");
  folder.write("tokenizer_config.json", R"({"add_eos_token": true})");
  expect("tokenizer_config.json: add_eos_token is true");
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "CLIPTokenizer"})");
  expect("tokenizer_config.json: tokenizer_class is \"CLIPTokenizer\"");
  folder.write("tokenizer_config.json", R"({"added_tokens_decoder": {"x": {"content": "<x>"}}})");
  expect("tokenizer_config.json: added_tokens_decoder has the key \"x\"; it must be an id");
  folder.write("tokenizer_config.json", R"({"added_tokens_decoder": {"1": {"content": "a"}}})");
  expect("added_tokens_decoder.1 is \"a\", whose id in vocab.json is 0");
}

// A list of merges that was cut short is found by the tokens that no merge makes; a few of those,
// as OPT has, are fine.
TEST(Files, MergesCutShort) {
  for (bool inOneFile : {false, true}) {
    std::string vocabulary, merges, list;
    for (char c = 'a'; c <= 'z'; ++c)
      vocabulary +=
          (c == 'a' ? "\"" : ", \"") + std::string(1, c) + "\": " + std::to_string(c - 'a');
    auto errorWith = [&](int made) {
      std::string words = vocabulary;
      merges = list = "";
      for (int i = 0; i < 100; ++i) {
        std::string left(1, char('a' + i / 26)), right(1, char('a' + i % 26));
        words += ", \"" + left + right + "\": " + std::to_string(26 + i);
        if (i >= made)
          continue;
        merges += left + " " + right + "\n";
        list += (i ? ", \"" : "\"") + left + " " + right + "\"";
      }
      Folder folder;
      if (inOneFile) {
        std::string json = byteLevel;
        json.replace(json.find("\"<s>\", \"ids\": [4]"), 17, "\"<s>\", \"ids\": [126]");
        json.replace(json.find("\"id\": 4"), 7, "\"id\": 126");
        size_t at = json.find("{\"a\": 0");
        json = json.substr(0, at) + "{" + words + "}, \"merges\": [" + list + "]}})";
        json.pop_back();
        folder.write("tokenizer.json", json);
      } else {
        folder.write("vocab.json", "{" + words + "}");
        folder.write("merges.txt", merges);
      }
      return errorOf(folder.path(), 200);
    };
    EXPECT_EQ(errorWith(100), "");
    EXPECT_EQ(errorWith(68), "");
    for (int made : {67, 50, 0}) {
      std::string error = errorWith(made);
      EXPECT_TRUE(StringRef(error).contains(
          "vocab has 126 tokens, and no merge makes " + std::to_string(100 - made) +
          " of them, such as \"dv\": the list of merges was cut short"))
          << inOneFile << error;
    }
  }
}

// vocab.json without merges.txt is half a tokenizer.
TEST(Files, MergesMissing) {
  Folder folder;
  folder.write("vocab.json", "{}");
  EXPECT_TRUE(StringRef(errorOf(folder.path()))
                  .contains("merges.txt: the file is missing; vocab.json is there and needs it"));
}

// opt-icl's settings do not name <s>: in a text it is spelled out. </s> begins every text.
TEST(Files, OptParts) {
  Folder folder;
  for (const char *file :
       {"vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"})
    folder.write(file, readFile(testModel("opt-icl") + "/" + file));
  auto parts = load(folder.path(), 1024);
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->encode("</s>"), (std::vector<int32_t>{2, 2}));
  EXPECT_GT(parts->encode("<s>").size(), 2u);
}

} // namespace
