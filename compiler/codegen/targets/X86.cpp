// The x86-64 levels of the psABI that code is generated for, and each with the dot products of
// bytes (VNNI) that some of its machines add: avxvnni came to client processors without AVX-512,
// the 512-bit form to servers.
//
// Vectors are 16 floats in every kernel: one register on v4, two on v3. Row tiles: 12 rows by 32
// outputs are 24 of v4's 32 registers, 6 rows by 16 outputs are 12 of v3's 16; what is left holds
// weights and broadcasts. A quantized tile holds its sums twice, as integers of one group and as
// floats: 6 rows by 32 outputs on v4; on v3 4 rows by 16, whose floats may lie in memory meanwhile.
//
// A row's bits are the same on every level but for one thing: with avx512bf16, weights in bfloat16
// meet inputs rounded to it, in vdpbf16ps, whose sums are of its own order and roundings. That is
// quicker with many rows and less exact, so that it stands apart: who wants it names it.
#include "compiler/codegen/Target.h"
#include "llvm/ADT/STLExtras.h"

using namespace coppice;

static Target level(const char *name, std::vector<std::string> features) {
  Target target;
  target.name = name;
  target.triple = "x86_64-unknown-linux-gnu";
  target.cpu = name;
  target.features = std::move(features);
  return target;
}

/// A level with one more feature.
static Target with(Target target, const char *name, const char *feature, DotKind dot) {
  target.name = name;
  target.extras += (target.extras.empty() ? "+" : ",+") + std::string(feature);
  target.features.insert(llvm::lower_bound(target.features, feature), feature);
  target.dot = dot;
  return target;
}

static std::vector<Target> makeLevels() {
  Target v3 = level("x86-64-v3", {"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe",
                                  "popcnt", "sse4.2"});
  v3.vectorBits = 256;
  v3.rowTiles = {6, 3, 1};
  v3.tileVectors = 1;
  v3.decodePanels = 2;

  Target v4 =
      level("x86-64-v4", {"avx", "avx2", "avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl",
                          "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "popcnt", "sse4.2"});
  v4.vectorBits = 512;
  v4.rowTiles = {12, 6, 3, 1};
  v4.tileVectors = 2;
  v4.decodePanels = 2;
  v4.dot = DotKind::Avx512;
  v4.dotRows = 6;
  v4.dotVectors = 2;
  Target v4vnni = with(v4, "x86-64-v4-vnni", "avx512vnni", DotKind::Avx512Vnni);
  Target v4bf16 = with(v4vnni, "x86-64-v4-bf16", "avx512bf16", DotKind::Avx512Vnni);
  v4bf16.bf16Dots = true;
  return {v3, with(v3, "x86-64-v3-vnni", "avxvnni", DotKind::AvxVnni), v4, v4vnni, v4bf16};
}

llvm::ArrayRef<Target> coppice::x86Targets() {
  static const std::vector<Target> levels = makeLevels();
  return levels;
}
