// The forms of tokenizer.json that published models have, each with a small vocabulary: all are
// read, and come to the settings that make the core do the same.
#include "tests/unit/tokenizer/Support.h"
#include "llvm/Support/Error.h"
#include <gtest/gtest.h>

namespace {

using namespace coppice;
using namespace coppice::tests;
using llvm::StringRef;

const std::string byteLevel =
    R"({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true})";
const std::string bytesOnly =
    R"({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false})";
const std::string oldByteLevel =
    R"({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true})";
const std::string byteDecoder =
    R"({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true})";
const std::string sentenceDecoder = R"({"type": "Sequence", "decoders": [
    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
    {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})";
const std::string gemmaDecoder = R"({"type": "Sequence", "decoders": [
    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
    {"type": "Fuse"}]})";
const std::string sentenceNormalizer = R"({"type": "Sequence", "normalizers": [
    {"type": "Prepend", "prepend": "▁"},
    {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]})";
const std::string begin = R"({"type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {"<s>": {"id": "<s>", "ids": [4], "tokens": ["<s>"]}}})";
const std::string nothing = R"({"type": "TemplateProcessing",
    "single": [{"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {}})";

std::string sequence(StringRef list) {
  return R"({"type": "Sequence", "pretokenizers": [)" + list.str() + "]}";
}

std::string split(const char *expression, const char *behavior = "Isolated",
                  const char *invert = "false") {
  return std::string(R"({"type": "Split", "pattern": {"Regex": ")") + expression +
         R"("}, "behavior": ")" + behavior + R"(", "invert": )" + invert + "}";
}

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define CASED(END)                                                                                   \
  R"([^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+)" END \
  R"(|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*)" END
const char *const llama3 = CONTRACTIONS
    R"(|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+)";
const char *const qwen2 = CONTRACTIONS
    R"(|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+)";
const char *const o200k =
    CASED(CONTRACTIONS
          "?") R"(|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+)";
const char *const tekken =
    CASED("") R"(|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+)";

struct Form {
  const char *models;
  std::string normalizer, preTokenizer, postProcessor, decoder;
  void (*expect)(const TokenizerTables &tables);
};

template <uint8_t words> void expectBytes(const TokenizerTables &t) {
  EXPECT_EQ(t.symbols, COPPICE_SYMBOLS_BYTES);
  EXPECT_EQ(t.words, words);
  EXPECT_EQ(t.decoder, COPPICE_DECODER_BYTES);
}

template <uint8_t prependWhen> void expectSentence(const TokenizerTables &t) {
  EXPECT_EQ(t.symbols, COPPICE_SYMBOLS_CHARS);
  EXPECT_EQ(t.words, COPPICE_WORDS_WHOLE);
  EXPECT_EQ(t.prependWhen, prependWhen);
  EXPECT_EQ(t.space, "▁");
  EXPECT_EQ(t.decoder, COPPICE_DECODER_FALLBACK);
}

template <uint8_t words> void expectNfc(const TokenizerTables &t) {
  EXPECT_TRUE(t.nfc);
  expectBytes<words>(t);
}

const Form forms[] = {
    {"GPT-2, Phi-1, Phi-1.5, Phi-2", "null", oldByteLevel, byteDecoder, byteDecoder,
     expectBytes<COPPICE_WORDS_GPT2>},
    {"GPT-NeoX, Pythia", R"({"type": "NFC"})", oldByteLevel, oldByteLevel, byteDecoder,
     expectNfc<COPPICE_WORDS_GPT2>},
    {"Llama 1 and 2, TinyLlama, Mistral v0.1, Mixtral", sentenceNormalizer, "null", begin,
     sentenceDecoder, expectSentence<COPPICE_PREPEND_NORMALIZER>},
    {"Phi-3, Phi-3.5", sentenceNormalizer, "null", nothing, sentenceDecoder,
     expectSentence<COPPICE_PREPEND_NORMALIZER>},
    {"Mistral v0.3", "null",
     R"({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false})",
     begin, sentenceDecoder, expectSentence<COPPICE_PREPEND_FIRST>},
    {"Gemma 1, 2 and 3", R"({"type": "Replace", "pattern": {"String": " "}, "content": "▁"})",
     R"({"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious",
         "invert": false})",
     begin, gemmaDecoder, expectSentence<COPPICE_PREPEND_NEVER>},
    {"Llama 3.x", "null", sequence(split(llama3) + "," + bytesOnly),
     R"({"type": "Sequence", "processors": [)" + oldByteLevel + "," + begin + "]}", byteDecoder,
     expectBytes<COPPICE_WORDS_LLAMA3>},
    {"Phi-4", "null", sequence(split(llama3, "Removed", "true") + "," + bytesOnly), byteDecoder,
     byteDecoder, expectBytes<COPPICE_WORDS_LLAMA3>},
    {"Phi-4-mini", "null", sequence(split(o200k, "Removed", "true") + "," + bytesOnly), byteDecoder,
     byteDecoder, expectBytes<COPPICE_WORDS_O200K>},
    {"GPT-4o's words", "null", sequence(split(o200k) + "," + bytesOnly), "null", byteDecoder,
     expectBytes<COPPICE_WORDS_O200K>},
    {"Mistral-Nemo", "null", sequence(split(tekken) + "," + bytesOnly), begin, byteDecoder,
     expectBytes<COPPICE_WORDS_TEKKEN>},
    {"Qwen 2, 2.5 and 3", R"({"type": "NFC"})", sequence(split(qwen2) + "," + bytesOnly),
     byteDecoder, byteDecoder, expectNfc<COPPICE_WORDS_QWEN2>},
    {"NFC in a sequence", R"({"type": "Sequence", "normalizers": [{"type": "NFC"}]})", byteLevel,
     "null", byteDecoder, expectNfc<COPPICE_WORDS_GPT2>},
    {"SmolLM, StarCoder2", "null",
     sequence(R"({"type": "Digits", "individual_digits": true},)" + byteLevel), "null", byteDecoder,
     [](const TokenizerTables &t) {
       expectBytes<COPPICE_WORDS_GPT2>(t);
       EXPECT_EQ(t.digits, COPPICE_CUT_EACH);
       EXPECT_EQ(t.byteDigits, COPPICE_CUT_NEVER);
     }},
    {"Falcon 7B and 40B, Falcon 2", "null",
     sequence(R"({"type": "Punctuation", "behavior": "Contiguous"},)" + byteLevel +
              R"(, {"type": "Digits", "individual_digits": false},)" + split("[0-9][0-9][0-9]")),
     nothing, byteDecoder,
     [](const TokenizerTables &t) {
       expectBytes<COPPICE_WORDS_GPT2>(t);
       EXPECT_EQ(t.digits, COPPICE_CUT_NEVER);
       EXPECT_EQ(t.punctuation, COPPICE_CUT_RUNS);
       EXPECT_EQ(t.byteDigits, COPPICE_CUT_RUNS);
       EXPECT_EQ(t.digitGroup, 3);
     }},
};

/// A tokenizer.json; `extra` goes before the rest of the fields.
std::string jsonOf(const Form &form, StringRef extra = "") {
  return "{" + extra.str() + R"("version": "1.0", "added_tokens": [
    {"id": 4, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false,
     "normalized": false, "special": true},
    {"id": 5, "content": "<pad>", "single_word": false, "lstrip": false, "rstrip": false,
     "normalized": true, "special": false}],
    "normalizer": )" +
         form.normalizer + R"(, "pre_tokenizer": )" + form.preTokenizer +
         R"(, "post_processor": )" + form.postProcessor + R"(, "decoder": )" + form.decoder +
         R"(, "model": {"type": "BPE", "dropout": null, "unk_token": null, "ignore_merges": false,
    "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": false,
    "byte_fallback": false, "vocab": {"a": 0, "b": 1, "ab": 2, "▁": 3}, "merges": ["a b"]}})";
}

TokenizerTables tablesOf(const std::string &json, int64_t vocabulary = 6) {
  auto tables = compileTokenizerJson(json, "tokenizer.json", vocabulary);
  if (tables)
    return *tables;
  ADD_FAILURE() << llvm::toString(tables.takeError()) << "\n" << json;
  return {};
}

TEST(Forms, ArePublished) {
  for (const Form &form : forms) {
    SCOPED_TRACE(form.models);
    TokenizerTables tables = tablesOf(jsonOf(form));
    form.expect(tables);
    LoadedTokenizer tokenizer(buildTokenizer(tables));
    ASSERT_EQ(tokenizer.status(), COPPICE_OK);
    std::vector<int32_t> ids = tokenizer.encode("ab", COPPICE_ENCODE_PARSE_SPECIAL);
    ASSERT_FALSE(ids.empty());
    EXPECT_EQ(ids.back(), 2);
  }
}

// Words that cover the text are the same, whichever way they are kept.
TEST(Forms, RemovedAndInvertedIsIsolated) {
  for (const char *expression : {llama3, qwen2, o200k, tekken}) {
    Form form = {"", "null", "", "null", byteDecoder, nullptr};
    form.preTokenizer = sequence(split(expression) + "," + bytesOnly);
    std::vector<uint8_t> isolated = buildTokenizer(tablesOf(jsonOf(form)));
    form.preTokenizer = sequence(split(expression, "Removed", "true") + "," + bytesOnly);
    EXPECT_EQ(buildTokenizer(tablesOf(jsonOf(form))), isolated);
    form.preTokenizer = sequence(split(expression, "Isolated", "true") + "," + bytesOnly);
    EXPECT_EQ(buildTokenizer(tablesOf(jsonOf(form))), isolated);
  }
}

// How a batch is padded and cut short says nothing of one text.
TEST(Forms, PaddingAndTruncationDoNotApply) {
  std::vector<uint8_t> without = buildTokenizer(tablesOf(jsonOf(forms[0])));
  for (const char *extra :
       {R"("truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst",
           "stride": 0}, )",
        R"("padding": {"strategy": "BatchLongest", "direction": "Left", "pad_to_multiple_of": null,
           "pad_id": 4, "pad_type_id": 0, "pad_token": "<s>"}, )",
        R"("padding": {"strategy": {"Fixed": 20}, "direction": "Right", "pad_to_multiple_of": 8,
           "pad_id": 4, "pad_type_id": 0, "pad_token": "<s>"}, )"})
    EXPECT_EQ(buildTokenizer(tablesOf(jsonOf(forms[0], extra))), without) << extra;
}

// An added token beyond the model, as Gemma 3 has for images and others for padding, is a token
// that no text has unless it is spelled out. One that goes around each text is none.
TEST(Forms, AddedTokensBeyondTheModel) {
  LoadedTokenizer tokenizer(buildTokenizer(tablesOf(jsonOf(forms[0]), 4)));
  ASSERT_EQ(tokenizer.status(), COPPICE_OK);
  EXPECT_EQ(tokenizer.encode("ab<pad>"), (std::vector<int32_t>{2, 5}));
  auto tables = compileTokenizerJson(jsonOf(forms[2]), "tokenizer.json", 4);
  ASSERT_FALSE(bool(tables));
  EXPECT_TRUE(StringRef(llvm::toString(tables.takeError()))
                  .starts_with("tokenizer.json: post_processor gives \"<s>\" the id 4, but the "
                               "model has ids below 4 only"));
}

/// The tables of a golden model's tokenizer.json with `config` as the tokenizer_config.json beside
/// it; without a value `error` is what compiling says.
std::optional<TokenizerTables> withConfig(StringRef model, StringRef config, std::string &error) {
  Folder folder;
  folder.write("tokenizer.json", readFile(goldenModel(model) + "/tokenizer.json"));
  folder.write("tokenizer_config.json", config);
  auto tables = compileTokenizer(folder.path(), 100000);
  if (tables)
    return std::move(*tables);
  error = llvm::toString(tables.takeError());
  EXPECT_TRUE(StringRef(error).starts_with(folder.path() + "/tokenizer_config.json")) << error;
  return std::nullopt;
}

struct Config {
  const char *model, *config;
  std::vector<uint32_t> prefix, suffix;
  uint8_t prependWhen;
};

// Where tokenizer_config.json and tokenizer.json differ, what `transformers` 4.53 makes of both:
// some classes put the tokens around a text that the former asks for, all of them set the space of
// a "ByteLevel" that stands alone.
TEST(Configs, AreObeyed) {
  const Config configs[] = {
      {"sentence", R"({"tokenizer_class": "LlamaTokenizer"})", {1}, {}, COPPICE_PREPEND_NORMALIZER},
      {"sentence",
       R"({"tokenizer_class": "LlamaTokenizer", "add_bos_token": false})",
       {},
       {},
       COPPICE_PREPEND_NORMALIZER},
      {"sentence",
       R"({"tokenizer_class": "LlamaTokenizerFast", "add_eos_token": true})",
       {1},
       {2},
       COPPICE_PREPEND_NORMALIZER},
      {"sentence",
       R"({"tokenizer_class": "GemmaTokenizer", "add_bos_token": true, "add_eos_token": true,
           "bos_token": {"content": "</s>", "special": true}, "eos_token": "<unk>"})",
       {2},
       {0},
       COPPICE_PREPEND_NORMALIZER},
      {"sentence",
       R"({"tokenizer_class": "GPTNeoXTokenizer", "add_eos_token": false})",
       {},
       {},
       COPPICE_PREPEND_NORMALIZER},
      {"sentence",
       R"({"tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": false,
                       "add_eos_token": true, "add_prefix_space": true})",
       {1},
       {},
       COPPICE_PREPEND_NORMALIZER},
      {"gpt2",
       R"({"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": false})",
       {0},
       {1},
       COPPICE_PREPEND_NEVER},
      {"gpt2",
       R"({"add_prefix_space": true, "add_bos_token": false})",
       {0},
       {1},
       COPPICE_PREPEND_UNLESS},
      {"digits",
       R"({"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": true})",
       {},
       {},
       COPPICE_PREPEND_NEVER},
  };
  for (const Config &config : configs) {
    SCOPED_TRACE(config.config);
    std::string error;
    auto tables = withConfig(config.model, config.config, error);
    ASSERT_TRUE(tables) << error;
    EXPECT_EQ(tables->prefixIds, config.prefix);
    EXPECT_EQ(tables->suffixIds, config.suffix);
    EXPECT_EQ(tables->prependWhen, config.prependWhen);
    EXPECT_EQ(LoadedTokenizer(buildTokenizer(*tables)).status(), COPPICE_OK);
  }
}

TEST(Configs, Refusals) {
  const struct {
    const char *model, *config, *error;
  } refusals[] = {
      {"sentence", "[]", "the file holds []; it must hold an object"},
      {"sentence", R"({"tokenizer_class": 1, "add_bos_token": true})", "tokenizer_class is 1"},
      {"sentence", R"({"tokenizer_class": "LlamaTokenizer", "add_bos_token": 1})",
       "add_bos_token is 1; it must be true or false"},
      {"sentence", R"({"tokenizer_class": "GemmaTokenizer", "add_eos_token": true})",
       "add_bos_token is true, but bos_token \"<bos>\" is not in the vocabulary"},
      {"sentence",
       R"({"tokenizer_class": "LlamaTokenizer", "add_bos_token": true, "bos_token": null})",
       "bos_token is null; it must be an object"},
      {"gpt2", R"({"add_prefix_space": "no"})", "add_prefix_space is \"no\""},
      {"nfc", R"({"add_prefix_space": true})", "add_prefix_space is true beside a normalizer"},
  };
  for (const auto &[model, config, expected] : refusals) {
    std::string error;
    EXPECT_FALSE(withConfig(model, config, error)) << config;
    EXPECT_TRUE(StringRef(error).contains(expected)) << error;
  }
}

// Added tokens that want composed text are composed too.
TEST(Forms, AddedTokensAreComposed) {
  auto tokenizer = load(goldenModel("nfc"));
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->encode("caf\u00e9").size(), 1u);
  EXPECT_EQ(tokenizer->encode("cafe\u0301"), tokenizer->encode("caf\u00e9"));
}

} // namespace
