// Compiles a model of the tree into a folder of the test's own and runs it through the runtime's
// interface.
#pragma once
#include "compiler/pipeline/Compile.h"
#include "coppice/coppice.h"
#include <memory>
#include <string>
#include <vector>

namespace coppice::test {

/// A folder that goes with the object.
class Scratch {
public:
  Scratch();
  ~Scratch();
  std::string file(const std::string &name) const { return path + "/" + name; }

private:
  std::string path;
};

/// tests/models/NAME, and tests/golden/models/NAME/PLAN.json ("" without a plan).
CompileOptions optionsFor(const std::string &model, const std::string &plan,
                          const std::string &output);

/// "" or the error's message.
std::string compileError(const CompileOptions &options);

/// Writes a random Llama of 32768 positions, 128 bytes of float32 cache each; its folder. It has
/// two layers, as the last one's attention runs for wanted rows only.
std::string modelOf32768(const Scratch &scratch);

std::string readAll(const std::string &path);

class Model {
public:
  explicit Model(const std::string &path);
  ~Model() { coppice_model_close(model); }

  coppice_model *model = nullptr;
  coppice_info info{};
};

class Session {
public:
  explicit Session(const Model &model, uint32_t positions);
  ~Session();

  coppice_session *session = nullptr;

private:
  void *memory = nullptr;
};

class Engine {
public:
  Engine(const Model &model, uint32_t threads, uint32_t maxRows);
  ~Engine() { coppice_engine_destroy(engine); }

  /// Logits of every token, in order, `chunk` tokens a step; the session goes on where it was.
  std::vector<float> feed(const Model &model, Session &session, const std::vector<int32_t> &tokens,
                          size_t chunk);

  coppice_engine *engine = nullptr;
};

/// `count` token ids of the model, seeded.
std::vector<int32_t> someTokens(const Model &model, size_t count, uint32_t seed);

} // namespace coppice::test
