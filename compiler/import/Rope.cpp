// Rotary frequencies. Angles at long positions magnify the last bit of a frequency, so each step
// is rounded to float32 where the reference's tensors are float32, and a quotient whose numerator
// is a Python number is a product with the reciprocal, as PyTorch computes it.
#include "compiler/import/Rope.h"
#include <cmath>

namespace coppice {
namespace {

using Kind = RopeParameters::Kind;
constexpr double pi = 3.14159265358979323846;

void readScaling(ConfigReader &scaling, RopeParameters &rope, int64_t context) {
  // Older configs say "type"; where both stand, the library reads "rope_type".
  bool hasNewKey = scaling.has("rope_type");
  std::string older = scaling.text("type", "default");
  llvm::StringRef key = hasNewKey || !scaling.has("type") ? "rope_type" : "type";
  rope.kind = scaling.choice<Kind>(
      key, "default",
      {{"default", Kind::Default}, {"linear", Kind::Linear}, {"llama3", Kind::Llama3}});
  if (hasNewKey && scaling.has("type") && older != scaling.text("rope_type", "default"))
    scaling.fail("type", "disagrees with rope_type beside it");

  if (scaling.number("partial_rotary_factor", 0, 1, 1) != 1)
    scaling.fail("partial_rotary_factor", "is not supported; only 1 is");
  if (rope.kind != Kind::Default)
    rope.factor = scaling.number("factor", 1e-6, 1e6);
  if (rope.kind == Kind::Linear) // written by some tools, read by none for this kind
    scaling.integer("original_max_position_embeddings", 1, INT32_MAX, context);
  if (rope.kind != Kind::Llama3)
    return;
  rope.lowFreqFactor = scaling.number("low_freq_factor", 1e-6, 1e6);
  rope.highFreqFactor = scaling.number("high_freq_factor", 1e-6, 1e6);
  rope.originalContext = scaling.integer("original_max_position_embeddings", 1, INT32_MAX, context);
  if (rope.highFreqFactor <= rope.lowFreqFactor)
    scaling.fail("high_freq_factor", "is not above low_freq_factor");
}

float llama3Frequency(const RopeParameters &rope, float frequency) {
  float wavelength = (1.0f / frequency) * float(2 * pi);
  float factor = float(rope.factor);
  double context = double(rope.originalContext);
  if (wavelength < float(context / rope.highFreqFactor))
    return frequency;
  float slowed = frequency / factor;
  if (wavelength > float(context / rope.lowFreqFactor))
    return slowed;
  float smooth = (1.0f / wavelength) * float(context);
  smooth = (smooth - float(rope.lowFreqFactor)) / float(rope.highFreqFactor - rope.lowFreqFactor);
  float slow = (1.0f - smooth) * frequency / factor, fast = smooth * frequency;
  return slow + fast;
}

} // namespace

RopeParameters readRope(ConfigReader &config, int64_t context, double defaultTheta) {
  constexpr double lowest = 1e-3, highest = 1e30; // powers of it stay within float32
  RopeParameters rope;
  std::unique_ptr<ConfigReader> older = config.object("rope_scaling");
  std::unique_ptr<ConfigReader> newer = config.object("rope_parameters");
  rope.theta = config.number("rope_theta", lowest, highest, defaultTheta);
  if (older && newer)
    config.fail("rope_scaling", "stands beside rope_parameters; only one of them may be there");
  for (ConfigReader *scaling : {older.get(), newer.get()}) {
    if (!scaling)
      continue;
    readScaling(*scaling, rope, context);
    if (scaling->has("rope_theta")) {
      double theta = scaling->number("rope_theta", lowest, highest);
      if (config.has("rope_theta") && theta != rope.theta)
        scaling->fail("rope_theta", "disagrees with rope_theta outside of it");
      rope.theta = theta;
    }
    scaling->refuseUnread();
  }
  return rope;
}

std::vector<float> inverseFrequencies(const RopeParameters &rope, int64_t dim) {
  std::vector<float> result;
  for (int64_t i = 0; i < dim; i += 2) {
    // Rounded from double: the float32 power correctly rounded, whatever the host's powf does.
    float power = float(std::pow(double(float(rope.theta)), double(float(i) / float(dim))));
    float frequency = 1.0f / power;
    if (rope.kind == Kind::Linear)
      frequency /= float(rope.factor);
    if (rope.kind == Kind::Llama3)
      frequency = llama3Frequency(rope, frequency);
    result.push_back(frequency);
  }
  return result;
}

Rotation rotation(const RopeParameters &rope, int64_t headDim) {
  return {inverseFrequencies(rope, headDim)};
}

} // namespace coppice
