// pack-choose-formats: see PackPasses.td.
#include "compiler/passes/pack/PackPasses.h"
#include "compiler/passes/pack/WeightChoice.h"

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
    std::string example;
    getOperation().walk([&](pack::WeightOp weight) {
      auto source = weight.getSource().getDefiningOp<lm::WeightOp>();
      if (!source || cast<RankedTensorType>(source.getType()).getRank() != 2)
        return; // constant rows stay float32
      example = source.getTensor().str();
      setFormat(weight, choice->of(source.getTensor(), useOf(weight)));
    });
    for (const std::string &pattern : choice->unused()) {
      getOperation().emitError() << "weights: the pattern '" << pattern
                                 << "' fits no matrix of this model; one of them is '" << example
                                 << "'";
      return signalPassFailure();
    }
    getOperation().walk([&](pack::StepOp step) { quantizeInputs(step); });
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
      else if (use == MatrixUse::Linear && readsMixedHeads(cast<pack::LinearOp>(user)))
        use = MatrixUse::MixedHeads;
    }
    return use;
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
                                                     type.getCols(), element, type.getLayout()));
  }

  /// Gives linears of quantized weights quantized inputs; one buffer is quantized once.
  static void quantizeInputs(pack::StepOp step) {
    llvm::DenseMap<std::pair<Value, int64_t>, Value> made;
    step.walk([&](pack::LinearOp linear) {
      pack::WeightType weight = linear.getWeight().getType();
      auto buffer = dyn_cast<pack::BufferType>(linear.getInput().getType());
      if (!weight.isQuantized() || !buffer)
        return;
      Value &quantized = made[{linear.getInput(), weight.zero()}];
      if (!quantized) {
        OpBuilder b(linear);
        auto type = pack::QuantizedType::get(b.getContext(), buffer.getWidth(), weight.zero(),
                                             buffer.getSet());
        auto op =
            b.create<pack::QuantizeOp>(linear.getLoc(), type, linear.getInput(), IntegerAttr());
        if (Attribute layer = linear->getAttr(kPackLayer))
          op->setAttr(kPackLayer, layer);
        quantized = op;
      }
      linear.getInputMutable().assign(quantized);
    });
  }
};

} // namespace
} // namespace coppice
