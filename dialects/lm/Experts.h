// The parts of an expert: what the region of an lm.moe computes.
#pragma once
#include "dialects/lm/LM.h"

namespace coppice::lm {

/// down(activation(gate(x)) * up(x)), without biases. Between them marks (lm.observe) may stand,
/// whose names are listed.
struct ExpertParts {
  LinearOp gate, up, down;
  ActivationOp activation;
  llvm::SmallVector<llvm::StringRef, 1> gateMarks, upMarks, downMarks; // of the linears' inputs
};

/// Of another form: nothing, and `why` says what stands where in the middle of a sentence.
std::optional<ExpertParts> findExpert(MoeOp moe, unsigned expert, std::string &why);

} // namespace coppice::lm
