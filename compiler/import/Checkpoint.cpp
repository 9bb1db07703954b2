// A checkpoint in a model's folder: finds its files, opens every one, and joins their tensors into
// one sorted list. All checks happen in open(); afterwards nothing can fail but the disk.
#include "compiler/import/Checkpoint.h"
#include "compiler/import/Files.h"
#include "compiler/import/Json.h"
#include "compiler/import/Safetensors.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/BLAKE3.h"
#include <map>

namespace coppice {

unsigned dtypeBytes(DType type) { return type == DType::F32 ? 4 : 2; }

llvm::StringRef dtypeName(DType type) {
  switch (type) {
  case DType::F32:
    return "F32";
  case DType::F16:
    return "F16";
  case DType::BF16:
    return "BF16";
  }
  llvm_unreachable("all types are named above");
}

Checkpoint::~Checkpoint() = default;

namespace {

constexpr llvm::StringLiteral singleFile = "model.safetensors";
constexpr llvm::StringLiteral indexFile = "model.safetensors.index.json";

std::optional<DType> weightType(llvm::StringRef dtype) {
  for (DType type : {DType::F32, DType::F16, DType::BF16})
    if (dtype == dtypeName(type))
      return type;
  return std::nullopt;
}

/// One mapped file with its entries, which own the names that the tensor list refers to.
struct Shard {
  MappedFile file;
  std::vector<SafetensorsEntry> entries;
};

class SafetensorsCheckpoint final : public Checkpoint {
public:
  /// Opens one more file. Files are hashed in the order of these calls.
  llvm::Error addShard(llvm::StringRef path);
  /// Joins the shards' tensors. A name that stands in two shards is refused.
  llvm::Error finish();

  llvm::ArrayRef<TensorInfo> tensors() const override { return list; }
  llvm::ArrayRef<UnusableTensor> unusable() const override { return others; }
  const TensorInfo *find(llvm::StringRef name) const override {
    auto at = llvm::lower_bound(list, name,
                                [](const TensorInfo &a, llvm::StringRef b) { return a.name < b; });
    return at != list.end() && at->name == name ? &*at : nullptr;
  }
  void drop(const TensorInfo &tensor) const override {
    for (const Shard &shard : shards)
      if (shard.file.path() == tensor.file)
        shard.file.drop(tensor.data);
  }
  llvm::SmallVector<uint8_t, 32> hash() const override;

  std::vector<Shard> shards; // not resized once finish() has run

private:
  std::vector<TensorInfo> list;
  std::vector<UnusableTensor> others;
};

llvm::Error SafetensorsCheckpoint::addShard(llvm::StringRef path) {
  llvm::Expected<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.takeError();
  llvm::Expected<std::vector<SafetensorsEntry>> entries = readSafetensors(file->bytes(), path);
  if (!entries)
    return entries.takeError();
  shards.push_back(Shard{std::move(*file), std::move(*entries)});
  return llvm::Error::success();
}

llvm::Error SafetensorsCheckpoint::finish() {
  llvm::StringMap<llvm::StringRef> seen; // name -> file
  for (const Shard &shard : shards) {
    for (const SafetensorsEntry &entry : shard.entries) {
      auto [at, isNew] = seen.try_emplace(entry.name, shard.file.path());
      if (!isNew)
        return llvm::createStringError("tensor \"" + llvm::Twine(entry.name) +
                                       "\" stands in both " + at->second + " and " +
                                       shard.file.path());
      if (std::optional<DType> type = weightType(entry.dtype))
        list.push_back({entry.name, *type, entry.shape, entry.data, shard.file.path()});
      else
        others.push_back({entry.name, entry.dtype, shard.file.path()});
    }
  }
  auto byName = [](const auto &a, const auto &b) { return a.name < b.name; };
  llvm::sort(list, byName);
  llvm::sort(others, byName);
  return llvm::Error::success();
}

llvm::SmallVector<uint8_t, 32> SafetensorsCheckpoint::hash() const {
  constexpr size_t step = size_t(4) << 20;
  llvm::BLAKE3 hasher;
  for (const Shard &shard : shards) {
    for (llvm::ArrayRef<uint8_t> rest = shard.file.bytes(); !rest.empty();) {
      llvm::ArrayRef<uint8_t> part = rest.take_front(step);
      hasher.update(part);
      shard.file.drop(part);
      rest = rest.drop_front(part.size());
    }
  }
  llvm::BLAKE3Result<> digest = hasher.final();
  return llvm::SmallVector<uint8_t, 32>(digest.begin(), digest.end());
}

/// `text` as one word of a POSIX shell.
std::string shellWord(llvm::StringRef text) {
  std::string word = "'";
  for (char c : text)
    word += c == '\'' ? "'\\''" : std::string(1, c);
  return word + "'";
}

/// Says what to do about a folder without safetensors.
llvm::Error nothingFound(llvm::StringRef directory) {
  for (llvm::StringRef name : {"pytorch_model.bin", "pytorch_model.bin.index.json"}) {
    if (!fileExists(joinPath(directory, name)))
      continue;
    // clone() gives tied tensors storage of their own, which save_file insists on; the copy that
    // is then stored twice is harmless, as a tied head is read from the embedding.
    return llvm::createStringError(
        llvm::Twine(directory) + ": the weights are Python pickles (" + name +
        "), and only safetensors are read. This line converts them (it needs the "
        "Python packages torch and safetensors; tied weights are stored twice, which is "
        "harmless): "
        "python3 -c \"import sys, glob, torch, safetensors.torch as s; d = sys.argv[1]; "
        "w = {k: v.clone().contiguous() for f in sorted(glob.glob(glob.escape(d) + "
        "'/pytorch_model*.bin')) for k, v in torch.load(f, map_location='cpu', "
        "weights_only=True).items()}; s.save_file(w, d + '/model.safetensors', "
        "metadata={'format': 'pt'})\" " +
        shellWord(directory));
  }
  return llvm::createStringError(
      llvm::Twine(directory) + ": there is no checkpoint here; " + singleFile + " or " + indexFile +
      " is wanted" +
      (fileExists(joinPath(directory, "config.json"))
           ? "; of config.json alone, coppice compile --dry-run says how "
             "large an artifact would be, and coppice synth --shape makes "
             "a checkpoint of random weights"
           : ""));
}

/// "; download ..." if `directory` is spelt like a model's name on the Hugging Face hub:
/// OWNER/MODEL.
std::string howToDownload(llvm::StringRef directory) {
  auto [owner, model] = directory.split('/');
  auto isName = [](llvm::StringRef part) {
    return !part.empty() && llvm::isAlnum(part.front()) && llvm::all_of(part, [](char c) {
      return llvm::isAlnum(c) || c == '-' || c == '_' || c == '.';
    });
  };
  if (!isName(owner) || !isName(model))
    return "";
  return ("; if this is the name of a model on the Hugging Face hub, download it first, with `hf "
          "download " +
          directory + " --local-dir " + model + "`, and give the folder " + model)
      .str();
}

/// A shard is a file beside the index. Anything that could lead elsewhere is refused.
bool isPlainFileName(llvm::StringRef name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(llvm::StringRef("/\\\0", 3)) == llvm::StringRef::npos;
}

llvm::Expected<std::map<std::string, std::vector<std::string>>> readIndex(llvm::StringRef path) {
  auto fail = [&](const llvm::Twine &what) {
    return llvm::createStringError(llvm::Twine(path) + ": " + what);
  };
  llvm::Expected<llvm::json::Value> value = readJsonFile(path);
  if (!value)
    return value.takeError();
  const llvm::json::Object *object = value->getAsObject();
  const llvm::json::Object *map = object ? object->getObject("weight_map") : nullptr;
  if (!map)
    return fail("weight_map, an object from tensor names to file names, is missing");
  if (map->empty())
    return fail("weight_map is empty");
  std::map<std::string, std::vector<std::string>> shards; // file -> its tensors
  for (const auto &[key, file] : *map) {
    std::optional<llvm::StringRef> name = file.getAsString();
    if (!name || !isPlainFileName(*name))
      return fail("weight_map puts tensor \"" + llvm::StringRef(key) + "\" into " +
                  quoteJson(file) + ", and the name of a file beside the index is wanted");
    shards[name->str()].push_back(key.str());
  }
  return shards;
}

llvm::Error openShards(SafetensorsCheckpoint &checkpoint, llvm::StringRef directory) {
  std::string indexPath = joinPath(directory, indexFile);
  auto index = readIndex(indexPath);
  if (!index)
    return index.takeError();
  for (const auto &[file, names] : *index) {
    std::string path = joinPath(directory, file);
    if (!fileExists(path))
      return llvm::createStringError(llvm::Twine(indexPath) + ": weight_map puts tensor \"" +
                                     names.front() + "\" into " + file +
                                     ", and there is no such file beside the index");
    if (llvm::Error error = checkpoint.addShard(path))
      return error;
    llvm::StringSet<> stored;
    for (const SafetensorsEntry &entry : checkpoint.shards.back().entries)
      stored.insert(entry.name);
    for (const std::string &name : names)
      if (!stored.contains(name))
        return llvm::createStringError(llvm::Twine(indexPath) + ": weight_map puts tensor \"" +
                                       name + "\" into " + file + ", and it is not in that file");
  }
  return llvm::Error::success();
}

} // namespace

bool Checkpoint::exists(llvm::StringRef directory) {
  return fileExists(joinPath(directory, singleFile)) || fileExists(joinPath(directory, indexFile));
}

llvm::Expected<std::unique_ptr<Checkpoint>> Checkpoint::open(llvm::StringRef directory) {
  llvm::sys::fs::file_status status;
  if (std::error_code code = llvm::sys::fs::status(directory, status))
    return llvm::createStringError(llvm::Twine(directory) + ": " +
                                   (code == std::errc::no_such_file_or_directory
                                        ? "there is no such folder" + howToDownload(directory)
                                        : "cannot read it: " + code.message()));
  if (!llvm::sys::fs::is_directory(directory))
    return llvm::createStringError(llvm::Twine(directory) +
                                   ": a model's folder is wanted, and this is a file");
  auto checkpoint = std::make_unique<SafetensorsCheckpoint>();
  std::string path = joinPath(directory, singleFile);
  // With both, the single file is the checkpoint: so Hugging Face reads such a folder.
  bool single = fileExists(path);
  if (!single && !fileExists(joinPath(directory, indexFile)))
    return nothingFound(directory);
  if (llvm::Error error = single ? checkpoint->addShard(path) : openShards(*checkpoint, directory))
    return std::move(error);
  if (llvm::Error error = checkpoint->finish())
    return std::move(error);
  return checkpoint;
}

} // namespace coppice
