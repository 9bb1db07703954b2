// Tiny random models, held in memory and written as Hugging Face writes them: config.json and
// model.safetensors. Everything is random, biases and norms too: their usual zeros and ones hide
// errors.
#pragma once
#include "tests/support/Random.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include <map>
#include <string>
#include <vector>

namespace coppice::test {

enum class Family { OptPreNorm, OptPostNorm, Llama };

struct ModelShape {
  Family family = Family::Llama;
  int64_t layers = 1, heads = 1, kvHeads = 1, headDim = 2, ffn = 3, vocab = 11, context = 32;
  int64_t hidden = 2;
  int64_t embedding = 2; // OPT's word_embed_proj_dim; `hidden` elsewhere
  bool tied = true, attentionBias = true, ffnBias = true; // OPT has both biases or none
  std::string activation = "relu", ropeType;              // ropeType: "", "linear" or "llama3"

  bool isOpt() const { return family != Family::Llama; }
};

/// 1-3 layers, 1-6 heads of 2, 4 or 6 columns, KV heads that divide them, 3-20 neurons, 11-20 ids.
ModelShape randomShape(Family family, Random &random);

struct RandomTensor {
  std::vector<int64_t> shape;
  std::vector<float> values;
};

struct RandomCheckpoint {
  ModelShape shape;
  std::map<std::string, RandomTensor> tensors; // by the checkpoint's names

  RandomTensor &at(const std::string &name);
  /// Puts zeros into the listed rows (outputs) or columns of a matrix, or entries of a vector.
  void zeroRows(const std::string &name, int64_t begin, int64_t end);
  void zeroColumns(const std::string &name, int64_t begin, int64_t end);
};

RandomCheckpoint randomCheckpoint(const ModelShape &shape, Random &random);

/// The parts of a layer, by which tests find tensors of any family.
enum class Part { Query, Key, Value, Output, Gate, Up, Down };
/// The name without ".weight" or ".bias". OPT has no gate.
std::string partName(const ModelShape &shape, int64_t layer, Part part);

llvm::json::Object configOf(const ModelShape &shape);

/// How the values are stored; each value is rounded to nearest even.
enum class Stored { F32, F16, BF16 };

/// Writes config.json and model.safetensors into `directory`, which is made if it is not there.
llvm::Error writeCheckpoint(const RandomCheckpoint &checkpoint, llvm::StringRef directory,
                            Stored stored = Stored::F32);

/// A fresh folder for one test's files, removed with all it holds at the end.
class TemporaryFolder {
public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;
  const std::string &path() const { return folder; }

private:
  std::string folder;
};

} // namespace coppice::test
