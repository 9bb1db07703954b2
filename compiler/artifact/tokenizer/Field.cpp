// JSON values with their place in a file.
#include "compiler/artifact/tokenizer/Spec.h"
#include "compiler/import/Files.h"
#include "compiler/import/Json.h"

namespace coppice::tokenizer {

/// What a file quotes into a message may be megabytes: the middle goes, the end says what to do.
static std::string shortened(std::string text) {
  constexpr size_t head = 500, tail = 300;
  if (text.size() <= head + tail)
    return text;
  // Cut between characters, not inside one.
  auto inside = [&](size_t at) { return (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80; };
  size_t cut = head, rest = text.size() - tail;
  while (cut > 0 && inside(cut))
    --cut;
  while (rest < text.size() && inside(rest))
    ++rest;
  return text.substr(0, cut) + "..." + text.substr(rest);
}

llvm::Error fieldError(llvm::StringRef file, const llvm::Twine &field, const llvm::Twine &what) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                 llvm::Twine(file) + ": " + shortened((field + " " + what).str()));
}

llvm::Error unsupportedError(llvm::StringRef file, const llvm::Twine &field,
                             const llvm::Twine &what) {
  return fieldError(file, field,
                    what + "; --no-tokenizer compiles without it; prompts are token ids then");
}

Field Field::operator[](llvm::StringRef key) const {
  const llvm::json::Object *object = value ? value->getAsObject() : nullptr;
  return {object ? object->get(key) : nullptr, file,
          path.empty() ? key.str() : path + "." + key.str()};
}

Field Field::operator[](size_t index) const {
  const llvm::json::Array *array = value ? value->getAsArray() : nullptr;
  return {array && index < array->size() ? &(*array)[index] : nullptr, file,
          path + "[" + std::to_string(index) + "]"};
}

bool Field::isNull() const { return !value || value->kind() == llvm::json::Value::Null; }

static llvm::Error wrongKind(const Field &field, llvm::StringRef wanted) {
  if (!field.value)
    return field.error("is missing; it must be " + wanted);
  return field.error("is " + quoteJson(*field.value) + "; it must be " + wanted);
}

llvm::Expected<const llvm::json::Object *> Field::object() const {
  if (value)
    if (const llvm::json::Object *result = value->getAsObject())
      return result;
  return wrongKind(*this, "an object");
}

llvm::Expected<const llvm::json::Array *> Field::array() const {
  if (value)
    if (const llvm::json::Array *result = value->getAsArray())
      return result;
  return wrongKind(*this, "a list");
}

llvm::Expected<std::string> Field::string() const {
  if (value)
    if (auto result = value->getAsString())
      return result->str();
  return wrongKind(*this, "a string");
}

llvm::Expected<uint32_t> Field::number() const {
  if (value)
    if (auto result = value->getAsInteger(); result && *result >= 0 && *result <= UINT32_MAX)
      return uint32_t(*result);
  return wrongKind(*this, "a whole number from 0 to 4294967295");
}

llvm::Expected<bool> Field::boolean() const {
  if (value)
    if (auto result = value->getAsBoolean())
      return *result;
  return wrongKind(*this, "true or false");
}

llvm::Expected<bool> Field::booleanOr(bool fallback) const {
  return isNull() ? llvm::Expected<bool>(fallback) : boolean();
}

llvm::Expected<OptionalFile> OptionalFile::read(llvm::StringRef directory, llvm::StringRef name) {
  OptionalFile file;
  file.path = joinPath(directory, name);
  if (!fileExists(file.path))
    return file;
  llvm::Expected<llvm::json::Value> json = readJsonFile(file.path);
  if (!json)
    return json.takeError();
  if (!json->getAsObject())
    return fieldError(file.path, "the file",
                      "holds " + quoteJson(*json) + "; it must hold an object");
  file.json = std::move(*json);
  return file;
}

} // namespace coppice::tokenizer
