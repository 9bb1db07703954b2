// tokenizer.json of Hugging Face `tokenizers`, version 1.0, with a BPE model.
#include "compiler/artifact/tokenizer/Spec.h"
#include "compiler/import/Files.h"
#include "compiler/import/Json.h"
#include "llvm/ADT/STLExtras.h"

namespace coppice::tokenizer {

using llvm::ArrayRef, llvm::Error, llvm::Expected, llvm::StringRef;

Error readVocabulary(const Field &vocabulary, Spec &spec) {
  auto object = vocabulary.object();
  if (!object)
    return object.takeError();
  for (const auto &entry : **object) {
    std::string text = entry.first.str();
    Expected<uint32_t> id = vocabulary[text].number();
    if (!id)
      return id.takeError();
    spec.vocabulary.emplace_back(text, *id);
    spec.idOf[text] = *id;
  }
  llvm::sort(spec.vocabulary, [](const auto &a, const auto &b) {
    return std::tie(a.second, a.first) < std::tie(b.second, b.first);
  });
  for (size_t i = 1; i < spec.vocabulary.size(); ++i)
    if (spec.vocabulary[i].second == spec.vocabulary[i - 1].second)
      return vocabulary.error("gives id " + llvm::Twine(spec.vocabulary[i].second) + " to both \"" +
                              spec.vocabulary[i - 1].first + "\" and \"" +
                              spec.vocabulary[i].first + "\"");
  return Error::success();
}

/// ["a b", ...] as older files have it, or [["a", "b"], ...].
static Error readMerges(const Field &merges, Spec &spec) {
  auto array = merges.array();
  if (!array)
    return array.takeError();
  for (size_t i = 0; i < (*array)->size(); ++i) {
    const llvm::json::Value &item = (**array)[i];
    if (auto text = item.getAsString()) {
      if (text->starts_with("#version"))
        continue;
      auto [left, right] = text->split(' ');
      if (left.size() == text->size() || right.contains(' '))
        return merges[i].error("is " + quoteJson(item) + "; it must be two tokens and one space");
      spec.merges.emplace_back(left.str(), right.str());
      continue;
    }
    const llvm::json::Array *pair = item.getAsArray();
    if (!pair || pair->size() != 2 || !(*pair)[0].getAsString() || !(*pair)[1].getAsString())
      return merges[i].error("is " + quoteJson(item) + "; it must be a pair of tokens");
    spec.merges.emplace_back((*pair)[0].getAsString()->str(), (*pair)[1].getAsString()->str());
  }
  return Error::success();
}

/// Absent, null or empty; what else it says changes the words.
static Error refuseText(const Field &field) {
  if (field.isNull())
    return Error::success();
  Expected<std::string> text = field.string();
  if (!text)
    return text.takeError();
  if (!text->empty())
    return field.unsupported("is \"" + *text + "\", which is not supported");
  return Error::success();
}

static Error readModel(const Field &model, Spec &spec) {
  if (auto object = model.object(); !object)
    return object.takeError();
  if (model["type"].value) {
    Expected<std::string> type = model["type"].string();
    if (!type)
      return type.takeError();
    if (*type != "BPE")
      return model["type"].unsupported("is \"" + *type + "\"; only \"BPE\" is supported");
  }
  if (!model["dropout"].isNull() && model["dropout"].value->getAsNumber() != 0.0)
    return model["dropout"].unsupported("is " + quoteJson(*model["dropout"].value) +
                                        "; tokens at random are not supported");
  if (Error error = refuseText(model["continuing_subword_prefix"]))
    return error;
  if (Error error = refuseText(model["end_of_word_suffix"]))
    return error;
  struct {
    const char *name;
    bool *to;
  } flags[] = {{"fuse_unk", &spec.settings.fuseUnknown},
               {"byte_fallback", &spec.byteFallback},
               {"ignore_merges", &spec.ignoreMerges}};
  for (auto [name, to] : flags) {
    Expected<bool> flag = model[name].booleanOr(false);
    if (!flag)
      return flag.takeError();
    *to = *flag;
  }
  if (Error error = readVocabulary(model["vocab"], spec))
    return error;
  if (!model["unk_token"].isNull()) {
    Expected<std::string> unknown = model["unk_token"].string();
    if (!unknown)
      return unknown.takeError();
    if (!spec.idOf.count(*unknown))
      return model["unk_token"].error("is \"" + *unknown + "\", which is not in model.vocab");
    spec.unknown = *unknown;
  }
  return readMerges(model["merges"], spec);
}

static Error readAddedTokens(const Field &tokens, Spec &spec) {
  if (tokens.isNull())
    return Error::success();
  auto array = tokens.array();
  if (!array)
    return array.takeError();
  for (size_t i = 0; i < (*array)->size(); ++i) {
    Field entry = tokens[i];
    AddedToken token;
    Expected<std::string> content = entry["content"].string();
    if (!content)
      return content.takeError();
    Expected<uint32_t> id = entry["id"].number();
    if (!id)
      return id.takeError();
    token.content = *content;
    token.id = *id;
    struct {
      const char *name;
      bool *to;
    } flags[] = {{"single_word", &token.singleWord},
                 {"lstrip", &token.lstrip},
                 {"rstrip", &token.rstrip},
                 {"normalized", &token.normalized},
                 {"special", &token.special}};
    for (auto [name, to] : flags) {
      Expected<bool> flag = entry[name].boolean();
      if (!flag)
        return flag.takeError();
      *to = *flag;
    }
    if (!token.content.empty()) // the original ignores it
      spec.added.push_back(std::move(token));
  }
  return Error::success();
}

/// How texts of a batch are made equally long. They do not apply here: `transformers` turns both
/// off in every call that does not ask for them. So they have only to be sound.
static Error checkBatching(const Field &root) {
  auto check = [](const Field &field, ArrayRef<StringRef> numbers,
                  ArrayRef<StringRef> texts) -> Error {
    if (field.isNull())
      return Error::success();
    if (auto object = field.object(); !object)
      return object.takeError();
    for (StringRef name : numbers)
      if (Expected<uint32_t> number = field[name].number(); !number)
        return number.takeError();
    for (StringRef name : texts)
      if (Expected<std::string> text = field[name].string(); !text)
        return text.takeError();
    return Error::success();
  };
  if (Error error = check(root["truncation"], {"max_length", "stride"}, {"strategy"}))
    return error;
  Field padding = root["padding"], strategy = padding["strategy"];
  if (Error error = check(padding, {"pad_id", "pad_type_id"}, {"direction", "pad_token"}))
    return error;
  if (padding.isNull())
    return Error::success();
  // "BatchLongest", or {"Fixed": N}.
  if (strategy["Fixed"].value)
    return check(strategy, {"Fixed"}, {});
  return check(padding, {}, {"strategy"});
}

Error readTokenizerJson(StringRef path, Spec &spec) {
  Expected<llvm::json::Value> json = readJsonFile(path);
  if (!json)
    return json.takeError();
  return readTokenizerJson(*json, path, spec);
}

Error readTokenizerJson(const llvm::json::Value &json, StringRef path, Spec &spec) {
  spec.file = path.str();
  Field root{&json, spec.file, ""};
  if (!json.getAsObject())
    return fieldError(path, "the file", "holds " + quoteJson(json) + "; it must hold an object");
  if (root["version"].value) {
    Expected<std::string> version = root["version"].string();
    if (!version)
      return version.takeError();
    if (*version != "1.0")
      return root["version"].unsupported("is \"" + *version + "\"; only \"1.0\" is known");
  }
  if (Error error = checkBatching(root))
    return error;
  if (Error error = readModel(root["model"], spec))
    return error;
  if (Error error = readAddedTokens(root["added_tokens"], spec))
    return error;
  if (Error error = readNormalizer(root["normalizer"], spec.settings))
    return error;
  if (Error error = readPreTokenizer(root["pre_tokenizer"], spec.settings))
    return error;
  spec.byteLevelAlone = spec.settings.symbols == COPPICE_SYMBOLS_BYTES &&
                        !root["pre_tokenizer"]["pretokenizers"].value;
  if (Error error = readDecoder(root["decoder"], spec.settings))
    return error;
  return readPostProcessor(root["post_processor"], spec.settings);
}

} // namespace coppice::tokenizer
