// Writes artifacts for the fuzzer to begin with: small ones, alone and with each tokenizer of the
// tree; and, as slow-*, small ones that once kept a reader busy for long, by lists that many tables
// share: findings, made anew so that they always have today's version.
// usage: fuzz-seeds FOLDER
#include "compiler/artifact/tokenizer/Tokenizer.h"
#include "tests/unit/runtime/ToyArtifact.h"
#include "llvm/Support/raw_ostream.h"
#include <cstring>

using namespace coppice;

static bool write(const std::string &path, const std::vector<uint8_t> &bytes) {
  std::error_code code;
  llvm::raw_fd_ostream out(path, code);
  if (!code)
    out.write(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  return !code;
}

/// `layers` layers that share a set of `setBytes` bytes, and `entries` entry points that share a
/// list of `features` features. All of it is refused, and quickly.
static std::vector<uint8_t> shared(size_t layers, size_t setBytes, size_t entries,
                                   size_t features) {
  namespace fb = coppice::artifact;
  flatbuffers::FlatBufferBuilder b;
  std::vector<uint8_t> none, bitmap(setBytes);
  bitmap[0] = 1;
  auto set = fb::CreateIndexSetDirect(b, uint32_t(setBytes * 8), 1, nullptr, &bitmap);
  std::vector<flatbuffers::Offset<fb::Layer>> allLayers(
      layers, fb::CreateLayer(b, true, true, 1, set, set, set));
  auto model = fb::CreateModelDirect(b, "toy", 5, 100, 40, 4, 2, nullptr, &allLayers);
  std::vector<flatbuffers::Offset<fb::Kernel>> kernels;
  std::vector<flatbuffers::Offset<flatbuffers::String>> names(features, b.CreateString("sse2"));
  fb::MemoryPlan memory(64, 1);
  std::vector<flatbuffers::Offset<fb::EntryPoint>> allEntries(
      entries, fb::CreateEntryPointDirect(b, 0, "toy", &names, 0, 0, &kernels, &none, &memory));
  std::vector<flatbuffers::Offset<flatbuffers::String>> roles = {b.CreateString("w")};
  b.Finish(fb::CreateArtifact(b, model, b.CreateVector(roles), b.CreateVector(none),
                              b.CreateVector(allEntries), fb::CreateProvenanceDirect(b, "by hand")),
           fb::ArtifactIdentifier());

  coppice_prefix prefix{};
  std::memcpy(prefix.magic, COPPICE_ARTIFACT_MAGIC, sizeof prefix.magic);
  prefix.version = COPPICE_ARTIFACT_VERSION;
  prefix.kernel_abi = COPPICE_KERNEL_ABI_VERSION;
  std::vector<uint8_t> file(sizeof prefix);
  prefix.metadata = {file.size(), b.GetSize()};
  file.insert(file.end(), b.GetBufferPointer(), b.GetBufferPointer() + b.GetSize());
  file.resize((file.size() + COPPICE_AREA_ALIGN - 1) / COPPICE_AREA_ALIGN * COPPICE_AREA_ALIGN);
  prefix.code = prefix.weights = {file.size(), 0};
  prefix.file_bytes = file.size();
  toy::setPrefix(file, prefix);
  toy::seal(file);
  return file;
}

int main(int count, char **arguments) {
  if (count != 2)
    return 2;
  std::string folder = arguments[1];
  toy::Artifact toy;
  toy.codeBytes = 0;
  toy.kernels.clear(); // without code there are no kernels, and so no stages
  toy.stages.clear();
  // The same 36 bytes as quantized weights: two rows of 32 in i4, of 16 in i8.
  toy::Artifact nibbles = toy, bytes = toy;
  nibbles.weights[1] = {2, 32, 0, 0, 5, 1};
  bytes.weights[1] = {2, 16, 0, 0, 4, 0};
  if (!write(folder + "/toy", toy.build()) || !write(folder + "/i4", nibbles.build()) ||
      !write(folder + "/i8", bytes.build()) ||
      !write(folder + "/slow-shared-sets", shared(20000, 1 << 16, 1, 0)) ||
      !write(folder + "/slow-shared-features", shared(0, 1, 40000, 40000)))
    return 1;
  for (const char *name : {"digits", "dropped", "falcon", "first", "gaps", "gemma", "gpt2",
                           "llama3", "nfc", "o200k", "qwen2", "sentence", "split", "tekken"}) {
    auto tables = compileTokenizer(std::string(COPPICE_TESTS "/golden/tokenizer/models/") + name,
                                   int64_t(1) << 20);
    if (!tables || !*tables) {
      llvm::errs() << llvm::toString(tables.takeError()) << "\n";
      return 1;
    }
    toy.tokenizer = buildTokenizer(**tables);
    if (!write(folder + "/" + name, toy.build()))
      return 1;
  }
  return 0;
}
