// From a checkpoint folder and a plan to an artifact: runs the phases in order.
#pragma once
#include "compiler/codegen/Observation.h"
#include "compiler/pipeline/Phases.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace coppice {

enum class Emit { Artifact, Mlir, Llvm, Asm };

struct CompileOptions {
  std::string modelDir;
  std::string output;              // a file; "-" is standard output, for text only
  std::string plan;                // a file; empty: nothing is cut
  std::string weights = "stored";  // as WeightChoice.h says
  std::string kv = "f32";          // or bf16, i8: elements of the KV cache
  std::string calibration;         // a file of calibrate(); empty: all columns count alike
  std::string target = "native";   // a name or a list of resolveTargets
  std::optional<uint32_t> context; // positions; the model's config without it
  Emit emit = Emit::Artifact;
  Phase stopAfter = Phase::Memory; // for Emit::Mlir
  /// Compute everything that depends on no weight's value, and write nothing but the report. A
  /// model's folder may then have no weights: those that its config describes are meant.
  bool dryRun = false;
  bool keepMasks = false; // compile the masked graph as it stands
  bool findDead = false;
  bool noTokenizer = false; // leave the folder's tokenizer out, unread
  bool observe = false;     // mark what linears read; CompileResult says where it lies
  bool verifyEach = true;
  unsigned threads = 0; // 0: as many as there are processors; never changes the bytes
  std::string report;   // a JSON file of what was cut; empty: none
  /// Called with a phase's name and a fraction in [0, 1] while work goes on, from one thread.
  std::function<void(llvm::StringRef what, double done)> progress;
};

/// What a compilation came to, for messages.
struct CompileResult {
  uint64_t artifactBytes = 0, checkpointBytes = 0;
  uint64_t parametersBefore = 0, parametersAfter = 0;
  uint64_t activeParameters = 0;         // of those after: what one token uses
  std::vector<std::string> warnings;     // what a user should know of the model that was compiled
  std::string target;                    // or several, with ", " between them, the lowest first
  std::vector<Observation> observations; // if asked for
};

/// Compiles. On an error nothing is left behind: outputs are written beside and renamed.
llvm::Expected<CompileResult> compile(const CompileOptions &options);

} // namespace coppice
