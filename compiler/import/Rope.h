// Rotary position embedding: what the config says of it, and the frequencies that follow.
#pragma once
#include "compiler/import/Config.h"
#include <vector>

namespace coppice {

struct RopeParameters {
  enum class Kind { Default, Linear, Llama3, Yarn, LongRope };
  Kind kind = Kind::Default;
  double theta = 10000;
  double partial = 1; // how much of a head turns
  double factor = 1;  // of Linear, Llama3 and Yarn
  // Of Llama3 only.
  double lowFreqFactor = 1, highFreqFactor = 4;
  // Positions that the model was trained on: of Llama3, Yarn and LongRope.
  int64_t originalContext = 8192;
  // Of Yarn only.
  double betaFast = 32, betaSlow = 1;
  // Of LongRope only: a divisor for each frequency.
  std::vector<double> shortFactors, longFactors;
  double magnitude = 1; // of Yarn and LongRope: a factor on sine and cosine
};

/// What a family's config class says where the file does not.
struct RopeDefaults {
  double theta = 10000;
  /// Of one head; with it, what does not fit it is an error.
  int64_t headDim = 0;
  /// Families that turn a part of each head; the others refuse the field.
  std::optional<double> partial = std::nullopt;
  /// Whose own field it is that says which positions the model was trained on.
  std::optional<int64_t> originalContext = std::nullopt;
  /// Older names of rope_theta and partial_rotary_factor, which may stand beside them.
  llvm::StringRef thetaField = "", partialField = "";
  /// Where layers of two types turn otherwise: which of them is meant. rope_parameters then holds
  /// an object for each; in older configs rope_theta and rope_scaling are those of full attention,
  /// and rope_local_base_freq alone is that of the others.
  enum class Layers { All, Full, Sliding } layers = Layers::All;
};

/// Reads rope_theta with rope_scaling, or rope_parameters that hold both. `context` is
/// max_position_embeddings. Errors are left in `config`.
RopeParameters readRope(ConfigReader &config, int64_t context, const RopeDefaults &defaults = {});

/// dim/2 frequencies in radians per position, in float32 and in the order of operations of
/// Hugging Face transformers. `dim` is even and positive. LongRope's depend on whether `positions`
/// are more than the model was trained on.
std::vector<float> inverseFrequencies(const RopeParameters &rope, int64_t dim,
                                      int64_t positions = 0);

/// What lm.rope needs to know.
struct Rotation {
  std::vector<float> inverseFrequencies;
  double magnitude = 1;
};
/// For heads of headDim, of which the part that turns has an even width of at least 2, as readRope
/// finds. `positions` is the context that will be compiled for.
Rotation rotation(const RopeParameters &rope, int64_t headDim, int64_t positions);

} // namespace coppice
