// Builds lm from the words of a model's description: weights by name, linears, norms, blocks.
#pragma once
#include "compiler/import/Checkpoint.h"
#include "compiler/import/Config.h"
#include "compiler/import/Rope.h"
#include "dialects/lm/LM.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringSet.h"

namespace coppice {

/// Columns of the queries and of the keys, which are those of the values.
struct HeadWidths {
  Dim queries, keys;
  int64_t headDim;
  bool stated = false; // headDim stands in the config, or its class has one; else it was divided
};

/// Some outputs of a fused linear: `count` runs of `length`, the first at `start` and each `stride`
/// after the one before.
struct Runs {
  int64_t start, length, stride = 0, count = 1;
};

/// How a linear lies in the checkpoint.
struct LinearForm {
  bool bias = false;
  bool transposed = false;                 // NAME.weight is [in, out], as GPT-2's Conv1D has it
  std::optional<Runs> rows = std::nullopt; // the outputs that are meant; else all
};

/// What NAME.weight of a norm is: its scale, or what its scale exceeds 1 by.
enum class NormScale { Stored, OnePlus };

struct AttentionForm {
  int64_t window = 0; // positions that a token sees, itself among them; 0: all before it
  double softcap = 0; // scores become softcap * tanh(score / softcap); 0: they stay
  std::optional<double> scale = std::nullopt; // of the scores; else 1 / sqrt(head_dim)
};

/// No model has as many experts in a layer: a config that says more is refused before they are
/// made.
constexpr int64_t mostExperts = 1024;

/// What a config without a checkpoint may come to, several times what any model has; with one, its
/// files are the limit.
struct MostDescribed {
  static constexpr int64_t tensors = 1 << 18;
  static constexpr int64_t parameters = int64_t(1) << 42;
  static constexpr int64_t units = 1 << 26; // neurons, but for those of experts, and heads
};

/// A layer of experts, each a gated FFN without biases.
struct ExpertsForm {
  Dim experts, width; // in the config: how many, and the neurons of one
  Dim picks;          // of them for each row
  bool normalize;     // their weights sum to 1
  lm::ActivationKind activation;
  llvm::StringRef gate, up, down; // names of an expert's linears
};

/// As with ConfigReader, the first error is kept and finish() reports it: a weight that is missing
/// or of another shape still yields a value of the wanted shape. Families stop early at !ok().
/// Other tools leave layers without heads or neurons: their linears have no rows or no columns.
/// What would have no columns is a null value here, which the functions take and pass on: a linear
/// over it is its bias, or null again, and what is added to a null value stays as it is.
class GraphBuilder {
public:
  /// Begins `func.func @model`. `modelType` and `configPath` are for messages. Without a checkpoint
  /// every tensor that is asked for is there, as `described`: the graph then says what a checkpoint
  /// holds.
  GraphBuilder(mlir::MLIRContext &context, const Checkpoint *checkpoint, llvm::StringRef modelType,
               llvm::StringRef configPath, DType described = DType::F32);

  bool ok() const { return error.empty(); }
  /// The first tensor that is another width than the config says, in a sentence; empty if there is
  /// none. Tools that cut leave such, and so does a config of another model.
  const std::string &firstDiffering() const { return differing; }
  mlir::Value tokens(), positions();

  /// Names given to the functions below are relative to a prefix: the first of `candidates` under
  /// which `probe` is in the checkpoint, or else the first of all.
  void choosePrefix(llvm::ArrayRef<llvm::StringRef> candidates, llvm::StringRef probe);
  /// `name` without the prefix: for tensors beside the backbone.
  mlir::Value absoluteWeight(llvm::StringRef name, llvm::ArrayRef<Dim> shape);
  /// The matrix of the logits: the embedding EMBED.weight if `tied`, or else NAME.weight, which
  /// stands without the prefix.
  mlir::Value head(bool tied, const llvm::Twine &embed, llvm::ArrayRef<Dim> shape,
                   llvm::StringRef name = "lm_head");
  /// A tensor of the checkpoint, which must have this shape.
  mlir::Value weight(const llvm::Twine &name, llvm::ArrayRef<Dim> shape);
  /// Tensors under the prefix whose names end so are passed over: buffers that older libraries
  /// saved.
  void passOver(llvm::ArrayRef<llvm::StringRef> endings);

  /// How many outputs the linear NAME, over `in` columns, has in this checkpoint: other tools may
  /// have cut it. `config` says it where there is no checkpoint.
  Dim outputs(const llvm::Twine &name, const Dim &config, const Dim &in, bool transposed = false);
  /// The same of the columns of NAME, which has `out` outputs.
  Dim inputs(const llvm::Twine &name, const Dim &out, const Dim &config);
  /// The widths of a layer whose queries and keys the linears QUERY and KEY give: whole heads, and
  /// query heads that share the KV heads evenly, or none. More than the config says are heads only
  /// if it states how wide they are.
  HeadWidths heads(const llvm::Twine &query, const llvm::Twine &key, const Dim &in,
                   const HeadWidths &config);
  /// The same for what `outputs` and `inputs` have found.
  HeadWidths wholeHeads(const Dim &queries, const Dim &keys, const HeadWidths &config);
  /// The same of a fused linear that gives, for each KV head, `group` query heads, a key and a
  /// value, in whatever order.
  HeadWidths fusedHeads(const Dim &fused, int64_t group, const HeadWidths &config);
  /// The same of one in which keys and values share evenly what the queries leave.
  HeadWidths fusedHeads(const Dim &fused, const Dim &queries, const HeadWidths &config);
  /// One of two equal parts of a fused linear.
  Dim half(const Dim &fused);

  mlir::Value embed(mlir::Value ids, mlir::Value table, int32_t offset = 0);
  mlir::Value linear(mlir::Value x, mlir::Value matrix, mlir::Value bias = {});
  /// With NAME.weight of [out, in] and, if `bias`, NAME.bias.
  mlir::Value linear(mlir::Value x, const llvm::Twine &name, const Dim &out, const Dim &in,
                     bool bias);
  mlir::Value linear(mlir::Value x, const llvm::Twine &name, const Dim &out, const Dim &in,
                     const LinearForm &form);
  /// With NAME.weight and NAME.bias if `affine`.
  mlir::Value layerNorm(mlir::Value x, const llvm::Twine &name, const Dim &width, bool affine,
                        double eps);
  mlir::Value rmsNorm(mlir::Value x, const llvm::Twine &name, const Dim &width, double eps,
                      NormScale scale = NormScale::Stored);
  /// An RMS norm over each head alone, with one scale for all.
  mlir::Value headNorm(mlir::Value x, const llvm::Twine &name, int64_t headDim, double eps,
                       NormScale scale = NormScale::Stored);
  mlir::Value activation(lm::ActivationKind kind, mlir::Value x);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value scale(mlir::Value x, double factor);
  mlir::Value softcap(mlir::Value x, double cap);
  mlir::Value rope(mlir::Value x, int64_t headDim, const Rotation &rotation);
  /// Query heads share KV heads in runs of equal length.
  mlir::Value attention(mlir::Value q, mlir::Value k, mlir::Value v, int64_t headDim,
                        const AttentionForm &form = {});
  /// Experts by the router NAME.gate and the linears NAME.experts.E.*. How many there are and how
  /// wide, the checkpoint says: other tools may have cut them, layer by layer.
  mlir::Value experts(mlir::Value x, const llvm::Twine &name, const Dim &hidden,
                      const ExpertsForm &form);
  /// `body` computes the block's result from the residual it is given.
  mlir::Value block(lm::BlockKind kind, int32_t layer, mlir::Value x,
                    llvm::function_ref<mlir::Value(mlir::Value)> body);

  /// Returns `logits` from the function and gives the module away. Refuses what the checkpoint
  /// holds and the graph did not use where it would change the model: tensors under the prefix or
  /// beside the head, second copies of what is used under another prefix, and adapters. Others, a
  /// classifier's or a second model's, are passed over.
  llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> finish(mlir::Value logits);

private:
  void fail(const llvm::Twine &what);
  /// Adds to a sum of what is described, up to its limit; `what` and `at` are for the message.
  void describe(int64_t &sum, int64_t more, int64_t most, llvm::StringRef what, llvm::StringRef at);
  mlir::Value normScale(const llvm::Twine &name, const Dim &width, NormScale scale);
  mlir::Value rmsNormOf(mlir::Value x, const llvm::Twine &name, const Dim &width,
                        mlir::IntegerAttr group, double eps, NormScale scale);
  mlir::FloatAttr unless(double value, double usual);
  void refuseUnused();
  /// Why a tensor that the graph did not use may not be passed over; "" if it may.
  std::string whyNotIgnored(llvm::StringRef name) const;
  /// The element type to declare; reports what is wrong with the tensor.
  mlir::Type checkTensor(llvm::StringRef name, llvm::ArrayRef<Dim> shape);
  /// The same of a tensor that the graph has no use for.
  void note(llvm::StringRef name, llvm::ArrayRef<Dim> shape);
  /// What is kept of the tensor NAME, declared if it is not yet. A matrix that is transposed has
  /// the shape [in, out].
  mlir::Value declare(llvm::StringRef name, llvm::ArrayRef<Dim> shape, bool transposed,
                      std::optional<Runs> rows);
  Dim extent(llvm::StringRef name, unsigned axis, llvm::ArrayRef<Dim> shape);
  HeadWidths refuseMore(const HeadWidths &found, const HeadWidths &config);

  const Checkpoint *checkpoint; // null without one
  DType described;              // of tensors without one
  std::string modelType, configPath, prefix, error;
  llvm::SmallVector<std::string> otherPrefixes; // the candidates that were not chosen
  std::string headName;                         // "lm_head"
  llvm::SmallVector<std::string> passedOver;    // endings of names
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::OpBuilder builder;      // inside the function
  mlir::OpBuilder declarations; // before it
  mlir::func::FuncOp function;
  llvm::StringSet<> used, declared;
  std::string differing;
  int64_t parameters = 0, units = 0; // as MostDescribed has them; not counted with a checkpoint
};

} // namespace coppice
