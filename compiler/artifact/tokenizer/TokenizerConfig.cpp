// tokenizer_config.json beside tokenizer.json. Some of `transformers`' classes put other tokens
// around a text than tokenizer.json says, or a space before it, where these settings ask for it; a
// model was trained and is used with what they do.
#include "compiler/artifact/tokenizer/Spec.h"
#include "llvm/ADT/StringSwitch.h"

namespace coppice::tokenizer {

using llvm::Error, llvm::Expected, llvm::StringRef;

Expected<AddedToken> readToken(const Field &field, bool special) {
  AddedToken token;
  token.special = special;
  if (field.value && field.value->getAsString()) {
    token.content = field.value->getAsString()->str();
    return token;
  }
  if (auto object = field.object(); !object)
    return object.takeError();
  Expected<std::string> content = field["content"].string();
  if (!content)
    return content.takeError();
  token.content = *content;
  struct {
    const char *name;
    bool *to;
    bool fallback;
  } flags[] = {{"single_word", &token.singleWord, false},
               {"lstrip", &token.lstrip, false},
               {"rstrip", &token.rstrip, false},
               {"normalized", &token.normalized, !special},
               {"special", &token.special, special}};
  for (auto [name, to, fallback] : flags) {
    Expected<bool> flag = field[name].booleanOr(fallback);
    if (!flag)
      return flag.takeError();
    *to = *flag;
  }
  token.special |= special;
  return token;
}

namespace {

/// What a class that makes its own post-processor takes for granted.
struct Around {
  bool begin;
  StringRef bos, eos;
};

} // namespace

static std::optional<Around> aroundOf(StringRef tokenizerClass) {
  tokenizerClass.consume_back("Fast");
  return llvm::StringSwitch<std::optional<Around>>(tokenizerClass)
      .Cases("LlamaTokenizer", "CodeLlamaTokenizer", Around{true, "<s>", "</s>"})
      .Case("GemmaTokenizer", Around{true, "<bos>", "<eos>"})
      .Case("GPTNeoXTokenizer", Around{false, "<|endoftext|>", "<|endoftext|>"})
      .Default(std::nullopt);
}

/// Sets `ids` to the token that `name` is, if `wanted`, else to none.
static Error setAround(const Field &root, StringRef name, StringRef fallback, bool wanted,
                       const Spec &spec, std::vector<uint32_t> &ids) {
  ids.clear();
  if (!wanted)
    return Error::success();
  std::string text = fallback.str();
  if (Field field = root[name]; field.value) {
    Expected<AddedToken> token = readToken(field, true);
    if (!token)
      return token.takeError();
    text = token->content;
  }
  for (const AddedToken &token : spec.added)
    if (token.content == text)
      ids = {token.id};
  if (auto known = spec.idOf.find(text); ids.empty() && known != spec.idOf.end())
    ids = {known->second};
  if (ids.empty())
    return root[("add_" + name).str()].error("is true, but " + name + " \"" + text +
                                             "\" is not in the vocabulary");
  return Error::success();
}

Error applyTokenizerConfig(StringRef directory, Spec &spec) {
  Expected<OptionalFile> file = OptionalFile::read(directory, "tokenizer_config.json");
  if (!file)
    return file.takeError();
  Field root = file->root();
  Field space = root["add_prefix_space"], bos = root["add_bos_token"], eos = root["add_eos_token"];
  if (spec.byteLevelAlone && !space.isNull()) {
    Expected<bool> wanted = space.boolean();
    if (!wanted)
      return wanted.takeError();
    TokenizerTables &settings = spec.settings;
    bool normalized = settings.nfc || settings.spaceInNormalizer ||
                      settings.prependWhen == COPPICE_PREPEND_NORMALIZER;
    if (*wanted && normalized)
      return space.unsupported("is true beside a normalizer, which is not supported");
    if (!normalized) {
      settings.prependWhen = *wanted ? COPPICE_PREPEND_UNLESS : COPPICE_PREPEND_NEVER;
      settings.prepend = *wanted ? " " : "";
    }
  }
  if (root["tokenizer_class"].isNull() || (bos.isNull() && eos.isNull()))
    return Error::success();
  Expected<std::string> name = root["tokenizer_class"].string();
  if (!name)
    return name.takeError();
  std::optional<Around> around = aroundOf(*name);
  if (!around)
    return Error::success();
  Expected<bool> begin = bos.booleanOr(around->begin);
  if (!begin)
    return begin.takeError();
  Expected<bool> end = eos.booleanOr(false);
  if (!end)
    return end.takeError();
  if (Error error =
          setAround(root, "bos_token", around->bos, *begin, spec, spec.settings.prefixIds))
    return error;
  return setAround(root, "eos_token", around->eos, *end, spec, spec.settings.suffixIds);
}

} // namespace coppice::tokenizer
