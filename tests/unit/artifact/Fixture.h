// A checkpoint in memory, and lm values that read it.
#pragma once
#include "compiler/artifact/WeightStream.h"
#include "dialects/lm/LM.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include <cstdlib>
#include <gtest/gtest.h>
#include <map>

namespace coppice::test {

class MemoryCheckpoint : public Checkpoint {
public:
  /// Adds a tensor whose element i, as bits, is bits(i).
  template <typename Bits>
  void add(llvm::StringRef name, DType type, llvm::SmallVector<int64_t, 2> shape, Bits bits) {
    size_t count = 1;
    for (int64_t extent : shape)
      count *= extent;
    // One byte in front: tensors of real files have no alignment either.
    std::vector<uint8_t> &bytes = store[name.str()];
    bytes.resize(1 + count * dtypeBytes(type));
    for (size_t i = 0; i < count; ++i) {
      uint32_t word = bits(i);
      memcpy(bytes.data() + 1 + i * dtypeBytes(type), &word, dtypeBytes(type));
    }
    infos.push_back({store.find(name.str())->first, type, std::move(shape),
                     llvm::ArrayRef(bytes).drop_front(1), "m.safetensors"});
  }
  void addFloats(llvm::StringRef name, llvm::SmallVector<int64_t, 2> shape,
                 llvm::ArrayRef<float> values) {
    add(name, DType::F32, std::move(shape), [&](size_t i) {
      uint32_t bits;
      memcpy(&bits, &values[i], 4);
      return bits;
    });
  }

  llvm::ArrayRef<TensorInfo> tensors() const override { return infos; }
  const TensorInfo *find(llvm::StringRef name) const override {
    for (const TensorInfo &info : infos)
      if (info.name == name)
        return &info;
    return nullptr;
  }
  llvm::ArrayRef<UnusableTensor> unusable() const override { return {}; }
  void drop(const TensorInfo &tensor) const override { dropped.push_back(tensor.name.str()); }
  llvm::SmallVector<uint8_t, 32> hash() const override {
    return llvm::SmallVector<uint8_t, 32>(32, 0);
  }

  mutable std::vector<std::string> dropped;

private:
  std::map<std::string, std::vector<uint8_t>> store;
  std::vector<TensorInfo> infos;
};

/// Parses lm ops that read `checkpoint`: the body of a function, after declarations of all tensors.
class Graph {
public:
  Graph(const Checkpoint &checkpoint, const std::string &body) {
    context.loadDialect<lm::LMDialect, mlir::func::FuncDialect>();
    std::string text;
    for (const TensorInfo &tensor : checkpoint.tensors()) {
      text += "lm.tensor private @\"" + tensor.name.str() + "\" : tensor<";
      for (int64_t extent : tensor.shape)
        text += std::to_string(extent) + "x";
      text += llvm::StringRef(dtypeName(tensor.dtype)).lower() + ">\n";
    }
    text += "func.func @f() {\n" + body + "\nreturn\n}\n";
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    EXPECT_TRUE(module) << text;
  }
  /// The result of the last op before the return.
  mlir::Value last() {
    auto function = module->lookupSymbol<mlir::func::FuncOp>("f");
    return function.front().getTerminator()->getPrevNode()->getResult(0);
  }
  /// The result of op number `i`.
  mlir::Value value(unsigned i) {
    auto function = module->lookupSymbol<mlir::func::FuncOp>("f");
    return std::next(function.front().begin(), i)->getResult(0);
  }

private:
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

inline PackedWeight packed(mlir::Value source, int64_t rows, int64_t cols, WeightFormat format,
                           WeightLayout layout = WeightLayout::Panels) {
  PackedWeight weight;
  weight.role = "test";
  weight.layer = 3;
  weight.rows = rows;
  weight.cols = cols;
  weight.format = format;
  weight.layout = layout;
  weight.bytes = *weightBytes(format, rows, cols);
  weight.source = source;
  return weight;
}

/// The streamed segment, or the error's text.
struct Streamed {
  std::vector<uint8_t> bytes;
  std::string error;
  size_t largestChunk = 0;
};
inline Streamed stream(llvm::ArrayRef<PackedWeight> weights, const Checkpoint &checkpoint,
                       unsigned threads = 1) {
  Streamed result;
  llvm::Error error =
      streamWeights(weights, checkpoint, threads, nullptr, [&](llvm::ArrayRef<uint8_t> bytes) {
        result.bytes.insert(result.bytes.end(), bytes.begin(), bytes.end());
        result.largestChunk = std::max(result.largestChunk, bytes.size());
        return llvm::Error::success();
      });
  result.error = llvm::toString(std::move(error));
  return result;
}

} // namespace coppice::test
