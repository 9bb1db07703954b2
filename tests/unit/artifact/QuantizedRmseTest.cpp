// The error that quantization leaves on real checkpoints, matrix by matrix, against numbers that
// tests/golden/quantization/make_rmse.py computed of llama.cpp's formats with numpy.
#include "Decode.h"
#include "compiler/artifact/WeightView.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cmath>

using namespace coppice;
using namespace coppice::test;

namespace {
/// RMSE of a matrix packed in panels, read back by the tests' own reader.
double rmse(const Checkpoint &checkpoint, const TensorInfo &tensor, mlir::Value source,
            WeightFormat format) {
  int64_t rows = tensor.shape[0], cols = tensor.shape[1];
  Streamed got = stream(packed(source, rows, cols, format), checkpoint, 2);
  EXPECT_EQ(got.error, "");
  double sum = 0;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c) {
      Decoded back = decode(got.bytes, format, WeightLayout::Panels, rows, cols, r, c);
      double off = loadElement(tensor, r * cols + c) - back.code * back.scale;
      sum += off * off;
    }
  return std::sqrt(sum / double(rows * cols));
}

/// No matrix is worse than in Q4_0 and Q8_0; over all of a model the geometric mean of the ratios
/// is at most `most[0]` and `most[1]`.
void check(const std::string &key, const std::string &folder, const double (&most)[2]) {
  auto text = llvm::MemoryBuffer::getFile(COPPICE_TESTS "/golden/quantization/rmse.json");
  ASSERT_TRUE(bool(text));
  auto json = llvm::cantFail(llvm::json::parse((*text)->getBuffer()));
  const llvm::json::Object *golden = json.getAsObject()->getObject(key);
  ASSERT_TRUE(golden);
  auto checkpoint = llvm::cantFail(Checkpoint::open(folder));
  size_t matrices = 0;
  double logs[2] = {0, 0};
  for (const TensorInfo &tensor : checkpoint->tensors()) {
    if (tensor.shape.size() != 2)
      continue;
    const llvm::json::Array *reference = golden->getArray(tensor.name);
    ASSERT_TRUE(reference) << tensor.name.str();
    ++matrices;
    std::string type = std::to_string(tensor.shape[0]) + "x" + std::to_string(tensor.shape[1]) +
                       "x" + llvm::StringRef(dtypeName(tensor.dtype)).lower();
    Graph graph(*checkpoint,
                "%w = lm.weight @\"" + tensor.name.str() + "\" : tensor<" + type + ">");
    for (int i : {0, 1}) {
      double theirs = *(*reference)[size_t(i)].getAsNumber();
      double ours =
          rmse(*checkpoint, tensor, graph.last(), i ? WeightFormat::I8 : WeightFormat::I4);
      EXPECT_LE(ours, theirs * (1 + 1e-6)) << key << " " << tensor.name.str();
      EXPECT_GT(ours, 0.5 * theirs) << key << " " << tensor.name.str();
      logs[i] += std::log(ours / theirs);
    }
  }
  EXPECT_EQ(matrices, golden->size());
  double mean[2] = {std::exp(logs[0] / double(matrices)), std::exp(logs[1] / double(matrices))};
  std::printf("%s: %zu matrices, RMSE of i4 %.4f of Q4_0's, of i8 %.4f of Q8_0's\n", key.c_str(),
              matrices, mean[0], mean[1]);
  EXPECT_LE(mean[0], most[0]);
  EXPECT_LE(mean[1], most[1]);
}

// Of the trained models in the tree, and random ones of odd widths.
TEST(QuantizedRmse, OwnModels) {
  check("tests/models/opt-icl", COPPICE_TESTS "/models/opt-icl", {0.96, 0.92});
  check("tests/models/llama-gqa", COPPICE_TESTS "/models/llama-gqa", {0.96, 0.92});
  check("tests/models/llama-linear", COPPICE_TESTS "/models/llama-linear", {0.96, 0.92});
}

// Of those beside it, where they are.
TEST(QuantizedRmse, SharedModels) {
  const char *variable = std::getenv("COPPICE_MODELS");
  std::string root = variable ? variable : COPPICE_TESTS "/../../shared/models";
  if (!llvm::sys::fs::exists(root + "/stories260k"))
    GTEST_SKIP() << "no models in $COPPICE_MODELS or ../shared/models";
  check("$COPPICE_MODELS/stories260k", root + "/stories260k", {0.96, 0.92});
  check("$COPPICE_MODELS/opt-icl", root + "/opt-icl", {0.96, 0.92});
}
} // namespace
