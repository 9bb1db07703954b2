// A checkpoint on disk: memory-mapped safetensors, one file or a sharded index.
#pragma once
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <memory>

namespace coppice {

enum class DType : uint8_t { F32, F16, BF16 };

/// Bytes of one element.
unsigned dtypeBytes(DType type);
/// "F32", "F16" or "BF16", as safetensors spells it.
llvm::StringRef dtypeName(DType type);

/// One tensor of a checkpoint; `data` points into the mapping, row-major, little-endian, of
/// product(shape) * dtypeBytes(dtype) bytes, with no alignment promised.
struct TensorInfo {
  llvm::StringRef name;
  DType dtype;
  llvm::SmallVector<int64_t, 2> shape;
  llvm::ArrayRef<uint8_t> data;
  llvm::StringRef file; // path of the file that holds it, for messages
};

/// A well-formed tensor whose element type cannot be a weight here, an integer or 8-bit type: fine
/// as long as nobody needs it.
struct UnusableTensor {
  llvm::StringRef name, dtype, file;
};

class Checkpoint {
public:
  /// Opens MODEL_DIR/model.safetensors, or the shards of model.safetensors.index.json. Everything
  /// the headers claim is checked here; tensor data is not read.
  /// True if the folder has files that open() would read.
  static bool exists(llvm::StringRef directory);
  static llvm::Expected<std::unique_ptr<Checkpoint>> open(llvm::StringRef directory);
  virtual ~Checkpoint();

  /// In name order.
  virtual llvm::ArrayRef<TensorInfo> tensors() const = 0;
  /// Null if there is none.
  virtual const TensorInfo *find(llvm::StringRef name) const = 0;
  /// The tensors that are in the files and not in tensors(), in name order.
  virtual llvm::ArrayRef<UnusableTensor> unusable() const = 0;
  /// Tells the system that these pages will not be needed soon. Does not change the contents.
  virtual void drop(const TensorInfo &tensor) const = 0;
  /// BLAKE3 over the checkpoint's files, headers included, in shard name order. 32 bytes. Reads
  /// everything once, and drops pages behind it.
  virtual llvm::SmallVector<uint8_t, 32> hash() const = 0;
};

} // namespace coppice
