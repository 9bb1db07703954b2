// What import owes to the passes: one function, whose blocks have the parts that plans name.
#include "compiler/passes/Passes.h"
#include "compiler/plan/BlockParts.h"

namespace coppice {
#define GEN_PASS_DEF_VERIFYIMPORTED
#include "compiler/passes/Passes.h.inc"
} // namespace coppice

using namespace mlir;
using namespace coppice;
using llvm::Error;
using llvm::Expected;

namespace {

struct VerifyImportedPass : coppice::impl::VerifyImportedBase<VerifyImportedPass> {
  using VerifyImportedBase::VerifyImportedBase;
  void runOnOperation() override {
    checkModule();
    SmallVector<func::FuncOp> functions(getOperation().getOps<func::FuncOp>());
    if (functions.size() != 1) {
      fail(getOperation()) << "the module has " << functions.size()
                           << " functions; import makes one";
      return;
    }
    checkFunction(functions.front());
  }

private:
  InFlightDiagnostic fail(Operation *op) {
    signalPassFailure();
    return op->emitError("import: ");
  }
  void checkModule();
  void checkFunction(func::FuncOp function);
  void checkOrder(ArrayRef<lm::BlockOp> blocks);
  void checkParts(lm::BlockOp block);
  void checkReach(lm::BlockOp block);
  void checkPlain(Operation *op);
};

} // namespace

void VerifyImportedPass::checkModule() {
  ModuleOp module = getOperation();
  auto modelType = module->getAttrOfType<StringAttr>("lm.model_type");
  if (!modelType || modelType.empty())
    fail(module) << "the module has no lm.model_type";
  auto context = module->getAttrOfType<IntegerAttr>("lm.context");
  if (!context || !context.getType().isInteger(32) || context.getInt() < 1)
    fail(module) << "the module has no lm.context, an i32 of at least 1";
}

void VerifyImportedPass::checkFunction(func::FuncOp function) {
  FunctionType type = function.getFunctionType();
  if (type.getNumInputs() != 2 || !llvm::all_of(type.getInputs(), lm::isIds) ||
      type.getNumResults() != 1 || !lm::isTokenRows(type.getResult(0)))
    fail(function) << "the function is " << type
                   << "; it takes tokens and positions, and gives one row per token";
  SmallVector<lm::BlockOp> blocks;
  function.walk([&](Operation *op) {
    if (auto block = dyn_cast<lm::BlockOp>(op))
      blocks.push_back(block);
    else
      checkPlain(op);
  });
  checkOrder(blocks);
  for (lm::BlockOp block : blocks) {
    checkParts(block);
    checkReach(block);
  }
}

/// Nothing cut yet (but masked, if so asked), and weights where the passes look for them.
void VerifyImportedPass::checkPlain(Operation *op) {
  // A constant in place of a dead neuron may be selected from a bias.
  auto select = dyn_cast<lm::SelectOp>(op);
  if ((select && !(masked && lm::isConstantRow(select.getType()))) ||
      (!masked && isa<lm::MaskOp>(op)))
    fail(op) << op->getName() << " stands in an imported graph; only plans and passes make it";
  auto moe = dyn_cast<lm::MoeOp>(op);
  if (moe && moe.getDead() && !masked)
    fail(op) << "experts are dead in an imported graph; only plans make them so";
  auto linear = dyn_cast<lm::LinearOp>(op);
  if (linear && !weightOf(linear))
    fail(op) << "the matrix of a linear comes from elsewhere than an lm.weight";
}

/// attention 0, ffn 0, attention 1, ...
void VerifyImportedPass::checkOrder(ArrayRef<lm::BlockOp> blocks) {
  for (size_t place = 0; place < blocks.size(); ++place) {
    lm::BlockOp block = blocks[place];
    auto kind = place % 2 ? lm::BlockKind::Ffn : lm::BlockKind::Attention;
    if (block.getKind() == kind && block.getLayer() == place / 2)
      continue;
    fail(block) << describe(block) << " stands where the " << lm::stringifyBlockKind(kind)
                << " block of layer " << place / 2 << " should";
    return;
  }
  if (blocks.size() % 2)
    fail(blocks.back()) << describe(lm::BlockOp(blocks.back())) << " has no ffn block after it";
}

void VerifyImportedPass::checkParts(lm::BlockOp block) {
  if (block.getSkip() && !masked)
    fail(block) << describe(block) << " is skipped already";
  if (block.getKind() == lm::BlockKind::Ffn && findExperts(block))
    return;
  if (isEmpty(block)) // a layer whose tensors have no heads or no neurons
    return;
  auto check = [&](auto parts) {
    if (!parts)
      fail(block) << describe(block) << " " << llvm::toString(parts.takeError());
  };
  if (block.getKind() == lm::BlockKind::Attention)
    check(findAttentionParts(block));
  else
    check(findFfnParts(block));
}

/// A skipped block is its input, and nothing else depends on what it would have computed: blocks
/// read rows of their own, and an ffn block the residual of its layer's attention block.
void VerifyImportedPass::checkReach(lm::BlockOp block) {
  auto attention = block.getInput().getDefiningOp<lm::BlockOp>();
  bool sideBySide = block.getKind() == lm::BlockKind::Ffn && attention &&
                    attention.getKind() == lm::BlockKind::Attention &&
                    attention.getLayer() == block.getLayer();
  block.getBody().walk([&](Operation *op) {
    for (Value operand : op->getOperands()) {
      if (!lm::isTokenRows(operand.getType()) ||
          block.getBody().isAncestor(operand.getParentRegion()) ||
          (sideBySide && operand == attention.getInput()))
        continue;
      fail(op) << describe(block) << " reads rows from outside that are not the residual of its "
               << "layer";
      return;
    }
  });
}
