// Runs import, masks and passes as the compiler does, with diagnostics as errors.
#include "tests/unit/theorem/Theorem.h"
#include "compiler/pipeline/PassList.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace coppice::test {

llvm::Expected<std::unique_ptr<Model>> Model::open(llvm::StringRef directory) {
  std::unique_ptr<Model> model(new Model());
  if (llvm::Error error = Checkpoint::open(directory).moveInto(model->checkpoint))
    return error;
  if (llvm::Error error =
          importModel(directory, model->checkpoint.get(), model->context).moveInto(model->graph))
    return error;
  model->evaluator = std::make_unique<Evaluator>(readerOf(*model->checkpoint));
  return model;
}

llvm::Expected<std::unique_ptr<Model>> Model::make(const RandomCheckpoint &checkpoint,
                                                   Stored stored) {
  auto folder = std::make_unique<TemporaryFolder>();
  if (llvm::Error error = writeCheckpoint(checkpoint, folder->path(), stored))
    return error;
  llvm::Expected<std::unique_ptr<Model>> model = open(folder->path());
  if (model)
    (*model)->folder = std::move(folder);
  return model;
}

/// Runs passes; what they say becomes the error.
static llvm::Error runPasses(ModuleOp module, llvm::function_ref<void(OpPassManager &)> add) {
  std::string said;
  ScopedDiagnosticHandler handler(module.getContext(), [&](Diagnostic &diagnostic) {
    said += diagnostic.str() + "; ";
    return success();
  });
  PassManager passes(module.getContext());
  add(passes);
  if (failed(passes.run(module)))
    return llvm::createStringError("passes failed: " + said);
  return llvm::Error::success();
}

llvm::Expected<Model::Module> Model::mask(std::optional<std::string> text, bool findDead) {
  std::optional<Plan> plan;
  if (text) {
    llvm::Expected<Plan> parsed = parsePlan(*text, "plan.json");
    if (!parsed)
      return parsed.takeError();
    plan = std::move(*parsed);
  }
  Module masked = imported().clone();
  if (llvm::Error error = runPasses(*masked, [&](OpPassManager &passes) {
        addMaskPasses(passes, plan ? &*plan : nullptr, findDead ? checkpoint.get() : nullptr);
      }))
    return error;
  return masked;
}

llvm::Expected<Model::Module> Model::shrink(ModuleOp masked) {
  Module shrunk = masked.clone();
  if (llvm::Error error = runPasses(*shrunk, addShrinkPasses))
    return error;
  return shrunk;
}

llvm::Expected<Matrix> Model::logits(ModuleOp module, llvm::ArrayRef<int32_t> tokens) {
  std::vector<int32_t> positions;
  for (size_t t = 0; t < tokens.size(); ++t)
    positions.push_back(t);
  return evaluator->run(*module.getOps<func::FuncOp>().begin(), tokens, positions);
}

std::string compare(const Matrix &got, const Matrix &wanted, double tolerance) {
  if (got.rows() != wanted.rows() || got.cols() != wanted.cols())
    return "the shapes differ";
  double largest = wanted.size() ? wanted.cwiseAbs().maxCoeff() : 0;
  double allowed = tolerance * std::max(1.0, largest);
  std::string text;
  llvm::raw_string_ostream os(text);
  for (Eigen::Index t = 0; t < got.rows(); ++t)
    for (Eigen::Index i = 0; i < got.cols(); ++i)
      // Written so that a NaN on either side is a difference.
      if (!(std::abs(got(t, i) - wanted(t, i)) <= allowed)) {
        os << "logits[" << t << ", " << i << "] is " << got(t, i) << ", not " << wanted(t, i)
           << " (allowed difference " << allowed << ")";
        return text;
      }
  return text;
}

std::string findLeftovers(ModuleOp shrunk) {
  std::string text;
  llvm::raw_string_ostream os(text);
  llvm::StringSet<> read;
  shrunk.walk([&](Operation *op) {
    if (isa<lm::MaskOp>(op))
      os << "a mask is left; ";
    if (auto select = dyn_cast<lm::SelectOp>(op); select && lm::isTokenRows(select.getType()))
      os << "a selection of token rows is left; ";
    if (auto moe = dyn_cast<lm::MoeOp>(op); moe && moe.getDead())
      os << "a dead expert is left; ";
    if (auto block = dyn_cast<lm::BlockOp>(op); block && block.getSkip())
      os << "a skipped block is left; ";
    if (auto weight = dyn_cast<lm::WeightOp>(op))
      read.insert(weight.getTensor());
    if (auto attention = dyn_cast<lm::AttentionOp>(op)) {
      std::set<int32_t> used(attention.getKvMap().begin(), attention.getKvMap().end());
      if (int64_t(used.size()) != attention.getNumKvHeads())
        os << "of " << attention.getNumKvHeads() << " KV heads " << used.size() << " are read; ";
      if (attention.getNumHeads() == 0)
        os << "an attention without heads is left; ";
    }
    // A dead branch leaves no work behind: all that computes is read.
    if (!isa<ModuleOp, func::FuncOp>(op) && op->getNumResults() == 1 && op->use_empty())
      os << "nothing reads a " << op->getName() << "; ";
  });
  for (auto tensor : shrunk.getOps<lm::TensorOp>())
    if (!read.contains(tensor.getSymName()))
      os << "nothing reads the tensor " << tensor.getSymName() << "; ";
  return text;
}

static lm::BlockOp findBlock(ModuleOp module, lm::BlockKind kind, int32_t layer) {
  lm::BlockOp found;
  module.walk([&](lm::BlockOp block) {
    if (block.getKind() == kind && int32_t(block.getLayer()) == layer)
      found = block;
  });
  return found;
}

lm::AttentionOp attentionOf(ModuleOp module, int32_t layer) {
  lm::AttentionOp found;
  if (lm::BlockOp block = findBlock(module, lm::BlockKind::Attention, layer))
    block.walk([&](lm::AttentionOp op) { found = op; });
  return found;
}

std::optional<int64_t> neuronsOf(ModuleOp module, int32_t layer) {
  std::optional<int64_t> found;
  if (lm::BlockOp block = findBlock(module, lm::BlockKind::Ffn, layer))
    block.walk([&](lm::ActivationOp op) {
      if (lm::isTokenRows(op.getType()))
        found = lm::rowWidth(op.getType());
    });
  return found;
}

std::vector<int32_t> randomTokens(int64_t count, int64_t vocab, Random &random) {
  std::vector<int32_t> tokens;
  for (int64_t t = 0; t < count; ++t)
    tokens.push_back(random.between(0, vocab - 1));
  return tokens;
}

} // namespace coppice::test
