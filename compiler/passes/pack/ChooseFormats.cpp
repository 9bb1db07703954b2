// pack-choose-formats: see PackPasses.td.
#include "compiler/passes/pack/PackPasses.h"
#include "compiler/passes/pack/WeightChoice.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace coppice {
#define GEN_PASS_DEF_CHOOSEFORMATS
#include "compiler/passes/pack/PackPasses.h.inc"

namespace {

struct ChooseFormats : impl::ChooseFormatsBase<ChooseFormats> {
  using ChooseFormatsBase::ChooseFormatsBase;

  void runOnOperation() override {
    auto choice = WeightChoice::parse(weights);
    if (!choice) {
      getOperation().emitError(llvm::toString(choice.takeError()));
      return signalPassFailure();
    }
    std::string differing, tied;
    std::vector<std::string> names;
    getOperation().walk([&](pack::WeightOp weight) {
      auto source = weight.getSource().getDefiningOp<lm::WeightOp>();
      if (!source || cast<RankedTensorType>(source.getType()).getRank() != 2)
        return; // constant rows stay float32
      names.push_back(source.getTensor().str());
      MatrixUse use = useOf(weight);
      MatrixFormat format = choice->of(source.getTensor(), use);
      for (Value other : weight.getSources().drop_front()) {
        auto tensor = other.getDefiningOp<lm::WeightOp>();
        if (choice->of(tensor.getTensor(), use) != format && differing.empty())
          differing = ("'" + source.getTensor() + "' and '" + tensor.getTensor() + "'").str();
      }
      if (use == MatrixUse::Head && choice->ofTables().value_or(format) != format &&
          llvm::any_of(weight->getUsers(), llvm::IsaPred<pack::EmbedOp>))
        tied = source.getTensor().str();
      setFormat(weight, format);
    });
    if (!tied.empty()) {
      getOperation().emitError()
          << "weights: embed= does not reach '" << tied
          << "', which is this model's head too: head= chooses its format; leave embed= out, give "
             "both one format, or name another table by a pattern";
      return signalPassFailure();
    }
    if (!differing.empty()) {
      getOperation().emitError() << "weights: the patterns give " << differing
                                 << " different formats; the experts of a layer have one";
      return signalPassFailure();
    }
    for (const std::string &pattern : choice->unused()) {
      getOperation().emitError() << "weights: the pattern '" << pattern
                                 << "' fits no matrix of this model; of each kind one: "
                                 << kinds(names);
      return signalPassFailure();
    }
    getOperation().walk([&](pack::StepOp step) { quantizeInputs(step); });
  }

  /// The first name of each kind: those that differ in numbers alone are of one.
  static std::string kinds(llvm::ArrayRef<std::string> names) {
    llvm::StringSet<> seen;
    std::string list;
    for (const std::string &name : names) {
      std::string kind;
      for (llvm::StringRef part : llvm::split(name, '.'))
        if (part.find_first_not_of("0123456789") != llvm::StringRef::npos)
          (kind += part) += '.';
      if (seen.insert(kind).second)
        list += (list.empty() ? "'" : ", '") + name + "'";
    }
    return list;
  }

  static bool readsMixedHeads(pack::LinearOp linear) {
    auto attention = linear.getInput().getDefiningOp<pack::AttentionOp>();
    return attention && attention.getCache().getType().getHeadDim() % pack::kGroup;
  }

  static MatrixUse useOf(pack::WeightOp weight) {
    MatrixUse use = MatrixUse::Linear;
    for (Operation *user : weight->getUsers()) {
      if (isa<pack::EmbedOp>(user))
        use = use == MatrixUse::Head ? use : MatrixUse::Table;
      else if (llvm::any_of(user->getUsers(), llvm::IsaPred<pack::ReturnOp>))
        use = MatrixUse::Head;
      else if (choosesExperts(user))
        use = MatrixUse::Router;
      else if (auto linear = dyn_cast<pack::LinearOp>(user);
               linear && use == MatrixUse::Linear && readsMixedHeads(linear))
        use = MatrixUse::MixedHeads;
    }
    return use;
  }

  static bool choosesExperts(Operation *linear) {
    return llvm::any_of(linear->getUsers(), [](Operation *user) {
      return isa<pack::RouteOp>(user) || (isa<pack::MaskOp>(user) && choosesExperts(user));
    });
  }

  static void setFormat(pack::WeightOp weight, MatrixFormat format) {
    Builder b(weight.getContext());
    pack::WeightType type = weight.getType();
    Type element = type.getElement();
    switch (format) {
    case MatrixFormat::Stored:
      return;
    case MatrixFormat::F32:
      element = b.getF32Type();
      break;
    case MatrixFormat::F16:
      element = b.getF16Type();
      break;
    case MatrixFormat::BF16:
      element = b.getBF16Type();
      break;
    case MatrixFormat::I8:
      element = b.getI8Type();
      break;
    case MatrixFormat::I4:
      element = b.getIntegerType(4);
      break;
    }
    weight.getResult().setType(pack::WeightType::get(weight.getContext(), type.getRows(),
                                                     type.getCols(), element, type.getLayout(),
                                                     type.getExperts()));
  }

  using Quantized = llvm::DenseMap<std::pair<Value, int64_t>, Value>;

  /// Gives linears of quantized weights quantized inputs; one buffer is quantized once.
  static void quantizeInputs(pack::StepOp step) {
    Quantized made;
    auto quantizeInput = [&](auto linear) {
      pack::WeightType weight = linear.getWeight().getType();
      if (weight.isQuantized() && isa<pack::BufferType>(linear.getInput().getType()))
        linear.getInputMutable().assign(quantized(linear.getInput(), weight.zero(), linear, made));
    };
    step.walk([&](Operation *op) {
      if (auto linear = dyn_cast<pack::LinearOp>(op))
        quantizeInput(linear);
      else if (auto linear = dyn_cast<pack::ExpertLinearOp>(op))
        quantizeInput(linear);
    });
    for (auto dispatch : llvm::make_early_inc_range(step.getBody().getOps<pack::DispatchOp>()))
      if (dispatch->use_empty())
        dispatch.erase();
  }

  /// `rows` quantized for a zero point, for `reader`. Rows that are sent to experts are quantized
  /// before they are sent, so that each is quantized once.
  static Value quantized(Value rows, int64_t zero, Operation *reader, Quantized &made) {
    Value &slot = made[{rows, zero}];
    if (slot)
      return slot;
    OpBuilder b(reader);
    auto buffer = cast<pack::BufferType>(rows.getType());
    auto type = pack::QuantizedType::get(b.getContext(), buffer.getWidth(), zero, buffer.getSet());
    Operation *op;
    if (auto dispatch = rows.getDefiningOp<pack::DispatchOp>()) {
      // Before the choice, where no barrier is needed beside the router.
      auto group = dispatch.getGroups().getDefiningOp<pack::GroupOp>();
      Value once = quantized(dispatch.getInput(), zero, group.getChoices().getDefiningOp(), made);
      b.setInsertionPoint(dispatch);
      op = b.create<pack::DispatchOp>(reader->getLoc(), type, once, dispatch.getGroups(),
                                      IntegerAttr());
    } else {
      op = b.create<pack::QuantizeOp>(reader->getLoc(), type, rows, IntegerAttr());
    }
    if (Attribute layer = reader->getAttr(kPackLayer))
      op->setAttr(kPackLayer, layer);
    return made[{rows, zero}] = op->getResult(0);
  }
};

} // namespace
} // namespace coppice
