// What a plan can name in a residual block: its heads and its neurons, found by following values
// from the attention or activation, never by tensor names.
//
// Holds on imported, masked and shrunk graphs alike: masks, selections and observed values on the
// way are stepped over.
#pragma once
#include "dialects/lm/LM.h"
#include "llvm/Support/Error.h"

namespace coppice {

struct AttentionParts {
  lm::AttentionOp attention;
  lm::LinearOp query, key, value; // what the attention reads, rope and norms of heads stepped over
  lm::LinearOp output;            // the one linear that reads the heads
};

struct FfnParts {
  lm::ActivationOp activation;
  lm::LinearOp gate; // null in an FFN that is not gated
  lm::LinearOp up;
  lm::LinearOp down;  // the one linear that reads the neurons
  mlir::Value hidden; // one column per neuron: the activation, or its product with `up`
};

/// Errors are half a sentence about the block ("holds 2 lm.attention, not one"), without its name.
llvm::Expected<AttentionParts> findAttentionParts(lm::BlockOp block);
llvm::Expected<FfnParts> findFfnParts(lm::BlockOp block);

/// True if the block's result depends on no linear, attention or activation: other tools leave
/// layers without heads or neurons, whose block adds a constant, or nothing.
bool isEmpty(lm::BlockOp block);

/// The lm.moe of a block of experts, or null.
lm::MoeOp findExperts(lm::BlockOp block);

/// "the attention block of layer 3", for messages.
std::string describe(lm::BlockOp block);

/// The matrix of a linear, or null where it is not an lm.weight.
lm::WeightOp weightOf(lm::LinearOp linear);

} // namespace coppice
