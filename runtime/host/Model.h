// A mapped artifact with the program to run. Shared by its creator and its engines; the last one to
// let go unmaps it.
#pragma once
#include "runtime/core/program.h"
#include "runtime/host/Verify.h"
#include <atomic>

struct coppice_model {
  std::atomic<uint32_t> owners{1};
  const uint8_t *file = nullptr; // the whole file, read-only
  size_t fileBytes = 0;
  uint8_t *code = nullptr; // the entry point's code segment, read and execute
  size_t codeBytes = 0;
  coppice_stage *stages = nullptr;
  coppice::runtime::VerifiedArtifact artifact{};
  const coppice::artifact::EntryPoint *entry = nullptr;
  coppice_program program{};
};

namespace coppice::runtime {

void retain(coppice_model *model);
void release(coppice_model *model);

} // namespace coppice::runtime
