// The safetensors header: 8 bytes of length (little-endian), a JSON object {name: {dtype, shape,
// data_offsets}}, then the data. Nothing that the header claims is believed before it is compared
// with the file's size; sums are written as differences so that they cannot wrap.
#include "compiler/import/Safetensors.h"
#include "compiler/import/Json.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"
#include <tuple>

namespace coppice {
namespace {

/// Bits of one element of a dtype that the format knows, 0 for others. The types below a byte and
/// the 8-bit floats are here so that a file that holds them can be read for its other tensors.
unsigned dtypeBits(llvm::StringRef dtype) {
  return llvm::StringSwitch<unsigned>(dtype)
      .Case("F4", 4)
      .Cases("F6_E2M3", "F6_E3M2", 6)
      .Cases("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", 8)
      .Cases("F8_E4M3FNUZ", "F8_E5M2FNUZ", 8)
      .Cases("I16", "U16", "F16", "BF16", 16)
      .Cases("I32", "U32", "F32", 32)
      .Cases("I64", "U64", "F64", "C64", 64)
      .Default(0);
}

class HeaderReader {
public:
  HeaderReader(llvm::ArrayRef<uint8_t> file, llvm::StringRef path) : file(file), path(path) {}
  llvm::Expected<std::vector<SafetensorsEntry>> read();

private:
  llvm::Error fail(const llvm::Twine &what) {
    return llvm::createStringError(llvm::Twine(path) + ": " + what);
  }
  llvm::Error failTensor(llvm::StringRef name, const llvm::Twine &what) {
    return fail("tensor \"" + name + "\": " + what);
  }
  llvm::Error readMetadata(const llvm::json::Value &value);
  llvm::Error readEntry(llvm::StringRef name, const llvm::json::Value &value,
                        SafetensorsEntry &entry);
  llvm::Error readShape(const llvm::json::Value *value, SafetensorsEntry &entry, uint64_t &count);
  llvm::Error checkCoverage(llvm::ArrayRef<SafetensorsEntry> entries);

  llvm::ArrayRef<uint8_t> file, data; // data: what follows the header
  llvm::StringRef path;
};

llvm::Error HeaderReader::readMetadata(const llvm::json::Value &value) {
  const llvm::json::Object *object = value.getAsObject();
  if (!object)
    return fail("__metadata__ is " + quoteJson(value) + " and must be an object of strings");
  for (const auto &[key, text] : *object)
    if (!text.getAsString())
      return fail("__metadata__ holds " + quoteJson(text) + " under \"" + llvm::StringRef(key) +
                  "\", and only strings are allowed there");
  return llvm::Error::success();
}

/// `count` becomes the product of the extents.
llvm::Error HeaderReader::readShape(const llvm::json::Value *value, SafetensorsEntry &entry,
                                    uint64_t &count) {
  const llvm::json::Array *list = value ? value->getAsArray() : nullptr;
  if (!list)
    return failTensor(entry.name, value ? "shape is " + quoteJson(*value) + " and must be a list"
                                        : std::string("shape is missing"));
  count = 1;
  for (const llvm::json::Value &item : *list) {
    std::optional<uint64_t> extent = item.getAsUINT64();
    if (!extent || *extent > uint64_t(INT64_MAX))
      return failTensor(entry.name, "shape holds " + quoteJson(item) +
                                        ", and extents are integers that are not negative");
    bool overflow;
    count = llvm::SaturatingMultiply(count, *extent, &overflow);
    if (overflow)
      return failTensor(entry.name, "the product of the shape " + quoteJson(*value) + " overflows");
    entry.shape.push_back(*extent);
  }
  return llvm::Error::success();
}

llvm::Error HeaderReader::readEntry(llvm::StringRef name, const llvm::json::Value &value,
                                    SafetensorsEntry &entry) {
  entry.name = name.str();
  const llvm::json::Object *object = value.getAsObject();
  if (!object)
    return failTensor(name, "its entry is " + quoteJson(value) + " and must be an object");
  for (const auto &field : *object) {
    llvm::StringRef key = field.first;
    if (key != "dtype" && key != "shape" && key != "data_offsets")
      return failTensor(name, "its entry holds the unknown key \"" + key + "\"");
  }

  std::optional<llvm::StringRef> dtype = object->getString("dtype");
  if (!dtype)
    return failTensor(name, "dtype is missing or not a string");
  entry.dtype = dtype->str();
  unsigned bits = dtypeBits(*dtype);
  if (bits == 0)
    return failTensor(name, "the dtype \"" + *dtype + "\" is not one that safetensors knows");

  uint64_t count;
  if (llvm::Error error = readShape(object->get("shape"), entry, count))
    return error;
  bool overflow;
  uint64_t sizeInBits = llvm::SaturatingMultiply<uint64_t>(count, bits, &overflow);
  if (overflow)
    return failTensor(name, "its size in bytes overflows");
  if (sizeInBits % 8 != 0)
    return failTensor(name, "its elements of " + llvm::Twine(bits) +
                                " bits do not fill a whole number of bytes");

  const llvm::json::Array *offsets = object->getArray("data_offsets");
  std::optional<uint64_t> begin, end;
  if (offsets && offsets->size() == 2) {
    begin = (*offsets)[0].getAsUINT64();
    end = (*offsets)[1].getAsUINT64();
  }
  if (!begin || !end)
    return failTensor(name, "data_offsets must be a list of two integers that are not negative");
  if (*begin > *end)
    return failTensor(name, "its data begins at " + llvm::Twine(*begin) + ", after its end at " +
                                llvm::Twine(*end));
  if (*end > data.size())
    return failTensor(name, "its data ends at " + llvm::Twine(*end) + ", and the file has only " +
                                llvm::Twine(data.size()) + " bytes of data; is it cut short?");
  if (*end - *begin != sizeInBits / 8)
    return failTensor(name, "its data has " + llvm::Twine(*end - *begin) + " bytes, and " +
                                entry.dtype + " of shape " + quoteJson(*object->get("shape")) +
                                " has " + llvm::Twine(sizeInBits / 8));
  entry.data = data.slice(*begin, *end - *begin);
  return llvm::Error::success();
}

/// `entries` are ordered by place.
llvm::Error HeaderReader::checkCoverage(llvm::ArrayRef<SafetensorsEntry> entries) {
  const uint8_t *reached = data.begin();
  for (const SafetensorsEntry &entry : entries) {
    auto offset = [&](const uint8_t *at) { return std::to_string(at - data.begin()); };
    if (entry.data.begin() < reached)
      return failTensor(entry.name, "its data begins at " + offset(entry.data.begin()) +
                                        " and overlaps the tensor before it, which ends at " +
                                        offset(reached));
    if (entry.data.begin() > reached)
      return failTensor(entry.name, "its data begins at " + offset(entry.data.begin()) +
                                        ", and the bytes from " + offset(reached) +
                                        " on belong to no tensor");
    reached = entry.data.end();
  }
  if (reached != data.end())
    return fail("the tensors end at byte " + llvm::Twine(uint64_t(reached - data.begin())) +
                " of the data, and the file has " + llvm::Twine(data.size()) + " bytes of data");
  return llvm::Error::success();
}

llvm::Expected<std::vector<SafetensorsEntry>> HeaderReader::read() {
  if (file.size() < 8)
    return fail("the file has " + llvm::Twine(file.size()) +
                " bytes, too few for the header of a safetensors file");
  uint64_t length = llvm::support::endian::read64le(file.data());
  if (length > maxSafetensorsHeader)
    return fail("the header claims " + llvm::Twine(length) + " bytes, and at most " +
                llvm::Twine(maxSafetensorsHeader) + " are allowed; is this a safetensors file?");
  if (length > file.size() - 8)
    return fail("the header claims " + llvm::Twine(length) + " bytes, and the file has " +
                llvm::Twine(file.size() - 8) + " after the length; is it cut short?");
  llvm::StringRef header(reinterpret_cast<const char *>(file.data() + 8), length);
  data = file.drop_front(8 + length);
  if (!header.starts_with("{"))
    return fail("the header does not begin with {");
  llvm::Expected<llvm::json::Value> value = parseJson(header, path.str() + " (header)");
  if (!value)
    return value.takeError();

  std::vector<SafetensorsEntry> entries;
  for (const auto &[key, item] : *value->getAsObject()) {
    llvm::StringRef name = key;
    if (name == "__metadata__") {
      if (llvm::Error error = readMetadata(item))
        return std::move(error);
    } else if (llvm::Error error = readEntry(name, item, entries.emplace_back())) {
      return std::move(error);
    }
  }
  // By place, and empty tensors before the one that begins where they lie.
  llvm::sort(entries, [](const SafetensorsEntry &a, const SafetensorsEntry &b) {
    return std::make_tuple(a.data.begin(), a.data.end(), llvm::StringRef(a.name)) <
           std::make_tuple(b.data.begin(), b.data.end(), llvm::StringRef(b.name));
  });
  if (llvm::Error error = checkCoverage(entries))
    return std::move(error);
  return entries;
}

} // namespace

llvm::Expected<std::vector<SafetensorsEntry>> readSafetensors(llvm::ArrayRef<uint8_t> file,
                                                              llvm::StringRef path) {
  return HeaderReader(file, path).read();
}

} // namespace coppice
