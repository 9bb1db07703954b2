// vocab.json and merges.txt, as GPT-2 and OPT ship them: byte-level BPE with GPT-2's words. What is
// special, and whether a text begins with a token, is in the files beside them.
#include "compiler/artifact/tokenizer/Spec.h"
#include "compiler/import/Files.h"
#include "compiler/import/Json.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

namespace coppice::tokenizer {

using llvm::Error, llvm::Expected, llvm::StringRef;

namespace {

class Reader {
public:
  Reader(StringRef directory, Spec &spec) : directory(directory), spec(spec) {}
  Error read();

private:
  Error readMerges();
  Error readSettings();
  Error readSpecialTokens();
  Error readAddedTokens();
  Error add(const Field &field, AddedToken token);

  StringRef directory;
  Spec &spec;
  OptionalFile config, specials, extra;
  llvm::StringSet<> seen; // texts of spec.added
};

} // namespace

Error Reader::readMerges() {
  std::string path = joinPath(directory, "merges.txt");
  if (!fileExists(path))
    return fieldError(path, "the file", "is missing; vocab.json is there and needs it");
  Expected<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.takeError();
  StringRef rest = llvm::toStringRef(file->bytes());
  for (size_t line = 1; !rest.empty(); ++line) {
    StringRef text;
    std::tie(text, rest) = rest.split('\n');
    text.consume_back("\r");
    if (text.starts_with("#version") || (text.empty() && rest.empty()))
      continue;
    auto [left, right] = text.split(' ');
    if (left.empty() || right.empty() || right.contains(' '))
      return fieldError(path, "line " + llvm::Twine(line),
                        "is \"" + text.take_front(80) + "\"; it must be two tokens and one space");
    spec.merges.emplace_back(left.str(), right.str());
  }
  return Error::success();
}

/// A token that stands in several places is what the first says.
Error Reader::add(const Field &field, AddedToken token) {
  if (token.content.empty())
    return field.error("is an empty token");
  if (!seen.insert(token.content).second)
    return Error::success();
  auto id = spec.idOf.find(token.content);
  if (id == spec.idOf.end()) {
    Field given = extra.root()[token.content];
    if (!given.value)
      return field.error("is \"" + token.content +
                         "\", which has no id; add it to vocab.json or added_tokens.json");
    Expected<uint32_t> number = given.number();
    if (!number)
      return number.takeError();
    token.id = *number;
  } else {
    token.id = id->second;
  }
  spec.added.push_back(std::move(token));
  return Error::success();
}

Error Reader::readSpecialTokens() {
  // tokenizer_config.json's list, where there is one, knows the flags.
  Field decoder = config.root()["added_tokens_decoder"];
  if (!decoder.isNull()) {
    auto object = decoder.object();
    if (!object)
      return object.takeError();
    std::vector<std::pair<uint32_t, std::string>> ids;
    for (const auto &entry : **object) {
      uint32_t id;
      if (StringRef(entry.first).getAsInteger(10, id))
        return decoder.error("has the key \"" + entry.first.str() + "\"; it must be an id");
      ids.emplace_back(id, entry.first.str());
    }
    llvm::sort(ids);
    for (auto &[id, key] : ids) {
      Expected<AddedToken> token = readToken(decoder[key], false);
      if (!token)
        return token.takeError();
      auto known = spec.idOf.find(token->content);
      if (known != spec.idOf.end() && known->second != id)
        return decoder[key].error("is \"" + token->content + "\", whose id in vocab.json is " +
                                  llvm::Twine(known->second));
      token->id = id;
      seen.insert(token->content);
      spec.added.push_back(std::move(*token));
    }
  }
  for (const OptionalFile *file : {&specials, &config}) {
    for (StringRef name : {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
                           "cls_token", "mask_token"}) {
      Field field = file->root()[name];
      if (field.isNull())
        continue;
      Expected<AddedToken> token = readToken(field, true);
      if (!token)
        return token.takeError();
      if (Error error = add(field, std::move(*token)))
        return error;
    }
    Field list = file->root()["additional_special_tokens"];
    if (list.isNull())
      continue;
    auto array = list.array();
    if (!array)
      return array.takeError();
    for (size_t i = 0; i < (*array)->size(); ++i) {
      Expected<AddedToken> token = readToken(list[i], true);
      if (!token)
        return token.takeError();
      if (Error error = add(list[i], std::move(*token)))
        return error;
    }
  }
  return Error::success();
}

Error Reader::readAddedTokens() {
  if (!extra.json)
    return Error::success();
  std::vector<std::pair<uint32_t, std::string>> ids;
  for (const auto &entry : *extra.json->getAsObject()) {
    std::string text = entry.first.str();
    Expected<uint32_t> id = extra.root()[text].number();
    if (!id)
      return id.takeError();
    ids.emplace_back(*id, text);
  }
  llvm::sort(ids);
  for (auto &[id, text] : ids) {
    auto known = spec.idOf.find(text);
    if (known != spec.idOf.end() && known->second != id)
      return extra.root()[text].error("is " + llvm::Twine(id) + ", but " +
                                      llvm::Twine(known->second) + " in vocab.json");
    AddedToken token;
    token.content = text;
    token.normalized = true;
    if (Error error = add(extra.root()[text], std::move(token)))
      return error;
  }
  return Error::success();
}

/// GPT-2's tokenizer is the only one of these files that this is exact for.
Error Reader::readSettings() {
  Field root = config.root();
  if (!root["tokenizer_class"].isNull()) {
    Expected<std::string> name = root["tokenizer_class"].string();
    if (!name)
      return name.takeError();
    if (*name != "GPT2Tokenizer" && *name != "GPT2TokenizerFast")
      return root["tokenizer_class"].unsupported(
          "is \"" + *name + "\"; from vocab.json and merges.txt only \"GPT2Tokenizer\" is " +
          "supported; save the tokenizer as tokenizer.json");
  }
  Expected<bool> prefix = root["add_prefix_space"].booleanOr(false);
  if (!prefix)
    return prefix.takeError();
  if (*prefix) {
    spec.settings.prependWhen = COPPICE_PREPEND_UNLESS;
    spec.settings.prepend = " ";
  }
  Expected<bool> end = root["add_eos_token"].booleanOr(false);
  if (!end)
    return end.takeError();
  if (*end)
    return root["add_eos_token"].unsupported("is true, which GPT-2's tokenizer does not support");
  Expected<bool> begin = root["add_bos_token"].booleanOr(false);
  if (!begin)
    return begin.takeError();
  if (!*begin)
    return Error::success();
  Field bos = root["bos_token"].isNull() ? specials.root()["bos_token"] : root["bos_token"];
  if (bos.isNull())
    return root["add_bos_token"].error("is true, but bos_token is missing");
  Expected<AddedToken> token = readToken(bos, true);
  if (!token)
    return token.takeError();
  for (const AddedToken &other : spec.added)
    if (other.content == token->content)
      spec.settings.prefixIds = {other.id};
  return Error::success();
}

Error Reader::read() {
  struct {
    StringRef name;
    OptionalFile *to;
  } files[] = {{"tokenizer_config.json", &config},
               {"special_tokens_map.json", &specials},
               {"added_tokens.json", &extra}};
  for (auto [name, to] : files) {
    Expected<OptionalFile> file = OptionalFile::read(directory, name);
    if (!file)
      return file.takeError();
    *to = std::move(*file);
  }
  Expected<llvm::json::Value> vocabulary = readJsonFile(spec.file);
  if (!vocabulary)
    return vocabulary.takeError();
  Field root{&*vocabulary, spec.file, ""};
  if (!vocabulary->getAsObject())
    return fieldError(spec.file, "the file",
                      "holds " + quoteJson(*vocabulary) + "; it must hold an object");
  if (Error error = readVocabulary(root, spec))
    return error;
  if (Error error = readMerges())
    return error;
  spec.settings.symbols = COPPICE_SYMBOLS_BYTES;
  spec.settings.words = COPPICE_WORDS_GPT2;
  spec.settings.decoder = COPPICE_DECODER_BYTES;
  if (Error error = readSpecialTokens())
    return error;
  if (Error error = readAddedTokens())
    return error;
  return readSettings();
}

Error readVocabMerges(StringRef directory, Spec &spec) {
  spec.file = joinPath(directory, "vocab.json");
  return Reader(directory, spec).read();
}

} // namespace coppice::tokenizer
