// See WeightChoice.h.
#include "compiler/passes/pack/WeightChoice.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringSwitch.h"

using namespace coppice;

static std::optional<MatrixFormat> findFormat(llvm::StringRef name) {
  return llvm::StringSwitch<std::optional<MatrixFormat>>(name)
      .Case("stored", MatrixFormat::Stored)
      .Case("f32", MatrixFormat::F32)
      .Case("f16", MatrixFormat::F16)
      .Case("bf16", MatrixFormat::BF16)
      .Case("i8", MatrixFormat::I8)
      .Case("i4", MatrixFormat::I4)
      .Default(std::nullopt);
}

static llvm::Error fail(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

/// At most the first 100 bytes: messages quote what may be very long.
static std::string abridged(llvm::StringRef text) {
  size_t end = 100;
  if (text.size() <= end)
    return text.str();
  while (end > 96 && (text[end] & 0xC0) == 0x80) // not within a character
    --end;
  return text.take_front(end).str() + "...";
}

static std::string quoted(llvm::StringRef text) { return "'" + abridged(text) + "'"; }

llvm::Expected<WeightChoice> WeightChoice::parse(llvm::StringRef text) {
  if (text.find_first_of("{}") != llvm::StringRef::npos)
    return fail(quoted(text) + " has braces, which patterns of tensor names do not take; write "
                               "PATTERN=FORMAT for each, with commas between");
  WeightChoice choice;
  bool hasBase = false;
  llvm::SmallVector<llvm::StringRef> items;
  text.split(items, ',');
  for (llvm::StringRef item : items) {
    auto [key, name] = item.contains('=') ? item.rsplit('=') : std::pair(llvm::StringRef(), item);
    std::optional<MatrixFormat> format = findFormat(name);
    if (!format)
      return fail("unknown weight format " + quoted(name) +
                  (item == text ? "" : " in " + quoted(text)) +
                  "; use stored, f32, f16, bf16, i8 or i4");
    if (!item.contains('=')) {
      if (hasBase)
        return fail("weights " + quoted(text) +
                    " give two formats for all matrices; give one, and "
                    "NAME=FORMAT for those that differ");
      hasBase = true;
      choice.base = *format;
      continue;
    }
    if (key.empty())
      return fail(quoted(item) + " of weights " + quoted(text) +
                  " names no matrix; write head=, embed= or a pattern of tensor names");
    Rule rule;
    rule.text = std::make_unique<const std::string>(key.str());
    rule.format = *format;
    if (key == "head") {
      rule.use = MatrixUse::Head;
    } else if (key == "embed") {
      rule.use = MatrixUse::Table;
    } else {
      auto pattern = llvm::GlobPattern::create(*rule.text);
      if (!pattern)
        return fail(quoted(key) + " is no pattern of tensor names: " +
                    abridged(llvm::toString(pattern.takeError())));
      rule.pattern = std::move(*pattern);
    }
    choice.rules.push_back(std::move(rule));
  }
  return choice;
}

MatrixFormat WeightChoice::of(llvm::StringRef tensor, MatrixUse use) {
  MatrixFormat format = base;
  if ((use == MatrixUse::Table || use == MatrixUse::Head) && base == MatrixFormat::I4)
    format = MatrixFormat::I8;
  if (use == MatrixUse::MixedHeads && base == MatrixFormat::I8)
    format = MatrixFormat::F16;
  if (use == MatrixUse::Router && (base == MatrixFormat::I8 || base == MatrixFormat::I4))
    format = MatrixFormat::Stored;
  for (Rule &rule : rules)
    if (rule.use ? rule.use == use : rule.pattern->match(tensor)) {
      rule.used = true;
      format = rule.format;
    }
  return format;
}

std::optional<MatrixFormat> WeightChoice::ofTables() const {
  std::optional<MatrixFormat> format;
  for (const Rule &rule : rules)
    if (rule.use == MatrixUse::Table)
      format = rule.format;
  return format;
}

std::vector<std::string> WeightChoice::unused() const {
  std::vector<std::string> texts;
  for (const Rule &rule : rules)
    if (!rule.used && rule.pattern)
      texts.push_back(abridged(*rule.text));
  return texts;
}
