// Tiny random models, held in memory and written as Hugging Face writes them: config.json and
// model.safetensors. Everything is random, biases and norms too: their usual zeros and ones hide
// errors.
#pragma once
#include "tests/support/RandomShape.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <map>
#include <string>
#include <vector>

namespace coppice::test {

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

/// The parts of a layer, by which tests find tensors of OPT and of what is named as Llama is.
enum class Part { Query, Key, Value, Output, Gate, Up, Down };
/// The name without ".weight" or ".bias". OPT has no gate.
std::string partName(const ModelShape &shape, int64_t layer, Part part);

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
