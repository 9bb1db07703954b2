// The machines code is generated for. A target is a named level ("x86-64-v4"), never "the host":
// the same name gives the same code on any host, and the name and the features go into the
// artifact, which a machine that lacks one of them refuses.
#pragma once
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace coppice {

/// The instructions that pack.dot4 becomes. All give the same integers.
enum class DotKind {
  Avx2,       // 16-bit multiply-and-add; bytes where codes leave room
  AvxVnni,    // vpdpbusd on ymm
  Avx512,     // as Avx2, on zmm
  Avx512Vnni, // vpdpbusd on zmm
};

struct Target {
  std::string name;   // "x86-64-v3": what the artifact records
  std::string triple; // LLVM's target triple
  std::string cpu;    // LLVM's CPU name, fixed per level so that scheduling is reproducible
  std::string extras; // LLVM's feature string for what the level has beyond its CPU: "+avxvnni"
  std::vector<std::string> features; // LLVM names of what the machine must have, sorted
  unsigned vectorBits = 256;         // the widest registers that code may use

  // Shapes of the linear kernels' register tiles. They decide speed and code size, never bits.
  std::vector<unsigned> rowTiles; // input rows per tile, descending, the last is 1
  unsigned tileVectors = 1;       // against so many vectors of 16 output rows: 1 or 2
  unsigned decodePanels = 1;      // panels taken together when there is one input row

  // The same of the quantized linear kernels: the most input rows per tile, against so many
  // vectors.
  DotKind dot = DotKind::Avx2;
  unsigned dotRows = 4;
  unsigned dotVectors = 1;

  // Whether linear kernels of bf16 weights round their inputs to bfloat16 too and take dot products
  // of it. They alone have bits of this target's own, and errors: only its name chooses it.
  bool bf16Dots = false;
};

/// The targets that can be named, in rising order within a family.
llvm::ArrayRef<Target> x86Targets();

/// Finds a target by name. "native" is the highest named level that this host has, of those without
/// bf16Dots; a host below every level is an error that names the first level's missing features.
llvm::Expected<Target> resolveTarget(llvm::StringRef name);

/// Several, as names with commas between them, or as "all-x86" all that give the same bits: in
/// rising order, whatever the list's. A name that is empty, unknown or there twice is an error.
llvm::Expected<std::vector<Target>> resolveTargets(llvm::StringRef list);

} // namespace coppice
