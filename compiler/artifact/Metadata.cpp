// A program as the metadata FlatBuffer. Built in one fixed order, so that equal programs give equal
// bytes.
#include "compiler/artifact/IndexSets.h"
#include "compiler/artifact/Writer.h"
#include "llvm/ADT/StringMap.h"
#include <limits>

using namespace coppice;
using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

static_assert(uint8_t(WeightFormat::U32) == uint8_t(artifact::WeightFormat::U32) &&
              uint8_t(WeightFormat::BF16) == uint8_t(artifact::WeightFormat::BF16) &&
              uint8_t(WeightFormat::F16) == uint8_t(artifact::WeightFormat::F16) &&
              uint8_t(WeightLayout::Panels) == uint8_t(artifact::WeightLayout::Panels));

/// An error if `value` does not fit the schema's field of type T.
template <typename T, typename V> static llvm::Error fits(V value, const llvm::Twine &what) {
  if (value >= 0 && uint64_t(value) <= uint64_t(std::numeric_limits<T>::max()))
    return llvm::Error::success();
  return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                 "the artifact format cannot hold " + what + ": " +
                                     llvm::Twine(value) + ", at most " +
                                     llvm::Twine(uint64_t(std::numeric_limits<T>::max())));
}

static artifact::Hash toHash(const Digest &digest) { return artifact::Hash(digest); }

static Offset<artifact::Model> buildModel(FlatBufferBuilder &builder, const Program &program) {
  std::vector<Offset<artifact::Layer>> layers;
  for (const LayerSummary &layer : program.summary.layers) {
    auto heads = writeIndexSet(builder, layer.heads, uint32_t(layer.headsBefore));
    auto kvHeads = writeIndexSet(builder, layer.kvHeads, uint32_t(layer.kvHeadsBefore));
    auto neurons = writeIndexSet(builder, layer.neurons, uint32_t(layer.neuronsBefore));
    layers.push_back(artifact::CreateLayer(builder, layer.attention, layer.ffn,
                                           uint32_t(layer.headDim), heads, kvHeads, neurons));
  }
  auto family = builder.CreateString(program.modelType);
  auto stops = builder.CreateVector(program.stopTokens);
  auto layerList = builder.CreateVector(layers);
  return artifact::CreateModel(builder, family, program.vocabulary, program.tokenLimit,
                               program.context, program.parametersBefore,
                               program.summary.parameters, stops, layerList);
}

static llvm::Expected<Offset<artifact::EntryPoint>>
buildEntry(FlatBufferBuilder &builder, const Program &program, const ArtifactInputs &inputs) {
  std::vector<uint32_t> args;
  std::vector<artifact::Stage> stages;
  for (const Stage &stage : program.stages) {
    assert(stage.kernel < program.code.kernels.size() && "a stage without its kernel");
    if (auto error = fits<uint16_t>(stage.kernel, "the number of a stage's kernel"))
      return std::move(error);
    if (auto error = fits<uint16_t>(stage.args.size(), "the argument words of a stage"))
      return std::move(error);
    if (auto error = fits<int16_t>(stage.layer + 1, "the number of a stage's layer"))
      return std::move(error);
    if (auto error = fits<uint8_t>(stage.set, "the number of a stage's row set"))
      return std::move(error);
    stages.emplace_back(uint32_t(args.size()), stage.count, uint16_t(stage.kernel),
                        uint16_t(stage.args.size()), int16_t(stage.layer), uint8_t(stage.set),
                        uint8_t(stage.perRow));
    args.insert(args.end(), stage.args.begin(), stage.args.end());
  }
  std::vector<Offset<artifact::Kernel>> kernels;
  for (const KernelSymbol &kernel : program.code.kernels) {
    assert(kernel.offset < program.code.bytes.size() && "a kernel beyond the code");
    auto name = builder.CreateString(kernel.name);
    kernels.push_back(artifact::CreateKernel(builder, name, kernel.offset));
  }
  artifact::MemoryPlan memory(program.memory.arenaBytesPerRow, program.memory.kvFloatsPerPosition);
  std::optional<artifact::Hash> plan;
  if (inputs.plan)
    plan = toHash(*inputs.plan);

  auto target = builder.CreateString(program.target);
  auto features = builder.CreateVectorOfStrings(program.features);
  auto kernelList = builder.CreateVector(kernels);
  auto stageList = builder.CreateVectorOfStructs(stages);
  auto argList = builder.CreateVector(args);
  return artifact::CreateEntryPoint(builder, /*level=*/0, target, features, /*code_offset=*/0,
                                    program.code.bytes.size(), kernelList, stageList, argList,
                                    &memory, plan ? &*plan : nullptr);
}

llvm::Expected<std::vector<uint8_t>> coppice::buildMetadata(const Program &program,
                                                            const ArtifactInputs &inputs) {
  FlatBufferBuilder builder;
  llvm::StringMap<uint16_t> roleNumbers;
  std::vector<std::string> roles;
  std::vector<artifact::Weight> weights;
  for (const PackedWeight &weight : program.weights) {
    if (auto error = fits<uint32_t>(weight.rows, "the rows of weight '" + weight.role + "'"))
      return std::move(error);
    if (auto error = fits<uint32_t>(weight.cols, "the columns of weight '" + weight.role + "'"))
      return std::move(error);
    if (auto error = fits<int16_t>(weight.layer + 1, "the number of a weight's layer"))
      return std::move(error);
    auto [role, isNew] = roleNumbers.try_emplace(weight.role, uint16_t(roles.size()));
    if (isNew)
      roles.push_back(weight.role);
    if (auto error = fits<uint16_t>(roles.size(), "the number of weight roles"))
      return std::move(error);
    weights.emplace_back(weight.offset, uint32_t(weight.rows), uint32_t(weight.cols), role->second,
                         int16_t(weight.layer), artifact::WeightFormat(weight.format),
                         artifact::WeightLayout(weight.layout));
  }
  auto model = buildModel(builder, program);
  auto entry = buildEntry(builder, program, inputs);
  if (!entry)
    return entry.takeError();

  std::optional<artifact::Hash> source;
  if (inputs.source)
    source = toHash(*inputs.source);
  auto compiler = builder.CreateString(inputs.compiler);
  auto provenance = artifact::CreateProvenance(builder, compiler, source ? &*source : nullptr);
  Offset<flatbuffers::Vector<uint8_t>> tokenizer;
  if (!inputs.tokenizer.empty()) {
    builder.ForceVectorAlignment(inputs.tokenizer.size(), 1, 16);
    tokenizer = builder.CreateVector(inputs.tokenizer.data(), inputs.tokenizer.size());
  }
  auto roleList = builder.CreateVectorOfStrings(roles);
  auto weightList = builder.CreateVectorOfStructs(weights);
  auto entries = builder.CreateVector(&*entry, 1);
  artifact::FinishArtifactBuffer(builder,
                                 artifact::CreateArtifact(builder, model, roleList, weightList,
                                                          entries, provenance, tokenizer));
  return std::vector<uint8_t>(builder.GetBufferPointer(),
                              builder.GetBufferPointer() + builder.GetSize());
}
