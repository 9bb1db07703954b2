// Rotary frequencies and the config fields behind them. The expected values were computed with
// NumPy, float32 step by step as Hugging Face's modeling_rope_utils does on tensors, the power from
// 60-digit decimals:
//   power = float32(exp(float32(i) / float32(dim) * ln(theta))),  f = 1 / power
//   linear: f / factor
//   llama3: wavelength = (1 / f) * float32(2 pi); f if wavelength < old / high; f / factor if
//   wavelength > old / low; else s = ((1 / wavelength) * old - low) / (high - low),
//   (1 - s) * f / factor + s * f
#include "compiler/import/Rope.h"
#include "Folder.h"
#include "compiler/import/Json.h"
#include <gtest/gtest.h>

using namespace coppice;
using Kind = RopeParameters::Kind;

namespace {

RopeParameters parameters(Kind kind, double theta, double factor = 1) {
  RopeParameters rope;
  rope.kind = kind;
  rope.theta = theta;
  rope.factor = factor;
  return rope;
}

// Plain frequencies, to the bit.
TEST(Rope, PlainFrequencies) {
  EXPECT_EQ(inverseFrequencies(parameters(Kind::Default, 10000), 16),
            (std::vector<float>{0x1p+0f, 0x1.43d136p-2f, 0x1.99999ap-4f, 0x1.030dc6p-5f,
                                0x1.47ae14p-7f, 0x1.9e7c7p-9f, 0x1.0624dep-10f, 0x1.4b96cp-12f}));
}

// Linear scaling divides each frequency after it is rounded.
TEST(Rope, LinearFrequencies) {
  EXPECT_EQ(inverseFrequencies(parameters(Kind::Linear, 10000, 2.5), 8),
            (std::vector<float>{0x1.99999ap-2f, 0x1.47ae14p-5f, 0x1.0624dcp-8f, 0x1.a36e3p-12f}));
}

// Llama 3.2 1B: fast ones as they are, slow ones divided by 32, those between interpolated.
TEST(Rope, Llama3Frequencies) {
  EXPECT_EQ(inverseFrequencies(parameters(Kind::Llama3, 500000, 32), 64),
            (std::vector<float>{
                0x1p+0f,         0x1.53c38cp-1f,  0x1.c2ef78p-2f,  0x1.2b3dc6p-2f,  0x1.8d276p-3f,
                0x1.078d4p-3f,   0x1.5dc95ap-4f,  0x1.d03ccep-5f,  0x1.34119p-5f,   0x1.98de92p-6f,
                0x1.0f5386p-6f,  0x1.681adap-7f,  0x1.ddee9ep-8f,  0x1.3d2804p-8f,  0x1.a4ee4p-9f,
                0x1.524f36p-10f, 0x1.c26c4p-12f,  0x1.9731eep-14f, 0x1.46831ap-16f, 0x1.b15902p-17f,
                0x1.1f91fp-17f,  0x1.7da9e8p-18f, 0x1.fa8b86p-19f, 0x1.5024d6p-19f, 0x1.be2188p-20f,
                0x1.280d96p-20f, 0x1.88ec2p-21f,  0x1.04be68p-21f, 0x1.5a0f4ep-22f, 0x1.cb4a9ap-23f,
                0x1.30c94ep-23f, 0x1.94836p-24f}));
}

RopeParameters read(llvm::StringRef text, std::string &error) {
  llvm::json::Value value = llvm::cantFail(parseJson(text, "config.json"));
  ConfigReader reader(*value.getAsObject(), "config.json");
  RopeParameters rope = readRope(reader, 2048);
  error = test::messageOf(reader.finish());
  return rope;
}

std::string errorOf(llvm::StringRef text) {
  std::string error;
  read(text, error);
  return error;
}

// Both spellings of the kind, and both places: beside rope_theta and around it.
TEST(Rope, ReadsEverySpelling) {
  std::string error;
  EXPECT_EQ(read("{}", error).theta, 10000);
  EXPECT_EQ(read(R"({"rope_theta": 500000, "rope_scaling": null})", error).theta, 500000);
  RopeParameters older = read(R"({"rope_scaling": {"type": "linear", "factor": 4.0}})", error);
  EXPECT_EQ(error, "");
  EXPECT_TRUE(older.kind == Kind::Linear && older.factor == 4);
  RopeParameters newer =
      read(R"({"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}})", error);
  EXPECT_EQ(error, "");
  EXPECT_TRUE(newer.kind == Kind::Default && newer.theta == 1e6);
  RopeParameters llama3 = read(
      R"({"rope_theta": 500000.0, "rope_scaling": {"rope_type": "llama3", "factor": 8.0,
          "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 8192}})",
      error);
  EXPECT_EQ(error, "");
  EXPECT_TRUE(llama3.kind == Kind::Llama3 && llama3.factor == 8 && llama3.originalContext == 8192);
}

// Kinds that are not supported are refused by name.
TEST(Rope, RefusesOtherKinds) {
  for (const char *kind : {"dynamic", "yarn", "longrope"})
    EXPECT_HOLDS(
        errorOf("{\"rope_scaling\": {\"type\": \"" + std::string(kind) + "\", \"factor\": 2.0}}"),
        "\"rope_scaling.type\" is \"" + std::string(kind) + "\", which is not supported");
  EXPECT_HOLDS(errorOf(R"({"rope_scaling": {"rope_type": "yarn", "type": "yarn"}})"),
               "\"rope_scaling.rope_type\" is \"yarn\"");
}

// Fields that are missing, senseless, contradictory or not known inside.
TEST(Rope, RefusesBrokenScaling) {
  EXPECT_HOLDS(errorOf(R"({"rope_scaling": {"type": "linear"}})"),
               "\"rope_scaling.factor\" is missing");
  EXPECT_HOLDS(errorOf(R"({"rope_scaling": {"type": "linear", "factor": 0}})"),
               "is 0, which is not");
  EXPECT_HOLDS(errorOf(R"({"rope_theta": 0})"), "\"rope_theta\" is 0");
  EXPECT_HOLDS(
      errorOf(R"({"rope_scaling": {"rope_type": "linear", "type": "default", "factor": 2}})"),
      "disagrees with rope_type");
  EXPECT_HOLDS(errorOf(R"({"rope_theta": 1e4, "rope_parameters": {"rope_theta": 2e4}})"),
               "disagrees with rope_theta");
  EXPECT_HOLDS(errorOf(R"({"rope_scaling": {}, "rope_parameters": {}})"), "only one of them");
  EXPECT_HOLDS(errorOf(R"({"rope_parameters": {"partial_rotary_factor": 0.5}})"), "only 1 is");
  EXPECT_HOLDS(errorOf(R"({"rope_scaling": {"type": "linear", "factor": 2, "beta_fast": 32}})"),
               "\"rope_scaling.beta_fast\" is 32, which is not known");
  EXPECT_HOLDS(errorOf(R"({"rope_scaling": {"type": "llama3", "factor": 8, "low_freq_factor": 4,
                           "high_freq_factor": 4}})"),
               "is not above low_freq_factor");
}

} // namespace
