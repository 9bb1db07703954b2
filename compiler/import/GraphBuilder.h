// Builds lm from the words of a model's description: weights by name, linears, norms, blocks.
#pragma once
#include "compiler/import/Checkpoint.h"
#include "compiler/import/Config.h"
#include "dialects/lm/LM.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringSet.h"

namespace coppice {

/// As with ConfigReader, the first error is kept and finish() reports it: a weight that is missing
/// or of another shape still yields a value of the wanted shape. Families stop early at !ok().
class GraphBuilder {
public:
  /// Begins `func.func @model`. `modelType` and `configPath` are for messages. Without a checkpoint
  /// every tensor that is asked for is there, in float32: the graph then says what a checkpoint
  /// holds.
  GraphBuilder(mlir::MLIRContext &context, const Checkpoint *checkpoint, llvm::StringRef modelType,
               llvm::StringRef configPath);

  bool ok() const { return error.empty(); }
  mlir::Value tokens(), positions();

  /// Names given to the functions below are relative to a prefix: the first of `candidates` under
  /// which `probe` is in the checkpoint, or else the first of all.
  void choosePrefix(llvm::ArrayRef<llvm::StringRef> candidates, llvm::StringRef probe);
  /// `name` without the prefix: for tensors beside the backbone.
  mlir::Value absoluteWeight(llvm::StringRef name, llvm::ArrayRef<Dim> shape);
  /// The matrix of the logits: the embedding EMBED.weight if `tied`, or else lm_head.weight.
  mlir::Value head(bool tied, const llvm::Twine &embed, llvm::ArrayRef<Dim> shape);
  /// A tensor of the checkpoint, which must have this shape.
  mlir::Value weight(const llvm::Twine &name, llvm::ArrayRef<Dim> shape);

  mlir::Value embed(mlir::Value ids, mlir::Value table, int32_t offset = 0);
  mlir::Value linear(mlir::Value x, mlir::Value matrix);
  /// With NAME.weight of [out, in] and, if `bias`, NAME.bias.
  mlir::Value linear(mlir::Value x, const llvm::Twine &name, const Dim &out, const Dim &in,
                     bool bias);
  /// With NAME.weight and NAME.bias if `affine`.
  mlir::Value layerNorm(mlir::Value x, const llvm::Twine &name, const Dim &width, bool affine,
                        double eps);
  mlir::Value rmsNorm(mlir::Value x, const llvm::Twine &name, const Dim &width, double eps);
  mlir::Value activation(lm::ActivationKind kind, mlir::Value x);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value rope(mlir::Value x, int64_t headDim, llvm::ArrayRef<float> inverseFrequencies);
  /// Query heads share KV heads in runs of equal length; the scale is 1 / sqrt(headDim).
  mlir::Value attention(mlir::Value q, mlir::Value k, mlir::Value v, int64_t headDim);
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
  void refuseUnused();
  /// Why a tensor that the graph did not use may not be passed over; "" if it may.
  std::string whyNotIgnored(llvm::StringRef name) const;
  /// The element type to declare; reports what is wrong with the tensor.
  mlir::Type checkTensor(llvm::StringRef name, llvm::ArrayRef<Dim> shape);

  const Checkpoint *checkpoint; // null without one
  std::string modelType, configPath, prefix, error;
  llvm::SmallVector<std::string> otherPrefixes; // the candidates that were not chosen
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::OpBuilder builder;      // inside the function
  mlir::OpBuilder declarations; // before it
  mlir::func::FuncOp function;
  llvm::StringSet<> used;
};

} // namespace coppice
