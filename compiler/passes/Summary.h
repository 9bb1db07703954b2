// What a graph holds, layer by layer, in the original checkpoint's numbers. Taken while lm.block is
// still there; the same on a masked graph (masked heads and neurons count as gone) and on its
// shrunk form.
#pragma once
#include "mlir/IR/BuiltinOps.h"
#include <cstdint>
#include <vector>

namespace coppice {

struct LayerSummary {
  int32_t layer = 0;
  bool attention = false; // the block is there and keeps a head
  bool ffn = false;       // the block is there and keeps a neuron, or has experts
  int32_t headDim = 0;
  int32_t headsBefore = 0, kvHeadsBefore = 0, neuronsBefore = 0; // as in the checkpoint
  std::vector<int32_t> heads;                                    // query heads kept
  std::vector<int32_t> kvHeads;                                  // KV heads kept
  std::vector<int32_t> neurons;                                  // neurons kept
  int32_t expertsBefore = 0;                                     // 0: the layer has no experts
  std::vector<int32_t> experts;                                  // experts kept
};

struct ModelSummary {
  std::vector<LayerSummary> layers; // every layer of the checkpoint, in order
  uint64_t parameters = 0;          // elements of the distinct checkpoint tensors read, as selected
  uint64_t activeParameters = 0;    // of these, with so many experts as one token is sent to
};

/// `imported` is the module as imported (for the numbers before); `module` the one to describe.
/// Both have one function and lm.block ops. Layers missing in `module` come out without blocks.
ModelSummary summarize(mlir::ModuleOp imported, mlir::ModuleOp module);

/// ModelSummary's `parameters` of a module, or its `activeParameters`.
uint64_t countParameters(mlir::ModuleOp module, bool active = false);

} // namespace coppice
