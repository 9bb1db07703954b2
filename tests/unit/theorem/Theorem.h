// Removal is a theorem: the masked graph and the shrunk one mean the same. What its tests share: a
// model brought in by the real importer, masked by the real plan and shrunk by the pipeline's own
// list of passes, evaluated in float64.
#pragma once
#include "compiler/import/Import.h"
#include "compiler/plan/Plan.h"
#include "tests/support/RandomPlan.h"
#include "tests/support/evaluator/Evaluator.h"
#include <memory>
#include <optional>

namespace coppice::test {

/// Both graphs are run in float64, so nothing but the order of sums may differ.
constexpr double theoremTolerance = 1e-10;

class Model {
public:
  /// Imports DIRECTORY.
  static llvm::Expected<std::unique_ptr<Model>> open(llvm::StringRef directory);
  /// Writes the checkpoint into a folder of its own and imports that.
  static llvm::Expected<std::unique_ptr<Model>> make(const RandomCheckpoint &checkpoint,
                                                     Stored stored = Stored::F32);

  using Module = mlir::OwningOpRef<mlir::ModuleOp>;
  /// The imported graph with the plan (a plan file's text) as masks, and zeros if wanted.
  llvm::Expected<Module> mask(std::optional<std::string> plan, bool findDead = false);
  llvm::Expected<Module> shrink(mlir::ModuleOp masked);
  mlir::ModuleOp imported() { return *graph.module; }
  /// A row per token; positions count from 0.
  llvm::Expected<Matrix> logits(mlir::ModuleOp module, llvm::ArrayRef<int32_t> tokens);

private:
  Model() : context(mlir::MLIRContext::Threading::DISABLED) {}

  mlir::MLIRContext context;
  std::unique_ptr<TemporaryFolder> folder;
  std::unique_ptr<Checkpoint> checkpoint;
  ImportedModel graph;
  std::unique_ptr<Evaluator> evaluator; // keeps the tensors that it has read
};

/// Empty if the two agree to theoremTolerance * max(1, max |wanted|); else what differs.
std::string compare(const Matrix &got, const Matrix &wanted, double tolerance = theoremTolerance);

/// Empty if nothing masked, dead or unread is left in a shrunk graph; else what is.
std::string findLeftovers(mlir::ModuleOp shrunk);

/// The graph's lm.attention of a layer, and its neurons; null and nullopt where the block or all of
/// its heads or neurons are gone.
lm::AttentionOp attentionOf(mlir::ModuleOp module, int32_t layer);
std::optional<int64_t> neuronsOf(mlir::ModuleOp module, int32_t layer);

/// Ids in [0, vocab).
std::vector<int32_t> randomTokens(int64_t count, int64_t vocab, Random &random);

} // namespace coppice::test
