// tokenizer.json's normalizer, pre-tokenizer, decoder and post-processor: each is recognised as one
// of the forms that the core implements, or refused by name.
#include "compiler/artifact/tokenizer/Spec.h"
#include "compiler/import/Json.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

namespace coppice::tokenizer {

using llvm::Error, llvm::Expected, llvm::StringRef;

/// What a step is called, where "Sequence" has steps of its own under `list`.
static Error flatten(const Field &step, StringRef list, std::vector<Field> &steps) {
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

static std::string typeOf(const Field &step) {
  return step.value->getAsObject()->getString("type")->str();
}

static Error unsupported(const Field &step, StringRef supported) {
  return step["type"].error("\"" + typeOf(step) + "\" is not supported here; " + supported + " is");
}

/// The text of {"String": TEXT}; regular expressions are refused.
static Expected<std::string> plainPattern(const Field &pattern) {
  if (pattern["String"].value)
    return pattern["String"].string();
  if (!pattern.value)
    return pattern.error("is missing");
  return pattern.error("is " + quoteJson(*pattern.value) +
                       "; only {\"String\": ...} is supported here");
}

/// Longer affixes are refused by the runtime as damage.
static Error checkLength(const Field &field, const std::string &text) {
  if (text.empty() || text.size() > 64)
    return field.error("has " + llvm::Twine(text.size()) + " bytes; 1 to 64 are supported");
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
    if (type == "Prepend") {
      Expected<std::string> text = step["prepend"].string();
      if (!text)
        return text.takeError();
      if (settings.spaceInNormalizer && StringRef(*text).contains(' '))
        return step["prepend"].error(
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
        return step["pattern"].error("is \"" + *pattern + "\"; only a space can be replaced");
      if (Error error = checkLength(step["content"], *content))
        return error;
      if (settings.spaceInNormalizer || StringRef(*content).contains(' '))
        return step.error("replaces spaces a second time, which is not supported");
      settings.space = *content;
      settings.spaceInNormalizer = true;
      settings.prepend = replaceAll(settings.prepend, " ", *content);
    } else {
      return unsupported(step, "\"Prepend\", \"Replace\" or a \"Sequence\" of them");
    }
  }
  return Error::success();
}

/// The expressions that the core knows, character for character.
static std::optional<uint8_t> knownExpression(StringRef pattern) {
  if (pattern == R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)")
    return COPPICE_WORDS_GPT2;
  StringRef head = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})";
  StringRef tail = R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  if (!pattern.consume_front(head) || !pattern.consume_back(tail))
    return std::nullopt;
  if (pattern == "{1,3}")
    return COPPICE_WORDS_LLAMA3;
  if (pattern.empty())
    return COPPICE_WORDS_QWEN2;
  return std::nullopt;
}

static Error readSplit(const Field &step, TokenizerTables &settings) {
  Field pattern = step["pattern"];
  // Nothing to split at, once the normalizer has replaced every space.
  if (auto text = pattern["String"].value ? pattern["String"].value->getAsString() : std::nullopt;
      text && *text == " " && settings.spaceInNormalizer)
    return Error::success();
  Expected<std::string> expression = pattern["Regex"].string();
  if (!expression)
    return expression.takeError();
  auto words = knownExpression(*expression);
  if (!words)
    return pattern["Regex"].error(
        "is \"" + *expression +
        "\"; only the expressions of GPT-2, Llama 3 and Qwen 2 are supported");
  Expected<std::string> behavior = step["behavior"].string();
  if (!behavior)
    return behavior.takeError();
  if (*behavior != "Isolated")
    return step["behavior"].error("is \"" + *behavior + "\"; only \"Isolated\" is supported");
  Expected<bool> invert = step["invert"].booleanOr(false);
  if (!invert)
    return invert.takeError();
  if (*invert)
    return step["invert"].error("is true, which is not supported");
  if (settings.words != COPPICE_WORDS_WHOLE)
    return step.error("cuts words a second time, which is not supported");
  settings.words = *words;
  return Error::success();
}

static Error readByteLevel(const Field &step, TokenizerTables &settings) {
  Expected<bool> prefix = step["add_prefix_space"].boolean();
  if (!prefix)
    return prefix.takeError();
  Expected<bool> expression = step["use_regex"].booleanOr(true);
  if (!expression)
    return expression.takeError();
  bool cut = settings.words != COPPICE_WORDS_WHOLE || settings.digits != COPPICE_DIGITS_KEPT;
  if (*prefix) {
    if (cut)
      return step["add_prefix_space"].error(
          "is true after text is cut already, which is not supported");
    if (settings.prependWhen != COPPICE_PREPEND_NEVER || settings.spaceInNormalizer)
      return step["add_prefix_space"].error("is true beside a normalizer, which is not supported");
    settings.prependWhen = COPPICE_PREPEND_UNLESS;
    settings.prepend = " ";
  }
  if (*expression) {
    if (settings.words != COPPICE_WORDS_WHOLE)
      return step["use_regex"].error("cuts words a second time, which is not supported");
    settings.words = COPPICE_WORDS_GPT2;
  }
  settings.symbols = COPPICE_SYMBOLS_BYTES;
  return Error::success();
}

static Error readMetaspace(const Field &step, TokenizerTables &settings) {
  if (settings.prependWhen != COPPICE_PREPEND_NEVER || settings.spaceInNormalizer)
    return step["type"].error("\"Metaspace\" beside a normalizer is not supported");
  Expected<std::string> mark = step["replacement"].string();
  if (!mark)
    return mark.takeError();
  std::string scheme = "always";
  if (!step["prepend_scheme"].isNull()) {
    Expected<std::string> given = step["prepend_scheme"].string();
    if (!given)
      return given.takeError();
    scheme = *given;
  }
  Expected<bool> prefix = step["add_prefix_space"].booleanOr(true);
  if (!prefix)
    return prefix.takeError();
  if (!*prefix) {
    if (!step["prepend_scheme"].isNull() && scheme != "never")
      return step["add_prefix_space"].error("is false, but prepend_scheme is \"" + scheme + "\"");
    scheme = "never";
  }
  Expected<bool> split = step["split"].booleanOr(true);
  if (!split)
    return split.takeError();
  if (Error error = checkLength(step["replacement"], *mark))
    return error;
  if (llvm::count_if(*mark, [](char c) { return (c & 0xC0) != 0x80; }) != 1)
    return step["replacement"].error("is \"" + *mark + "\"; it must be one character");
  settings.space = *mark;
  if (scheme == "always" || scheme == "first") {
    settings.prepend = *mark;
    settings.prependWhen = scheme == "first" ? COPPICE_PREPEND_FIRST : COPPICE_PREPEND_UNLESS;
  } else if (scheme != "never") {
    return step["prepend_scheme"].error("is \"" + scheme +
                                        "\"; \"always\", \"first\" and \"never\" are known");
  }
  if (*split)
    settings.words = COPPICE_WORDS_METASPACE;
  return Error::success();
}

Error readPreTokenizer(const Field &preTokenizer, TokenizerTables &settings) {
  std::vector<Field> steps;
  if (Error error = flatten(preTokenizer, "pretokenizers", steps))
    return error;
  for (size_t i = 0; i < steps.size(); ++i) {
    const Field &step = steps[i];
    std::string type = typeOf(step);
    if (settings.symbols == COPPICE_SYMBOLS_BYTES)
      return step["type"].error("\"" + type + "\" after \"ByteLevel\" is not supported");
    if (type == "ByteLevel") {
      if (Error error = readByteLevel(step, settings))
        return error;
    } else if (type == "Split") {
      if (Error error = readSplit(step, settings))
        return error;
    } else if (type == "Digits") {
      Expected<bool> each = step["individual_digits"].booleanOr(false);
      if (!each)
        return each.takeError();
      if (i > 0)
        return step["type"].error("\"Digits\" after another step is not supported");
      settings.digits = *each ? COPPICE_DIGITS_EACH : COPPICE_DIGITS_RUNS;
    } else if (type == "Metaspace") {
      if (steps.size() > 1)
        return step["type"].error("\"Metaspace\" beside another step is not supported");
      if (Error error = readMetaspace(step, settings))
        return error;
    } else {
      return unsupported(step,
                         "\"ByteLevel\", \"Metaspace\", \"Split\", \"Digits\" or a \"Sequence\"");
    }
  }
  return Error::success();
}

static Error readDecoderStep(const Field &step, TokenizerTables &settings, bool &fused) {
  std::string type = typeOf(step);
  if (type == "Replace") {
    if (settings.decoder != COPPICE_DECODER_TEXT || fused || !settings.decodeFrom.empty())
      return step["type"].error("\"Replace\" after another step is not supported");
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
      return step.error("replaces \"" + *from + "\" by \"" + *to +
                        "\"; only that of something beyond ASCII by a space is supported");
    settings.decodeFrom = *from;
    settings.decodeTo = *to;
  } else if (type == "ByteFallback") {
    if (fused)
      return step["type"].error("\"ByteFallback\" after \"Fuse\" is not supported");
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
      return step["content"].error("is \"" + *content + "\"; only a space can be stripped");
    if (*stop != 0)
      return step["stop"].error("is " + llvm::Twine(*stop) + "; only 0 is supported");
    if (!fused || settings.decodeStrip)
      return step["type"].error("\"Strip\" is supported once, behind \"Fuse\"");
    settings.decodeStrip = *start;
  } else {
    return unsupported(step, "\"ByteLevel\", \"Metaspace\", or a \"Sequence\" of \"Replace\", "
                             "\"ByteFallback\", \"Fuse\" and \"Strip\"");
  }
  return Error::success();
}

Error readDecoder(const Field &decoder, TokenizerTables &settings) {
  std::vector<Field> steps;
  if (Error error = flatten(decoder, "decoders", steps))
    return error;
  if (steps.empty())
    return decoder.error("is missing; tokens joined by spaces are not supported");
  std::string type = typeOf(steps[0]);
  bool bytes = type == "ByteLevel";
  if (bytes != (settings.symbols == COPPICE_SYMBOLS_BYTES))
    return decoder.error("is \"" + type +
                         "\"; \"ByteLevel\" must be both a pre-tokenizer and the " +
                         "decoder, or neither");
  if (bytes || type == "Metaspace") {
    if (steps.size() > 1)
      return steps[1]["type"].error("\"" + typeOf(steps[1]) + "\" after \"" + type +
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
        return sequence["id"].error("is \"" + *name + "\"; a single text is \"A\"");
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
    return single.error("has the text " + llvm::Twine(sequences) + " times; once is supported");
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
      return unsupported(step, "\"TemplateProcessing\", \"RobertaProcessing\", \"BertProcessing\", "
                               "\"ByteLevel\" or a \"Sequence\"");
    }
    settings.prefixIds.insert(settings.prefixIds.begin(), before.begin(), before.end());
    settings.suffixIds.insert(settings.suffixIds.end(), behind.begin(), behind.end());
  }
  if (settings.prefixIds.size() > 64 || settings.suffixIds.size() > 64)
    return postProcessor.error("adds more than 64 tokens at one end, which is not supported");
  return Error::success();
}

} // namespace coppice::tokenizer
