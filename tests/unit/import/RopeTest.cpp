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

/// What readRope makes of the text of a config with max_position_embeddings `context`.
RopeParameters read(llvm::StringRef text, std::string &error, int64_t context = 2048,
                    const RopeDefaults &defaults = {}) {
  llvm::json::Value value = llvm::cantFail(parseJson(text, "config.json"));
  ConfigReader reader(*value.getAsObject(), "config.json");
  RopeParameters rope = readRope(reader, context, defaults);
  error = test::messageOf(reader.finish());
  return rope;
}

std::string errorOf(llvm::StringRef text, const RopeDefaults &defaults = {}) {
  std::string error;
  read(text, error, 2048, defaults);
  return error;
}

// YaRN, as transformers 4.53.3 computes it (_compute_yarn_parameters): with the length that the
// model was trained on, with ramp and magnitudes given, and with the magnitude itself.
TEST(Rope, YarnFrequencies) {
  std::string error;
  RopeParameters qwen = read(R"({"rope_theta": 1000000.0, "rope_scaling": {"rope_type": "yarn",
      "factor": 4.0, "original_max_position_embeddings": 32768}})",
                             error, 131072);
  EXPECT_EQ(error, "");
  EXPECT_EQ(
      inverseFrequencies(qwen, 32),
      (std::vector<float>{0x1p+0f, 0x1.afd136p-2f, 0x1.6c310ep-3f, 0x1.33281ap-4f, 0x1.030dc6p-5f,
                          0x1.b4f7e4p-7f, 0x1.39417p-8f, 0x1.b32624p-10f, 0x1.205bcp-11f,
                          0x1.61beap-13f, 0x1.74eea6p-15f, 0x1.3a8748p-16f, 0x1.094564p-17f,
                          0x1.bf749ep-19f, 0x1.796182p-20f, 0x1.3e47c8p-21f}));
  EXPECT_DOUBLE_EQ(qwen.magnitude, 1.138629436111989);
  RopeParameters given = read(R"({"rope_scaling": {"type": "yarn", "factor": 8.0, "beta_fast": 16,
      "beta_slow": 2, "mscale": 1.0, "mscale_all_dim": 0.5}})",
                              error, 512);
  EXPECT_EQ(error, "");
  EXPECT_EQ(inverseFrequencies(given, 16),
            (std::vector<float>{0x1p+0f, 0x1.43d136p-2f, 0x1.222222p-4f, 0x1.afc1ap-7f,
                                0x1.47ae14p-10f, 0x1.9e7c7p-12f, 0x1.0624dep-13f, 0x1.4b96cp-15f}));
  EXPECT_DOUBLE_EQ(given.magnitude, 1.094179988101349);
  RopeParameters magnified = read(R"({"rope_scaling": {"type": "yarn", "factor": 2.0,
      "attention_factor": 1.25}})",
                                  error, 64);
  EXPECT_EQ(inverseFrequencies(magnified, 4), (std::vector<float>{0x1p+0f, 0x1.47ae14p-8f}));
  EXPECT_EQ(magnified.magnitude, 1.25);
}

// LongRoPE, as transformers 4.53.3 computes it (_compute_longrope_parameters), up to the trained
// length and beyond. The first files of Phi-3 call it "su", and some "yarn".
TEST(Rope, LongRopeFrequencies) {
  RopeDefaults phi3;
  phi3.headDim = 16;
  phi3.partial = 1;
  phi3.originalContext = 4096;
  for (std::string kind : {"longrope", "su", "yarn"}) {
    std::string error;
    RopeParameters rope =
        read("{\"original_max_position_embeddings\": 4096, \"rope_scaling\": {\"type\": \"" + kind +
                 R"(", "short_factor": [1.0, 1.1, 1.25, 1.5, 1.9, 2.3, 2.5, 3.0],
                   "long_factor": [1.08, 1.2, 4.3, 9.7, 21.3, 40.1, 60.5, 64.25]}})",
             error, 131072, phi3);
    EXPECT_EQ(error, "");
    EXPECT_EQ(
        inverseFrequencies(rope, 16, 4096),
        (std::vector<float>{0x1p+0f, 0x1.266118p-2f, 0x1.47ae14p-4f, 0x1.5967bp-6f, 0x1.58ed24p-8f,
                            0x1.686c36p-10f, 0x1.a36e2ep-12f, 0x1.ba1e54p-14f}));
    EXPECT_EQ(
        inverseFrequencies(rope, 16, 4097),
        (std::vector<float>{0x1.da12f6p-1f, 0x1.0dd902p-2f, 0x1.7d05f4p-6f, 0x1.ab4e22p-9f,
                            0x1.ec4a0ap-12f, 0x1.4ac31p-14f, 0x1.154f32p-16f, 0x1.4a4c74p-18f}));
    EXPECT_DOUBLE_EQ(rotation(rope, 16, 4096).magnitude, 1.1902380714238083);
  }
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

// Kinds that are not supported are refused by name, with those that are.
TEST(Rope, RefusesOtherKinds) {
  EXPECT_HOLDS(errorOf(R"({"rope_scaling": {"type": "dynamic", "factor": 2.0}})"),
               "\"rope_scaling.type\" is \"dynamic\", which is not supported; supported are: "
               "default, linear, llama3, yarn, longrope, su");
  EXPECT_HOLDS(errorOf(R"({"rope_scaling": {"rope_type": "ntk", "type": "ntk"}})"),
               "\"rope_scaling.rope_type\" is \"ntk\"");
  // Factors for heads whose width is not known fit nothing.
  EXPECT_HOLDS(errorOf(R"({"rope_scaling": {"type": "longrope", "short_factor": [1],
                           "long_factor": [1]}})"),
               "is of a kind that is not supported for this model_type");
}

// What yarn and longrope say twice must agree, and what they leave out has no default.
TEST(Rope, RefusesContradictions) {
  EXPECT_HOLDS(errorOf(R"({"rope_scaling": {"type": "yarn", "factor": 4.0,
                           "original_max_position_embeddings": 1024}})"),
               "\"rope_scaling.factor\" is 4, which is not max_position_embeddings / "
               "original_max_position_embeddings, and versions of transformers differ in which of "
               "the two they take; for this factor, set max_position_embeddings to 4096");
  EXPECT_HOLDS(errorOf(R"({"rope_scaling": {"type": "yarn"}})"),
               "\"rope_scaling.factor\" is missing");
  EXPECT_HOLDS(errorOf(R"({"rope_scaling": {"type": "yarn", "factor": 2, "truncate": false}})"),
               "\"rope_scaling.truncate\" is false, which is not supported");
  EXPECT_HOLDS(errorOf(R"({"rope_theta": 1, "rope_scaling": {"type": "yarn", "factor": 2}})"),
               "\"rope_theta\" is 1, which is not above 1");
  EXPECT_HOLDS(errorOf(R"({"rope_scaling": {"type": "longrope", "factor": 2}})"),
               "\"rope_scaling.short_factor\" is missing");
  EXPECT_HOLDS(errorOf(R"({"rope_scaling": {"type": "longrope", "short_factor": [1],
                           "long_factor": 1}})"),
               "\"rope_scaling.long_factor\" is 1, which is not a list of numbers");
  EXPECT_HOLDS(errorOf(R"({"original_max_position_embeddings": 512, "rope_scaling":
                           {"type": "longrope", "short_factor": [1], "long_factor": [1],
                            "original_max_position_embeddings": 1024}})"),
               "disagrees with the field of that name outside of it");
  EXPECT_HOLDS(errorOf(R"({"original_max_position_embeddings": 512, "rope_scaling":
                           {"type": "longrope", "short_factor": [1], "long_factor": [1],
                            "factor": 3}})"),
               "\"rope_scaling.factor\" is 3, which is not max_position_embeddings / original");
}

// Some families turn a part of each head, which must be even; the others refuse the field.
TEST(Rope, PartialRotation) {
  RopeDefaults defaults;
  defaults.headDim = 10;
  defaults.partial = 0.5;
  EXPECT_HOLDS(errorOf("{}", defaults), "heads 10 wide, of which 5 turn");
  EXPECT_HOLDS(errorOf(R"({"partial_rotary_factor": 0.1})", defaults),
               "\"partial_rotary_factor\" is 0.1");
  EXPECT_HOLDS(errorOf(R"({"partial_rotary_factor": 0.1})", defaults),
               "turns 1 of the 10 columns of a head");
  EXPECT_EQ(errorOf(R"({"partial_rotary_factor": 0.4})", defaults), "");
  EXPECT_EQ(errorOf(R"({"rope_parameters": {"partial_rotary_factor": 0.4}})", defaults), "");
  EXPECT_HOLDS(errorOf(R"({"partial_rotary_factor": 0.4,
                           "rope_parameters": {"partial_rotary_factor": 0.8}})",
                       defaults),
               "disagrees with partial_rotary_factor outside of it");
  EXPECT_HOLDS(errorOf(R"({"partial_rotary_factor": 1.5})", defaults), "not a number from 0 to 1");
  EXPECT_HOLDS(errorOf(R"({"partial_rotary_factor": 0.4})"), "\"partial_rotary_factor\" is 0.4");
  RopeParameters rope;
  rope.partial = 0.4;
  EXPECT_EQ(rotation(rope, 10, 1).inverseFrequencies, (std::vector<float>{1.0f, 0.01f}));
}

// LongRoPE outside of Phi-3: where the original length stands in the object alone, transformers 4
// takes max_position_embeddings for it and 5 takes what it says; outside of it both read it.
TEST(Rope, LongRopeOfOtherFamilies) {
  RopeDefaults heads;
  heads.headDim = 4;
  auto config = [](const char *inside, const char *outside) {
    return std::string("{") + outside +
           R"("rope_scaling": {"type": "longrope", "short_factor": [1, 1], "long_factor": [2, 3])" +
           inside + "}}";
  };
  EXPECT_HOLDS(errorOf(config(R"(, "original_max_position_embeddings": 512)", ""), heads),
               "\"rope_scaling.original_max_position_embeddings\" is 512, which some versions of "
               "transformers read, and others take max_position_embeddings in its place; if it is "
               "meant, write it outside of this object");
  EXPECT_EQ(errorOf(config("", R"("original_max_position_embeddings": 512, )"), heads), "");
  EXPECT_EQ(errorOf(config(R"(, "original_max_position_embeddings": 512)",
                           R"("original_max_position_embeddings": 512, )"),
                    heads),
            "");
  heads.originalContext = 4096; // Phi-3's own default
  EXPECT_HOLDS(errorOf(config(R"(, "original_max_position_embeddings": 512)", ""), heads),
               "disagrees with the field of that name outside of it, 4096 where it is not given");
}

// What the library passes over: fields beside a kind that scales nothing, and another tool's name
// for the magnitude where it says 1.
TEST(Rope, PassesOver) {
  std::string error;
  RopeParameters plain = read(R"({"rope_theta": 5, "rope_scaling": {"type": "default", "factor": 4,
      "original_max_position_embeddings": 64, "attn_factor": 2}})",
                              error);
  EXPECT_EQ(error, "");
  EXPECT_TRUE(plain.kind == Kind::Default && plain.theta == 5 && plain.magnitude == 1);
  EXPECT_EQ(errorOf(R"({"rope_scaling": {"type": "yarn", "factor": 4, "attn_factor": 1}})"), "");
  EXPECT_HOLDS(errorOf(R"({"rope_scaling": {"type": "yarn", "factor": 4, "attn_factor": 0.5}})"),
               "\"rope_scaling.attn_factor\" is 0.5, which transformers does not read");
  EXPECT_EQ(
      errorOf(R"({"rope_scaling": {"type": "linear", "factor": 4, "attention_factor": 1.0}})"), "");
  EXPECT_HOLDS(
      errorOf(R"({"rope_scaling": {"type": "linear", "factor": 4, "attention_factor": 2}})"),
      "\"rope_scaling.attention_factor\" is 2, which transformers does not read for this kind");
}

// Fields that are missing, senseless, contradictory or not known inside.
TEST(Rope, RefusesBrokenScaling) {
  EXPECT_HOLDS(errorOf(R"({"rope_scaling": {"type": "linear"}})"),
               "\"rope_scaling.factor\" is missing");
  EXPECT_HOLDS(errorOf(R"({"rope_scaling": {"type": "linear", "factor": 0}})"),
               "is 0, which is not");
  EXPECT_HOLDS(errorOf(R"({"rope_scaling": {"factor": 2}})"),
               "\"rope_scaling.rope_type\" is missing: a factor alone does not say how it scales");
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
