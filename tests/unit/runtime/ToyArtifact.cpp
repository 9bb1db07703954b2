// Writes the toy artifact with the FlatBuffers builder; see ToyArtifact.h.
#include "ToyArtifact.h"
#include "runtime/core/checksum.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <unistd.h>

namespace fb = coppice::artifact;

namespace toy {

static std::vector<uint8_t> kernelCode() {
  std::ifstream in(TOY_KERNELS, std::ios::binary);
  return std::vector<uint8_t>(std::istreambuf_iterator<char>(in), {});
}

/// The value's bits in groups of seven, the lowest first, all but the last marked.
static void number(std::vector<uint8_t> &to, uint64_t value) {
  while (value > 127) {
    to.push_back(uint8_t(value % 128 + 128));
    value /= 128;
  }
  to.push_back(uint8_t(value));
}

/// A step of -n is 2n - 1, one of n is 2n; steps go the shorter way round 2^32.
static void step(std::vector<uint8_t> &to, uint32_t from, uint32_t value) {
  int64_t way = int32_t(value - from);
  number(to, uint64_t(way < 0 ? -2 * way - 1 : 2 * way));
}

static std::vector<uint8_t> recordsOf(const std::vector<Stage> &stages) {
  std::vector<uint8_t> bytes;
  std::map<std::pair<uint32_t, size_t>, uint32_t> last; // by kernel and place
  int32_t layer = 0;
  for (const Stage &stage : stages) {
    number(bytes, stage.kernel);
    number(bytes, stage.set + 4 * stage.perRow + 8 * stage.joined + 16 * stage.args.size());
    step(bytes, uint32_t(layer), uint32_t(stage.layer));
    number(bytes, stage.count);
    for (size_t i = 0; i < stage.args.size(); ++i) {
      step(bytes, last[{stage.kernel, i}], stage.args[i]);
      last[{stage.kernel, i}] = stage.args[i];
    }
    layer = stage.layer;
  }
  return bytes;
}

static std::vector<uint8_t> recordsOf(const std::vector<Weight> &weights) {
  std::vector<uint8_t> bytes;
  int32_t layer = 0;
  for (const Weight &weight : weights) {
    number(bytes, weight.role);
    step(bytes, uint32_t(layer), uint32_t(weight.layer));
    number(bytes, weight.format + 16 * weight.layout);
    number(bytes, weight.rows);
    number(bytes, weight.cols);
    layer = weight.layer;
  }
  return bytes;
}

Artifact::Artifact() {
  stages = {{0, 1, {COPPICE_ROWS_ALL, 0}, 0, COPPICE_ROWS_ALL, 1},
            {1, 1, {COPPICE_ROWS_ALL, 0}, 0, COPPICE_ROWS_ALL, 1},
            {2, 1, {COPPICE_ROWS_LOGITS, 0, vocabulary}, -1, COPPICE_ROWS_LOGITS, 1}};
  // float32 in rows: 4 bytes at 0, and 36 at 64.
  weights = {{1, 1, 0, -1, 0, 0}, {3, 3, 0, 0, 0, 0}};
}

std::vector<uint8_t> Artifact::build() const {
  std::vector<uint8_t> code = kernelCode();
  flatbuffers::FlatBufferBuilder b;
  std::vector<uint8_t> stageRecords = recordsOf(stages), weightRecords = recordsOf(weights);
  if (changeRecords)
    changeRecords(stageRecords, weightRecords);
  auto headSet = fb::CreateIndexSetDirect(b, 2, headsKept, heads.empty() ? nullptr : &heads);
  auto neurons = fb::CreateIndexSet(b, 3, neuronsKept);
  std::vector<flatbuffers::Offset<fb::Layer>> layers = {
      fb::CreateLayer(b, true, true, 1, headSet, headSet, neuronsAreHeads ? headSet : neurons)};
  auto model =
      fb::CreateModelDirect(b, "toy", vocabulary, tokenLimit, context, 4, 2, &stopTokens, &layers);
  std::vector<flatbuffers::Offset<fb::Kernel>> kernelRecords;
  for (uint32_t offset : kernels)
    kernelRecords.push_back(
        fb::CreateKernelDirect(b, kernelRecords.empty() ? firstKernel.c_str() : "toy", offset));
  fb::RingPlan ring(ringBytes, ringPositions, largestStep);
  fb::MemoryPlan memory(arenaBytesPerRow, kvBytes);
  std::vector<flatbuffers::Offset<fb::EntryPoint>> entries;
  std::vector<Entry> wanted = {{target, features, rank}};
  wanted.insert(wanted.end(), others.begin(), others.end());
  for (const Entry &entry : wanted) {
    std::vector<flatbuffers::Offset<flatbuffers::String>> featureNames;
    for (const std::string &feature : entry.features)
      featureNames.push_back(b.CreateString(feature));
    if (entryPoint)
      entries.push_back(fb::CreateEntryPointDirect(b, 0, entry.target.c_str(), &featureNames,
                                                   codeOffset, codeBytes ? codeBytes : code.size(),
                                                   &kernelRecords, &stageRecords, &memory, nullptr,
                                                   entry.rank, ringBytes ? &ring : nullptr));
  }
  std::vector<flatbuffers::Offset<flatbuffers::String>> roles = {b.CreateString("w")};
  flatbuffers::Offset<flatbuffers::Vector<uint8_t>> tables;
  if (!tokenizer.empty()) {
    b.ForceVectorAlignment(tokenizer.size(), 1, 16);
    tables = b.CreateVector(tokenizer);
  }
  b.Finish(fb::CreateArtifact(b, model, b.CreateVector(roles), b.CreateVector(weightRecords),
                              b.CreateVector(entries), fb::CreateProvenanceDirect(b, "by hand"),
                              tables),
           fb::ArtifactIdentifier());

  auto pad = [](std::vector<uint8_t> &to) { to.resize((to.size() + 4095) / 4096 * 4096); };
  coppice_prefix prefix{};
  std::memcpy(prefix.magic, COPPICE_ARTIFACT_MAGIC, 8);
  prefix.version = COPPICE_ARTIFACT_VERSION;
  prefix.kernel_abi = COPPICE_KERNEL_ABI_VERSION;
  std::vector<uint8_t> file(sizeof prefix);
  prefix.metadata = {file.size(), b.GetSize()};
  file.insert(file.end(), b.GetBufferPointer(), b.GetBufferPointer() + b.GetSize());
  pad(file);
  prefix.code = {file.size(), code.size()};
  file.insert(file.end(), code.begin(), code.end());
  pad(file);
  prefix.weights = {file.size(), 100};
  file.resize(file.size() + 100);
  std::memcpy(file.data() + prefix.weights.offset, &weight, sizeof weight);
  prefix.file_bytes = file.size();
  setPrefix(file, prefix);
  seal(file);
  return file;
}

coppice_prefix prefixOf(const std::vector<uint8_t> &file) {
  coppice_prefix prefix;
  std::memcpy(&prefix, file.data(), sizeof prefix);
  return prefix;
}

void setPrefix(std::vector<uint8_t> &file, const coppice_prefix &prefix) {
  std::memcpy(file.data(), &prefix, sizeof prefix);
}

static uint64_t sumOf(const uint8_t *data, size_t bytes) {
  coppice_checksum sum;
  coppice_checksum_init(&sum);
  coppice_checksum_update(&sum, data, bytes);
  return coppice_checksum_final(&sum);
}

void seal(std::vector<uint8_t> &file) {
  coppice_prefix prefix = prefixOf(file);
  uint64_t split = prefix.weights.offset < file.size() ? prefix.weights.offset : file.size();
  prefix.weights_checksum = sumOf(file.data() + split, file.size() - split);
  prefix.head_checksum = 0;
  setPrefix(file, prefix);
  prefix.head_checksum = sumOf(file.data(), split);
  setPrefix(file, prefix);
}

File::File(const std::vector<uint8_t> &bytes) {
  const char *directory = getenv("TMPDIR");
  name = std::string(directory ? directory : "/tmp") + "/coppice-toy-XXXXXX";
  int file = mkstemp(name.data());
  if (file < 0 || write(file, bytes.data(), bytes.size()) != ssize_t(bytes.size()))
    abort();
  close(file);
}

File::~File() { unlink(name.c_str()); }

float logit(const std::vector<int32_t> &tokens, size_t position, uint32_t v, float weight) {
  float sum = 0;
  for (size_t i = 0; i <= position; ++i)
    sum += float(i + 1) * float(tokens[i]);
  return sum + float(v) * weight;
}

} // namespace toy
