// Reads a plan. A number in it may claim any size: ranges stay ranges here, and nothing is
// allocated for what they cover.
#include "compiler/plan/Plan.h"
#include "compiler/import/Files.h"
#include "compiler/import/Json.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/BLAKE3.h"
#include <limits>

using namespace coppice;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;
namespace json = llvm::json;

namespace {

/// Every list's and every block's key, for the checks that are alike.
constexpr StringRef listKeys[] = {"heads", "neurons", "experts"};
constexpr StringRef blockKeys[] = {"whole", "attention", "ffn"};

/// Reads one file; holds where it is, for messages.
class PlanReader {
public:
  PlanReader(Plan &plan) : plan(plan) {}
  Error read(const json::Value &root);

private:
  Error readCut(const json::Value &value, uint32_t entry);
  Error readLayer(const json::Object &object);
  Error readFlags(const json::Object &object);
  Error readList(StringRef key, const json::Value &value, PlanRanges &ranges);
  Expected<PlanRange> readRange(const json::Value &value, const Twine &path);
  Error checkDistinct(StringRef key, const PlanRanges &ranges);
  Error checkKeys(const json::Object &object, llvm::ArrayRef<StringRef> known, const Twine &path);

  Error fault(const Twine &path, const Twine &what) {
    return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                   Twine(plan.fileName) + ": " + path + what);
  }
  /// `path` inside the current entry.
  Error cutFault(const Twine &path, const Twine &what) {
    return fault("remove[" + Twine(cut.entry) + "]" + path + ": layer " + Twine(cut.layer) + ": ",
                 what);
  }

  Plan &plan;
  LayerCut cut;
  llvm::DenseMap<int32_t, uint32_t> entryOfLayer;
};

} // namespace

static bool isIndex(std::optional<int64_t> number) {
  return number && *number >= 0 && *number < std::numeric_limits<int32_t>::max();
}

static std::string show(const PlanRange &range) {
  std::string first = std::to_string(range.first);
  return range.first == range.last ? first : first + "-" + std::to_string(range.last);
}

Error PlanReader::checkKeys(const json::Object &object, llvm::ArrayRef<StringRef> known,
                            const Twine &path) {
  // The map has no order: name the first unknown key by spelling, so that the message is the same
  // on every run.
  std::optional<StringRef> unknown;
  for (const auto &member : object)
    if (!llvm::is_contained(known, StringRef(member.first)) &&
        (!unknown || StringRef(member.first) < *unknown))
      unknown = StringRef(member.first);
  if (!unknown)
    return Error::success();
  return fault(path,
               "unknown key " + quoteJson(*unknown) + "; known are " +
                   llvm::join(known.begin(), known.end(), ", ") +
                   (*unknown == "kv_heads"
                        ? "; a KV head goes when all query heads that read it are in \"heads\""
                        : ""));
}

Error PlanReader::read(const json::Value &root) {
  const json::Object *object = root.getAsObject();
  if (!object)
    return fault("", "a plan is an object, but this is " + quoteJson(root));
  if (Error error = checkKeys(*object, {"version", "model_type", "remove"}, ""))
    return error;
  const json::Value *version = object->get("version");
  if (!version)
    return fault("", "has no \"version\"; write \"version\": 1");
  if (version->getAsInteger() != 1)
    return fault("version: ", "is " + quoteJson(*version) + ", but this compiler reads version 1");
  const json::Value *modelType = object->get("model_type");
  if (!modelType || !modelType->getAsString())
    return fault("model_type: ",
                 modelType
                     ? "is " + quoteJson(*modelType) + ", but must be a string such as \"opt\""
                     : "is missing; write the model_type of the checkpoint's config.json");
  plan.modelType = modelType->getAsString()->str();
  const json::Value *remove = object->get("remove");
  if (!remove || !remove->getAsArray())
    return fault("remove: ", remove ? "is " + quoteJson(*remove) + ", but must be a list of layers"
                                    : "is missing; write \"remove\": [] to remove nothing");
  for (const auto &[entry, value] : llvm::enumerate(*remove->getAsArray()))
    if (Error error = readCut(value, entry))
      return error;
  return Error::success();
}

Error PlanReader::readCut(const json::Value &value, uint32_t entry) {
  cut = LayerCut();
  cut.entry = entry;
  std::string path = ("remove[" + Twine(entry) + "]").str();
  const json::Object *object = value.getAsObject();
  if (!object)
    return fault(path + ": ",
                 "is " + quoteJson(value) + ", but must be an object with a \"layer\"");
  if (Error error = readLayer(*object))
    return error;
  if (Error error =
          checkKeys(*object, {"layer", "heads", "neurons", "experts", "attention", "ffn", "whole"},
                    path + ": layer " + Twine(cut.layer) + ": "))
    return error;
  if (Error error = readFlags(*object))
    return error;
  PlanRanges *lists[] = {&cut.heads, &cut.neurons, &cut.experts};
  for (auto [key, ranges] : llvm::zip(listKeys, lists))
    if (const json::Value *list = object->get(key))
      if (Error error = readList(key, *list, *ranges))
        return error;
  plan.cuts.push_back(cut);
  return Error::success();
}

Error PlanReader::readLayer(const json::Object &object) {
  std::string path = ("remove[" + Twine(cut.entry) + "]").str();
  const json::Value *layer = object.get("layer");
  if (!layer)
    return fault(path + ": ", "has no \"layer\"; say which layer it cuts");
  if (!isIndex(layer->getAsInteger()))
    return fault(path + ".layer: ", "is " + quoteJson(*layer) + ", but must be a layer's number");
  cut.layer = *layer->getAsInteger();
  auto [known, isNew] = entryOfLayer.try_emplace(cut.layer, cut.entry);
  if (!isNew)
    return cutFault(".layer", "stands twice, also in remove[" + Twine(known->second) +
                                  "]; put both into one entry");
  return Error::success();
}

/// `whole`, `attention` and `ffn`: true or absent, and beside nothing that they cover.
Error PlanReader::readFlags(const json::Object &object) {
  bool *flags[] = {&cut.whole, &cut.attention, &cut.ffn};
  for (auto [key, flag] : llvm::zip(blockKeys, flags)) {
    const json::Value *value = object.get(key);
    if (!value)
      continue;
    if (value->getAsBoolean() != true)
      return cutFault("." + key, "is " + quoteJson(*value) +
                                     ", but can only be true; leave the key out to keep the block");
    *flag = true;
  }
  const std::pair<bool, std::pair<StringRef, llvm::SmallVector<StringRef>>> covers[] = {
      {cut.whole, {"whole", {"attention", "ffn", "heads", "neurons", "experts"}}},
      {cut.attention, {"attention", {"heads"}}},
      {cut.ffn, {"ffn", {"neurons", "experts"}}}};
  for (const auto &[isSet, rule] : covers)
    for (StringRef covered : rule.second)
      if (const json::Value *value = isSet ? object.get(covered) : nullptr)
        return cutFault("." + covered, "is " + quoteJson(*value) + " beside \"" + rule.first +
                                           "\": true, which covers it; keep one of the two");
  return Error::success();
}

Error PlanReader::readList(StringRef key, const json::Value &value, PlanRanges &ranges) {
  const json::Array *list = value.getAsArray();
  if (!list)
    return cutFault("." + key, "is " + quoteJson(value) +
                                   ", but must be a list of numbers and ranges such as \"3-9\"");
  for (const auto &[position, item] : llvm::enumerate(*list)) {
    Expected<PlanRange> range = readRange(item, "." + key + "[" + Twine(position) + "]");
    if (!range)
      return range.takeError();
    range->position = position;
    ranges.push_back(*range);
  }
  return checkDistinct(key, ranges);
}

Expected<PlanRange> PlanReader::readRange(const json::Value &value, const Twine &path) {
  if (isIndex(value.getAsInteger())) {
    int32_t index = *value.getAsInteger();
    return PlanRange{index, index, 0};
  }
  auto bad = [&] {
    return cutFault(path, "is " + quoteJson(value) +
                              ", but must be a number from 0 or a range such as \"3-9\"");
  };
  std::optional<StringRef> text = value.getAsString();
  if (!text)
    return bad();
  auto [first, last] = text->split('-');
  auto isNumber = [](StringRef digits) {
    return !digits.empty() && llvm::all_of(digits, llvm::isDigit);
  };
  int64_t from = 0, to = 0;
  if (!isNumber(first) || !isNumber(last) || first.getAsInteger(10, from) ||
      last.getAsInteger(10, to) || !isIndex(from) || !isIndex(to))
    return bad();
  if (from > to)
    return cutFault(path, "the range " + quoteJson(value) + " runs backwards; write \"" +
                              Twine(to) + "-" + Twine(from) + "\"");
  return PlanRange{int32_t(from), int32_t(to), 0};
}

Error PlanReader::checkDistinct(StringRef key, const PlanRanges &ranges) {
  PlanRanges sorted = ranges;
  llvm::sort(sorted, [](const PlanRange &a, const PlanRange &b) {
    return std::pair(a.first, a.position) < std::pair(b.first, b.position);
  });
  for (size_t i = 1; i < sorted.size(); ++i) {
    PlanRange a = sorted[i - 1], b = sorted[i];
    if (b.first > a.last)
      continue;
    int32_t index = b.first;
    if (a.position > b.position)
      std::swap(a, b);
    return cutFault("." + key + "[" + Twine(b.position) + "]",
                    "index " + Twine(index) + " stands twice: in " + show(b) + " and in " + key +
                        "[" + Twine(a.position) + "], " + show(a) + "; list it once");
  }
  return Error::success();
}

Expected<Plan> coppice::parsePlan(StringRef text, StringRef fileName) {
  Expected<json::Value> root = parseJson(text, fileName);
  if (!root)
    return root.takeError();
  Plan plan;
  plan.fileName = fileName.str();
  if (Error error = PlanReader(plan).read(*root))
    return error;
  return plan;
}

Expected<Plan> coppice::readPlan(StringRef fileName) {
  Expected<std::string> text = readTextFile(fileName, maxPlanBytes);
  return text ? parsePlan(*text, fileName) : text.takeError();
}

std::array<uint8_t, 32> coppice::planHash(StringRef text) {
  return llvm::BLAKE3::hash<32>(
      llvm::ArrayRef(reinterpret_cast<const uint8_t *>(text.data()), text.size()));
}
