// A small artifact made by hand, independent of the compiler: its logits have a closed formula
// (ToyKernels.c). Each field can be made wrong before it is built.
#pragma once
#include "coppice/artifact_prefix.h"
#include "runtime/schema/artifact_generated.h"
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace toy {

/// As the records of runtime/schema/artifact.fbs, written by the toy itself.
struct Stage {
  uint32_t kernel, count;
  std::vector<uint32_t> args;
  int32_t layer;
  uint32_t set, perRow, joined = 0;
};
struct Weight {
  uint32_t rows, cols, role;
  int32_t layer;
  uint32_t format, layout;
};

/// An entry point beside the first, with the same kernels and stages.
struct Entry {
  std::string target;
  std::vector<std::string> features;
  uint32_t rank;
};

struct Artifact {
  uint32_t vocabulary = 5, tokenLimit = 100, context = 40;
  float weight = 0.25f; // w of the formula
  std::vector<int32_t> stopTokens = {7};
  std::vector<std::string> features = {"sse2"};
  uint64_t codeOffset = 0, codeBytes = 0; // 0 bytes: all there are
  std::vector<uint32_t> kernels = {0, 512, 1024};
  std::vector<Stage> stages;
  uint64_t arenaBytesPerRow = 64, kvBytes = 4;
  uint64_t ringBytes = 0; // 0: no rings
  uint32_t ringPositions = 64, largestStep = 16;
  std::string firstKernel = "toy";
  std::vector<Weight> weights;
  /// Changes the streams of records, stages' and weights', after they are made.
  std::function<void(std::vector<uint8_t> &stages, std::vector<uint8_t> &weights)> changeRecords;
  uint32_t headsKept = 1;              // of 2
  std::vector<uint8_t> heads = {0, 1}; // which: the set's runs; empty: none
  uint32_t neuronsKept = 0;            // of 3, without saying which
  bool neuronsAreHeads = false;        // one table is both sets
  bool entryPoint = true;
  std::string target = "toy-target";
  uint32_t rank = 0;
  std::vector<Entry> others;
  std::vector<uint8_t> tokenizer;

  Artifact();
  std::vector<uint8_t> build() const;
};

/// The prefix, to look at or to change.
coppice_prefix prefixOf(const std::vector<uint8_t> &file);
void setPrefix(std::vector<uint8_t> &file, const coppice_prefix &prefix);

/// Makes both checksums right again after a change.
void seal(std::vector<uint8_t> &file);

/// A file with these bytes that is gone with the object.
class File {
public:
  explicit File(const std::vector<uint8_t> &bytes);
  ~File();
  File(const File &) = delete;
  File &operator=(const File &) = delete;
  const char *path() const { return name.c_str(); }

private:
  std::string name;
};

/// The formula.
float logit(const std::vector<int32_t> &tokens, size_t position, uint32_t v, float weight = 0.25f);

} // namespace toy
