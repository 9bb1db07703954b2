// See Running.h.
#include "tests/unit/pipeline/Running.h"
#include "compiler/synth/Synth.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"
#include <cstdlib>
#include <random>

namespace coppice::test {

Scratch::Scratch() {
  llvm::SmallString<128> made;
  std::error_code code = llvm::sys::fs::createUniqueDirectory("coppice-pipeline", made);
  EXPECT_FALSE(code) << code.message();
  path = std::string(made);
}
Scratch::~Scratch() {
  if (llvm::sys::fs::remove_directories(path))
    ADD_FAILURE() << path << " stays behind";
}

CompileOptions optionsFor(const std::string &model, const std::string &plan,
                          const std::string &output) {
  CompileOptions options;
  options.modelDir = std::string(COPPICE_TESTS "/models/") + model;
  if (!plan.empty())
    options.plan = std::string(COPPICE_TESTS "/golden/models/") + model + "/" + plan + ".json";
  options.output = output;
  return options;
}

std::string compileError(const CompileOptions &options) {
  llvm::Expected<CompileResult> result = compile(options);
  return result ? "" : llvm::toString(result.takeError());
}

std::string modelOf32768(const Scratch &scratch) {
  SynthOptions options;
  options.shape = scratch.file("shape.json");
  options.output = scratch.file("model");
  options.dtype = DType::F32;
  {
    std::error_code code;
    llvm::raw_fd_ostream(options.shape, code) << R"({
      "model_type": "llama", "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
      "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "vocab_size": 64,
      "max_position_embeddings": 32768, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
      "tie_word_embeddings": true})";
    EXPECT_FALSE(code) << code.message();
  }
  EXPECT_TRUE(bool(synthesize(options)));
  return options.output;
}

std::string readAll(const std::string &path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  EXPECT_TRUE(bool(buffer)) << path;
  return buffer ? (*buffer)->getBuffer().str() : "";
}

Model::Model(const std::string &path) {
  coppice_error error{};
  EXPECT_EQ(coppice_model_open(path.c_str(), nullptr, &model, &error), COPPICE_OK) << error.message;
  EXPECT_EQ(coppice_model_info(model, &info), COPPICE_OK);
}

Session::Session(const Model &model, uint32_t positions) {
  size_t bytes = coppice_session_bytes(model.model, positions);
  memory = std::aligned_alloc(COPPICE_SESSION_ALIGNMENT, bytes);
  // What the memory held before must not matter.
  std::fill_n(static_cast<unsigned char *>(memory), bytes, 0xff);
  EXPECT_EQ(coppice_session_init(model.model, positions, memory, bytes, &session), COPPICE_OK);
}
Session::~Session() { std::free(memory); }

Engine::Engine(const Model &model, uint32_t threads, uint32_t maxRows) {
  coppice_error error{};
  EXPECT_EQ(coppice_engine_create(model.model, threads, maxRows, &engine, &error), COPPICE_OK)
      << error.message;
}

std::vector<float> Engine::feed(const Model &model, Session &session,
                                const std::vector<int32_t> &tokens, size_t chunk) {
  std::vector<float> logits(tokens.size() * model.info.vocabulary);
  for (size_t begin = 0; begin < tokens.size(); begin += chunk) {
    std::vector<coppice_token> rows;
    for (size_t i = begin; i < std::min(begin + chunk, tokens.size()); ++i)
      rows.push_back({session.session, tokens[i], true});
    EXPECT_EQ(coppice_engine_step(engine, rows.data(), rows.size(),
                                  logits.data() + begin * model.info.vocabulary),
              COPPICE_OK);
  }
  return logits;
}

std::vector<int32_t> someTokens(const Model &model, size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<int32_t> tokens(count);
  for (int32_t &token : tokens)
    token = int32_t(random() % model.info.token_limit);
  return tokens;
}

} // namespace coppice::test
