// Shapes, tensors and files of random models. Written without the compiler's own readers.
#include "tests/support/RandomCheckpoint.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

namespace coppice::test {

ModelShape randomShape(Family family, Random &random) {
  ModelShape shape;
  shape.family = family;
  shape.layers = random.between(1, 3);
  shape.heads = random.between(1, 6);
  shape.headDim = 2 * random.between(1, 3);
  shape.ffn = random.between(3, 20);
  shape.vocab = random.between(11, 20);
  shape.tied = random.chance(0.5);
  shape.attentionBias = random.chance(0.6);
  if (shape.isOpt()) {
    shape.kvHeads = shape.heads;
    shape.hidden = shape.embedding = shape.heads * shape.headDim;
    if (random.chance(0.5))
      shape.embedding = random.between(2, 2 * shape.hidden);
    shape.ffnBias = shape.attentionBias;
    shape.activation = random.chance(0.5) ? "relu" : "gelu";
    return shape;
  }
  do
    shape.kvHeads = random.between(1, shape.heads);
  while (shape.heads % shape.kvHeads != 0);
  // With head_dim given, the residual may have any width.
  shape.hidden = shape.embedding = random.between(2, 20);
  shape.ffnBias = random.chance(0.5);
  shape.activation = "silu";
  const char *ropes[] = {"", "", "linear", "llama3"};
  shape.ropeType = ropes[random.between(0, 3)];
  return shape;
}

RandomTensor &RandomCheckpoint::at(const std::string &name) {
  auto found = tensors.find(name);
  if (found == tensors.end())
    llvm::report_fatal_error(llvm::Twine("the random checkpoint has no tensor ") + name);
  return found->second;
}

void RandomCheckpoint::zeroRows(const std::string &name, int64_t begin, int64_t end) {
  RandomTensor &tensor = at(name);
  int64_t width = tensor.shape.size() == 2 ? tensor.shape[1] : 1;
  for (int64_t i = begin * width; i < end * width; ++i)
    tensor.values[i] = i % 2 ? -0.0f : 0.0f; // a pruned -1 leaves minus zero
}

void RandomCheckpoint::zeroColumns(const std::string &name, int64_t begin, int64_t end) {
  RandomTensor &tensor = at(name);
  for (int64_t row = 0; row < tensor.shape[0]; ++row)
    for (int64_t col = begin; col < end; ++col)
      tensor.values[row * tensor.shape[1] + col] = (row + col) % 2 ? -0.0f : 0.0f;
}

std::string partName(const ModelShape &shape, int64_t layer, Part part) {
  static const char *const opt[] = {"self_attn.q_proj",
                                    "self_attn.k_proj",
                                    "self_attn.v_proj",
                                    "self_attn.out_proj",
                                    nullptr,
                                    "fc1",
                                    "fc2"};
  static const char *const llama[] = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                                      "self_attn.o_proj", "mlp.gate_proj",    "mlp.up_proj",
                                      "mlp.down_proj"};
  const char *name = (shape.isOpt() ? opt : llama)[int(part)];
  return std::string(shape.isOpt() ? "model.decoder.layers." : "model.layers.") +
         std::to_string(layer) + "." + name;
}

RandomCheckpoint randomCheckpoint(const ModelShape &shape, Random &random) {
  RandomCheckpoint result{shape, {}};
  auto tensor = [&](const std::string &name, std::vector<int64_t> extents, double low,
                    double high) {
    RandomTensor &made = result.tensors[name];
    made.shape = extents;
    int64_t count = 1;
    for (int64_t extent : extents)
      count *= extent;
    for (int64_t i = 0; i < count; ++i)
      made.values.push_back(float(random.uniform(low, high)));
  };
  auto linear = [&](const std::string &name, int64_t out, int64_t in, bool bias) {
    tensor(name + ".weight", {out, in}, -0.6, 0.6);
    if (bias)
      tensor(name + ".bias", {out}, -0.4, 0.4);
  };
  auto norm = [&](const std::string &name) {
    tensor(name + ".weight", {shape.hidden}, 0.5, 1.5);
    if (shape.isOpt())
      tensor(name + ".bias", {shape.hidden}, -0.3, 0.3);
  };

  std::string prefix = shape.isOpt() ? "model.decoder." : "model.";
  int64_t queries = shape.heads * shape.headDim, keys = shape.kvHeads * shape.headDim;
  tensor(prefix + "embed_tokens.weight", {shape.vocab, shape.embedding}, -1, 1);
  if (shape.isOpt())
    tensor(prefix + "embed_positions.weight", {shape.context + 2, shape.hidden}, -1, 1);
  if (shape.embedding != shape.hidden) {
    linear(prefix + "project_in", shape.hidden, shape.embedding, false);
    linear(prefix + "project_out", shape.embedding, shape.hidden, false);
  }
  for (int64_t layer = 0; layer < shape.layers; ++layer) {
    auto name = [&](Part part) { return partName(shape, layer, part); };
    std::string base = prefix + "layers." + std::to_string(layer) + ".";
    linear(name(Part::Query), queries, shape.hidden, shape.attentionBias);
    linear(name(Part::Key), keys, shape.hidden, shape.attentionBias);
    linear(name(Part::Value), keys, shape.hidden, shape.attentionBias);
    linear(name(Part::Output), shape.hidden, queries, shape.attentionBias);
    if (!shape.isOpt())
      linear(name(Part::Gate), shape.ffn, shape.hidden, shape.ffnBias);
    linear(name(Part::Up), shape.ffn, shape.hidden, shape.ffnBias);
    linear(name(Part::Down), shape.hidden, shape.ffn, shape.ffnBias);
    norm(base + (shape.isOpt() ? "self_attn_layer_norm" : "input_layernorm"));
    norm(base + (shape.isOpt() ? "final_layer_norm" : "post_attention_layernorm"));
  }
  if (shape.family != Family::OptPostNorm)
    norm(prefix + (shape.isOpt() ? "final_layer_norm" : "norm"));
  if (!shape.tied)
    tensor("lm_head.weight", {shape.vocab, shape.embedding}, -1, 1);
  return result;
}

llvm::json::Object configOf(const ModelShape &shape) {
  llvm::json::Object config{{"vocab_size", shape.vocab},
                            {"hidden_size", shape.hidden},
                            {"num_hidden_layers", shape.layers},
                            {"num_attention_heads", shape.heads},
                            {"max_position_embeddings", shape.context},
                            {"tie_word_embeddings", shape.tied},
                            {"bos_token_id", 2},
                            {"eos_token_id", 2},
                            {"torch_dtype", "float32"}};
  if (shape.isOpt()) {
    config["model_type"] = "opt";
    config["architectures"] = llvm::json::Array{"OPTForCausalLM"};
    config["ffn_dim"] = shape.ffn;
    config["word_embed_proj_dim"] = shape.embedding;
    config["do_layer_norm_before"] = shape.family == Family::OptPreNorm;
    config["activation_function"] = shape.activation;
    config["enable_bias"] = shape.attentionBias;
    return config;
  }
  config["model_type"] = "llama";
  config["architectures"] = llvm::json::Array{"LlamaForCausalLM"};
  config["intermediate_size"] = shape.ffn;
  config["num_key_value_heads"] = shape.kvHeads;
  config["head_dim"] = shape.headDim;
  config["hidden_act"] = shape.activation;
  config["attention_bias"] = shape.attentionBias;
  config["mlp_bias"] = shape.ffnBias;
  config["rms_norm_eps"] = 1e-5;
  config["rope_theta"] = 100.0;
  if (shape.ropeType == "linear")
    config["rope_scaling"] = llvm::json::Object{{"rope_type", "linear"}, {"factor", 2.0}};
  if (shape.ropeType == "llama3")
    config["rope_scaling"] = llvm::json::Object{{"rope_type", "llama3"},
                                                {"factor", 4.0},
                                                {"low_freq_factor", 1.0},
                                                {"high_freq_factor", 4.0},
                                                {"original_max_position_embeddings", 8}};
  return config;
}

static void appendBits(std::string &bytes, float value, Stored stored) {
  llvm::APFloat number(value);
  bool lossy;
  if (stored == Stored::F16)
    number.convert(llvm::APFloat::IEEEhalf(), llvm::APFloat::rmNearestTiesToEven, &lossy);
  if (stored == Stored::BF16)
    number.convert(llvm::APFloat::BFloat(), llvm::APFloat::rmNearestTiesToEven, &lossy);
  uint64_t bits = number.bitcastToAPInt().getZExtValue();
  for (int i = 0; i < (stored == Stored::F32 ? 4 : 2); ++i)
    bytes.push_back(char(bits >> (8 * i)));
}

static llvm::Error writeFile(const llvm::Twine &path, llvm::StringRef bytes) {
  std::error_code code;
  llvm::raw_fd_ostream file(path.str(), code);
  if (code)
    return llvm::createStringError(code, "cannot write " + path);
  file << bytes;
  return llvm::Error::success();
}

llvm::Error writeCheckpoint(const RandomCheckpoint &checkpoint, llvm::StringRef directory,
                            Stored stored) {
  if (std::error_code code = llvm::sys::fs::create_directories(directory))
    return llvm::createStringError(code, "cannot make " + directory);
  const char *dtype = stored == Stored::F32 ? "F32" : stored == Stored::F16 ? "F16" : "BF16";
  llvm::json::Object header;
  std::string bytes;
  for (const auto &[name, tensor] : checkpoint.tensors) {
    int64_t begin = bytes.size();
    for (float value : tensor.values)
      appendBits(bytes, value, stored);
    header[name] =
        llvm::json::Object{{"dtype", dtype},
                           {"shape", llvm::json::Array(tensor.shape)},
                           {"data_offsets", llvm::json::Array{begin, int64_t(bytes.size())}}};
  }
  std::string text;
  llvm::raw_string_ostream(text) << llvm::json::Value(std::move(header));
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string file;
  for (int i = 0; i < 8; ++i)
    file.push_back(char(uint64_t(text.size()) >> (8 * i)));
  if (llvm::Error error = writeFile(directory + "/model.safetensors", file + text + bytes))
    return error;
  std::string config;
  llvm::raw_string_ostream(config) << llvm::json::Value(configOf(checkpoint.shape));
  return writeFile(directory + "/config.json", config);
}

TemporaryFolder::TemporaryFolder() {
  llvm::SmallString<128> made;
  if (std::error_code code = llvm::sys::fs::createUniqueDirectory("coppice-test", made))
    llvm::report_fatal_error(llvm::Twine("cannot make a folder for tests: ") + code.message());
  folder = made.str().str();
}

TemporaryFolder::~TemporaryFolder() { llvm::sys::fs::remove_directories(folder); }

} // namespace coppice::test
