// Rotary frequencies. Angles at long positions magnify the last bit of a frequency, so each step
// is rounded to float32 where the reference's tensors are float32, and a quotient whose numerator
// is a Python number is a product with the reciprocal, as PyTorch computes it.
#include "compiler/import/Rope.h"
#include <algorithm>
#include <cmath>

namespace coppice {
namespace {

using Kind = RopeParameters::Kind;
constexpr double pi = 3.14159265358979323846;

constexpr double lowest = 1e-3, highest = 1e30; // of theta: powers of it stay within float32

void readLlama3(ConfigReader &scaling, RopeParameters &rope, int64_t context) {
  rope.lowFreqFactor = scaling.number("low_freq_factor", 1e-6, 1e6);
  rope.highFreqFactor = scaling.number("high_freq_factor", 1e-6, 1e6);
  rope.originalContext = scaling.integer("original_max_position_embeddings", 1, INT32_MAX, context);
  if (rope.highFreqFactor <= rope.lowFreqFactor)
    scaling.fail("high_freq_factor", "is not above low_freq_factor");
}

/// YaRN (Peng et al., arXiv 2309.00071).
void readYarn(ConfigReader &scaling, RopeParameters &rope, int64_t context) {
  rope.originalContext = scaling.integer("original_max_position_embeddings", 1, INT32_MAX, context);
  // With an original length the library's versions disagree on which of the two is the factor.
  double ratio = double(context) / double(rope.originalContext);
  if (scaling.has("original_max_position_embeddings") && std::abs(rope.factor - ratio) > 1e-6)
    scaling.fail("factor",
                 "is not max_position_embeddings / original_max_position_embeddings, and "
                 "versions of transformers differ in which of the two they take; for this "
                 "factor, set max_position_embeddings to " +
                     llvm::Twine(int64_t(rope.factor * double(rope.originalContext))));
  rope.betaFast = scaling.number("beta_fast", 1e-6, 1e6, rope.betaFast);
  rope.betaSlow = scaling.number("beta_slow", 1e-6, 1e6, rope.betaSlow);
  if (!scaling.flag("truncate", true))
    scaling.fail("truncate", "is not supported; only true is");
  auto magnitude = [&](double weight) {
    return rope.factor <= 1 ? 1 : 0.1 * weight * std::log(rope.factor) + 1;
  };
  double mscale = scaling.number("mscale", 0, 1e6, 0);
  double mscaleAllDim = scaling.number("mscale_all_dim", 0, 1e6, 0);
  rope.magnitude =
      mscale && mscaleAllDim ? magnitude(mscale) / magnitude(mscaleAllDim) : magnitude(1);
  rope.magnitude = scaling.number("attention_factor", 1e-6, 1e6, rope.magnitude);
}

/// LongRoPE (Ding et al., arXiv 2402.13753).
void readLongRope(ConfigReader &config, ConfigReader &scaling, RopeParameters &rope,
                  int64_t context, const RopeDefaults &defaults) {
  constexpr llvm::StringLiteral field = "original_max_position_embeddings";
  rope.originalContext =
      config.integer(field, 1, INT32_MAX, defaults.originalContext.value_or(context));
  int64_t inside = scaling.integer(field, 1, INT32_MAX, rope.originalContext);
  if (scaling.has(field) && !config.has(field) && !defaults.originalContext)
    scaling.fail(field, "some versions of transformers read, and others take "
                        "max_position_embeddings in its place; if it is meant, write it outside "
                        "of this object, as the files of Phi-3 do, and else remove it");
  if (inside != rope.originalContext)
    scaling.fail(field, "disagrees with the field of that name outside of it, " +
                            llvm::Twine(rope.originalContext) +
                            (config.has(field) ? "" : " where it is not given"));
  rope.shortFactors = scaling.numbers("short_factor", 1e-6, 1e6);
  rope.longFactors = scaling.numbers("long_factor", 1e-6, 1e6);
  double stretch = double(context) / double(rope.originalContext);
  if (scaling.has("factor") && std::abs(scaling.number("factor", 1e-6, 1e6) - stretch) > 1e-6)
    scaling.fail("factor", "is not max_position_embeddings / original_max_position_embeddings");
  // A context of 1 was never stretched, and has no logarithm to divide by.
  if (stretch > 1 && rope.originalContext > 1)
    rope.magnitude = std::sqrt(1 + std::log(stretch) / std::log(double(rope.originalContext)));
  rope.magnitude = scaling.number("attention_factor", 1e-6, 1e6, rope.magnitude);
}

void readScaling(ConfigReader &config, ConfigReader &scaling, RopeParameters &rope, int64_t context,
                 const RopeDefaults &defaults) {
  // Older configs say "type"; where both stand, the library reads "rope_type".
  bool hasNewKey = scaling.has("rope_type");
  std::string older = scaling.text("type", "default");
  if (!hasNewKey && !scaling.has("type") && scaling.has("factor"))
    scaling.failMissing("rope_type", ": a factor alone does not say how it scales");
  llvm::StringRef key = hasNewKey || !scaling.has("type") ? "rope_type" : "type";
  // The first files of Phi-3 say "su", and some "yarn", of what is now called "longrope".
  Kind yarn = scaling.has("short_factor") ? Kind::LongRope : Kind::Yarn;
  rope.kind = scaling.choice<Kind>(key, "default",
                                   {{"default", Kind::Default},
                                    {"linear", Kind::Linear},
                                    {"llama3", Kind::Llama3},
                                    {"yarn", yarn},
                                    {"longrope", Kind::LongRope},
                                    {"su", Kind::LongRope}});
  if (hasNewKey && scaling.has("type") && older != scaling.text("rope_type", "default"))
    scaling.fail("type", "disagrees with rope_type beside it");

  if (rope.kind == Kind::Default) // which scales nothing, whatever stands beside it
    scaling.ignore({"factor", "original_max_position_embeddings", "attention_factor", "attn_factor",
                    "low_freq_factor", "high_freq_factor", "beta_fast", "beta_slow", "mscale",
                    "mscale_all_dim", "short_factor", "long_factor"});
  // What other tools read and the library takes no notice of, unless it says nothing.
  auto refuseUnless1 = [&](llvm::StringRef name, const char *what) {
    if (scaling.has(name) && scaling.number(name, 1e-6, 1e6) != 1)
      scaling.fail(name, what);
  };
  if (rope.kind != Kind::Default)
    refuseUnless1("attn_factor", "transformers does not read; write what is meant as "
                                 "attention_factor, or remove it");
  if (rope.kind == Kind::Linear || rope.kind == Kind::Llama3)
    refuseUnless1("attention_factor", "transformers does not read for this kind; remove it");
  if (rope.kind != Kind::Default && rope.kind != Kind::LongRope)
    rope.factor = scaling.number("factor", 1e-6, 1e6);
  if (rope.kind == Kind::Linear) // written by some tools, read by none for this kind
    scaling.integer("original_max_position_embeddings", 1, INT32_MAX, context);
  if (rope.kind == Kind::Llama3)
    readLlama3(scaling, rope, context);
  if (rope.kind == Kind::Yarn)
    readYarn(scaling, rope, context);
  if (rope.kind == Kind::LongRope)
    readLongRope(config, scaling, rope, context, defaults);
}

/// A field that has an older name, in the one or the other; both must say the same.
double readEither(ConfigReader &config, llvm::StringRef name, llvm::StringRef older, double low,
                  double high, double fallback) {
  if (older.empty())
    return config.number(name, low, high, fallback);
  double value = config.number(older, low, high, config.number(name, low, high, fallback));
  if (config.has(older) && config.has(name) && config.number(name, low, high) != value)
    config.fail(name, "disagrees with " + older);
  return value;
}

/// What the parameters ask of the heads. `partial` has the field that says how much of one turns,
/// or is null where none does.
void checkHeads(ConfigReader &config, ConfigReader *partial, const RopeParameters &rope,
                const RopeDefaults &defaults) {
  int64_t dim = int64_t(double(defaults.headDim) * rope.partial);
  if (dim < 2 || dim % 2 != 0) {
    std::string wanted = ", and rotary embedding needs an even number of at least 2";
    if (partial && rope.partial != 1)
      partial->fail(partial->has("partial_rotary_factor") ? "partial_rotary_factor"
                                                          : defaults.partialField,
                    "turns " + llvm::Twine(dim) + " of the " + llvm::Twine(defaults.headDim) +
                        " columns of a head" + wanted);
    else
      config.fail(config.has("head_dim") ? "head_dim" : "num_attention_heads",
                  "makes heads " + llvm::Twine(defaults.headDim) + " wide, of which " +
                      llvm::Twine(dim) + " turn" + wanted);
    return;
  }
  for (const std::vector<double> &factors : {rope.shortFactors, rope.longFactors})
    if (rope.kind == Kind::LongRope && int64_t(factors.size()) != dim / 2)
      config.fail("rope_scaling", "holds " + llvm::Twine(factors.size()) +
                                      " factors of longrope in a list, and heads that turn " +
                                      llvm::Twine(dim) + " wide need " + llvm::Twine(dim / 2));
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

/// The ramp of YaRN between frequencies that stay and those that are divided by the factor.
std::vector<float> yarnFrequencies(const RopeParameters &rope, llvm::ArrayRef<float> powers) {
  double dim = 2.0 * double(powers.size());
  auto dimOf = [&](double rotations) {
    return dim * std::log(double(rope.originalContext) / (rotations * 2 * pi)) /
           (2 * std::log(rope.theta));
  };
  double low = std::max(std::floor(dimOf(rope.betaFast)), 0.0);
  double high = std::min(std::ceil(dimOf(rope.betaSlow)), dim - 1);
  if (low == high)
    high += 0.001;
  std::vector<float> result;
  for (size_t i = 0; i < powers.size(); ++i) {
    float ramp = std::clamp((float(i) - float(low)) / float(high - low), 0.0f, 1.0f);
    float kept = 1.0f - ramp;
    float slow = 1.0f / (float(rope.factor) * powers[i]) * (1.0f - kept);
    result.push_back(slow + 1.0f / powers[i] * kept);
  }
  return result;
}

} // namespace

/// rope_parameters, or what it holds of the layers that are meant.
static std::unique_ptr<ConfigReader> newerParameters(ConfigReader &config,
                                                     RopeDefaults::Layers layers) {
  std::unique_ptr<ConfigReader> all = config.object("rope_parameters");
  if (!all || layers == RopeDefaults::Layers::All)
    return all;
  bool sliding = layers == RopeDefaults::Layers::Sliding;
  llvm::StringRef wanted = sliding ? "sliding_attention" : "full_attention";
  std::unique_ptr<ConfigReader> own = all->object(wanted);
  if (!own)
    all->failMissing(wanted, "; each of the two types of layers has its parameters");
  all->ignore({"full_attention", "sliding_attention"});
  all->refuseUnread();
  return own;
}

RopeParameters readRope(ConfigReader &config, int64_t context, const RopeDefaults &defaults) {
  RopeParameters rope;
  bool sliding = defaults.layers == RopeDefaults::Layers::Sliding;
  std::unique_ptr<ConfigReader> older = sliding ? nullptr : config.object("rope_scaling");
  std::unique_ptr<ConfigReader> newer = newerParameters(config, defaults.layers);
  llvm::StringRef thetaName = sliding ? "rope_local_base_freq" : "rope_theta";
  rope.theta = readEither(config, thetaName, defaults.thetaField, lowest, highest, defaults.theta);
  if (defaults.partial)
    rope.partial =
        readEither(config, "partial_rotary_factor", defaults.partialField, 0, 1, *defaults.partial);
  if (defaults.originalContext)
    config.integer("original_max_position_embeddings", 1, INT32_MAX, defaults.originalContext);
  if (older && newer)
    config.fail("rope_scaling", "stands beside rope_parameters; only one of them may be there");
  // Either of two fields, inside and outside.
  auto inside = [&](ConfigReader &scaling, llvm::StringRef name, llvm::StringRef outside,
                    llvm::StringRef olderName, double low, double high, double &value) {
    if (!scaling.has(name))
      return;
    double read = scaling.number(name, low, high);
    if ((config.has(outside) || config.has(olderName)) && read != value)
      scaling.fail(name, "disagrees with " + outside + " outside of it");
    value = read;
  };
  llvm::StringRef partialName = "partial_rotary_factor";
  bool partialOutside = config.has(partialName) || config.has(defaults.partialField);
  ConfigReader *partial = partialOutside ? &config : nullptr;
  for (ConfigReader *scaling : {older.get(), newer.get()}) {
    if (!scaling)
      continue;
    readScaling(config, *scaling, rope, context, defaults);
    inside(*scaling, "rope_theta", thetaName, defaults.thetaField, lowest, highest, rope.theta);
    inside(*scaling, partialName, partialName, defaults.partialField, 0, 1, rope.partial);
    if (!defaults.partial && rope.partial != 1)
      scaling->fail(partialName, "is not supported; only 1 is");
    if (scaling->has(partialName))
      partial = scaling;
    scaling->refuseUnread();
  }
  if (rope.kind == Kind::Yarn && rope.theta <= 1)
    config.fail("rope_theta", "is not above 1, as yarn needs it");
  if (defaults.headDim)
    checkHeads(config, partial, rope, defaults);
  else if (rope.kind == Kind::LongRope)
    config.fail("rope_scaling", "is of a kind that is not supported for this model_type");
  return rope;
}

std::vector<float> inverseFrequencies(const RopeParameters &rope, int64_t dim, int64_t positions) {
  const std::vector<double> &factors =
      positions > rope.originalContext ? rope.longFactors : rope.shortFactors;
  std::vector<float> powers, result;
  for (int64_t i = 0; i < dim; i += 2) {
    // Rounded from double: the float32 power correctly rounded, whatever the host's powf does.
    float power = float(std::pow(double(float(rope.theta)), double(float(i) / float(dim))));
    powers.push_back(power);
    if (rope.kind == Kind::LongRope)
      power = float(factors[i / 2]) * power;
    float frequency = 1.0f / power;
    if (rope.kind == Kind::Linear)
      frequency /= float(rope.factor);
    if (rope.kind == Kind::Llama3)
      frequency = llama3Frequency(rope, frequency);
    result.push_back(frequency);
  }
  return rope.kind == Kind::Yarn ? yarnFrequencies(rope, powers) : result;
}

Rotation rotation(const RopeParameters &rope, int64_t headDim, int64_t positions) {
  int64_t dim = int64_t(double(headDim) * rope.partial);
  return {inverseFrequencies(rope, dim, positions), rope.magnitude};
}

} // namespace coppice
