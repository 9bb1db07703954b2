// The typed getters. What may stay unread is in ConfigFields.cpp.
#include "compiler/import/Config.h"
#include "compiler/import/ConfigFields.h"
#include "compiler/import/Json.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>
#include <limits>

namespace coppice {
namespace {

std::string spell(double value) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%g", value);
  return text;
}

} // namespace

ConfigReader::ConfigReader(const llvm::json::Object &object, llvm::StringRef file)
    : ConfigReader(object, file, "", std::make_shared<std::string>()) {}

ConfigReader::ConfigReader(const llvm::json::Object &object, llvm::StringRef file,
                           std::string prefix, std::shared_ptr<std::string> error)
    : fields(object), file(file), prefix(std::move(prefix)), error(std::move(error)) {}

const llvm::json::Value *ConfigReader::find(llvm::StringRef name) {
  read.insert(name);
  const llvm::json::Value *value = fields.get(name);
  return value && value->kind() != llvm::json::Value::Null ? value : nullptr;
}

bool ConfigReader::has(llvm::StringRef name) const {
  const llvm::json::Value *value = fields.get(name);
  return value && value->kind() != llvm::json::Value::Null;
}

bool ConfigReader::isNull(llvm::StringRef name) const {
  const llvm::json::Value *value = fields.get(name);
  return value && value->kind() == llvm::json::Value::Null;
}

void ConfigReader::fail(llvm::StringRef name, const llvm::Twine &what) {
  if (!error->empty())
    return;
  const llvm::json::Value *value = fields.get(name);
  *error = file + ": field \"" + prefix + name.str() + "\" " +
           (value ? "is " + quoteJson(*value) + ", which " : "") + what.str();
}

void ConfigReader::failMissing(llvm::StringRef name, const llvm::Twine &more) {
  fail(name, (fields.get(name) ? "is no value, and one is needed" : "is missing") + more);
}

int64_t ConfigReader::integer(llvm::StringRef name, int64_t low, int64_t high,
                              std::optional<int64_t> fallback) {
  const llvm::json::Value *value = find(name);
  if (!value) {
    if (!fallback)
      failMissing(name);
    return fallback.value_or(low);
  }
  std::optional<int64_t> result = value->getAsInteger();
  if (result && *result >= low && *result <= high)
    return *result;
  fail(name, "is not an integer from " + llvm::Twine(low) + " to " + llvm::Twine(high));
  return low;
}

double ConfigReader::number(llvm::StringRef name, double low, double high,
                            std::optional<double> fallback) {
  const llvm::json::Value *value = find(name);
  if (!value) {
    if (!fallback)
      failMissing(name);
    return fallback.value_or(low);
  }
  std::optional<double> result = value->getAsNumber();
  if (result && std::isfinite(*result) && *result >= low && *result <= high)
    return *result == 0 ? 0 : *result; // no negative zero
  fail(name, "is not a number from " + spell(low) + " to " + spell(high));
  return low;
}

std::vector<double> ConfigReader::numbers(llvm::StringRef name, double low, double high) {
  const llvm::json::Value *value = find(name);
  if (!value)
    failMissing(name);
  const llvm::json::Array *list = value ? value->getAsArray() : nullptr;
  if (value && !list)
    fail(name, "is not a list of numbers");
  std::vector<double> result;
  for (const llvm::json::Value &item : list ? *list : llvm::json::Array()) {
    std::optional<double> number = item.getAsNumber();
    if (!number || !std::isfinite(*number) || *number < low || *number > high)
      fail(name, "holds " + quoteJson(item) + ", and each must be a number from " + spell(low) +
                     " to " + spell(high));
    result.push_back(number.value_or(low));
  }
  return result;
}

void ConfigReader::ignore(llvm::ArrayRef<llvm::StringRef> names) {
  read.insert(names.begin(), names.end());
}

bool ConfigReader::flag(llvm::StringRef name, bool fallback) {
  const llvm::json::Value *value = find(name);
  if (!value) {
    // The library takes null for false: only where that is the default too do both mean the same.
    if (fallback && fields.get(name))
      fail(name, "Hugging Face reads as false although true is the default; write the one that is "
                 "meant");
    return fallback;
  }
  std::optional<bool> result = value->getAsBoolean();
  if (!result)
    fail(name, "is neither true nor false");
  return result.value_or(fallback);
}

std::string ConfigReader::text(llvm::StringRef name, std::optional<std::string> fallback) {
  const llvm::json::Value *value = find(name);
  if (!value) {
    if (!fallback)
      failMissing(name);
    return fallback.value_or("");
  }
  std::optional<llvm::StringRef> result = value->getAsString();
  if (!result)
    fail(name, "is not a string");
  return result ? result->str() : fallback.value_or("");
}

Dim ConfigReader::size(llvm::StringRef name, std::optional<Dim> fallback) {
  if (fallback && !has(name)) {
    find(name);
    return *fallback;
  }
  return {integer(name, 1, kMostSize), name.str()};
}

std::optional<std::vector<std::string>> ConfigReader::words(llvm::StringRef name, int64_t count,
                                                            llvm::ArrayRef<llvm::StringRef> known) {
  const llvm::json::Value *value = find(name);
  if (!value)
    return std::nullopt;
  const llvm::json::Array *list = value->getAsArray();
  std::string all = llvm::join(known, ", ");
  if (!list || int64_t(list->size()) != count) {
    fail(name, "is not a list of " + llvm::Twine(count) + ", each one of: " + all);
    return std::vector<std::string>(count, known.front().str());
  }
  std::vector<std::string> words;
  for (const llvm::json::Value &item : *list) {
    std::optional<llvm::StringRef> word = item.getAsString();
    if (!word || !llvm::is_contained(known, *word)) {
      fail(name, "holds " + quoteJson(item) + ", and each must be one of: " + all);
      word = known.front();
    }
    words.push_back(word->str());
  }
  return words;
}

std::optional<std::vector<int32_t>> ConfigReader::tokenIds(llvm::StringRef name, int64_t vocab) {
  const llvm::json::Value *value = find(name);
  if (!fields.get(name))
    return std::nullopt;
  std::vector<int32_t> ids;
  if (!value)
    return ids;
  const llvm::json::Array *list = value->getAsArray();
  auto add = [&](const llvm::json::Value &item) {
    std::optional<int64_t> id = item.getAsInteger();
    if (!id || *id < 0 || *id >= vocab) {
      std::string range = "a token id from 0 to " + std::to_string(vocab - 1);
      fail(name,
           list ? "holds " + quoteJson(item) + ", and each must be " + range : "is not " + range);
      return;
    }
    if (!llvm::is_contained(ids, *id))
      ids.push_back(*id);
  };
  if (list)
    llvm::for_each(*list, add);
  else
    add(*value);
  return ids;
}

std::unique_ptr<ConfigReader> ConfigReader::object(llvm::StringRef name) {
  const llvm::json::Value *value = find(name);
  if (!value)
    return nullptr;
  const llvm::json::Object *nested = value->getAsObject();
  if (!nested) {
    fail(name, "is not an object");
    return nullptr;
  }
  return std::unique_ptr<ConfigReader>(
      new ConfigReader(*nested, file, prefix + name.str() + ".", error));
}

void ConfigReader::refuseUnread() {
  std::vector<llvm::StringRef> names;
  for (const auto &field : fields)
    names.push_back(field.first);
  llvm::sort(names); // so that of two errors always the same one is reported
  for (llvm::StringRef name : names) {
    if (read.contains(name) || !has(name))
      continue;
    if (std::optional<std::string> why = whyRefused(name, *fields.get(name), !prefix.empty()))
      fail(name, *why);
  }
}

llvm::Error ConfigReader::finish() {
  refuseUnread();
  if (error->empty())
    return llvm::Error::success();
  return llvm::createStringError(*error);
}

} // namespace coppice
