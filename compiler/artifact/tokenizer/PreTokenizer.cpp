// tokenizer.json's pre-tokenizer: what is cut before words, words, and what is cut in them by the
// characters that "ByteLevel" writes for their bytes.
#include "compiler/artifact/tokenizer/Spec.h"
#include "compiler/import/Json.h"
#include "llvm/ADT/STLExtras.h"

namespace coppice::tokenizer {

using llvm::Error, llvm::Expected, llvm::StringRef;

/// The expressions that the core knows, character for character.
static std::optional<uint8_t> knownExpression(StringRef pattern) {
  if (pattern == R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)")
    return COPPICE_WORDS_GPT2;
  const std::string contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)", mark = R"([^\r\n\p{L}\p{N}]?)",
                    others = R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
                    slashes = R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
                    upper = R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])",
                    lower = R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])";
  auto cased = [&](const std::string &end) {
    return mark + upper + "*" + lower + "+" + end + "|" + mark + upper + "+" + lower + "*" + end;
  };
  const std::string llama = contractions + "|" + mark + R"(\p{L}+|\p{N})";
  const std::pair<std::string, uint8_t> expressions[] = {
      {llama + "{1,3}" + others, COPPICE_WORDS_LLAMA3},
      {llama + others, COPPICE_WORDS_QWEN2},
      {cased(contractions + "?") + R"(|\p{N}{1,3})" + slashes, COPPICE_WORDS_O200K},
      {cased("") + R"(|\p{N})" + slashes, COPPICE_WORDS_TEKKEN}};
  for (const auto &[text, words] : expressions)
    if (pattern == text)
      return words;
  return std::nullopt;
}

/// N of an expression that is [0-9] N times, up to 255.
static std::optional<uint8_t> digitGroup(StringRef pattern) {
  size_t count = 0;
  while (pattern.consume_front("[0-9]"))
    ++count;
  return pattern.empty() && count > 0 && count <= 255 ? std::optional(uint8_t(count))
                                                      : std::nullopt;
}

static bool cutsWords(const TokenizerTables &settings) {
  return settings.words != COPPICE_WORDS_WHOLE;
}

/// What "Split" does with what matches and what does not.
static Error checkBehavior(const Field &step, bool matchesCoverText) {
  Expected<std::string> behavior = step["behavior"].string();
  if (!behavior)
    return behavior.takeError();
  Expected<bool> invert = step["invert"].booleanOr(false);
  if (!invert)
    return invert.takeError();
  // Both are kept, each by itself: which is which does not matter.
  if (*behavior == "Isolated")
    return Error::success();
  // Removed is what does not match: nothing.
  if (*behavior == "Removed" && *invert && matchesCoverText)
    return Error::success();
  return step["behavior"].unsupported(
      "is \"" + *behavior + "\" and invert " + (*invert ? "true" : "false") +
      "; \"Isolated\" is supported" +
      (matchesCoverText ? ", and \"Removed\" where invert is true" : ""));
}

static Error readSplit(const Field &step, TokenizerTables &settings) {
  Field pattern = step["pattern"];
  // Nothing to split at, once the normalizer has replaced every space.
  if (auto text = pattern["String"].value ? pattern["String"].value->getAsString() : std::nullopt;
      text && *text == " " && settings.spaceInNormalizer)
    return Error::success();
  if (pattern["String"].value)
    return pattern["String"].unsupported("is " + quoteJson(*pattern["String"].value) +
                                         "; splitting at a text is not supported");
  Expected<std::string> expression = pattern["Regex"].string();
  if (!expression)
    return expression.takeError();
  auto words = knownExpression(*expression);
  if (!words)
    return pattern["Regex"].unsupported("is \"" + *expression +
                                        "\"; only the expressions of GPT-2, Llama 3, Qwen 2, "
                                        "GPT-4o and Tekken are supported here");
  if (Error error = checkBehavior(step, /*matchesCoverText=*/true))
    return error;
  if (cutsWords(settings))
    return step.unsupported("cuts words a second time, which is not supported");
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
  bool cut = cutsWords(settings) || settings.digits != COPPICE_CUT_NEVER ||
             settings.punctuation != COPPICE_CUT_NEVER;
  if (*prefix) {
    if (cut)
      return step["add_prefix_space"].unsupported(
          "is true after text is cut already, which is not supported");
    if (settings.prependWhen != COPPICE_PREPEND_NEVER || settings.spaceInNormalizer || settings.nfc)
      return step["add_prefix_space"].unsupported(
          "is true beside a normalizer, which is not supported");
    settings.prependWhen = COPPICE_PREPEND_UNLESS;
    settings.prepend = " ";
  }
  if (*expression) {
    if (cutsWords(settings))
      return step["use_regex"].unsupported("cuts words a second time, which is not supported");
    settings.words = COPPICE_WORDS_GPT2;
  }
  settings.symbols = COPPICE_SYMBOLS_BYTES;
  return Error::success();
}

Error readMetaspace(const Field &step, TokenizerTables &settings) {
  if (settings.prependWhen != COPPICE_PREPEND_NEVER || settings.spaceInNormalizer || settings.nfc)
    return step["type"].unsupported("\"Metaspace\" beside a normalizer is not supported");
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

/// Sets one of the COPPICE_CUT_* settings, once.
static Error setCut(const Field &step, bool each, uint8_t &setting) {
  if (setting != COPPICE_CUT_NEVER)
    return step["type"].unsupported("\"" + typeOf(step) + "\" a second time is not supported");
  setting = each ? COPPICE_CUT_EACH : COPPICE_CUT_RUNS;
  return Error::success();
}

static Error readDigits(const Field &step, uint8_t &setting) {
  Expected<bool> each = step["individual_digits"].booleanOr(false);
  return each ? setCut(step, *each, setting) : each.takeError();
}

static Error readPunctuation(const Field &step, TokenizerTables &settings) {
  std::string behavior = "Isolated";
  if (!step["behavior"].isNull()) {
    Expected<std::string> given = step["behavior"].string();
    if (!given)
      return given.takeError();
    behavior = *given;
  }
  if (behavior != "Isolated" && behavior != "Contiguous")
    return step["behavior"].unsupported("is \"" + behavior +
                                        "\"; \"Isolated\" and \"Contiguous\" are supported");
  return setCut(step, behavior == "Isolated", settings.punctuation);
}

/// A step behind "ByteLevel", which sees the characters that it wrote.
static Error readByteStep(const Field &step, TokenizerTables &settings) {
  std::string type = typeOf(step);
  if (type == "Digits")
    return readDigits(step, settings.byteDigits);
  Field expression = step["pattern"]["Regex"];
  auto text = expression.value ? expression.value->getAsString() : std::nullopt;
  std::optional<uint8_t> group = text ? digitGroup(*text) : std::nullopt;
  if (type != "Split" || !group || settings.digitGroup)
    return step["type"].unsupported("\"" + type +
                                    "\" after \"ByteLevel\" is not supported; \"Digits\" is, and "
                                    "one \"Split\" whose expression is [0-9] some times");
  settings.digitGroup = *group;
  return checkBehavior(step, /*matchesCoverText=*/false);
}

Error readPreTokenizer(const Field &preTokenizer, TokenizerTables &settings) {
  std::vector<Field> steps;
  if (Error error = flatten(preTokenizer, "pretokenizers", steps))
    return error;
  for (const Field &step : steps) {
    std::string type = typeOf(step);
    if (settings.symbols == COPPICE_SYMBOLS_BYTES) {
      if (Error error = readByteStep(step, settings))
        return error;
    } else if (type == "ByteLevel") {
      if (Error error = readByteLevel(step, settings))
        return error;
    } else if (type == "Split") {
      if (Error error = readSplit(step, settings))
        return error;
    } else if (type == "Digits" || type == "Punctuation") {
      // Both cut between characters, and so in either order.
      if (cutsWords(settings))
        return step["type"].unsupported("\"" + type + "\" after text is cut into words is not " +
                                        "supported");
      if (Error error = type == "Digits" ? readDigits(step, settings.digits)
                                         : readPunctuation(step, settings))
        return error;
    } else if (type == "Metaspace") {
      if (steps.size() > 1)
        return step["type"].unsupported("\"Metaspace\" beside another step is not supported");
      if (Error error = readMetaspace(step, settings))
        return error;
    } else {
      return unsupportedStep(step, "\"ByteLevel\", \"Metaspace\", \"Split\", \"Digits\", "
                                   "\"Punctuation\" or a \"Sequence\"");
    }
  }
  return Error::success();
}

} // namespace coppice::tokenizer
