// Each stage op becomes a kernel's name and argument words (KernelArgs.h); a stage without items
// vanishes.
#include "compiler/codegen/Stages.h"
#include "compiler/codegen/KernelArgs.h"
#include "compiler/passes/pack/Accesses.h"
#include "compiler/passes/pack/PackPasses.h"
#include "runtime/include/coppice/kernel_abi.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include <map>

using namespace mlir;

namespace coppice {
namespace {

static_assert(args::kGroup == pack::kGroup, "one size of groups");

std::string formatName(Type element) {
  return element.isF32()        ? "f32"
         : element.isF16()      ? "f16"
         : element.isBF16()     ? "bf16"
         : element.isInteger(8) ? "i8"
                                : "i4";
}

/// Panels of the layout: one per 32 rows, and one per binary digit of the rest.
uint32_t panelCount(int64_t rows) {
  return rows / args::kPanelRows + llvm::popcount(uint32_t(rows % args::kPanelRows));
}

class Builder {
public:
  llvm::Expected<StageList> run(pack::StepOp step) {
    if (!step.getArena() || !step.getKv())
      return fail("the step has no memory plan: run pack-plan-memory before");
    list.memory.arenaBytesPerRow = *step.getArena();
    list.memory.kvBytesPerPosition = *step.getKv();
    if (step.getRing()) {
      list.memory.ringBytesPerPosition = *step.getRing();
      list.memory.ringPositions = word(*step.getRingPositions(), "a ring");
      list.memory.largestStep = word(*step.getLargestStep(), "a step");
    }
    for (Operation &op : step.getBody().front()) {
      layer = -1;
      if (auto at = op.getAttrOfType<IntegerAttr>(kPackLayer))
        layer = at.getInt();
      joined = op.hasAttr(kPackJoined);
      TypeSwitch<Operation *>(&op)
          .Case<pack::WeightOp, pack::ConstantOp>([&](auto typed) { weight(typed); })
          .Case<pack::EmbedOp, pack::NormOp, pack::QuantizeOp, pack::LinearOp, pack::RopeTableOp,
                pack::HeadNormOp, pack::SoftcapOp, pack::RopeOp, pack::KvWriteOp, pack::AttentionOp,
                pack::ActivationOp, pack::AddOp, pack::MulOp, pack::SelectOp, pack::MaskOp,
                pack::GatherOp, pack::RouteOp, pack::GroupOp, pack::DispatchOp,
                pack::ExpertLinearOp, pack::CombineOp>([&](auto typed) { stage(typed); })
          .Case([&](pack::ObserveOp op) { observe(op); })
          .Case(
              [&](pack::ReturnOp ret) { list.vocabulary = ret.getLogits().getType().getWidth(); });
    }
    if (!overflow.empty())
      return fail(overflow);
    // An empty weight shares its offset with the one after it, and stays before it.
    llvm::sort(list.weights, [](const PackedWeight &a, const PackedWeight &b) {
      return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes);
    });
    numberKernels();
    return std::move(list);
  }

private:
  static llvm::Error fail(const std::string &message) {
    return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
  }

  /// A number that must fit a word of the stage's arguments.
  uint32_t word(int64_t value, const char *what) {
    if (value < 0 || value >= int64_t(args::kNone)) {
      overflow = std::string("the model is too large for this artifact format: ") + what + " is " +
                 std::to_string(value) + ", at most " + std::to_string(args::kNone - 1) + " fit";
      return 0;
    }
    return uint32_t(value);
  }
  uint32_t place(Value value) {
    if (!value)
      return args::kNone;
    auto at = value.getDefiningOp()->getAttrOfType<IntegerAttr>("place");
    return at ? word(at.getInt() / 64, "an arena offset in 64 bytes") : args::kNone;
  }
  uint32_t weightAt(Value value) {
    if (!value)
      return args::kNone;
    auto at = value.getDefiningOp()->getAttrOfType<IntegerAttr>("offset");
    return word(at.getInt() / 64, "a weight offset in 64 bytes");
  }
  uint32_t width(Value buffer) { return word(pack::widthOf(buffer.getType()), "a width"); }
  static uint32_t set(Value buffer) { return uint32_t(pack::setOf(buffer.getType())); }
  /// Zero point of a quantized result, for the kernels that can make one.
  static uint32_t zero(Value rows) {
    auto quantized = dyn_cast<pack::QuantizedType>(rows.getType());
    return quantized ? uint32_t(quantized.getZero()) : 0;
  }
  static std::string quantizing(Value rows) { return zero(rows) ? "_quantize" : ""; }
  static uint32_t bits(const APFloat &value) {
    return llvm::bit_cast<uint32_t>(value.convertToFloat());
  }

  //===--- Weights ---===//

  PackedWeight &record(Operation *op, pack::WeightType type, StringRef role) {
    PackedWeight &weight = list.weights.emplace_back();
    weight.role = role.str();
    weight.layer = layer;
    weight.format = type.getElement().isF32()        ? WeightFormat::F32
                    : type.getElement().isF16()      ? WeightFormat::F16
                    : type.getElement().isBF16()     ? WeightFormat::BF16
                    : type.getElement().isInteger(8) ? WeightFormat::I8
                    : type.getElement().isInteger(4) ? WeightFormat::I4
                                                     : WeightFormat::U32;
    weight.layout =
        type.getLayout() == pack::Layout::Panels ? WeightLayout::Panels : WeightLayout::Rows;
    weight.rows = type.getRows();
    weight.cols = type.getCols();
    weight.experts = word(type.getExperts(), "a number of experts");
    weight.offset = op->getAttrOfType<IntegerAttr>("offset").getInt();
    weight.bytes = type.bytes();
    return weight;
  }
  void weight(pack::WeightOp op) {
    if (!op.getOffset())
      return;
    PackedWeight &weight = record(op, op.getType(), op.getRole());
    weight.source = op.getSource();
    llvm::append_range(weight.others, op.getSources().drop_front());
  }
  void weight(pack::ConstantOp op) {
    if (op.getOffset())
      record(op, op.getType(), op.getRole())
          .words.assign(op.getWords().begin(), op.getWords().end());
  }

  //===--- Stages ---===//

  void add(const std::string &kernel, uint32_t rowSet, bool perRow, uint32_t count,
           std::vector<uint32_t> words) {
    // A stage that vanishes leaves its barrier to the next one.
    wait |= !joined;
    if (count == 0)
      return;
    Stage stage;
    stage.set = rowSet;
    stage.perRow = perRow;
    stage.count = count;
    stage.joined = !std::exchange(wait, false);
    stage.layer = layer;
    stage.args = std::move(words);
    list.stages.push_back(std::move(stage));
    names.push_back(kernel);
  }

  void stage(pack::EmbedOp op) {
    pack::WeightType table = op.getTable().getType();
    bool position = op.getId() == pack::RowId::Position;
    int64_t ids = table.getRows() - op.getOffset();
    if (!position)
      list.tokenLimit = word(ids, "the vocabulary");
    bool panels = table.getLayout() == pack::Layout::Panels;
    add((panels ? "embed_panel_" : "embed_rows_") + formatName(table.getElement()), set(op), true,
        1,
        {set(op), place(op), weightAt(op.getTable()), word(table.getRows(), "a table's rows"),
         width(op), uint32_t(op.getOffset()), position});
  }
  void stage(pack::NormOp op) {
    add((op.getKind() == pack::NormKind::Layer ? "layer_norm" : "rms_norm") + quantizing(op),
        set(op), true, 1,
        {set(op), place(op.getInput()), place(op), weightAt(op.getScale()), weightAt(op.getBias()),
         width(op), bits(op.getEps()), zero(op)});
  }
  void stage(pack::QuantizeOp op) {
    add("quantize", set(op), true, width(op) ? 1 : 0,
        {set(op), place(op.getInput()), place(op), width(op), zero(op)});
  }
  void stage(pack::LinearOp op) {
    pack::WeightType weight = op.getWeight().getType();
    add("linear_" + formatName(weight.getElement()), set(op), false, panelCount(weight.getRows()),
        {set(op), place(op.getInput()), place(op), weightAt(op.getWeight()), weightAt(op.getBias()),
         place(op.getResidual()), word(weight.getCols(), "a width"),
         word(weight.getRows(), "a width")});
  }
  void stage(pack::HeadNormOp op) {
    uint32_t dim = word(op.getScale().getType().getCols(), "a head's width");
    uint32_t heads = width(op) / dim;
    add("head_norm", set(op), true, heads,
        {set(op), place(op.getInput()), place(op), weightAt(op.getScale()), heads, dim,
         bits(op.getEps())});
  }
  void stage(pack::SoftcapOp op) {
    add("softcap", set(op), true, width(op) ? 1 : 0,
        {set(op), place(op.getInput()), place(op), width(op), bits(op.getCap())});
  }
  void stage(pack::RopeTableOp op) {
    add("rope_table", set(op), true, 1,
        {set(op), place(op), weightAt(op.getInvFreq()), width(op) / 2,
         bits(op.getMagnitude().value_or(APFloat(1.0f)))});
  }
  void stage(pack::RopeOp op) {
    uint32_t dim = op.getHeadDim();
    add("rope", set(op), true, width(op) ? 1 : 0,
        {set(op), place(op.getInput()), place(op), place(op.getTable()), width(op) / dim, dim,
         width(op.getTable()) / 2});
  }
  void stage(pack::KvWriteOp op) {
    pack::CacheType cache = op.getType();
    uint32_t heads = cache.getHeads();
    add((op.getRing() ? "kv_write_ring_" : "kv_write_") + formatName(cache.getElement()),
        set(op.getKey()), true, heads,
        {set(op.getKey()), place(op.getKey()), place(op.getValue()), cachePlace(op), heads,
         uint32_t(cache.getHeadDim())});
  }
  uint32_t cachePlace(pack::KvWriteOp op) {
    return word(*op.getPlace(), "a cache offset in bytes per position");
  }
  void stage(pack::AttentionOp op) {
    pack::CacheType cache = op.getCache().getType();
    uint32_t dim = cache.getHeadDim(), heads = width(op) / dim;
    auto write = op.getCache().getDefiningOp<pack::KvWriteOp>();
    std::vector<uint32_t> words = {set(op),
                                   place(op.getQuery()),
                                   place(op),
                                   cachePlace(write),
                                   heads,
                                   uint32_t(cache.getHeads()),
                                   dim,
                                   weightAt(op.getKvMap()),
                                   bits(op.getScale())};
    std::string kind = op.getWindow() ? "_window" : "";
    if (op.getSoftcap())
      kind += "_softcap";
    if (op.getWindow() || op.getSoftcap())
      words.push_back(op.getSoftcap() ? bits(*op.getSoftcap()) : 0);
    if (op.getWindow())
      words.insert(words.end(), {word(*op.getWindow(), "a window"), write.getRing()});
    // Items are rows and KV heads; without query heads there is nothing to do.
    add("attention" + kind + "_" + formatName(cache.getElement()), set(op), true,
        heads ? uint32_t(cache.getHeads()) : 0, std::move(words));
  }
  void stage(pack::ActivationOp op) {
    add("activation_" + lm::stringifyActivationKind(op.getKind()).str() + quantizing(op), set(op),
        true, width(op) ? 1 : 0,
        {set(op), place(op.getInput()), place(op.getOther()), place(op), width(op), zero(op)});
  }
  template <typename Op> void binary(Op op, const char *kernel) {
    add(kernel, set(op), true, width(op) ? 1 : 0,
        {set(op), place(op.getInput()), place(op.getOther()), weightAt(op.getConstant()), place(op),
         width(op)});
  }
  void stage(pack::AddOp op) { binary(op, "add"); }
  void stage(pack::MulOp op) { binary(op, "mul"); }
  void stage(pack::SelectOp op) {
    add("select", set(op), true, width(op) ? 1 : 0,
        {set(op), place(op.getInput()), place(op), weightAt(op.getIndex()), width(op),
         width(op.getInput())});
  }
  void stage(pack::MaskOp op) {
    add("mask", set(op), true, width(op) ? 1 : 0,
        {set(op), place(op.getInput()), place(op), weightAt(op.getIndex()), weightAt(op.getFill()),
         uint32_t(op.getIndex().getType().getCols()), width(op)});
  }
  void stage(pack::GatherOp op) {
    add("gather", set(op), true, width(op) ? 1 : 0, {place(op.getInput()), place(op), width(op)});
  }

  void stage(pack::RouteOp op) {
    pack::ChoicesType choices = op.getType();
    list.picks = word(choices.getPicks(), "a number of experts");
    add("route", uint32_t(choices.getSet()), true, 1,
        {uint32_t(choices.getSet()), place(op.getScores()), place(op),
         word(choices.getExperts(), "a number of experts"), list.picks, op.getNormalize()});
  }
  static_assert(uint32_t(args::Linear::ins) == COPPICE_LINEAR_INS &&
                uint32_t(args::Linear::outs) == COPPICE_LINEAR_OUTS &&
                uint32_t(args::ExpertLinear::ins) == COPPICE_LINEAR_INS &&
                uint32_t(args::ExpertLinear::outs) == COPPICE_LINEAR_OUTS);
  void stage(pack::GroupOp op) {
    pack::GroupsType groups = op.getType();
    add("group", uint32_t(groups.getSet()), false, 1,
        {uint32_t(groups.getSet()), place(op.getChoices()), place(op),
         uint32_t(groups.getExperts()), uint32_t(groups.getPicks())});
  }
  void stage(pack::DispatchOp op) {
    int64_t words = pack::rowBytesOf(op.getType()) / 64;
    add("dispatch", set(op), true, words ? 1 : 0,
        {set(op), place(op.getInput()), place(op), place(op.getGroups()),
         uint32_t(op.getGroups().getType().getExperts()), word(words, "a width")});
  }
  void stage(pack::ExpertLinearOp op) {
    pack::WeightType weight = op.getWeight().getType();
    int64_t items = panelCount(weight.getRows()) * weight.getExperts();
    add("expert_linear_" + formatName(weight.getElement()), set(op), false,
        word(items, "the items of a stage"),
        {set(op), place(op.getInput()), place(op), weightAt(op.getWeight()), args::kNone,
         args::kNone, word(weight.getCols(), "a width"), word(weight.getRows(), "a width"),
         place(op.getGroups()), uint32_t(weight.getExperts()),
         word(weight.stride() / 64, "the bytes of an expert")});
  }
  void stage(pack::CombineOp op) {
    pack::GroupsType groups = op.getGroups().getType();
    add("combine", set(op), true, width(op) ? 1 : 0,
        {set(op), place(op.getInput()), place(op.getChoices()), place(op.getGroups()),
         place(op.getResidual()), place(op), width(op), uint32_t(groups.getExperts()),
         uint32_t(groups.getPicks())});
  }

  /// The stages before it are done when the last of them is: they are watched one by one.
  void observe(pack::ObserveOp op) {
    Value rows = op.getInput();
    if (width(rows) == 0 || list.stages.empty())
      return;
    Observation seen{op.getName().str(), uint32_t(list.stages.size() - 1), place(rows), width(rows),
                     set(rows)};
    if (op.getGroups()) {
      seen.expert = *op.getExpert();
      seen.groups = place(op.getGroups());
    }
    list.observations.push_back(std::move(seen));
  }

  void numberKernels() {
    std::map<std::string, uint32_t> numbers;
    for (const std::string &name : names)
      numbers[name] = 0;
    for (auto &[name, number] : numbers) {
      number = list.kernels.size();
      list.kernels.push_back(name);
    }
    for (auto [stage, name] : llvm::zip(list.stages, names))
      stage.kernel = numbers[name];
  }

  StageList list;
  std::vector<std::string> names; // of each stage's kernel
  int32_t layer = -1;
  bool joined = false; // of the op at hand
  bool wait = false;   // a barrier is due before the next stage
  std::string overflow;
};

} // namespace

llvm::Expected<StageList> buildStages(pack::StepOp step) { return Builder().run(step); }

} // namespace coppice
