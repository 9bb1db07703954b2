// tokenizer.json's normalizer, decoder and post-processor. (PreTokenizer.cpp reads what lies
// between.)
#include "compiler/artifact/tokenizer/Spec.h"
#include "compiler/import/Json.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

namespace coppice::tokenizer {

using llvm::Error, llvm::Expected, llvm::StringRef;

Error flatten(const Field &step, StringRef list, std::vector<Field> &steps) {
  if (step.isNull())
    return Error::success();
  Expected<std::string> type = step["type"].string();
  if (!type)
    return type.takeError();
  if (*type != "Sequence") {
    steps.push_back(step);
    return Error::success();
  }
  Field inner = step[list];
  auto array = inner.array();
  if (!array)
    return array.takeError();
  for (size_t i = 0; i < (*array)->size(); ++i)
    if (Error error = flatten(inner[i], list, steps))
      return error;
  return Error::success();
}

std::string typeOf(const Field &step) {
  return step.value->getAsObject()->getString("type")->str();
}

Error unsupportedStep(const Field &step, StringRef supported) {
  return step["type"].unsupported("\"" + typeOf(step) + "\" is not supported here; " + supported +
                                  " is");
}

/// The text of {"String": TEXT}; regular expressions are refused.
static Expected<std::string> plainPattern(const Field &pattern) {
  if (pattern["String"].value)
    return pattern["String"].string();
  if (!pattern.value)
    return pattern.error("is missing");
  return pattern.unsupported("is " + quoteJson(*pattern.value) +
                             "; only {\"String\": ...} is supported here");
}

Error checkLength(const Field &field, const std::string &text) {
  if (text.empty() || text.size() > 64)
    return field.unsupported("has " + llvm::Twine(text.size()) + " bytes; 1 to 64 are supported");
  return Error::success();
}

static std::string replaceAll(StringRef text, StringRef from, StringRef to) {
  std::string result;
  for (size_t at; (at = text.find(from)) != StringRef::npos;
       text = text.drop_front(at + from.size()))
    (result += text.take_front(at)) += to;
  return result += text;
}

Error readNormalizer(const Field &normalizer, TokenizerTables &settings) {
  std::vector<Field> steps;
  if (Error error = flatten(normalizer, "normalizers", steps))
    return error;
  for (const Field &step : steps) {
    std::string type = typeOf(step);
    if (type == "NFC") {
      if (steps.size() > 1)
        return step["type"].unsupported("\"NFC\" beside another step is not supported");
      settings.nfc = true;
    } else if (type == "Prepend") {
      Expected<std::string> text = step["prepend"].string();
      if (!text)
        return text.takeError();
      if (settings.spaceInNormalizer && StringRef(*text).contains(' '))
        return step["prepend"].unsupported(
            "has a space after spaces were replaced, which is not supported");
      settings.prepend = *text + settings.prepend;
      settings.prependWhen = COPPICE_PREPEND_NORMALIZER;
      if (Error error = checkLength(step["prepend"], settings.prepend))
        return error;
    } else if (type == "Replace") {
      Expected<std::string> pattern = plainPattern(step["pattern"]);
      if (!pattern)
        return pattern.takeError();
      Expected<std::string> content = step["content"].string();
      if (!content)
        return content.takeError();
      if (*pattern != " ")
        return step["pattern"].unsupported("is \"" + *pattern + "\"; only a space can be replaced");
      if (Error error = checkLength(step["content"], *content))
        return error;
      if (settings.spaceInNormalizer || StringRef(*content).contains(' '))
        return step.unsupported("replaces spaces a second time, which is not supported");
      settings.space = *content;
      settings.spaceInNormalizer = true;
      settings.prepend = replaceAll(settings.prepend, " ", *content);
    } else {
      return unsupportedStep(
          step, "\"Prepend\", \"Replace\" or a \"Sequence\" of them, or \"NFC\" alone,");
    }
  }
  return Error::success();
}

static Error readDecoderStep(const Field &step, TokenizerTables &settings, bool &fused) {
  std::string type = typeOf(step);
  if (type == "Replace") {
    if (settings.decoder != COPPICE_DECODER_TEXT || fused || !settings.decodeFrom.empty())
      return step["type"].unsupported("\"Replace\" after another step is not supported");
    Expected<std::string> from = plainPattern(step["pattern"]);
    if (!from)
      return from.takeError();
    Expected<std::string> to = step["content"].string();
    if (!to)
      return to.takeError();
    if (Error error = checkLength(step["pattern"], *from))
      return error;
    // A byte token must mean the same before and after.
    if (*to != " " || llvm::any_of(*from, [](char c) { return llvm::isPrint(c); }))
      return step.unsupported("replaces \"" + *from + "\" by \"" + *to +
                              "\"; only that of something beyond ASCII by a space is supported");
    settings.decodeFrom = *from;
    settings.decodeTo = *to;
  } else if (type == "ByteFallback") {
    if (fused)
      return step["type"].unsupported("\"ByteFallback\" after \"Fuse\" is not supported");
    settings.decoder = COPPICE_DECODER_FALLBACK;
  } else if (type == "Fuse") {
    fused = true;
  } else if (type == "Strip") {
    Expected<std::string> content = step["content"].string();
    if (!content)
      return content.takeError();
    Expected<uint32_t> start = step["start"].number();
    if (!start)
      return start.takeError();
    Expected<uint32_t> stop = step["stop"].number();
    if (!stop)
      return stop.takeError();
    if (*content != " ")
      return step["content"].unsupported("is \"" + *content + "\"; only a space can be stripped");
    if (*stop != 0)
      return step["stop"].unsupported("is " + llvm::Twine(*stop) + "; only 0 is supported");
    if (!fused || settings.decodeStrip)
      return step["type"].unsupported("\"Strip\" is supported once, behind \"Fuse\"");
    settings.decodeStrip = *start;
  } else {
    return unsupportedStep(step, "\"ByteLevel\", \"Metaspace\", or a \"Sequence\" of \"Replace\", "
                                 "\"ByteFallback\", \"Fuse\" and \"Strip\"");
  }
  return Error::success();
}

Error readDecoder(const Field &decoder, TokenizerTables &settings) {
  std::vector<Field> steps;
  if (Error error = flatten(decoder, "decoders", steps))
    return error;
  if (steps.empty())
    return decoder.unsupported("is missing; tokens joined by spaces are not supported");
  std::string type = typeOf(steps[0]);
  bool bytes = type == "ByteLevel";
  if (bytes != (settings.symbols == COPPICE_SYMBOLS_BYTES))
    return decoder.unsupported("is \"" + type +
                               "\"; \"ByteLevel\" must be both a pre-tokenizer and the " +
                               "decoder, or neither");
  if (bytes || type == "Metaspace") {
    if (steps.size() > 1)
      return steps[1]["type"].unsupported("\"" + typeOf(steps[1]) + "\" after \"" + type +
                                          "\" is not supported");
    if (bytes) {
      settings.decoder = COPPICE_DECODER_BYTES;
      return Error::success();
    }
    TokenizerTables metaspace;
    if (Error error = readMetaspace(steps[0], metaspace))
      return error;
    settings.decoder = COPPICE_DECODER_METASPACE;
    settings.decodeFrom = metaspace.space;
    settings.decodeTo = " ";
    settings.decodeFirstStays = metaspace.prependWhen == COPPICE_PREPEND_NEVER;
    return Error::success();
  }
  bool fused = false;
  for (const Field &step : steps)
    if (Error error = readDecoderStep(step, settings, fused))
      return error;
  return Error::success();
}

/// ["TEXT", id] of BertProcessing and RobertaProcessing.
static Error readPair(const Field &pair, std::vector<uint32_t> &ids) {
  Expected<uint32_t> id = pair[1].number();
  if (!id)
    return id.takeError();
  ids = {*id};
  return Error::success();
}

/// The ids before and behind $A.
static Error readTemplate(const Field &step, std::vector<uint32_t> &before,
                          std::vector<uint32_t> &behind) {
  Field single = step["single"];
  auto parts = single.array();
  if (!parts)
    return parts.takeError();
  unsigned sequences = 0;
  for (size_t i = 0; i < (*parts)->size(); ++i) {
    Field special = single[i]["SpecialToken"], sequence = single[i]["Sequence"];
    if (sequence.value) {
      Expected<std::string> name = sequence["id"].string();
      if (!name)
        return name.takeError();
      if (*name != "A")
        return sequence["id"].unsupported("is \"" + *name + "\"; a single text is \"A\"");
      ++sequences;
      continue;
    }
    Expected<std::string> name = special["id"].string();
    if (!name)
      return name.takeError();
    Field ids = step["special_tokens"][*name]["ids"];
    auto array = ids.array();
    if (!array)
      return array.takeError();
    for (size_t k = 0; k < (*array)->size(); ++k) {
      Expected<uint32_t> id = ids[k].number();
      if (!id)
        return id.takeError();
      (sequences ? behind : before).push_back(*id);
    }
  }
  if (sequences != 1)
    return single.unsupported("has the text " + llvm::Twine(sequences) +
                              " times; once is supported");
  return Error::success();
}

Error readPostProcessor(const Field &postProcessor, TokenizerTables &settings) {
  std::vector<Field> steps;
  if (Error error = flatten(postProcessor, "processors", steps))
    return error;
  for (const Field &step : steps) {
    std::string type = typeOf(step);
    std::vector<uint32_t> before, behind;
    if (type == "ByteLevel") // about offsets in the text only
      continue;
    if (type == "TemplateProcessing") {
      if (Error error = readTemplate(step, before, behind))
        return error;
    } else if (type == "RobertaProcessing" || type == "BertProcessing") {
      if (Error error = readPair(step["cls"], before))
        return error;
      if (Error error = readPair(step["sep"], behind))
        return error;
    } else {
      return unsupportedStep(step,
                             "\"TemplateProcessing\", \"RobertaProcessing\", \"BertProcessing\", "
                             "\"ByteLevel\" or a \"Sequence\"");
    }
    settings.prefixIds.insert(settings.prefixIds.begin(), before.begin(), before.end());
    settings.suffixIds.insert(settings.suffixIds.end(), behind.begin(), behind.end());
  }
  if (settings.prefixIds.size() > 64 || settings.suffixIds.size() > 64)
    return postProcessor.unsupported("adds more than 64 tokens at one end, which is not supported");
  return Error::success();
}

} // namespace coppice::tokenizer
