// Safetensors files that are damaged or lie: headers with every bit flipped, every number wrong,
// cut anywhere, with tensors twice, missing, or of another shape.
#include "compiler/import/Import.h"
#include "compiler/import/Safetensors.h"
#include "mlir/IR/MLIRContext.h"
#include "tests/unit/hostile/Support.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/JSON.h"
#include <sys/resource.h>

using namespace coppice;
using namespace coppice::hostile;

namespace {
const char kModel[] = "models/llama-linear/";

Bytes checkpoint() { return readTestFile(std::string(kModel) + "model.safetensors"); }

llvm::Error read(llvm::ArrayRef<uint8_t> file) {
  return readSafetensors(file, "model.safetensors").takeError();
}

size_t headerEnd(llvm::ArrayRef<uint8_t> file) {
  return 8 + size_t(llvm::support::endian::read64le(file.data()));
}

llvm::StringRef headerOf(llvm::ArrayRef<uint8_t> file) {
  return llvm::toStringRef(file.slice(8, headerEnd(file) - 8));
}

/// The file with another header, and its data.
Bytes withHeader(llvm::ArrayRef<uint8_t> file, const std::string &header) {
  Bytes result(8);
  llvm::support::endian::write64le(result.data(), header.size());
  result.insert(result.end(), header.begin(), header.end());
  result.insert(result.end(), file.begin() + headerEnd(file), file.end());
  return result;
}

/// The header as JSON, changed, with the data that its tensors still name, moved together.
Bytes rewritten(llvm::ArrayRef<uint8_t> file,
                llvm::function_ref<void(llvm::json::Object &)> change) {
  llvm::json::Object header = *llvm::cantFail(llvm::json::parse(headerOf(file))).getAsObject();
  change(header);
  Bytes data;
  for (auto &[name, value] : header) {
    if (name == "__metadata__")
      continue;
    llvm::json::Array &offsets = *value.getAsObject()->getArray("data_offsets");
    size_t begin = size_t(*offsets[0].getAsInteger()), end = size_t(*offsets[1].getAsInteger());
    offsets = llvm::json::Array{int64_t(data.size()), int64_t(data.size() + end - begin)};
    data.insert(data.end(), file.begin() + headerEnd(file) + begin,
                file.begin() + headerEnd(file) + end);
  }
  std::string text;
  llvm::raw_string_ostream(text) << llvm::json::Value(std::move(header));
  Bytes result(8);
  llvm::support::endian::write64le(result.data(), text.size());
  result.insert(result.end(), text.begin(), text.end());
  result.insert(result.end(), data.begin(), data.end());
  return result;
}

std::vector<std::string> tensorNames(llvm::ArrayRef<uint8_t> file) {
  std::vector<std::string> names;
  for (const SafetensorsEntry &entry : llvm::cantFail(readSafetensors(file, "file")))
    names.push_back(entry.name);
  return names;
}

/// What import says of a folder with this checkpoint and the model's config.
llvm::Error import(const Folder &folder, const Bytes &file) {
  folder.write("model.safetensors", file);
  auto opened = Checkpoint::open(folder.path());
  if (!opened)
    return opened.takeError();
  static mlir::MLIRContext context;
  return importModel(folder.path(), opened->get(), context).takeError();
}

/// Where each run of digits in the header begins and ends.
std::vector<std::pair<size_t, size_t>> numbersIn(llvm::StringRef header) {
  std::vector<std::pair<size_t, size_t>> places;
  bool quoted = false;
  for (size_t i = 0; i < header.size(); ++i) {
    if (header[i] == '"')
      quoted = !quoted;
    if (quoted || !llvm::isDigit(header[i]))
      continue;
    size_t end = header.find_if_not(llvm::isDigit, i);
    places.push_back({i, end});
    i = end - 1;
  }
  return places;
}
} // namespace

// Any bit of the length and the header flipped: refused, or what is read is what was there before
// (the flip was in __metadata__'s text).
TEST(HostileCheckpoint, EveryBitOfTheHeader) {
  Tally tally("bit flips");
  for (const char *model : {"llama-linear", "llama-gqa", "opt-pre"}) {
    Bytes file = readTestFile(std::string("models/") + model + "/model.safetensors");
    Fenced fenced(file);
    auto before = llvm::cantFail(readSafetensors(fenced.bytes(), "model.safetensors"));
    for (size_t bit = 0; bit < headerEnd(file) * 8; ++bit) {
      fenced.data()[bit / 8] ^= uint8_t(1 << bit % 8);
      auto after = readSafetensors(fenced.bytes(), "model.safetensors");
      if (tally.either(after ? llvm::Error::success() : after.takeError(), "model.safetensors")) {
        ASSERT_EQ(after->size(), before.size()) << "bit " << bit;
        unsigned changed = 0;
        for (size_t i = 0; i < before.size(); ++i) {
          // A name may become another; where the data lies and what type it has may not.
          changed += (*after)[i].name != before[i].name;
          ASSERT_EQ((*after)[i].data.data(), before[i].data.data()) << "bit " << bit;
          ASSERT_EQ((*after)[i].data.size(), before[i].data.size()) << "bit " << bit;
          ASSERT_EQ((*after)[i].dtype, before[i].dtype) << "bit " << bit;
          ASSERT_EQ((*after)[i].shape, before[i].shape) << "bit " << bit;
        }
        ASSERT_LE(changed, 1u) << "bit " << bit;
      }
      fenced.data()[bit / 8] ^= uint8_t(1 << bit % 8);
    }
  }
}

// Every number of the header off by one, doubled, negative, broken, and beyond every integer.
TEST(HostileCheckpoint, EveryNumberOfTheHeader) {
  Tally tally("numbers");
  Bytes file = checkpoint();
  std::string header = headerOf(file).str();
  for (auto [begin, end] : numbersIn(header)) {
    uint64_t value = std::stoull(header.substr(begin, end - begin));
    std::vector<std::string> lies = {std::to_string(value + 1),
                                     std::to_string(value * 2 + 1),
                                     std::to_string(value + file.size()),
                                     "-1",
                                     "9223372036854775807",
                                     "9223372036854775808",
                                     "18446744073709551615",
                                     "18446744073709551616",
                                     "10737418240",
                                     "1e30",
                                     "0.5",
                                     "null",
                                     "\"1\"",
                                     "[1]",
                                     "{}"};
    if (value > 0)
      lies.push_back(std::to_string(value - 1));
    for (const std::string &lie : lies) {
      std::string changed = header.substr(0, begin) + lie + header.substr(end);
      tally.mustRefuse(read(Fenced(withHeader(file, changed)).bytes()),
                       header.substr(begin, end - begin) + " as " + lie, "model.safetensors");
    }
  }
}

// The length of the header: every value from 0 to some beyond the file, and huge ones.
TEST(HostileCheckpoint, EveryHeaderLength) {
  Tally tally("lengths");
  Bytes file = checkpoint();
  uint64_t right = headerEnd(file) - 8;
  std::vector<uint64_t> lengths = {UINT64_MAX,        UINT64_MAX - 7,     UINT64_MAX - 8,
                                   uint64_t(1) << 63, uint64_t(10) << 30, 99999999,
                                   100000000,         100000001};
  for (uint64_t length = 0; length < file.size() + 100; ++length)
    if (length != right)
      lengths.push_back(length);
  for (uint64_t length : lengths) {
    llvm::support::endian::write64le(file.data(), length);
    tally.mustRefuse(read(file), "a header of " + std::to_string(length));
  }
}

// Cut at 200 places over the file, at every place of the header, and made longer.
TEST(HostileCheckpoint, CutAnywhere) {
  Tally tally("cuts");
  Bytes file = checkpoint();
  for (size_t i = 0; i < 200; ++i)
    tally.mustRefuse(read(Fenced(llvm::ArrayRef(file).take_front(i * file.size() / 200)).bytes()),
                     "cut " + std::to_string(i));
  for (size_t length = 0; length < headerEnd(file); ++length)
    tally.mustRefuse(read(Fenced(llvm::ArrayRef(file).take_front(length)).bytes()),
                     "cut at " + std::to_string(length));
  for (size_t more : {size_t(1), size_t(7), size_t(4096)}) {
    Bytes longer = file;
    longer.resize(file.size() + more);
    tally.mustRefuse(read(longer), "longer by " + std::to_string(more));
  }
}

// Each tensor missing, twice, under another name, of another type, with its extents swapped, split,
// or one more, its data being as long as its shape says.
TEST(HostileCheckpoint, TensorsThatDoNotFit) {
  Tally tally("tensors");
  Bytes file = checkpoint();
  Folder folder;
  folder.write("config.json", readTestFile(std::string(kModel) + "config.json"));
  ASSERT_FALSE(bool(import(folder, file))); // the model is right
  ASSERT_FALSE(bool(import(folder, rewritten(file, [](llvm::json::Object &) {}))));
  for (const std::string &name : tensorNames(file)) {
    using Object = llvm::json::Object;
    auto refuse = [&](const char *what, llvm::function_ref<void(Object &)> change) {
      tally.mustRefuse(import(folder, rewritten(file, change)), name + " " + what, name);
    };
    refuse("missing", [&](Object &header) { header.erase(name); });
    refuse("renamed", [&](Object &header) {
      llvm::json::Value entry = std::move(*header.get(name));
      header.erase(name);
      header[name + "s"] = std::move(entry);
    });
    refuse("as integers", [&](Object &header) { (*header.getObject(name))["dtype"] = "I16"; });
    refuse("flat", [&](Object &header) {
      Object &entry = *header.getObject(name);
      int64_t count = 1;
      for (llvm::json::Value &extent : *entry.getArray("shape"))
        count *= *extent.getAsInteger();
      entry["shape"] = entry.getArray("shape")->size() == 1 ? llvm::json::Array{1, count}
                                                            : llvm::json::Array{count};
    });
    refuse("with an extent of one more in front", [&](Object &header) {
      header.getObject(name)->getArray("shape")->insert(
          header.getObject(name)->getArray("shape")->begin(), 1);
    });
    llvm::json::Object parsed = *llvm::cantFail(llvm::json::parse(headerOf(file))).getAsObject();
    const llvm::json::Array &shape = *parsed.getObject(name)->getArray("shape");
    if (shape.size() == 2 && shape[0] != shape[1])
      refuse("transposed", [&](Object &header) {
        (*header.getObject(name))["shape"] = llvm::json::Array{shape[1], shape[0]};
      });
    // Written twice: the text is made by hand, as JSON objects hold a key once.
    std::string header = headerOf(file).str(), entry = "\"" + name + "\":";
    const char *empty = "{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},";
    std::string twice = replaced(header, entry, (llvm::Twine(entry) + empty + entry).str());
    tally.mustRefuse(import(folder, withHeader(file, twice)), name + " twice", name);
  }
}

// Claims of 10 GB and of 100,000 levels by a file of a kilobyte: refused, and memory does not grow.
TEST(HostileCheckpoint, ClaimsWithoutSubstance) {
  Tally tally("claims");
  auto small = [](const std::string &header, uint64_t length) {
    Bytes file(8);
    llvm::support::endian::write64le(file.data(), length);
    file.insert(file.end(), header.begin(), header.end());
    file.resize(std::max<size_t>(file.size(), 1024), ' ');
    return file;
  };
  rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  auto refuse = [&](const std::string &header, uint64_t length = 1016) {
    tally.mustRefuse(read(small(header, length)), header.substr(0, 60));
  };
  refuse("{}", uint64_t(10) << 30);
  refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[50000,50000],\"data_offsets\":[0,10000000000]}}");
  refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}");
  refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807,2],\"data_offsets\":[0,0]}}");
  std::string deep(100000, '[');
  refuse(deep, deep.size());
  refuse("{\"a\":" + deep, deep.size() + 5);
  std::string objects;
  for (int i = 0; i < 100000; ++i)
    objects += "{\"a\":";
  refuse(objects, objects.size());
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 50000) << "kilobytes";
}
