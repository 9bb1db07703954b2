// Streams a program's weight segment: each packed weight is read from the mapped checkpoint,
// selected, converted, laid out, and handed on in order.
//
// The bytes depend on the program and the checkpoint only, not on the number of threads. Memory is
// a few MB a thread however large a weight is, and a tensor's pages are dropped once it is packed.
#pragma once
#include "compiler/artifact/Program.h"
#include "compiler/import/Checkpoint.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <optional>

namespace coppice {

/// Takes the next bytes of the segment.
using WeightSink = llvm::function_ref<llvm::Error(llvm::ArrayRef<uint8_t>)>;

/// Bytes of the weight segment done, and in all. Called on the thread that streams.
using WeightProgress = llvm::function_ref<void(uint64_t done, uint64_t total)>;

/// I8 or I4: elements share scales, and rows are cut at whole groups only.
bool isQuantized(WeightFormat format);
/// Bytes of one element of a format that is not quantized.
unsigned formatBytes(WeightFormat format);
/// Bytes of a row of `cols` elements, of any format: as runtime/schema/artifact.fbs says.
uint64_t weightRowBytes(WeightFormat format, uint64_t cols);
/// Bytes of a weight; nothing if they do not fit 64 bits. Matrices of several experts lie each at
/// the first multiple of 64 bytes from the end of the one before.
std::optional<uint64_t> weightBytes(WeightFormat format, int64_t rows, int64_t cols,
                                    uint32_t experts = 1);
/// "f32", "f16", "bf16", "u32", "i8" or "i4".
llvm::StringRef formatName(WeightFormat format);

/// Bytes of the weight segment: the end of its last weight.
uint64_t segmentBytes(llvm::ArrayRef<PackedWeight> weights);

/// The widths of the panels of `rows` output rows, in order: as compiler/codegen/KernelArgs.h says.
llvm::SmallVector<int64_t> panelWidths(int64_t rows);

/// `threads` convert; 0 means one for each core. `progress` may be null. Errors: a weight that is
/// not finite or that the format cannot hold (names tensor, row and column), a weight whose place
/// in the segment contradicts its shape, and what `sink` returns.
llvm::Error streamWeights(llvm::ArrayRef<PackedWeight> weights, const Checkpoint &checkpoint,
                          unsigned threads, WeightProgress progress, WeightSink sink);

} // namespace coppice
