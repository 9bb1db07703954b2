// See Experts.h.
#include "dialects/lm/Experts.h"

using namespace mlir;

namespace coppice::lm {
namespace {

class Finder {
public:
  explicit Finder(std::string &why) : why(why) {}

  std::optional<ExpertParts> find(Region &region) {
    ExpertParts parts;
    Value input = region.getArgument(0);
    Value result = cast<YieldOp>(region.front().getTerminator()).getValue();
    parts.down = take<LinearOp>(result, "the result");
    if (!parts.down)
      return std::nullopt;
    auto product = take<MulOp>(behind(parts.down.getInput(), parts.downMarks), "what it reads");
    if (!product)
      return std::nullopt;
    bool gateFirst = product.getLhs().getDefiningOp<ActivationOp>() != nullptr;
    Value gated = gateFirst ? product.getLhs() : product.getRhs();
    Value other = gateFirst ? product.getRhs() : product.getLhs();
    parts.activation = take<ActivationOp>(gated, "a factor of the product");
    parts.up = take<LinearOp>(other, "the other factor of the product");
    if (!parts.activation || !parts.up)
      return std::nullopt;
    parts.gate = take<LinearOp>(parts.activation.getInput(), "the activation's input");
    if (!parts.gate)
      return std::nullopt;
    if (behind(parts.gate.getInput(), parts.gateMarks) != input ||
        behind(parts.up.getInput(), parts.upMarks) != input) {
      why = "gate and up do not both read the expert's input";
      return std::nullopt;
    }
    for (LinearOp linear : {parts.gate, parts.up, parts.down})
      if (linear.getBias() || !linear.getWeight().getDefiningOp<WeightOp>()) {
        why = linear.getBias() ? "a linear has a bias" : "a linear's matrix is no lm.weight";
        return std::nullopt;
      }
    return parts;
  }

private:
  /// What a mark marks.
  static Value behind(Value value, SmallVectorImpl<StringRef> &marks) {
    while (auto mark = value.getDefiningOp<ObserveOp>()) {
      marks.push_back(mark.getName());
      value = mark.getInput();
    }
    return value;
  }

  template <typename Op> Op take(Value value, StringRef what) {
    auto op = value.getDefiningOp<Op>();
    if (!op)
      why = (what + " does not come from an " + Op::getOperationName()).str();
    return op;
  }

  std::string &why;
};

} // namespace

std::optional<ExpertParts> findExpert(MoeOp moe, unsigned expert, std::string &why) {
  return Finder(why).find(moe.getExperts()[expert]);
}

} // namespace coppice::lm
