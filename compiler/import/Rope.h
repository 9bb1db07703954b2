// Rotary position embedding: what the config says of it, and the frequencies that follow.
#pragma once
#include "compiler/import/Config.h"
#include <vector>

namespace coppice {

struct RopeParameters {
  enum class Kind { Default, Linear, Llama3 };
  Kind kind = Kind::Default;
  double theta = 10000;
  double factor = 1; // of Linear and Llama3
  // Of Llama3 only.
  double lowFreqFactor = 1, highFreqFactor = 4;
  int64_t originalContext = 8192;
};

/// Reads rope_theta with rope_scaling, or rope_parameters that hold both. `context` is
/// max_position_embeddings. Errors are left in `config`.
RopeParameters readRope(ConfigReader &config, int64_t context, double defaultTheta = 10000);

/// dim/2 frequencies in radians per position, in float32 and in the order of operations of
/// Hugging Face transformers. `dim` is even and positive.
std::vector<float> inverseFrequencies(const RopeParameters &rope, int64_t dim);

/// What lm.rope needs to know.
struct Rotation {
  std::vector<float> inverseFrequencies;
  double magnitude = 1; // a factor on sine and cosine
};
Rotation rotation(const RopeParameters &rope, int64_t headDim);

} // namespace coppice
