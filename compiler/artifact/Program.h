// A compiled program as the artifact writer takes it: code, stages, memory plan, and what to put
// into the weight segment, by reference to lm values that are evaluated while they are streamed.
#pragma once
#include "compiler/passes/Summary.h"
#include "mlir/IR/Value.h"
#include <cstdint>
#include <string>
#include <vector>

namespace coppice {

enum class WeightFormat : uint8_t { F32, F16, BF16, U32, I8, I4 };
enum class WeightLayout : uint8_t {
  Rows,  // row-major [rows][cols], no padding; vectors are [1][cols]
  Panels // the panel layout of compiler/codegen/KernelArgs.h, without padding
};

/// One item of the weight segment.
struct PackedWeight {
  std::string role;   // "q_proj", "kv_map", ...: what inspect groups bytes by
  int32_t layer = -1; // -1: belongs to no layer
  WeightFormat format = WeightFormat::F32;
  WeightLayout layout = WeightLayout::Rows;
  int64_t rows = 0, cols = 0; // of a matrix
  uint32_t experts = 1;       // matrices, each at the first multiple of 64 from the end of another
  uint64_t offset = 0;        // in the weight segment, bytes, a multiple of 64
  uint64_t bytes = 0;         // weightBytes() of format, rows, cols and experts
  // Of the columns, those of one expert after the other, for the quantizer: how much their errors
  // count, not negative, finite (the mean square of the input); empty: all alike. Other formats do
  // not look at it.
  std::vector<float> importance;
  std::vector<mlir::Value> others; // lm.weights of the experts after the first, which is:
  mlir::Value source; // lm.weight (matrix or vector) or a constant-row expression; or null:
  std::vector<uint32_t> words; // then these are the contents (floats bit-cast), format F32 or U32
};

struct KernelSymbol {
  std::string name;
  uint32_t offset = 0; // of its entry in the code image
};

/// Position-independent machine code, read-only data included; imports nothing, no relocations.
struct CodeImage {
  std::vector<uint8_t> bytes;
  std::vector<KernelSymbol> kernels;
};

/// A program's kernels for one kind of machine. All of a program's images have the same kernels in
/// the same order, so that one list of stages serves them all.
struct TargetCode {
  std::string target;                // resolved name, "x86-64-v3"
  std::vector<std::string> features; // that the machine must have, LLVM's names
  CodeImage image;
};

struct Stage {
  uint32_t kernel = 0; // index into CodeImage::kernels
  uint32_t set = 0;    // COPPICE_ROWS_ALL or COPPICE_ROWS_LOGITS
  bool perRow = false; // items = count * rows of the set, else count
  bool joined = false; // needs no barrier between the stage before it and itself
  uint32_t count = 1;
  int32_t layer = -1; // for listings
  std::vector<uint32_t> args;
};

struct MemoryPlan {
  uint64_t arenaBytesPerRow = 0;     // a multiple of 64
  uint64_t kvBytesPerPosition = 0;   // over the layers whose cache is no ring
  uint64_t ringBytesPerPosition = 0; // over the others; 0: there are none
  uint32_t ringPositions = 0;        // of a ring
  uint32_t largestStep = 0;          // rows of one session in a step
};

struct Program {
  std::vector<TargetCode> code; // at least one, the better later: a machine runs the last it can
  std::vector<Stage> stages;
  std::vector<PackedWeight> weights; // ascending offsets
  MemoryPlan memory;
  uint32_t vocabulary = 0; // columns of the logits
  uint32_t tokenLimit = 0; // token ids below this may be passed
  uint32_t context = 0;    // positions at most
  uint32_t picks = 0;      // routed rows for each row; 0: no layer has experts
  std::string modelType;
  std::vector<int32_t> stopTokens; // end-of-text ids
  ModelSummary summary;
  uint64_t parametersBefore = 0; // of the checkpoint as imported
};

} // namespace coppice
