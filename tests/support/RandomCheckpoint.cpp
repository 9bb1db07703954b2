// Tensors and files of random models, named and laid out as each family's class in Hugging Face
// does. Written without the compiler's own readers.
#include "tests/support/RandomCheckpoint.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

namespace coppice::test {

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

namespace {

/// Makes the tensors of one model.
class Maker {
public:
  Maker(const ModelShape &shape, Random &random)
      : result{shape, {}}, shape(result.shape), random(random) {}

  RandomCheckpoint make();

private:
  void tensor(const std::string &name, std::vector<int64_t> extents, double low, double high) {
    RandomTensor &made = result.tensors[name];
    made.shape = extents;
    int64_t count = 1;
    for (int64_t extent : extents)
      count *= extent;
    for (int64_t i = 0; i < count; ++i)
      made.values.push_back(float(random.uniform(low, high)));
  }
  void linear(const std::string &name, int64_t out, int64_t in, bool bias) {
    bool transposed = shape.family == Family::Gpt2;
    tensor(name + ".weight", {transposed ? in : out, transposed ? out : in}, -0.6, 0.6);
    if (bias)
      tensor(name + ".bias", {out}, -0.4, 0.4);
  }
  void norm(const std::string &name) { norm(name, shape.hidden); }
  void norm(const std::string &name, int64_t width) {
    // Gemma's multiply by one more.
    double low = shape.isGemma() ? -0.5 : 0.5;
    tensor(name + ".weight", {width}, low, low + 1);
    if (centred())
      tensor(name + ".bias", {width}, -0.3, 0.3);
  }
  /// LayerNorm with a bias; the others have RMSNorm.
  bool centred() const;

  void attention(const std::string &name);
  void ffn(const std::string &name, int64_t layer);
  void gated(const std::string &name, int64_t width, const char *gate, const char *up,
             const char *down);
  void norms(const std::string &layer);

  RandomCheckpoint result;
  const ModelShape &shape;
  Random &random;
};

bool Maker::centred() const {
  switch (shape.family) {
  case Family::OptPreNorm:
  case Family::OptPostNorm:
  case Family::Gpt2:
  case Family::NeoX:
  case Family::Falcon:
  case Family::Phi:
  case Family::StarCoder2:
    return true;
  default:
    return false;
  }
}

void Maker::attention(const std::string &name) {
  int64_t queries = shape.heads * shape.headDim, keys = shape.kvHeads * shape.headDim;
  bool bias = shape.attentionBias, outBias = bias && shape.family != Family::Qwen2;
  switch (shape.family) {
  case Family::Gpt2:
    linear(name + "attn.c_attn", 3 * queries, shape.hidden, bias);
    return linear(name + "attn.c_proj", shape.hidden, queries, bias);
  case Family::NeoX:
    linear(name + "attention.query_key_value", 3 * queries, shape.hidden, bias);
    return linear(name + "attention.dense", shape.hidden, queries, bias);
  case Family::Falcon:
    linear(name + "self_attention.query_key_value", queries + 2 * keys, shape.hidden, bias);
    return linear(name + "self_attention.dense", shape.hidden, queries, bias);
  case Family::Phi3:
    linear(name + "self_attn.qkv_proj", queries + 2 * keys, shape.hidden, bias);
    return linear(name + "self_attn.o_proj", shape.hidden, queries, bias);
  default:
    break;
  }
  linear(name + "self_attn.q_proj", queries, shape.hidden, bias);
  linear(name + "self_attn.k_proj", keys, shape.hidden, bias);
  linear(name + "self_attn.v_proj", keys, shape.hidden, bias);
  const char *out = shape.isOpt() ? "out_proj" : shape.family == Family::Phi ? "dense" : "o_proj";
  linear(name + "self_attn." + out, shape.hidden, queries, outBias);
  if (shape.family == Family::Qwen3 || shape.family == Family::Qwen3Moe ||
      shape.family == Family::Gemma3) {
    norm(name + "self_attn.q_norm", shape.headDim);
    norm(name + "self_attn.k_norm", shape.headDim);
  }
}

void Maker::gated(const std::string &name, int64_t width, const char *gate, const char *up,
                  const char *down) {
  linear(name + gate, width, shape.hidden, shape.ffnBias);
  linear(name + up, width, shape.hidden, shape.ffnBias);
  linear(name + down, shape.hidden, width, shape.ffnBias);
}

void Maker::ffn(const std::string &name, int64_t layer) {
  auto plain = [&](const char *up, const char *down) {
    linear(name + up, shape.ffn, shape.hidden, shape.ffnBias);
    linear(name + down, shape.hidden, shape.ffn, shape.ffnBias);
  };
  switch (shape.family) {
  case Family::OptPreNorm:
  case Family::OptPostNorm:
    return plain("fc1", "fc2");
  case Family::Gpt2:
  case Family::StarCoder2:
    return plain("mlp.c_fc", "mlp.c_proj");
  case Family::NeoX:
  case Family::Falcon:
    return plain("mlp.dense_h_to_4h", "mlp.dense_4h_to_h");
  case Family::Phi:
    return plain("mlp.fc1", "mlp.fc2");
  case Family::Phi3:
    linear(name + "mlp.gate_up_proj", 2 * shape.ffn, shape.hidden, false);
    return linear(name + "mlp.down_proj", shape.hidden, shape.ffn, false);
  default:
    break;
  }
  int64_t experts = shape.expertsIn(layer);
  if (!experts)
    return gated(name + "mlp.", shape.ffn, "gate_proj", "up_proj", "down_proj");
  bool mixtral = shape.family == Family::Mixtral;
  std::string block = name + (mixtral ? "block_sparse_moe." : "mlp.");
  linear(block + "gate", experts, shape.hidden, false);
  for (int64_t expert = 0; expert < experts; ++expert) {
    std::string base = block + "experts." + std::to_string(expert) + ".";
    mixtral ? gated(base, shape.expertFfn, "w1", "w3", "w2")
            : gated(base, shape.expertFfn, "gate_proj", "up_proj", "down_proj");
  }
}

void Maker::norms(const std::string &name) {
  switch (shape.family) {
  case Family::OptPreNorm:
  case Family::OptPostNorm:
    norm(name + "self_attn_layer_norm");
    return norm(name + "final_layer_norm");
  case Family::Gpt2:
    norm(name + "ln_1");
    return norm(name + "ln_2");
  case Family::Phi:
    return norm(name + "input_layernorm");
  case Family::Falcon:
    if (shape.twoNorms) {
      norm(name + "ln_attn");
      return norm(name + "ln_mlp");
    }
    norm(name + "input_layernorm");
    if (!shape.parallel)
      norm(name + "post_attention_layernorm");
    return;
  case Family::Gemma2:
  case Family::Gemma3:
    norm(name + "pre_feedforward_layernorm");
    norm(name + "post_feedforward_layernorm");
    break;
  default:
    break;
  }
  norm(name + "input_layernorm");
  norm(name + "post_attention_layernorm");
}

/// The family's names outside of the layers.
struct Outside {
  const char *embedding, *layers, *lastNorm, *head;
};

Outside outsideOf(const ModelShape &shape) {
  switch (shape.family) {
  case Family::OptPreNorm:
    return {"model.decoder.embed_tokens", "model.decoder.layers.", "model.decoder.final_layer_norm",
            "lm_head"};
  case Family::OptPostNorm:
    return {"model.decoder.embed_tokens", "model.decoder.layers.", nullptr, "lm_head"};
  case Family::Gpt2:
    return {"transformer.wte", "transformer.h.", "transformer.ln_f", "lm_head"};
  case Family::NeoX:
    return {"gpt_neox.embed_in", "gpt_neox.layers.", "gpt_neox.final_layer_norm", "embed_out"};
  case Family::Falcon:
    return {"transformer.word_embeddings", "transformer.h.", "transformer.ln_f", "lm_head"};
  case Family::Phi:
    return {"model.embed_tokens", "model.layers.", "model.final_layernorm", "lm_head"};
  default:
    return {"model.embed_tokens", "model.layers.", "model.norm", "lm_head"};
  }
}

RandomCheckpoint Maker::make() {
  Outside outside = outsideOf(shape);
  tensor(std::string(outside.embedding) + ".weight", {shape.vocab, shape.embedding}, -1, 1);
  if (shape.isOpt())
    tensor("model.decoder.embed_positions.weight", {shape.context + 2, shape.hidden}, -1, 1);
  if (shape.family == Family::Gpt2)
    tensor("transformer.wpe.weight", {shape.context, shape.hidden}, -1, 1);
  if (shape.embedding != shape.hidden) {
    linear("model.decoder.project_in", shape.hidden, shape.embedding, false);
    linear("model.decoder.project_out", shape.embedding, shape.hidden, false);
  }
  for (int64_t layer = 0; layer < shape.layers; ++layer) {
    std::string name = outside.layers + std::to_string(layer) + ".";
    attention(name);
    ffn(name, layer);
    norms(name);
  }
  if (outside.lastNorm)
    norm(outside.lastNorm);
  if (!shape.tied)
    tensor(std::string(outside.head) + ".weight", {shape.vocab, shape.embedding}, -1, 1);
  if (shape.family == Family::Phi)
    tensor("lm_head.bias", {shape.vocab}, -0.4, 0.4);
  return std::move(result);
}

} // namespace

RandomCheckpoint randomCheckpoint(const ModelShape &shape, Random &random) {
  return Maker(shape, random).make();
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
