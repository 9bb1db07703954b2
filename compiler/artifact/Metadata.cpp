// A program as the metadata FlatBuffer. Built in one fixed order, so that equal programs give equal
// bytes.
#include "compiler/artifact/IndexSets.h"
#include "compiler/artifact/Records.h"
#include "compiler/artifact/Writer.h"
#include "coppice/artifact_prefix.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <map>

using namespace coppice;
using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

/// Without the tokenizer. What an artifact has beyond weights and tokenizer is to be 64 KB at most:
/// code takes some 20 of them, and the metadata up to a page of padding. Only neurons that are
/// scattered over many wide layers reach this, and then the artifact does not say which they are:
/// nothing needs it to run.
constexpr size_t kMetadataBudget = 39 * 1024;

static artifact::Hash toHash(const Digest &digest) { return artifact::Hash(digest); }

namespace {
/// The layers of a model. Equal sets share one table, and so do equal layers.
class Layers {
public:
  Layers(FlatBufferBuilder &builder, bool neurons) : builder(builder), neurons(neurons) {}

  Offset<artifact::Layer> add(const LayerSummary &layer) {
    auto heads = set(layer.heads, layer.headsBefore, /*recorded=*/true);
    auto kvHeads = set(layer.kvHeads, layer.kvHeadsBefore, /*recorded=*/true);
    auto kept = set(layer.neurons, layer.neuronsBefore, neurons);
    Offset<artifact::IndexSet> experts; // none
    if (layer.expertsBefore)
      experts = set(layer.experts, layer.expertsBefore, /*recorded=*/true);
    Offset<artifact::Layer> &table = layers[{layer.attention, layer.ffn, uint32_t(layer.headDim),
                                             heads.o, kvHeads.o, kept.o, experts.o}];
    if (table.IsNull())
      table = artifact::CreateLayer(builder, layer.attention, layer.ffn, uint32_t(layer.headDim),
                                    heads, kvHeads, kept, experts);
    return table;
  }

private:
  Offset<artifact::IndexSet> set(llvm::ArrayRef<int32_t> kept, int64_t before, bool recorded) {
    Offset<artifact::IndexSet> &table = sets[{kept.vec(), before, recorded}];
    if (table.IsNull())
      table = writeIndexSet(builder, kept, uint32_t(before), recorded);
    return table;
  }

  FlatBufferBuilder &builder;
  bool neurons;
  std::map<std::tuple<std::vector<int32_t>, int64_t, bool>, Offset<artifact::IndexSet>> sets;
  std::map<std::array<uint32_t, 7>, Offset<artifact::Layer>> layers;
};
} // namespace

std::vector<uint64_t> coppice::codePlaces(const Program &program) {
  std::vector<uint64_t> places = {0};
  for (const TargetCode &code : program.code) {
    places.back() = llvm::alignTo(places.back(), COPPICE_AREA_ALIGN);
    places.push_back(places.back() + code.image.bytes.size());
  }
  return places;
}

static Offset<artifact::Model> buildModel(FlatBufferBuilder &builder, const Program &program,
                                          bool neurons) {
  std::vector<Offset<artifact::Layer>> layers;
  Layers tables(builder, neurons);
  for (const LayerSummary &layer : program.summary.layers)
    layers.push_back(tables.add(layer));
  auto family = builder.CreateString(program.modelType);
  auto stops = builder.CreateVector(program.stopTokens);
  auto layerList = builder.CreateVector(layers);
  return artifact::CreateModel(builder, family, program.vocabulary, program.tokenLimit,
                               program.context, program.parametersBefore,
                               program.summary.parameters, stops, layerList,
                               program.summary.activeParameters);
}

/// One for each target, in the program's order, with all that is equal among them stored once.
static llvm::Expected<std::vector<Offset<artifact::EntryPoint>>>
buildEntries(FlatBufferBuilder &builder, const Program &program, const ArtifactInputs &inputs) {
  auto stages = writeStages(program.stages);
  if (!stages)
    return stages.takeError();
  artifact::MemoryPlan memory(program.memory.arenaBytesPerRow, program.memory.kvBytesPerPosition);
  std::optional<artifact::RingPlan> ring;
  if (program.memory.ringBytesPerPosition)
    ring.emplace(program.memory.ringBytesPerPosition, program.memory.ringPositions,
                 program.memory.largestStep);
  std::optional<artifact::Hash> plan;
  if (inputs.plan)
    plan = toHash(*inputs.plan);

  std::map<std::string, Offset<flatbuffers::String>> strings;
  auto shared = [&](const std::string &text) {
    Offset<flatbuffers::String> &offset = strings[text];
    if (offset.IsNull())
      offset = builder.CreateString(text);
    return offset;
  };
  Offset<flatbuffers::Vector<uint8_t>> stageRecords;
  std::vector<Offset<artifact::EntryPoint>> entries;
  std::vector<uint64_t> places = codePlaces(program);
  for (auto [rank, code] : llvm::enumerate(program.code)) {
    std::vector<Offset<artifact::Kernel>> kernels;
    for (const KernelSymbol &kernel : code.image.kernels) {
      assert(kernel.offset < code.image.bytes.size() && "a kernel beyond the code");
      kernels.push_back(artifact::CreateKernel(builder, shared(kernel.name), kernel.offset));
    }
    auto target = builder.CreateString(code.target);
    std::vector<Offset<flatbuffers::String>> featureNames;
    for (const std::string &feature : code.features)
      featureNames.push_back(shared(feature));
    auto features = builder.CreateVector(featureNames);
    auto kernelList = builder.CreateVector(kernels);
    if (stageRecords.IsNull())
      stageRecords = builder.CreateVector(*stages);
    entries.push_back(artifact::CreateEntryPoint(
        builder, /*level=*/0, target, features, places[rank], code.image.bytes.size(), kernelList,
        stageRecords, &memory, plan ? &*plan : nullptr, uint32_t(rank), ring ? &*ring : nullptr,
        program.picks));
  }
  return std::move(entries);
}

static llvm::Expected<std::vector<uint8_t>> build(const Program &program,
                                                  const ArtifactInputs &inputs, bool neurons) {
  FlatBufferBuilder builder;
  std::vector<std::string> roles;
  auto weights = writeWeights(program.weights, roles);
  if (!weights)
    return weights.takeError();
  auto model = buildModel(builder, program, neurons);
  auto entries = buildEntries(builder, program, inputs);
  if (!entries)
    return entries.takeError();

  std::optional<artifact::Hash> source;
  if (inputs.source)
    source = toHash(*inputs.source);
  auto compiler = builder.CreateString(inputs.compiler);
  auto provenance =
      artifact::CreateProvenance(builder, compiler, source ? &*source : nullptr, inputs.calibrated);
  Offset<flatbuffers::Vector<uint8_t>> tokenizer;
  if (!inputs.tokenizer.empty()) {
    builder.ForceVectorAlignment(inputs.tokenizer.size(), 1, 16);
    tokenizer = builder.CreateVector(inputs.tokenizer.data(), inputs.tokenizer.size());
  }
  auto roleList = builder.CreateVectorOfStrings(roles);
  auto weightRecords = builder.CreateVector(*weights);
  auto entryList = builder.CreateVector(*entries);
  artifact::FinishArtifactBuffer(builder,
                                 artifact::CreateArtifact(builder, model, roleList, weightRecords,
                                                          entryList, provenance, tokenizer));
  return std::vector<uint8_t>(builder.GetBufferPointer(),
                              builder.GetBufferPointer() + builder.GetSize());
}

llvm::Expected<std::vector<uint8_t>> coppice::buildMetadata(const Program &program,
                                                            const ArtifactInputs &inputs) {
  assert(!program.code.empty() && "a program without code");
  for (const TargetCode &code : program.code)
    for (const Stage &stage : program.stages) {
      assert(stage.kernel < code.image.kernels.size() && "a stage without its kernel");
      (void)stage;
    }
  auto metadata = build(program, inputs, /*neurons=*/true);
  if (!metadata || metadata->size() - inputs.tokenizer.size() <= kMetadataBudget)
    return metadata;
  return build(program, inputs, /*neurons=*/false);
}
