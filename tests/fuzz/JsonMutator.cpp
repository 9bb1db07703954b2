// Nodes are chosen by walking down from the root, so that the few settings of a tokenizer come up
// as often as its thousand tokens.
#include "tests/fuzz/JsonMutator.h"
#include "compiler/import/Json.h"
#include <algorithm>
#include <cstring>
#include <random>

namespace coppice::fuzz {

using llvm::json::Array, llvm::json::Object, llvm::json::Value;

namespace {

class JsonMutator {
public:
  JsonMutator(Value &root, unsigned seed) : root(root), random(seed) {}
  void mutate();

private:
  size_t below(size_t count) { return random() % count; }
  Value &someNode();
  Value someScalar();
  void changeObject(Object &object);
  void changeArray(Array &array);
  void changeString(Value &node);

  Value &root;
  std::minstd_rand random;
};

/// A node on the way from the root to a random leaf.
Value &JsonMutator::someNode() {
  Value *node = &root;
  while (below(5) != 0) {
    if (Object *object = node->getAsObject(); object && !object->empty())
      node = &std::next(object->begin(), below(object->size()))->second;
    else if (Array *array = node->getAsArray(); array && !array->empty())
      node = &(*array)[below(array->size())];
    else
      break;
  }
  return *node;
}

Value JsonMutator::someScalar() {
  static const int64_t integers[] = {0,          1,
                                     -1,         2,
                                     3,          7,
                                     255,        256,
                                     65535,      65536,
                                     INT32_MAX,  int64_t(1) << 31,
                                     UINT32_MAX, int64_t(1) << 32,
                                     INT64_MAX,  INT64_MIN};
  static const double numbers[] = {0.5, -0.0, 1e-320, 1e308, 4294967296.5, 1e19};
  static const char *const texts[] = {"",  " ",   "a",   "\xE2\x96\x81",    "<s>", "<0x41>", "0-3",
                                      "5", "F16", "BPE", "\xF0\x9F\x98\x80"};
  switch (below(8)) {
  case 0:
    return nullptr;
  case 1:
    return below(2) == 0;
  case 2:
    return numbers[below(std::size(numbers))];
  case 3:
    return texts[below(std::size(texts))];
  case 4:
    return Array();
  case 5:
    return Object();
  default:
    return integers[below(std::size(integers))];
  }
}

/// Object's own erase() leaves an entry behind that its copy constructor takes for a living one.
static void erase(Object &object, const std::string &key) {
  Object rest;
  for (auto &entry : object)
    if (llvm::StringRef(entry.first) != key)
      rest[entry.first.str()] = std::move(entry.second);
  object = std::move(rest);
}

void JsonMutator::changeObject(Object &object) {
  auto some = std::next(object.begin(), below(object.size()));
  switch (below(3)) {
  case 0:
    erase(object, some->first.str());
    break;
  case 1: { // a key from elsewhere
    Object *other = someNode().getAsObject();
    if (!other || other->empty())
      break;
    auto from = std::next(other->begin(), below(other->size()));
    std::string key = from->first.str();
    Value value = from->second;
    object[std::move(key)] = std::move(value);
    break;
  }
  default: { // another value's key
    Object *other = someNode().getAsObject();
    if (!other || other->empty())
      break;
    std::string key = std::next(other->begin(), below(other->size()))->first.str();
    Value value = some->second;
    erase(object, some->first.str());
    object[std::move(key)] = std::move(value);
  }
  }
}

void JsonMutator::changeArray(Array &array) {
  size_t at = below(array.size());
  switch (below(4)) {
  case 0:
    std::rotate(array.begin() + at, array.begin() + at + 1, array.end());
    array.pop_back();
    break;
  case 1:
    array.insert(array.begin() + at, Value(array[at]));
    break;
  case 2:
    std::swap(array[at], array[below(array.size())]);
    break;
  default: {
    Value copy = someNode();
    array.insert(array.begin() + at, std::move(copy));
  }
  }
}

void JsonMutator::changeString(Value &node) {
  uint8_t bytes[256];
  llvm::StringRef text = *node.getAsString();
  size_t size = std::min<size_t>(text.size(), 128);
  std::memcpy(bytes, text.data(), size);
  size = LLVMFuzzerMutate(bytes, size, sizeof bytes);
  node = llvm::json::fixUTF8({reinterpret_cast<const char *>(bytes), size});
}

void JsonMutator::mutate() {
  Value &node = someNode();
  if (below(4) == 0) {
    node = someScalar();
  } else if (below(6) == 0) {
    Value copy = someNode();
    node = std::move(copy);
  } else if (Object *object = node.getAsObject(); object && !object->empty()) {
    changeObject(*object);
  } else if (Array *array = node.getAsArray(); array && !array->empty()) {
    changeArray(*array);
  } else if (node.getAsString()) {
    changeString(node);
  } else if (auto integer = node.getAsInteger();
             integer && *integer > INT32_MIN && *integer < INT32_MAX) {
    const int64_t near[] = {*integer + 1, *integer - 1, *integer * 2, *integer / 2, -*integer};
    node = near[below(std::size(near))];
  } else {
    node = someScalar();
  }
}

} // namespace

size_t mutateJson(uint8_t *data, size_t size, size_t maxSize, unsigned seed) {
  if (seed % 3 != 0) {
    auto value = parseJson({reinterpret_cast<const char *>(data), size}, "");
    if (value) {
      JsonMutator mutator(*value, seed);
      for (unsigned i = 0; i <= seed / 3 % 3; ++i)
        mutator.mutate();
      std::string text;
      llvm::raw_string_ostream(text) << *value;
      if (text.size() <= maxSize) {
        std::memcpy(data, text.data(), text.size());
        return text.size();
      }
    } else {
      llvm::consumeError(value.takeError());
    }
  }
  return LLVMFuzzerMutate(data, size, maxSize);
}

} // namespace coppice::fuzz
