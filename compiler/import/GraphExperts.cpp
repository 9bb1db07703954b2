// The words for layers of experts.
#include "compiler/import/GraphBuilder.h"

using namespace mlir;

namespace coppice {

Value GraphBuilder::experts(Value x, const llvm::Twine &name, const Dim &hidden,
                            const ExpertsForm &form) {
  std::string base = name.str(), router = base + ".gate", first = base + ".experts.0.";
  Dim count = outputs(router, form.experts, hidden);
  if (count.size < form.picks.size) {
    fail(configPath + ": " + form.picks.field + " is " + llvm::Twine(form.picks.size) + ", and \"" +
         prefix + base + "\" has " + llvm::Twine(count.size) + " experts (" + count.field +
         "): the router must have as many to pick; correct the config, or take a "
         "checkpoint with enough experts");
    return x;
  }
  if (count.size > mostExperts) {
    fail(configPath + ": \"" + prefix + base + "\" has " + llvm::Twine(count.size) + " experts (" +
         count.field + "), and no model has more than " + llvm::Twine(mostExperts) + " in a layer");
    return x;
  }
  Dim width = outputs(first + form.gate, form.width, hidden);
  if (width.size == 0) {
    fail(configPath + ": the experts of \"" + prefix + base + "\" have no neurons (" + width.field +
         "), and a router cannot choose among such; take a checkpoint whose experts have some");
    return x;
  }
  Value scores = linear(x, router, count, hidden, /*bias=*/false);
  auto moe = builder.create<lm::MoeOp>(scores.getLoc(), x.getType(), x, scores,
                                       builder.getI32IntegerAttr(int32_t(form.picks.size)),
                                       form.normalize ? builder.getUnitAttr() : UnitAttr(),
                                       lm::IndexListAttr(), unsigned(count.size));
  OpBuilder::InsertionGuard guard(builder);
  // An expert's neurons are not listed one by one, as those of a layer without experts are.
  int64_t unitsBefore = units;
  for (int64_t e = 0; e < count.size; ++e) {
    std::string expert = base + ".experts." + std::to_string(e) + ".";
    Block *body =
        builder.createBlock(&moe.getExperts()[e], {}, x.getType(), builder.getUnknownLoc());
    Value in = body->getArgument(0);
    Value gate = linear(in, expert + form.gate, width, hidden, /*bias=*/false);
    Value up = linear(in, expert + form.up, width, hidden, /*bias=*/false);
    Value product = mul(activation(form.activation, gate), up);
    Value down = linear(product, expert + form.down, hidden, width, /*bias=*/false);
    builder.create<lm::YieldOp>(down.getLoc(), down);
    units = unitsBefore;
    if (!ok())
      break;
  }
  // After an error the other regions stay empty, and the graph is thrown away.
  return moe;
}

} // namespace coppice
