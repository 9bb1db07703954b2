// Equal to Hugging Face `tokenizers` on 2,200 texts and 300 lists of random ids, for each of eleven
// tokenizers, and on 620 texts and 100 lists for five more (tests/golden/tokenizer/make_golden.py).
#include "tests/unit/tokenizer/Support.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include <cstdlib>
#include <gtest/gtest.h>

namespace {

using namespace coppice::tests;
using llvm::StringRef;

std::string parseString(StringRef json) {
  auto value = llvm::json::parse(json);
  if (!value) {
    ADD_FAILURE() << llvm::toString(value.takeError());
    return "";
  }
  return value->getAsString()->str();
}

llvm::SmallVector<StringRef> linesOf(StringRef text) {
  llvm::SmallVector<StringRef> lines;
  text.split(lines, '\n', -1, /*KeepEmpty=*/false);
  return lines;
}

/// Two characters of base 64 an id.
std::vector<int32_t> parseIds(StringRef text) {
  static const StringRef alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<int32_t> ids;
  for (; text.size() >= 2; text = text.drop_front(2))
    ids.push_back(int32_t(alphabet.find(text[0]) * 64 + alphabet.find(text[1])));
  EXPECT_TRUE(text.empty());
  return ids;
}

/// A file of texts, and what a golden file has beside them.
struct Texts {
  const char *file;
  size_t count, lists;
};
const Texts allTexts = {"strings.txt", 2200, 300}, formTexts = {"strings-forms.txt", 620, 100};

struct Golden {
  const char *name;   // NAME.golden
  std::string folder; // of the tokenizer
  const Texts *texts = &allTexts;
};

class TokenizerGolden : public testing::TestWithParam<Golden> {};

void PrintTo(const Golden &golden, std::ostream *out) { *out << golden.name; }

/// What SKIP and ALL of a golden line stand for.
std::string expand(StringRef code, const std::string &text, StringRef begin, StringRef end) {
  if (code == "=")
    return text;
  if (code == "_")
    return " " + text;
  if (code == "+")
    return begin.str() + text + end.str();
  if (code == "&")
    return begin.str() + " " + text + end.str();
  return parseString(code);
}

void checkDecoding(const LoadedTokenizer &tokenizer, const std::vector<int32_t> &ids,
                   const std::string &skip, const std::string &all) {
  EXPECT_EQ(tokenizer.decode(ids, COPPICE_DECODE_SKIP_SPECIAL), skip);
  EXPECT_EQ(tokenizer.decode(ids), all);
  EXPECT_EQ(tokenizer.stream(ids, COPPICE_DECODE_SKIP_SPECIAL), skip) << "by a stream";
  EXPECT_EQ(tokenizer.stream(ids), all) << "by a stream";
}

/// `folder`'s tokenizer against a golden file of its own.
void checkGolden(StringRef name, StringRef folder, const Texts &texts = allTexts) {
  auto tokenizer = load(folder);
  ASSERT_TRUE(tokenizer);
  std::string stringFile = readFile(std::string(COPPICE_TESTS "/golden/tokenizer/") + texts.file);
  std::string goldenFile = readFile((COPPICE_TESTS "/golden/tokenizer/" + name + ".golden").str());
  auto strings = linesOf(stringFile), lines = linesOf(goldenFile);
  ASSERT_EQ(strings.size(), texts.count);
  ASSERT_EQ(lines.size(), 1 + strings.size() + texts.lists);
  auto header = llvm::json::parse(lines[0]);
  ASSERT_TRUE(bool(header)) << llvm::toString(header.takeError());
  StringRef begin = *header->getAsObject()->getString("begin");
  StringRef end = *header->getAsObject()->getString("end");

  for (size_t i = 0; i < strings.size(); ++i) {
    SCOPED_TRACE(strings[i].str());
    std::string text = parseString(strings[i]);
    llvm::SmallVector<StringRef> fields;
    lines[1 + i].split(fields, '\t');
    ASSERT_GE(fields.size(), 3u);
    std::vector<int32_t> ids = parseIds(fields[0]);
    std::vector<int32_t> plain = parseIds(fields[fields.size() - 3]);
    EXPECT_EQ(tokenizer->encode(text), ids);
    EXPECT_EQ(tokenizer->encode(text, COPPICE_ENCODE_ADD_SPECIAL), plain) << "special as text";
    checkDecoding(*tokenizer, ids, expand(fields[fields.size() - 2], text, begin, end),
                  expand(fields[fields.size() - 1], text, begin, end));
    if (testing::Test::HasFailure())
      return; // one text is enough to read
  }
  for (StringRef line : llvm::ArrayRef(lines).drop_front(1 + strings.size())) {
    SCOPED_TRACE(line.str());
    auto [idField, rest] = line.split('\t');
    auto [skip, all] = rest.split('\t');
    checkDecoding(*tokenizer, parseIds(idField), parseString(skip), parseString(all));
    if (testing::Test::HasFailure())
      return;
  }
}

// Encoding (with and without special tokens in the text), decoding and streaming equal the
// original.
TEST_P(TokenizerGolden, EqualsHuggingFace) {
  checkGolden(GetParam().name, GetParam().folder, *GetParam().texts);
}

INSTANTIATE_TEST_SUITE_P(
    , TokenizerGolden,
    testing::Values(Golden{"gpt2", goldenModel("gpt2")}, Golden{"gaps", goldenModel("gaps")},
                    Golden{"dropped", goldenModel("dropped")},
                    Golden{"llama3", goldenModel("llama3")}, Golden{"qwen2", goldenModel("qwen2")},
                    Golden{"digits", goldenModel("digits")},
                    Golden{"sentence", goldenModel("sentence")},
                    Golden{"first", goldenModel("first")}, Golden{"split", goldenModel("split")},
                    Golden{"opt-icl", testModel("opt-icl")},
                    Golden{"falcon", goldenModel("falcon"), &formTexts},
                    Golden{"gemma", goldenModel("gemma"), &formTexts},
                    Golden{"nfc", goldenModel("nfc"), &formTexts},
                    Golden{"o200k", goldenModel("o200k"), &formTexts},
                    Golden{"tekken", goldenModel("tekken"), &formTexts}),
    [](const auto &info) { return llvm::join(llvm::split(info.param.name, "-"), "_"); });

// A real Llama tokenizer, which the repository may not hold: only its ids are here.
TEST(TokenizerFiles, Stories260k) {
  const char *models = getenv("COPPICE_MODELS");
  std::string folder =
      std::string(models ? models : COPPICE_TESTS "/../../shared/models") + "/stories260k";
  if (!llvm::sys::fs::exists(folder + "/tokenizer.json"))
    GTEST_SKIP() << folder << " is not here";
  checkGolden("stories260k", folder);
}

// vocab.json and merges.txt give what tokenizer.json gives, once they name the same special tokens.
TEST(TokenizerFiles, VocabAndMerges) {
  Folder folder;
  for (const char *file : {"vocab.json", "merges.txt", "tokenizer_config.json"})
    folder.write(file, readFile(testModel("opt-icl") + "/" + file));
  auto map = llvm::json::parse(readFile(testModel("opt-icl") + "/special_tokens_map.json"));
  ASSERT_TRUE(bool(map)) << llvm::toString(map.takeError());
  (*map->getAsObject())["additional_special_tokens"] = llvm::json::Array{"<s>"};
  std::string text;
  llvm::raw_string_ostream(text) << *map;
  folder.write("special_tokens_map.json", text);
  checkGolden("opt-icl", folder.path());
}

} // namespace
